"""Metric servers, until this service can write to them: their deliveries wait in the queue."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from ibs_notify.delivery.redact import Redactor
from ibs_notify.delivery.transports import dial
from ibs_notify.delivery.transports.base import Message, Outcome, OutcomeReason, Stage, Verdict
from ibs_notify.delivery.transports.safely import stages_of
from ibs_notify.delivery.transports.stages import StageLog, retry
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.target import InfluxDbSpec, PushgatewaySpec

NOT_YET: Final = (
    "this release cannot write to metric servers yet; deliveries to them wait and none is lost"
)


class WaitingTransport:
    """Tells whether the server can be reached, for ``test``; sends nothing."""

    concurrency = 1
    certificate_until: datetime | None = None

    def __init__(self, spec: InfluxDbSpec | PushgatewaySpec, clock: Clock) -> None:
        """Raises InvalidArgument when the spec's CA cannot be used."""
        parts = urlsplit(spec.url)
        self._clock = clock
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._context = dial.tls_context(spec.ca_pem) if parts.scheme == "https" else None
        self._redact = Redactor((), url=spec.url)

    async def attempt(self, message: Message) -> Outcome:  # noqa: ARG002 # nothing is sent
        return Outcome(Verdict.RETRY, OutcomeReason.NOT_SUPPORTED, reply=NOT_YET)

    async def test(self, message: Message) -> tuple[Stage, ...]:  # noqa: ARG002 # nothing is sent
        async def run(log: StageLog) -> None:
            await dial.probe(log, self._host, self._port, self._context)
            with log.stage("send"):
                raise retry(OutcomeReason.NOT_SUPPORTED, NOT_YET)

        return await stages_of(run, StageLog(self._clock), self._redact)

    async def close(self) -> None:
        """There is nothing to close."""
