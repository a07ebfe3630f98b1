"""Events, decided on and stored with their obligations in one transaction: what an ack stands for.

Every function takes a connection inside a transaction that its caller commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.clock import to_micros
from ibs_notify.domain.event import Event
from ibs_notify.domain.failpoints import hit
from ibs_notify.router.books import StoredEvent, events_by_id, index_text
from ibs_notify.router.digest import lane_of
from ibs_notify.router.dispositions import Decision, Reason, State, bit
from ibs_notify.router.pipeline import NOTHING, Arrival, Routed, Routing, settle
from ibs_notify.router.retention import retired_ids
from ibs_notify.router.silences import SilenceBook
from ibs_notify.router.tables import EVENTS, OBLIGATIONS, SEQUENCE
from ibs_notify.router.views import pack
from ibs_notify.router.windows import read_memory, write_windows
from ibs_notify.rpc.convert import event_to_proto
from ibs_notify.store.bulk import Bulk, bulk_insert


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that is matched and ready to be decided on and stored.

    ``content_hash`` is empty where the id is ours. ``body`` is the event's protobuf, complete.
    """

    arrival: Arrival
    revision: int
    content_hash: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """The id was accepted before; ``same`` tells whether with the same content.

    ``event`` is what is stored of it: ``None`` where the former one is of the same batch, and then
    ``routing`` is its, or where the event is gone and only its id is known.
    """

    same: bool
    event: StoredEvent | None = None
    routing: Routing = NOTHING


Answer = Routing | Known

_NEXT_NUMBERS = Bulk(
    sa.update(SEQUENCE)
    .where(SEQUENCE.c.name == sa.bindparam("sequence"))
    .values(value=SEQUENCE.c.value + sa.bindparam("count", type_=sa.BigInteger))
    .returning(SEQUENCE.c.value),
    ("count", "sequence"),
)
_INSERT_EVENTS = bulk_insert(EVENTS)
_INSERT_OBLIGATIONS = bulk_insert(OBLIGATIONS, without=("released_at", "delivery_id"))
# SQLite's driver asks around how to store what is not of a plain type, each time.
_WORDS = {each: each.value for kind in (State, Reason) for each in kind}


def accept(
    connection: sa.Connection, batches: Sequence[Sequence[NewEvent]], silences: SilenceBook
) -> Sequence[Sequence[Answer]]:
    """Decide on and store every event that is not there yet; an answer for each, in order."""
    events = [each for batch in batches for each in batch]
    chosen = [each.arrival.event_id for each in events if each.content_hash]
    if chosen:
        take_turn(connection)
    known = _known(connection, chosen)
    new: dict[str, NewEvent] = {}
    for each in events:
        if each.arrival.event_id not in known:
            new.setdefault(each.arrival.event_id, each)
    routings = _store(connection, list(new.values()), silences) if new else {}

    def answer(each: NewEvent) -> Answer:
        event_id = each.arrival.event_id
        first = new.get(event_id)
        if first is each:
            return routings[event_id]
        if first is not None:
            return Known(first.content_hash == each.content_hash, routing=routings[event_id])
        content_hash, stored = known[event_id]
        return Known(content_hash == each.content_hash, stored)

    return [[answer(each) for each in batch] for batch in batches]


def take_turn(connection: sa.Connection) -> None:
    """Wait for a replica that writes events now: it may be storing the same ids, or deciding by

    windows that are about to change.
    """
    connection.execute(
        sa.select(SEQUENCE.c.value).where(SEQUENCE.c.name == "event").with_for_update()
    )


def _known(
    connection: sa.Connection, event_ids: Sequence[str]
) -> dict[str, tuple[bytes, StoredEvent | None]]:
    """Those ids that were accepted before, with their content's hash."""
    if not event_ids:
        return {}
    stored = events_by_id(connection, event_ids)
    found: dict[str, tuple[bytes, StoredEvent | None]] = {
        event_id: (content_hash, None)
        for event_id, content_hash in retired_ids(connection, event_ids).items()
    }
    return found | {each.event_id: (each.content_hash, each) for each in stored}


