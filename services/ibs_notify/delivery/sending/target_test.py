"""A test of a target: one real attempt, now, beside the queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from ibs_notify.delivery.admission import default_recipients, needs_recipients
from ibs_notify.delivery.transports.base import Began, Message, Stage, Tell, untold
from ibs_notify.delivery.transports.cache import Build, SecretOpener
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import FailedPrecondition, Internal, Reason
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.domain.target import Target
from ibs_notify.snapshot.model import Snapshot

EVENT_TYPE = "notification.test"


@dataclass(frozen=True, slots=True)
class TestResult:
    """``stages`` in order, up to the first that failed; ``summary`` is a sentence."""

    __test__ = False

    ok: bool
    stages: Sequence[Stage]
    summary: str


class TargetTester:
    """Tests saved targets and drafts alike; nothing of a test is kept."""

    def __init__(self, build: Build, secrets: SecretOpener, clock: Clock) -> None:
        self._build = build
        self._secrets = secrets
        self._clock = clock

    async def test(
        self,
        target: Target,
        sealed: Mapping[str, bytes],
        recipients: Sequence[str],
        snapshot: Snapshot | None,
        tell: Tell = untold,
    ) -> TestResult:
        """Make one attempt. Raises where it cannot even begin: nobody receives it, a secret is
        missing or cannot be opened, the settings cannot work. ``tell`` hears how it goes."""
        snapshot = snapshot or Snapshot(revision=0)
        addresses = tuple(recipients) or default_recipients(target, snapshot)
        if needs_recipients(target) and not addresses:
            raise FailedPrecondition(
                Reason.RECIPIENT_REQUIRED,
                f"nobody is configured to receive a test of {target.name!r}",
                advice="give a recipient, or set the target's recipients or default_recipients",
            )
        try:
            secrets = self._secrets.open(target.uid, sealed)
        except Internal as error:
            # They are of this request: whoever made it is told, and nothing is wrong here.
            raise FailedPrecondition(
                Reason.SECRET_REQUIRED, error.message, advice=error.advice
            ) from None
        transport = self._build(target, secrets, snapshot.settings, self._clock)
        try:
            stages = await transport.test(self._message(target, addresses, snapshot), tell)
        finally:
            await transport.close()
        return _result(target, stages)

    async def follow(
        self,
        target: Target,
        sealed: Mapping[str, bytes],
        recipients: Sequence[str],
        snapshot: Snapshot | None,
    ) -> AsyncGenerator[Began | Stage | TestResult]:
        """As ``test``, told as it goes: each stage twice, the result last. Who stops listening
        (``aclose``) ends the attempt."""
        told: asyncio.Queue[Began | Stage | None] = asyncio.Queue()
        attempt = asyncio.create_task(
            self.test(target, sealed, recipients, snapshot, told.put_nowait)
        )
        attempt.add_done_callback(lambda _: told.put_nowait(None))
        try:
            while (news := await told.get()) is not None:
                yield news
            yield await attempt
        finally:
            attempt.cancel()
            await asyncio.gather(attempt, return_exceptions=True)

    def _message(self, target: Target, addresses: tuple[str, ...], snapshot: Snapshot) -> Message:
        now = self._clock.now()
        unique = uuid4().hex
        event = Event(
            event_id=f"test-{unique}",
            type=EVENT_TYPE,
            severity=Severity.INFO,
            timestamp=now,
            subject=f"Test of the notification target {target.name}",
            summary=(
                f"This is a test of the notification target {target.name}, sent at "
                f"{now:%Y-%m-%d %H:%M:%S} UTC. Nothing has happened, and there is nothing to do."
            ),
        )
        return Message(
            delivery_id=f"test-{unique}",
            event=event,
            recipients=addresses,
            all_recipients=addresses,
            settings=snapshot.settings,
            created_at=now,
        )


def _result(target: Target, stages: Sequence[Stage]) -> TestResult:
    failed = next((stage for stage in stages if not stage.ok), None)
    if failed is not None:
        return TestResult(
            ok=False,
            stages=stages,
            summary=f"the test of {target.name} failed at {failed.name}: {failed.detail}",
        )
    last = stages[-1].detail if stages else ""
    accepted = f"{target.name} accepted the test message"
    return TestResult(ok=True, stages=stages, summary=f"{accepted}: {last}" if last else accepted)
