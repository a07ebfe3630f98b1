"""Between the API's messages and Delivery's values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import assert_never

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from ibs_notify.delivery.model import (
    DELIVERY_ID_SYNTAX,
    Alike,
    AttemptRecord,
    DeliveryRecord,
    Filter,
    Handoff,
    Kind,
    Membership,
    Recipient,
    State,
    TargetStatus,
    TargetTurn,
)
from ibs_notify.delivery.queue.outcome_journal import Page
from ibs_notify.delivery.sending.target_test import TestResult
from ibs_notify.delivery.targets.breaker import Breaker, Phase, Turning
from ibs_notify.delivery.transports.base import Began, Stage
from ibs_notify.domain import catalogue
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.convert import (
    is_moment,
    moment_from_proto,
    moment_to_proto,
)
from ironcore.notification.v1 import delivery_pb2, event_pb2, target_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb

MAX_HANDOFFS = 1000
_MOST_LISTED = 200
MAX_COUNTS = 1000
MAX_FILTER_VALUES = 1000
"""Of each field of a filter; a database takes so many thousands in all."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BOUNDS = (
    ("obligation_id", 160),
    ("target_uid", 64),
    ("target", 63),
    ("group", 63),
)
_STATES = {state.value: state for state in State}
_SEVERITIES = {0, *(severity.value for severity in Severity)}
_KINDS = {kind.value: kind for kind in Kind}
_HEALTHS = {
    Phase.CLOSED: pb.TARGET_HEALTH_OK,
    Phase.OPEN: pb.TARGET_HEALTH_FAILING,
    Phase.RAMPING: pb.TARGET_HEALTH_RECOVERING,
    Phase.PAUSED: pb.TARGET_HEALTH_PAUSED,
}
_TURNINGS = {
    Turning.FAILING: pb.TARGET_HEALTH_FAILING,
    Turning.RECOVERED: pb.TARGET_HEALTH_OK,
    Turning.PAUSED: pb.TARGET_HEALTH_PAUSED,
}


def handoffs_from_proto(messages: Sequence[pb.Handoff]) -> list[Handoff]:
    """The handoffs of a call. ``InvalidArgument`` names every bad field of all of them."""
    faults: list[FieldViolation] = []
    if len(messages) > MAX_HANDOFFS:
        faults.append(
            FieldViolation("handoffs", f"holds {len(messages)}, more than {MAX_HANDOFFS}")
        )
    else:
        for index, message in enumerate(messages):
            faults += [
                FieldViolation(f"handoffs[{index}].{each.path}", each.description)
                for each in _faults(message)
            ]
    if faults:
        raise InvalidArgument.of(faults)
    return [_handoff(message) for message in messages]


def _faults(message: pb.Handoff) -> list[FieldViolation]:
    faults: list[FieldViolation] = []
    if DELIVERY_ID_SYNTAX.fullmatch(message.delivery_id) is None:
        faults.append(
            FieldViolation("delivery_id", "is not 1 to 64 letters, digits, '.', '_', ':' or '-'")
        )
    if (problem := _event_problem(message)) is not None:
        faults.append(FieldViolation("event", problem))
    if not message.target_uid:
        faults.append(FieldViolation("target_uid", "is missing"))
    for name, bound in _BOUNDS:
        if len(getattr(message, name)) > bound:
            faults.append(FieldViolation(name, f"is longer than {bound} characters"))
    if not is_moment(message.suppressed_since):
        faults.append(FieldViolation("suppressed_since", "is not between the years 1 and 9999"))
    if not 0 <= message.suppressed_count < 2**31:
        faults.append(FieldViolation("suppressed_count", "is no count"))
    if message.kind not in _KINDS:
        faults.append(FieldViolation("kind", f"no kind has the number {message.kind}"))
    return faults


def _event_problem(message: pb.Handoff) -> str | None:
    """The Router has looked at the rest."""
    if not message.HasField("event"):
        return "is missing"
    event = message.event
    if len(event.event_id) > 128 or len(event.type) > 64:
        return "has an id or a type over its bounds"
    if event.severity not in _SEVERITIES or not is_moment(event.timestamp):
        return "has a severity or a timestamp that is none"
    return None


def _handoff(message: pb.Handoff) -> Handoff:
    event = message.event
    return Handoff(
        delivery_id=message.delivery_id,
        obligation_id=line(message.obligation_id),
        event_id=line(event.event_id),
        event_type=line(event.type),
        severity=event.severity or catalogue.default_severity(event.type).value,
        subject=listed_subject(event.subject),
        target_uid=line(message.target_uid),
        target=line(message.target),
        group=line(message.group),
        kind=_KINDS[message.kind],
        recipients=tuple(message.recipients),
        revision=message.revision,
        digest=message.digest,
        suppressed_count=message.suppressed_count,
        suppressed_since=moment_from_proto(message.suppressed_since)
        if message.HasField("suppressed_since")
        else None,
        body=event.SerializeToString(),
    )


