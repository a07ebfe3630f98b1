"""InfluxDB v2: the events of a batch in one write, or in as few as their content allows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.client.write_api_async import WriteApiAsync

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
from ibs_notify.delivery.transports.http_peer import FAILURES, user_agent
from ibs_notify.delivery.transports.influxdb_point import line_of, test_line_of
from ibs_notify.delivery.transports.influxdb_session import NotWritten, PeerSession
from ibs_notify.delivery.transports.influxdb_verdict import (
    Part,
    failed_part,
    is_content,
    verdict_on,
)
from ibs_notify.delivery.transports.metric_book import MetricBook
from ibs_notify.delivery.transports.metric_labels import Label, Values, labels_of, missing, wanted
from ibs_notify.delivery.transports.metric_server import metric_server
from ibs_notify.delivery.transports.redact import Redactor, shown_url
from ibs_notify.delivery.transports.safely import outcome_of, outcomes_of, stages_of
from ibs_notify.delivery.transports.splitting import send_split
from ibs_notify.delivery.transports.stages import AttemptFailed, StageLog, retry
from ibs_notify.delivery.transports.webhook_verdict import phrase_of
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.target import InfluxDbSpec

TOTAL_SECONDS: Final = 30.0


class InfluxDbTransport:
    """The way to one bucket. See ``base.BatchTransport``."""

    concurrency = 1

    def __init__(
        self,
        target_uid: str,
        spec: InfluxDbSpec,
        token: str,
        book: MetricBook,
        clock: Clock,
        dialler: Dialler,
    ) -> None:
        """Opens nothing yet. Raises InvalidArgument when the URL or the CA cannot be used."""
        self._uid = target_uid
        self._spec = spec
        self._token = token
        self._book = book
        self._clock = clock
        self._dialler = dialler
        self._server = metric_server(spec.url, spec.ca_pem)
        self._redact = Redactor((token,), url=spec.url)
        self._admitted: Values = {label: frozenset() for label in Label}
        self._session = PeerSession(
            dialler,
            context=self._server.context,
            connections=self.concurrency,
            total_seconds=TOTAL_SECONDS,
        )
        self._client: InfluxDBClientAsync | None = None
        self._closed = False

    @property
    def certificate_until(self) -> datetime | None:
        return self._session.certificate_until

    async def attempt(self, message: Message) -> Outcome:
        return (await self.attempt_all((message,)))[0]

    async def attempt_all(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        return await outcomes_of(self._attempt_all(messages), len(messages), self._redact)

    async def test(self, message: Message, tell: Tell = untold) -> tuple[Stage, ...]:
        async def run(log: StageLog) -> None:
            server = self._server
            await self._dialler.probe(log, server.host, server.port, server.context)
            outcome: Outcome | None = None
            for part in Part:
                # One write tells of all parts: the server checks them in this order. Where it
                # failed at none of them, nobody knows how far the server looked.
                if outcome is not None and _skips(part, outcome):
                    continue
                with log.stage(part) as note:
                    if outcome is None:
                        write = self._write([test_line_of(message)])
                        outcome = await outcome_of(write, self._redact)
                    if part is failed_part(outcome):
                        raise AttemptFailed(outcome)
                    note(self._seen(part, outcome))

        return await stages_of(run, self._clock, self._redact, tell)

    async def close(self) -> None:
        self._closed = True
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def _attempt_all(self, messages: Sequence[Message]) -> list[Outcome]:
        events = [message.event for message in messages]
        values = wanted(events)
        if missing(self._admitted, values):
            self._admitted = await self._book.admit(self._uid, values)
        lines = [line_of(each, labels_of(each.event, self._admitted)) for each in messages]
        return await send_split(lines, self._write, is_content)

    async def _write(self, lines: Sequence[bytes]) -> Outcome:
        """One request. What becomes of it is an Outcome, also where there was no answer."""
        try:
            await self._writer().write(self._spec.bucket, record=list(lines))
        except NotWritten as answer:
            reply = answer.reply
            words = reply.text or phrase_of(reply.status)
            return verdict_on(reply.status, reply.retry_after, words, self._clock.now())
        except FAILURES as error:
            return failure_of(error, shown_url(self._spec.url)).outcome
        return Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED, 204, "")

    def _writer(self) -> WriteApiAsync:
        if self._closed:
            raise retry(OutcomeReason.DISCONNECTED, "this service is closing its connections")
        if self._client is None:
            self._client = self._opened()
        return self._client.write_api()

    def _opened(self) -> InfluxDBClientAsync:
        client = InfluxDBClientAsync(
            self._spec.url,
            self._token,
            self._spec.org,
            ssl_context=self._server.context,
            client_session_type=self._session.adopt,
        )
        client.api_client.user_agent = user_agent()
        return client

    def _seen(self, part: Part, outcome: Outcome) -> str:
        if outcome.verdict is not Verdict.DELIVERED:
            return "answers" if part is Part.URL else ""
        return {
            Part.URL: "takes writes of InfluxDB v2",
            Part.TOKEN: "may write",
            Part.ORG: self._spec.org,
            Part.BUCKET: self._spec.bucket,
            Part.SEND: f"{outcome.code} one point of the measurement ibs_test",
        }[part]


def _skips(part: Part, outcome: Outcome) -> bool:
    return part is not Part.SEND and failed_part(outcome) is Part.SEND
