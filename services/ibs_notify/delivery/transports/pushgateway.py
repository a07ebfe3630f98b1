"""Prometheus Pushgateway: events are counted durably, and the counts are pushed as state.

A message is delivered when a push that holds it was taken. One pusher of a target at a time reads
the totals and pushes them, so that no older ones come after newer ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final
from uuid import uuid4

import aiohttp
from aiohttp import hdrs
from yarl import URL

from ibs_notify.delivery.transports.base import (
    Message,
    Outcome,
    OutcomeReason,
    Stage,
    Tell,
    Verdict,
    untold,
)
from ibs_notify.delivery.transports.dial import Dialler
from ibs_notify.delivery.transports.http_failure import failure_of
from ibs_notify.delivery.transports.http_peer import FAILURES, HttpPeer, user_agent
from ibs_notify.delivery.transports.metric_book import TURN_SECONDS, MetricBook, Sample, Series
from ibs_notify.delivery.transports.metric_server import metric_server
from ibs_notify.delivery.transports.pushgateway_text import (
    Group,
    Request,
    delete_request,
    families_of,
    push_request,
    test_families,
)
from ibs_notify.delivery.transports.redact import Redactor, shown_url
from ibs_notify.delivery.transports.safely import outcome_of, stages_of
from ibs_notify.delivery.transports.stages import AttemptFailed, StageLog, retry
from ibs_notify.delivery.transports.webhook_verdict import phrase_of, verdict_on
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import ResourceExhausted, Unavailable
from ibs_notify.domain.target import PushgatewaySpec, Target

TOTAL_SECONDS: Final = 10.0
"""For one request; much less than a turn."""
LONGEST_WAIT_SECONDS: Final = 30.0
"""For a turn: longer than one lasts whose pusher died."""
_LOOK_SECONDS: Final = 0.1
_ADVICE: Final[Mapping[int, str]] = {
    401: "the gateway does not know these credentials: renew them with target update",
    403: "the gateway does not allow it: check the credentials with target update",
    404: "check the target's --url",
    405: "check the target's --url: this is no Pushgateway",
}


class PushgatewayTransport:
    """The way to one group of a gateway. See ``base.BatchTransport``."""

    concurrency = 1

    def __init__(
        self,
        target: Target,
        spec: PushgatewaySpec,
        secret: str,
        book: MetricBook,
        clock: Clock,
        dialler: Dialler,
    ) -> None:
        """``secret`` is the password where the spec has a username, else a bearer token or empty.

        Opens nothing yet. Raises InvalidArgument when the URL or the CA cannot be used.
        """
        self._uid = target.uid
        self._book = book
        self._clock = clock
        self._dialler = dialler
        self._server = metric_server(spec.url, spec.ca_pem)
        self._redact = Redactor((secret,), username=spec.username, url=spec.url)
        self._shown = shown_url(spec.url)
        self._authorization = _authorization(spec.username, secret)
        self._group = Group(spec.url, spec.job, {"target": target.name})
        self._test_group = Group(spec.url, spec.job, {"target": target.name, "test": "true"})
        self._pusher = uuid4().hex
        self._pushing = asyncio.Lock()
        self._peers: dict[tuple[str, str], HttpPeer] = {}
        self._closed = False

    @property
    def certificate_until(self) -> datetime | None:
        known = (each.certificate_until for each in self._peers.values())
        return next((each for each in known if each is not None), None)

    async def attempt(self, message: Message) -> Outcome:
        return (await self.attempt_all((message,)))[0]

    async def attempt_all(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        samples = [Sample(message.sequence, message.event) for message in messages]
        outcome = await outcome_of(self._push(samples), self._redact)
        return [outcome] * len(messages)

    async def refresh(self) -> Outcome:
        """Push what was counted so far, for a gateway that may have lost it."""
        return await outcome_of(self._push(()), self._redact)

    async def remove(self) -> Outcome:
        """End the target's group on the gateway."""
        return await outcome_of(self._remove(), self._redact)

    async def test(self, message: Message, tell: Tell = untold) -> tuple[Stage, ...]:  # noqa: ARG002 # not an event
        async def run(log: StageLog) -> None:
            server = self._server
            await self._dialler.probe(log, server.host, server.port, server.context)
            families = test_families(self._clock.now())
            for name, request in (
                ("send", push_request(self._test_group, families)),
                ("remove", delete_request(self._test_group)),
            ):
                with log.stage(name) as note:
                    outcome = await outcome_of(self._send(request), self._redact)
                    if outcome.verdict is not Verdict.DELIVERED:
                        raise AttemptFailed(outcome)
                    note(f"{outcome.code} {outcome.reply}")

        return await stages_of(run, self._clock, self._redact, tell)

    async def close(self) -> None:
        self._closed = True
        for peer in self._peers.values():
            await peer.close()

    async def _remove(self) -> Outcome:
        async with self._turn(()) as (_, deadline):
            return await self._send_by(deadline, delete_request(self._group))

    async def _push(self, samples: Sequence[Sample]) -> Outcome:
        async with self._turn(samples) as (series, deadline):
            families = families_of(series)
            if not families:
                return Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED, reply="nothing to push")
            return await self._send_by(deadline, push_request(self._group, families))

    @asynccontextmanager
    async def _turn(
        self, samples: Sequence[Sample]
    ) -> AsyncIterator[tuple[Sequence[Series], float]]:
        """All series, ``samples`` among them, and until when they may begin to be pushed."""
        async with self._pushing:
            waited_until = self._clock.monotonic() + LONGEST_WAIT_SECONDS
            while True:
                deadline = self._clock.monotonic() + TURN_SECONDS - TOTAL_SECONDS
                series = await self._book.count(self._uid, self._pusher, samples)
                if series is not None:
                    break
                if self._clock.monotonic() > waited_until:
                    raise retry(OutcomeReason.PUSHED_ELSEWHERE, "another replica pushes all along")
                await asyncio.sleep(_LOOK_SECONDS)
            try:
                yield series, deadline
            except AttemptFailed as failure:
                # What may still be on its way would come after what the next one pushes.
                if not failure.outcome.maybe_accepted:
                    await self._end_turn()
                raise
            await self._end_turn()

    async def _end_turn(self) -> None:
        # Where it cannot be given back, it ends by itself.
        with suppress(Unavailable, ResourceExhausted):
            await self._book.end_turn(self._uid, self._pusher)

    async def _send_by(self, deadline: float, request: Request) -> Outcome:
        if self._clock.monotonic() > deadline:
            raise retry(OutcomeReason.TIMEOUT, "the totals were read too long ago to be pushed")
        return await self._send(request)

    async def _send(self, request: Request) -> Outcome:
        if self._closed:
            raise retry(OutcomeReason.DISCONNECTED, "this service is closing its connections")
        try:
            answer = await self._peer(request).send("", request.body)
        except FAILURES as error:
            raise failure_of(error, self._shown) from None
        reply = answer.text.strip() or answer.phrase or phrase_of(answer.status)
        return verdict_on(
            answer.status, answer.retry_after, self._redact(reply), self._clock.now(), _ADVICE
        )

    def _peer(self, request: Request) -> HttpPeer:
        place = (request.method, request.url)
        if place not in self._peers:
            headers = {
                hdrs.USER_AGENT: user_agent(),
                hdrs.ACCEPT: "*/*",
                hdrs.ACCEPT_ENCODING: "identity",
                **request.headers,
            }
            if self._authorization:
                headers[hdrs.AUTHORIZATION] = self._authorization
            self._peers[place] = HttpPeer(
                request.method,
                URL(request.url),
                headers,
                self._dialler,
                own_headers=(),
                context=self._server.context,
                connections=1,
                total_seconds=TOTAL_SECONDS,
            )
        return self._peers[place]


def _authorization(username: str, secret: str) -> str:
    if username:
        return aiohttp.encode_basic_auth(username, secret)
    return f"Bearer {secret}" if secret else ""