def _store(
    connection: sa.Connection, events: Sequence[NewEvent], silences: SilenceBook
) -> dict[str, Routing]:
    """Number, decide on and store new events, one after the other; their routings by id."""
    last = next_numbers(connection, len(events))
    arrivals = [each.arrival for each in events]
    memory = read_memory(connection, arrivals, silences.not_over(connection, arrivals[0].now))
    routings: dict[str, Routing] = {}
    event_rows: list[tuple[Any, ...]] = []
    obligation_rows: list[tuple[Any, ...]] = []
    for seq, each in enumerate(events, start=last - len(events) + 1):
        routing = settle(each.arrival, memory, seq)
        routings[each.arrival.event_id] = routing
        opened, packed = pack(each.arrival.event_id, routing)
        closed = len(routing.obligations) - len(opened)
        states = {routed.decision.state for routed in routing.obligations}
        event_rows.append(_event_row(seq, each, states, len(opened), closed, packed))
        severity = int(each.arrival.event.severity)
        obligation_rows += [
            _obligation_row(seq, position, severity, routed) for position, routed in opened
        ]
    _INSERT_EVENTS.run(connection, event_rows)
    hit("router.after_insert")
    _INSERT_OBLIGATIONS.run(connection, obligation_rows)
    write_windows(connection, memory)
    for notice in {n.event_id: n for each in events for n in each.arrival.notices}.values():
        insert_own(connection, notice, events[0].arrival.now)
    hit("router.before_commit")
    return routings


def next_numbers(connection: sa.Connection, count: int) -> int:
    """Take ``count`` numbers of events; the last of them. Holds the row until the commit."""
    return int(_NEXT_NUMBERS.scalar(connection, (count, "event")))


def _event_row(
    seq: int, each: NewEvent, states: Iterable[State], opened: int, closed: int, packed: bytes
) -> tuple[Any, ...]:
    event = each.arrival.event
    return (
        seq,
        each.arrival.event_id,
        to_micros(each.arrival.now),
        each.revision,
        opened,
        closed,
        int(event.severity),
        event.type,
        index_text(event.canonical_resource),
        index_text(event.actor),
        index_text(event.task_id),
        each.content_hash or None,
        each.body,
        packed,
        sum(map(bit, states)),
    )


def _obligation_row(seq: int, position: int, severity: int, routed: Routed) -> tuple[Any, ...]:
    route = routed.route
    lane = lane_of(routed.decision, route.lane_id)
    return (seq, position, severity, route.route_id, *_decision_row(routed.decision, lane))


def _decision_row(decision: Decision, lane: int) -> tuple[Any, ...]:
    since = decision.suppressed_since
    return (
        _WORDS[decision.state],
        _WORDS[decision.reason],
        decision.pointer,
        "",  # taken
        lane,
        decision.suppressed,
        None if since is None else to_micros(since),
    )


def insert_own(
    connection: sa.Connection,
    event: Event,
    now: datetime,
    *,
    revision: int = 0,
    lane: int = 0,
    route_id: int = 0,
) -> int:
    """Store an event of our own, and what it obliges us to on a route, if any; its number.

    One that is there already, by its id, stays as it is; its number is 0.
    """
    if events_by_id(connection, [event.event_id]):
        return 0
    seq = next_numbers(connection, 1)
    states = (State.READY,) if route_id else ()
    new = NewEvent(
        Arrival(event.event_id, event, now, (), ()),
        revision,
        b"",
        event_to_proto(event).SerializeToString(),
    )
    _INSERT_EVENTS.run(connection, [_event_row(seq, new, states, len(states), 0, b"")])
    if route_id:
        decision = Decision(State.READY, Reason.BACKLOG_COLLAPSED)
        row = (seq, 0, int(event.severity), route_id, *_decision_row(decision, lane))
        _INSERT_OBLIGATIONS.run(connection, [row])
    return seq