def line(text: str) -> str:
    """One line for lists: control characters, NUL among them, become spaces."""
    return _CONTROL.sub(" ", text) if not text.isprintable() else text


def listed_subject(subject: str) -> str:
    """As lists show it: one line, and what is longer ends with an ellipsis."""
    text = line(subject)
    return text if len(text) <= _MOST_LISTED else f"{text[: _MOST_LISTED - 1]}…"


def filter_from_proto(message: delivery_pb2.DeliveryFilter) -> Filter:
    """The filter; ``InvalidArgument`` names every fault, states that there are not among them.

    Texts are made one line, as those are that they are compared with.
    """
    faults = [
        FieldViolation(f"filter.states[{index}]", f"no state has the number {number}")
        for index, number in enumerate(message.states)
        if number not in _STATES
    ]
    faults += [
        FieldViolation(f"filter.{name}", f"holds {count}, more than {MAX_FILTER_VALUES}")
        for name in (
            "targets",
            "groups",
            "states",
            "reasons",
            "event_ids",
            "delivery_ids",
            "target_uids",
        )
        if (count := len(getattr(message, name))) > MAX_FILTER_VALUES
    ]
    faults += [
        FieldViolation(f"filter.{name}", "is not between the years 1 and 9999")
        for name in ("after", "before")
        if not is_moment(getattr(message, name))
    ]
    if faults:
        raise InvalidArgument.of(faults)
    return Filter(
        targets=tuple(map(line, message.targets)),
        groups=tuple(map(line, message.groups)),
        states=tuple(_STATES[number] for number in message.states),
        reasons=tuple(map(line, message.reasons)),
        event_ids=tuple(map(line, message.event_ids)),
        delivery_ids=tuple(map(line, message.delivery_ids)),
        after=moment_from_proto(message.after) if message.HasField("after") else None,
        before=moment_from_proto(message.before) if message.HasField("before") else None,
        target_uids=tuple(map(line, message.target_uids)),
        troubled=message.troubled,
    )


def state_to_proto(state: State) -> delivery_pb2.DeliveryState.ValueType:
    return delivery_pb2.DeliveryState.ValueType(state.value)


def kind_to_proto(kind: Kind) -> delivery_pb2.DeliveryKind.ValueType:
    return delivery_pb2.DeliveryKind.ValueType(kind.value)


def delivery_to_proto(record: DeliveryRecord) -> delivery_pb2.Delivery:
    """A delivery, with its attempts where the record has them."""
    return delivery_pb2.Delivery(
        delivery_id=record.delivery_id,
        obligation_id=record.obligation_id,
        event_id=record.event_id,
        event_type=record.event_type,
        severity=event_pb2.Severity.ValueType(record.severity),
        subject=record.subject,
        target=record.target,
        target_uid=record.target_uid,
        group=record.group,
        kind=kind_to_proto(record.kind),
        state=state_to_proto(record.state),
        reason=record.reason,
        detail=record.detail,
        recipients=[_recipient_to_proto(each) for each in record.recipients],
        attempt_count=record.attempt_count,
        create_time=moment_to_proto(record.created_at),
        due_time=moment_to_proto(record.due_at),
        close_time=moment_to_proto(record.closed_at),
        revision=record.revision,
        attempts=[_attempt_to_proto(each) for each in record.attempts],
        digest=None if record.digest is None else _membership_to_proto(record.digest),
        last_code=record.last_code,
        event_time=_happened(record.body),
    )


def _happened(body: bytes) -> Timestamp | None:
    """None also of a body that is none: a list does not fail for one line."""
    event = event_pb2.Event()
    with suppress(DecodeError):
        event.ParseFromString(body)
    return event.timestamp if event.HasField("timestamp") else None


def _membership_to_proto(membership: Membership) -> delivery_pb2.DigestMembership:
    state = membership.state
    return delivery_pb2.DigestMembership(
        digest_id=membership.digest_id,
        close_time=moment_to_proto(membership.closes_at),
        delivery_id=membership.delivery_id,
        state=delivery_pb2.DELIVERY_STATE_UNSPECIFIED if state is None else state_to_proto(state),
        reason=membership.reason,
    )


