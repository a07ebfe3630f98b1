"""One attempt with one delivery: the message, the transport's outcome, and what comes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from google.protobuf.message import DecodeError

from ibs_notify.delivery import digest_report
from ibs_notify.delivery.admission import Admission, default_recipients, needs_recipients
from ibs_notify.delivery.model import (
    AttemptEnd,
    Completion,
    Kind,
    QueueReason,
    Recipient,
    Settlement,
    State,
    Work,
)
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.ports import CannotOpen, Transports
from ibs_notify.delivery.settle import settle
from ibs_notify.delivery.transports.base import (
    Message,
    Outcome,
    OutcomeReason,
    Transport,
    Verdict,
)
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.event import Event
from ibs_notify.domain.failpoints import hit
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.rpc.convert import event_from_proto
from ironcore.notification.v1 import event_pb2

log = logging.getLogger(__name__)


class Sender:
    """Makes attempts. ``jitter`` gives numbers in [0, 1) that spread retries."""

    def __init__(
        self,
        outlook: Outlook,
        transports: Transports,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        self._outlook = outlook
        self._transports = transports
        self._clock = clock
        self._jitter = jitter

    async def send(self, work: Work) -> Completion:
        """Make one attempt with the target as it is now; what the transport does is an outcome."""
        snapshot, target = self._outlook.snapshot, self._outlook.target(work.target_uid)
        admission = self._outlook.admit(work.target_uid, work.revision, bool(work.recipients))
        if admission is not Admission.SENDABLE or snapshot is None or target is None:
            return not_begun(work, admission, self._clock.now())
        if needs_recipients(target) and not work.recipients:
            addresses = default_recipients(target, snapshot)
            work = replace(work, recipients=tuple(Recipient(each) for each in addresses))
        began = self._clock.monotonic()
        try:
            with self._transports.use(target, snapshot) as transport:
                outcome = await _attempt(transport, work, snapshot.settings)
        except CannotOpen as error:
            return not_begun(work, error.reason, self._clock.now(), error.detail)
        if outcome.verdict is Verdict.DELIVERED:
            hit("delivery.after_send")
        now = self._clock.now()
        settlement = settle(work, outcome, now, self._jitter())
        _log(work, outcome, settlement)
        end = AttemptEnd(
            outcome.verdict.value,
            outcome.reason.value,
            outcome.code,
            outcome.reply.replace("\0", ""),
            timedelta(seconds=self._clock.monotonic() - began),
        )
        return Completion(work, settlement, end, now, target.revision)


def not_begun(work: Work, admission: Admission, now: datetime, detail: str = "") -> Completion:
    """The attempt was not made: the delivery stands as ``admission`` says, SENDABLE as queued.

    Then it is due since it was accepted, so that it does not fall behind those that came later.
    """
    due_at: datetime | None
    if admission is Admission.SENDABLE:
        state, reason, due_at = State.QUEUED, "", work.created_at
    else:
        due_at = None
        state = State.CANCELLED if admission.cancels else State.WAITING
        reason = admission.value
    settlement = Settlement(
        state,
        reason,
        detail,
        work.recipients,
        work.failures,
        due_at,
        maybe_duplicate=work.maybe_duplicate,
    )
    return Completion(work, settlement, None, now)


def interrupted(work: Work, now: datetime) -> Completion:
    """The service stops in the middle of the attempt: it may have arrived or not."""
    settlement = Settlement(
        State.QUEUED,
        QueueReason.WORKER_DIED,
        "",
        work.recipients,
        work.failures,
        maybe_duplicate=True,
    )
    end = AttemptEnd("unknown", QueueReason.WORKER_DIED, 0, "the service stopped", timedelta())
    return Completion(work, settlement, end, now)


async def _attempt(transport: Transport, work: Work, settings: InstallationSettings) -> Outcome:
    try:
        return await transport.attempt(message_of(work, settings))
    except DecodeError:
        log.error("delivery %s: its event cannot be read", work.delivery_id)
        return Outcome(
            Verdict.REFUSED, OutcomeReason.INTERNAL, reply="the stored event cannot be read"
        )
    except Exception:  # a transport's contract is not to raise; its fault must not stop the lane
        log.exception("delivery %s: the transport failed", work.delivery_id)
        return Outcome(
            Verdict.RETRY, OutcomeReason.INTERNAL, reply="a fault of the service; see its log"
        )


def message_of(work: Work, settings: InstallationSettings) -> Message:
    """What is sent: the same id and moment on every attempt, to those who are still open.

    ``DecodeError`` where what is stored cannot be read.
    """
    event = _event_of(work)
    return Message(
        delivery_id=work.delivery_id,
        event=event,
        recipients=tuple(each.address for each in work.recipients if each.state is State.QUEUED),
        all_recipients=tuple(each.address for each in work.recipients),
        settings=settings,
        created_at=work.created_at,
        suppressed_count=work.suppressed_count,
    )


def _event_of(work: Work) -> Event:
    if work.kind is not Kind.DIGEST:
        event, _ = event_from_proto(event_pb2.Event.FromString(work.body), work.created_at)
        return event
    try:
        report = digest_report.from_bytes(work.body)
    except (ValueError, KeyError) as error:
        raise DecodeError(f"the report of digest {work.delivery_id}: {error}") from error
    return digest_report.digest_event(report, work.delivery_id, work.created_at)


def _log(work: Work, outcome: Outcome, settlement: Settlement) -> None:
    level = logging.DEBUG if settlement.state is State.DELIVERED else logging.INFO
    log.log(
        level,
        "delivery %s attempt %d: %s %d, %s",
        work.delivery_id,
        work.attempt,
        outcome.reason,
        outcome.code,
        settlement.state.name.lower(),
    )
