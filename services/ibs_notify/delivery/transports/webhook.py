"""Webhooks: one request for each attempt, on connections that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from ibs_notify.delivery.presets.endpoint import credentials_of
from ibs_notify.delivery.presets.verdict import verdict_of
from ibs_notify.delivery.transports import dial
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
from ibs_notify.delivery.transports.http_peer import FAILURES, HttpPeer
from ibs_notify.delivery.transports.redact import Redactor, shown_url
from ibs_notify.delivery.transports.safely import outcome_of, stages_of
from ibs_notify.delivery.transports.signing import Signer
from ibs_notify.delivery.transports.stages import AttemptFailed, StageLog, retry
from ibs_notify.delivery.transports.webhook_request import WebhookComposer
from ibs_notify.delivery.transports.webhook_verdict import phrase_of
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.target import WebhookSpec

CONCURRENCY: Final = 16
TOTAL_SECONDS: Final = 30.0


class WebhookTransport:
    """The way to one HTTP endpoint. See ``base.Transport``."""

    concurrency = CONCURRENCY

    def __init__(
        self,
        spec: WebhookSpec,
        header_values: Mapping[str, str],
        clock: Clock,
        dialler: Dialler,
        *,
        token: str = "",
        signer: Signer | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        """As ``WebhookComposer``. Opens nothing yet.

        Raises InvalidArgument when the URL, a header, a template or the CA cannot be used.
        """
        self._clock = clock
        self._dialler = dialler
        self._preset = spec.preset
        self._composer = WebhookComposer(spec, header_values, token=token, signer=signer)
        self._url = self._composer.url
        self._context = dial.tls_context(spec.ca_pem) if self._url.scheme == "https" else None
        secrets = (token, *header_values.values(), *credentials_of(spec, token).values())
        self._redact = Redactor(secrets, url=spec.url)
        self._shown = shown_url(spec.url)
        self._closed = False
        self._peer = HttpPeer(
            self._composer.method,
            self._url.with_user(None),
            self._composer.headers,
            dialler,
            own_headers=self._composer.own_headers,
            context=self._context,
            connections=CONCURRENCY,
            total_seconds=total_seconds,
        )

    @property
    def certificate_until(self) -> datetime | None:
        return self._peer.certificate_until

    async def attempt(self, message: Message) -> Outcome:
        return await outcome_of(self._attempt(message), self._redact)

    async def test(self, message: Message, tell: Tell = untold) -> tuple[Stage, ...]:
        async def run(log: StageLog) -> None:
            port = self._url.port or 0
            await self._dialler.probe(log, self._url.raw_host or "", port, self._context)
            with log.stage("send") as note:
                outcome = await self._attempt(message)
                if outcome.verdict is not Verdict.DELIVERED:
                    raise AttemptFailed(_with_code(outcome))
                note(f"{outcome.code} {outcome.reply}")

        return await stages_of(run, self._clock, self._redact, tell)

    async def close(self) -> None:
        self._closed = True
        await self._peer.close()

    async def _attempt(self, message: Message) -> Outcome:
        body = self._composer.body(message)
        if self._closed:
            raise retry(OutcomeReason.DISCONNECTED, "this service is closing its connections")
        now = self._clock.now()
        headers = self._composer.message_headers(message, body, now)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        try:
            answer = await self._peer.send(lines, body)
        except FAILURES as error:
            raise failure_of(error, self._shown) from None
        reply = self._redact(answer.text or answer.phrase or phrase_of(answer.status))
        return verdict_of(self._preset, answer.status, answer.retry_after, answer.text, reply, now)


def _with_code(outcome: Outcome) -> Outcome:
    code = f"{outcome.code} " if outcome.code else ""
    return replace(outcome, reply=f"{code}{outcome.reply}")