def counts_to_proto(counts: Mapping[Alike, int]) -> list[pb.DeliveryCount]:
    """The most first."""
    ordered = sorted(
        counts.items(),
        key=lambda it: (-it[1], it[0].target, it[0].state, it[0].reason, it[0].target_uid),
    )
    return [
        pb.DeliveryCount(
            target=alike.target,
            target_uid=alike.target_uid,
            state=state_to_proto(alike.state),
            reason=alike.reason,
            count=count,
        )
        for alike, count in ordered[:MAX_COUNTS]
    ]


def outcomes_to_proto(
    page: Page, name_of: Callable[[str], str]
) -> Iterator[pb.WatchOutcomesResponse]:
    """The entries of a page, and the marker where there is nothing behind them yet.

    ``name_of`` is the name of a target by its uid.
    """
    for each in page.entries:
        response = pb.WatchOutcomesResponse(cursor=each.place.cursor)
        match each.what:
            case DeliveryRecord():
                response.delivery.CopyFrom(delivery_to_proto(each.what))
            case TargetTurn():
                response.target_change.CopyFrom(_turn_to_proto(each.what, name_of))
            case _:
                assert_never(each.what)
        yield response
    if page.is_last:
        yield pb.WatchOutcomesResponse(cursor=page.place.cursor, current=True)


def _turn_to_proto(turn: TargetTurn, name_of: Callable[[str], str]) -> pb.TargetChange:
    return pb.TargetChange(
        target_uid=turn.target_uid,
        target=name_of(turn.target_uid),
        health=_TURNINGS[turn.turning],
        change_time=moment_to_proto(turn.at),
        trouble_since=moment_to_proto(turn.since),
        reason=turn.reason,
        detail=turn.detail,
    )


def _recipient_to_proto(recipient: Recipient) -> delivery_pb2.RecipientOutcome:
    return delivery_pb2.RecipientOutcome(
        address=recipient.address,
        state=state_to_proto(recipient.state),
        code=recipient.code,
        reply=recipient.reply,
    )


def _attempt_to_proto(attempt: AttemptRecord) -> delivery_pb2.Attempt:
    return delivery_pb2.Attempt(
        number=attempt.number,
        start_time=moment_to_proto(attempt.started_at),
        duration=_duration_to_proto(attempt.duration),
        outcome="" if attempt.outcome == "started" else attempt.outcome,
        reason=attempt.reason,
        code=attempt.code,
        reply=attempt.reply,
        maybe_duplicate=attempt.maybe_duplicate,
    )


def _duration_to_proto(duration: timedelta | None) -> Duration | None:
    if duration is None:
        return None
    message = Duration()
    message.FromTimedelta(duration)
    return message


def health_of(breaker: Breaker) -> pb.TargetHealth.ValueType:
    """The word of the API for a breaker."""
    return _HEALTHS[breaker.phase]


def status_to_proto(
    status: TargetStatus, held_since: datetime | None
) -> pb.GetTargetStatusResponse:
    """``held_since``: of the whole queue."""
    breaker = status.breaker
    is_paused = breaker.phase is Phase.PAUSED
    return pb.GetTargetStatusResponse(
        open_count=status.open_count,
        dead_count=status.dead_count,
        delivered_count=status.delivered_count,
        last_success_time=moment_to_proto(status.last_success_at),
        last_failure_time=moment_to_proto(status.last_failure_at),
        last_failure=status.last_failure,
        paused_reason=breaker.reason if is_paused else "",
        paused_time=moment_to_proto(breaker.since) if is_paused else None,
        failing_since=moment_to_proto(status.failing_since),
        last_code=status.last_code,
        health=health_of(breaker),
        trouble_since=moment_to_proto(breaker.since),
        probe_time=moment_to_proto(breaker.probe_at),
        certificate_expire_time=moment_to_proto(status.certificate_until),
        trouble_reason=breaker.reason,
        held_since=moment_to_proto(held_since),
    )


def stage_to_proto(stage: Stage) -> target_pb2.TestStage:
    return target_pb2.TestStage(
        name=stage.name, ok=stage.ok, detail=stage.detail, duration_ms=stage.duration_ms
    )


def progress_to_proto(news: Began | Stage | TestResult) -> target_pb2.TestProgress:
    match news:
        case Began():
            return target_pb2.TestProgress(began=news.name)
        case Stage():
            return target_pb2.TestProgress(ended=stage_to_proto(news))
        case TestResult():
            result = target_pb2.TestResult(ok=news.ok, summary=news.summary)
            return target_pb2.TestProgress(result=result)
        case _:
            assert_never(news)
