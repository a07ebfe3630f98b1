"""One attempt: the messages of deliveries, the transport's outcomes, and what comes of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from google.protobuf.message import DecodeError

from ibs_notify.delivery.admission import Admission, default_recipients, needs_recipients
from ibs_notify.delivery.model import (
    AttemptEnd,
    Completion,
    QueueReason,
    Recipient,
    Settlement,
    State,
    Work,
)
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.ports import CannotOpen, Transports
from ibs_notify.delivery.reports.stored import read_report
from ibs_notify.delivery.sending.settle import settle
from ibs_notify.delivery.targets.breaker import Sign, signs_of
from ibs_notify.delivery.transports.base import (
    BatchTransport,
    Message,
    Outcome,
    OutcomeReason,
    Transport,
    Verdict,
)
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.failpoints import hit
from ibs_notify.domain.target import Target
from ibs_notify.rpc.convert import event_from_proto
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.templates.context import NO_REPORTS
from ironcore.notification.v1 import event_pb2

log = logging.getLogger(__name__)

_UNREADABLE = Outcome(
    Verdict.REFUSED, OutcomeReason.INTERNAL, reply="the stored event cannot be read"
)
_FAULT = Outcome(Verdict.RETRY, OutcomeReason.INTERNAL, reply="a fault of the service; see its log")


class Sender:
    """Makes attempts. ``jitter`` gives numbers in [0, 1) that spread retries; ``console`` is the
    console's address for who reads messages, where there is one.
    """

    def __init__(
        self,
        outlook: Outlook,
        transports: Transports,
        clock: Clock,
        jitter: Callable[[], float],
        console: str = "",
    ) -> None:
        self._outlook = outlook
        self._transports = transports
        self._clock = clock
        self._jitter = jitter
        self._console = console

    async def send(self, works: Sequence[Work]) -> list[Completion]:
        """Make one attempt with ``works`` of one target, as it is now.

        What the transport does is an outcome. Those that were sent together are tried again
        together: the dice fall once for all of them.
        """
        uid = works[0].target_uid
        snapshot, target = self._outlook.snapshot, self._outlook.target(uid)
        ready: list[Work] = []
        done: list[Completion] = []
        for work in works:
            admission = self._outlook.admit(uid, work.revision, bool(work.recipients))
            if admission is Admission.SENDABLE:
                ready.append(work)
            else:
                done.append(not_begun(work, admission, self._clock.now()))
        if snapshot is None or target is None or not ready:
            return done
        if needs_recipients(target):
            addresses = default_recipients(target, snapshot)
            ready = [_addressed(work, addresses) for work in ready]
        began = self._clock.monotonic()
        try:
            with self._transports.use(target, snapshot) as transport:
                read = [self._readable(work, snapshot, target) for work in ready]
                outcomes = await _attempt(transport, read, ready[0].delivery_id)
                certificate_until = transport.certificate_until
        except CannotOpen as error:
            now = self._clock.now()
            return done + [not_begun(work, error.reason, now, error.detail) for work in ready]
        if any(outcome.verdict is Verdict.DELIVERED for outcome in outcomes):
            hit("delivery.after_send")
        now, jitter = self._clock.now(), self._jitter()
        duration = timedelta(seconds=self._clock.monotonic() - began)
        sent = [
            Completion(
                work,
                settle(work, outcome, now, jitter),
                _end(outcome, sign, duration, certificate_until),
                now,
                target.revision,
            )
            for work, outcome, sign in zip(ready, outcomes, signs_of(outcomes), strict=True)
        ]
        _log(sent, outcomes)
        return done + sent

    def _readable(self, work: Work, snapshot: Snapshot, target: Target) -> Message | None:
        try:
            return message_of(work, snapshot, target.name, self._console)
        except (DecodeError, ValueError):
            log.error("delivery %s: its event cannot be read", work.delivery_id)
            return None


def _addressed(work: Work, addresses: Sequence[str]) -> Work:
    """A mail that names nobody goes to ``addresses``."""
    if work.recipients:
        return work
    return replace(work, recipients=tuple(map(Recipient, addresses)))


def _end(
    outcome: Outcome, sign: Sign, duration: timedelta, certificate_until: datetime | None
) -> AttemptEnd:
    return AttemptEnd(
        outcome.verdict.value,
        outcome.reason.value,
        outcome.code,
        outcome.reply.replace("\0", ""),
        duration,
        sign,
        outcome.retry_after,
        certificate_until,
    )


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


async def _attempt(
    transport: Transport, messages: Sequence[Message | None], delivery_id: str
) -> Sequence[Outcome]:
    """``delivery_id`` is that of the first, for the log; None is what cannot be read."""
    try:
        outcomes = iter(await _outcomes(transport, [each for each in messages if each]))
    except Exception:  # a transport's contract is not to raise; its fault must not stop the lane
        log.exception("delivery %s: the transport failed", delivery_id)
        return [_FAULT] * len(messages)
    return [_UNREADABLE if each is None else next(outcomes) for each in messages]


async def _outcomes(transport: Transport, messages: Sequence[Message]) -> Sequence[Outcome]:
    if len(messages) > 1 and isinstance(transport, BatchTransport):
        return await transport.attempt_all(messages)
    return [await transport.attempt(message) for message in messages]


def message_of(work: Work, snapshot: Snapshot, target: str = "", console: str = "") -> Message:
    """What is sent: the same id and moment on every attempt, to those who are still open.

    ``target`` is its name, ``console`` as of ``Message``.
    """
    report = read_report(work.body, work.delivery_id, work.created_at)
    if report is None:
        event, _ = event_from_proto(event_pb2.Event.FromString(work.body), work.created_at)
        reports = NO_REPORTS
    else:
        event, reports = report
    return Message(
        delivery_id=work.delivery_id,
        event=event,
        recipients=tuple(each.address for each in work.recipients if each.state is State.QUEUED),
        all_recipients=tuple(each.address for each in work.recipients),
        settings=snapshot.settings,
        created_at=work.created_at,
        suppressed_count=work.suppressed_count,
        templates=snapshot.templates_of(work.group),
        gathers=work.kind.gathers,
        sequence=work.seq,
        reports=reports,
        target=target,
        group=work.group,
        console=console,
    )


def _log(done: Sequence[Completion], outcomes: Sequence[Outcome]) -> None:
    """A line for those that were sent together and ended alike; what was delivered is a detail."""
    in_detail = log.isEnabledFor(logging.DEBUG)
    alike: dict[tuple[str, int, State], list[Work]] = {}
    for each, outcome in zip(done, outcomes, strict=True):
        if in_detail or each.settlement.state is not State.DELIVERED:
            key = (outcome.reason, outcome.code, each.settlement.state)
            alike.setdefault(key, []).append(each.work)
    for (reason, code, state), works in alike.items():
        log.log(
            logging.DEBUG if state is State.DELIVERED else logging.INFO,
            "delivery %s%s attempt %d: %s %d, %s",
            works[0].delivery_id,
            f" and {len(works) - 1} more" if len(works) > 1 else "",
            works[0].attempt,
            reason,
            code,
            state.name.lower(),
        )
