"""What an explanation needs of the database: silences, what pointers lead to, queues. Plain SQL."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ibs_notify.domain.clock import from_micros, to_micros
from ibs_notify.router.books import StoredEvent, events_by_id
from ibs_notify.router.dispositions import State
from ibs_notify.router.handoffs import IS_WAITING
from ibs_notify.router.identity import obligation_id
from ibs_notify.router.lanes import limit_of, past_of
from ibs_notify.router.limit import allowance
from ibs_notify.router.silence import Silence
from ibs_notify.router.silences import find_silence
from ibs_notify.router.standing import Queue, Told
from ibs_notify.router.tables import OBLIGATIONS
from ibs_notify.router.views import event_record, state_of
from ironcore.notification.v1 import disposition_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

_CHUNK = 500
_MOST_HOPS = 5
"""From a repeat to what was told, to the route that took it, to the summary that stands for it."""
_C = OBLIGATIONS.c
_FATES = {
    State.READY: "it waits to be released",
    State.HANDED_OFF: "Delivery has it",
    State.SILENCED: "silenced",
    State.SUPPRESSED: "told by another",
    State.COALESCED: "told by another route",
    State.COLLAPSED: "told in a summary",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an obligation waits: its lane, and what makes it more or less urgent there."""

    lane_id: int
    severity: int
    event_seq: int


def find_silences(connection: sa.Connection, ids: Iterable[str]) -> dict[str, Silence]:
    """Those of ``ids`` that are kept."""
    found = {each: find_silence(connection, each) for each in set(ids)}
    return {silence_id: silence for silence_id, silence in found.items() if silence is not None}


def pointed_to(state: State, pointer: str) -> str:
    """The obligation that a closed one points to, empty where it points to none."""
    match state:
        case State.SUPPRESSED | State.COALESCED:
            return pointer
        case State.COLLAPSED:
            # To a summary, an event of our own that obliges us once.
            return obligation_id(pointer, 0)
        case State.READY | State.HANDED_OFF | State.SILENCED:
            return ""


def follow(connection: sa.Connection, pointers: Collection[str]) -> dict[str, Told]:
    """What each of ``pointers``, obligations, leads to in the end."""
    links: dict[str, disposition_pb2.Disposition | None] = {}
    received: dict[str, datetime] = {}
    ahead = set(pointers)
    for _ in range(_MOST_HOPS):
        records = _records(connection, {_event_of(each) for each in ahead})
        for each in ahead:
            links[each] = _disposition(records, each)
        received |= {key: from_micros(stored.received_at) for key, (stored, _) in records.items()}
        following = (
            pointed_to(state_of(link), link.pointer)
            for link in (links[each] for each in ahead)
            if link is not None
        )
        ahead = {each for each in following if each} - links.keys()
    return {each: _told(each, links, received) for each in pointers}


def _told(
    pointer: str,
    links: Mapping[str, disposition_pb2.Disposition | None],
    received: Mapping[str, datetime],
) -> Told:
    first = last = links.get(pointer)
    for _ in range(_MOST_HOPS):
        further = links.get(pointed_to(state_of(last), last.pointer)) if last is not None else None
        if further is None:
            break
        last = further
    event_id = _event_of(pointer)
    if first is None or last is None:
        return Told(event_id)
    return Told(
        event_id,
        received.get(event_id),
        first.group,
        first.target,
        _FATES[state_of(last)],
        last.delivery_id,
    )


def _event_of(obligation: str) -> str:
    return obligation.rpartition("/")[0]


def _records(
    connection: sa.Connection, event_ids: Collection[str]
) -> dict[str, tuple[StoredEvent, pb.EventRecord]]:
    ids = sorted(event_ids)
    return {
        stored.event_id: (stored, event_record(stored))
        for start in range(0, len(ids), _CHUNK)
        for stored in events_by_id(connection, ids[start : start + _CHUNK])
    }


def _disposition(
    records: Mapping[str, tuple[StoredEvent, pb.EventRecord]], obligation: str
) -> disposition_pb2.Disposition | None:
    found = records.get(_event_of(obligation))
    dispositions = found[1].dispositions if found is not None else ()
    return next((each for each in dispositions if each.obligation_id == obligation), None)


def places_of(connection: sa.Connection, event_seq: int) -> dict[int, Place]:
    """Where the obligations of an event wait for the rate limit, by position."""
    rows = connection.execute(
        sa.select(_C.position, _C.lane_id, _C.severity).where(
            _C.event_seq == event_seq, IS_WAITING, _C.lane_id != 0
        )
    )
    return {row.position: Place(row.lane_id, row.severity, event_seq) for row in rows}


def queues_of(
    connection: sa.Connection, places: Collection[Place], limits: Mapping[int, int], now: datetime
) -> dict[Place, Queue]:
    """What is ahead at each of ``places``, and when the next may go."""
    past = past_of(connection, [each.lane_id for each in places])
    queues: dict[Place, Queue] = {}
    for place in places:
        limit = limit_of(place.lane_id, limits)
        if not limit:
            queues[place] = Queue(0, None, 0)
            continue
        room = allowance(past.get(place.lane_id, ()), limit, to_micros(now))
        next_at = None if room.next_at is None else from_micros(room.next_at)
        ahead = connection.execute(_AHEAD, _parameters(place)).scalar_one()
        # What goes at once is not waited for.
        queues[place] = Queue(0 if ahead < room.count else ahead, next_at, limit)
    return queues


_AHEAD = sa.select(sa.func.count(_C.event_seq.distinct())).where(
    IS_WAITING,
    _C.lane_id == sa.bindparam("lane", type_=sa.BigInteger),
    sa.or_(
        _C.severity > sa.bindparam("than", type_=sa.SmallInteger),
        sa.and_(
            _C.severity == sa.bindparam("than", type_=sa.SmallInteger),
            _C.event_seq < sa.bindparam("seq", type_=sa.BigInteger),
        ),
    ),
)


def _parameters(place: Place) -> dict[str, int]:
    return {"lane": place.lane_id, "than": place.severity, "seq": place.event_seq}
