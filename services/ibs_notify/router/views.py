"""Routings, stored events and balances as the API shows them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from google.protobuf.message import DecodeError

from ibs_notify.domain.clock import from_micros
from ibs_notify.domain.errors import InvalidArgument, NotFound, NotificationError, Reason
from ibs_notify.router.books import StoredEvent
from ibs_notify.router.dispositions import State
from ibs_notify.router.event_query import Routes
from ibs_notify.router.group_status import GroupStatus, QueuePage
from ibs_notify.router.identity import obligation_id
from ibs_notify.router.ledger import Balance
from ibs_notify.router.lines import Mark
from ibs_notify.router.pipeline import Routed, Routing
from ibs_notify.rpc.paging import page_token
from ironcore.notification.v1 import disposition_pb2, error_reason_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

log = logging.getLogger(__name__)

DAMAGED: Final = "(this event was damaged on the disk and cannot be read)"
STATES = {
    State.READY: disposition_pb2.DISPOSITION_STATE_READY,
    State.HANDED_OFF: disposition_pb2.DISPOSITION_STATE_HANDED_OFF,
    State.SILENCED: disposition_pb2.DISPOSITION_STATE_SILENCED,
    State.SUPPRESSED: disposition_pb2.DISPOSITION_STATE_SUPPRESSED,
    State.COALESCED: disposition_pb2.DISPOSITION_STATE_COALESCED,
    State.COLLAPSED: disposition_pb2.DISPOSITION_STATE_COLLAPSED,
}
_STATE_OF: Mapping[int, State] = {number: state for state, number in STATES.items()}
_MOST_UNACCOUNTED = 1000
QUEUES: Final = "group_statuses"
"""The list whose page tokens these are."""


def fill_response(response: pb.EmitResponse, event_id: str, routing: Routing) -> None:
    """What the emitter of a new event is told."""
    response.event_id = event_id
    for position, routed in enumerate(routing.obligations):
        fill_disposition(response.dispositions.add(), event_id, position, routed)
    if routing.warnings:
        response.warnings.extend(routing.warnings)


def fill_known(response: pb.EmitResponse, stored: StoredEvent) -> None:
    """What the emitter of an event that was stored before is told."""
    record = event_record(stored)
    response.event_id = stored.event_id
    response.dispositions.extend(record.dispositions)
    response.warnings.extend(record.warnings)


def fill_error(error: pb.EmitError, raised: NotificationError) -> None:
    """Why an event of a batch was refused."""
    error.reason = error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{raised.reason}")
    error.message = str(raised)
    if isinstance(raised, InvalidArgument):
        for each in raised.violations:
            error.faults.add(path=each.path, description=each.description)


def pack(event_id: str, routing: Routing) -> tuple[list[tuple[int, Routed]], bytes]:
    """Which obligations get a row, by position, and what is packed with the event instead."""
    opened: list[tuple[int, Routed]] = []
    closed: list[tuple[int, Routed]] = []
    for each in enumerate(routing.obligations):
        (opened if each[1].decision.state is State.READY else closed).append(each)
    if not closed and not routing.warnings:
        return opened, b""
    packed = pb.EventRecord()
    if routing.warnings:
        packed.warnings.extend(routing.warnings)
    for position, routed in closed:
        fill_disposition(packed.dispositions.add(), event_id, position, routed)
    return opened, packed.SerializeToString()


def fill_disposition(
    disposition: disposition_pb2.Disposition, event_id: str, position: int, routed: Routed
) -> None:
    """What the decision on one obligation looks like, before anything is released."""
    route, decision = routed.route, routed.decision
    disposition.obligation_id = obligation_id(event_id, position)
    disposition.group = route.group
    disposition.target = route.target
    disposition.subscription_uid = route.subscription_uid
    disposition.state = STATES[decision.state]
    disposition.reason = decision.reason
    if decision.pointer:
        disposition.pointer = decision.pointer
    if decision.suppressed:
        disposition.suppressed_count = decision.suppressed
    if route.recipients:
        disposition.recipients.extend(route.recipients)


def event_record(stored: StoredEvent, mark: Mark | None = None) -> pb.EventRecord:
    """An event, and where its obligations stand as far as the Router knows.

    ``mark`` is the caller's, for those who read the inbox. One that the disk damaged has its id
    and says so: it must not hide the others of its page.
    """
    try:
        record = pb.EventRecord.FromString(stored.packed)
        record.event.MergeFromString(stored.body)
    except DecodeError:
        log.error("the stored event %s is damaged", stored.event_id)
        damaged = event_pb2.Event(event_id=stored.event_id, subject=DAMAGED)
        record = pb.EventRecord(event=damaged)
    if mark is not None:
        record.inbox_state = pb.InboxState.ValueType(mark.value)
    record.sequence = stored.seq
    record.receive_time.FromDatetime(from_micros(stored.received_at))
    record.revision = stored.revision
    for each in stored.obligations:
        record.dispositions.add(
            obligation_id=obligation_id(stored.event_id, each.position),
            group=each.route.group,
            target=each.route.target,
            subscription_uid=each.route.subscription_uid,
            state=STATES[each.state],
            reason=each.reason,
            pointer=each.pointer,
            delivery_id=each.delivery_id,
            recipients=each.recipients,
            suppressed_count=each.suppressed,
        )
    record.dispositions.sort(key=_position)
    return record


def event_not_found(event_id: str) -> NotFound:
    """The error for an id that no event has."""
    return NotFound(
        Reason.EVENT_NOT_FOUND,
        f"there is no event {event_id!r}",
        advice="list those that there are with: event list",
    )


def state_of(disposition: disposition_pb2.Disposition) -> State:
    """The state that a disposition shows."""
    return _STATE_OF[disposition.state]


def routes_of(record: pb.EventRecord) -> Routes:
    """Where an event went, for a filter."""
    return Routes(
        groups=frozenset(each.group for each in record.dispositions),
        states=frozenset(_STATE_OF[each.state] for each in record.dispositions),
        pointers=frozenset(
            each.pointer for each in record.dispositions if each.state == STATES[State.COLLAPSED]
        ),
    )


def _position(disposition: disposition_pb2.Disposition) -> int:
    return int(disposition.obligation_id.rpartition("/")[2])


def ledger_response(result: Balance) -> pb.VerifyLedgerResponse:
    """The books for people and programs; of many ids only the first."""
    response = pb.VerifyLedgerResponse(
        balanced=result.balanced,
        accepted_events=result.accepted,
        routed_events=result.routed,
        unmatched_events=result.unmatched,
        unaccounted_ids=result.unaccounted[:_MOST_UNACCOUNTED],
        unaccounted_count=len(result.unaccounted),
    )
    for service, states in (
        ("router", result.router_states),
        ("delivery", result.delivery_states),
    ):
        for state, count in sorted(states.items()):
            response.lines.add(service=service, state=state, count=count)
    return response


def group_status_response(status: GroupStatus) -> pb.GetGroupStatusResponse:
    """A group's queue, the worst that waits first."""
    response = pb.GetGroupStatusResponse(
        ready_count=status.ready,
        collapsed_count=status.collapsed,
        released_count=status.released,
        rate_limit_per_minute=status.rate_limit,
        backlog_bound=status.backlog_bound,
    )
    if status.next_release_at is not None:
        response.next_release_time.FromDatetime(from_micros(status.next_release_at))
    if status.oldest_age is not None:
        response.oldest_age.FromMicroseconds(status.oldest_age)
    for severity, count in sorted(status.waiting.items(), reverse=True):
        response.waiting.add(severity=event_pb2.Severity.ValueType(severity.value), count=count)
    return response


def group_statuses_response(page: QueuePage) -> pb.ListGroupStatusesResponse:
    """Queues of groups, with the way to the next ones."""
    return pb.ListGroupStatusesResponse(
        group_statuses=[
            pb.GroupStatus(group=name, status=group_status_response(status))
            for name, status in page.queues
        ],
        next_page_token=page_token(QUEUES, page.queues[-1][0]) if page.are_more else "",
    )
