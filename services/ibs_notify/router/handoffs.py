"""The open obligation's row is the outbox: what is released, and what Delivery has. Plain SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ibs_notify.router.digest import DIGEST_LANE
from ibs_notify.router.dispositions import Reason, State
from ibs_notify.router.identity import kind_of
from ibs_notify.router.ports import Handoff, KnownRoute
from ibs_notify.router.release import Coalesced, Decided, Released, Waiting, release
from ibs_notify.router.routes import routes_by_id
from ibs_notify.router.tables import EVENTS, OBLIGATIONS
from ibs_notify.store.bulk import Bulk
from ibs_notify.store.value_list import is_among, listed

_DIALECTS = ("sqlite", "postgresql")
_C = OBLIGATIONS.c


def _update_one(**values: str) -> Bulk:
    """An update of one obligation; the values come first, then its key."""
    return Bulk(
        sa.update(OBLIGATIONS)
        .where(
            _C.event_seq == sa.bindparam("key_seq"),
            _C.position == sa.bindparam("key_position"),
        )
        .values({name: sa.bindparam(parameter) for name, parameter in values.items()}),
        (*values.values(), "key_seq", "key_position"),
    )


_RELEASE = _update_one(taken="new_taken", released_at="new_time", delivery_id="new_id")
_CLOSE = _update_one(state="new_state", reason="new_reason", pointer="new_pointer")
_HAND_OFF = _update_one(state="new_state")
_SET_ASIDE = _update_one(reason="new_reason")

# Written out, not bound: only then do the databases use the partial indexes.
IS_WAITING = sa.text("state = 'ready' AND released_at IS NULL")
IS_RELEASED = sa.text("state = 'ready' AND released_at IS NOT NULL")
_IS_NOT_REFUSED = sa.text("router_obligations.reason <> 'HANDOFF_REFUSED'")
URGENCY = (_C.severity.desc(), _C.event_seq, _C.position)


class _Row(NamedTuple):
    """An obligation, released or not, with what is handed off of its event."""

    event_seq: int
    position: int
    route_id: int
    lane_id: int
    state: str
    released_at: int | None
    taken: str
    delivery_id: str
    suppressed: int
    suppressed_since: int | None
    event_id: str
    type: str
    body: bytes
    revision: int


_WITH_EVENT = sa.select(
    *(_C[name] if name in _C else EVENTS.c[name] for name in _Row._fields)
).join(EVENTS, EVENTS.c.seq == _C.event_seq)
_OF_EVENTS = {
    dialect: Bulk(
        _WITH_EVENT.where(is_among(_C.event_seq, "seqs", dialect)).order_by(*URGENCY), ("seqs",)
    )
    for dialect in _DIALECTS
}


def _most(statement: sa.Select[Any]) -> sa.Select[Any]:
    """The most urgent ones of a statement, as many as ``most``."""
    limited = statement.order_by(*URGENCY).limit(sa.bindparam("most", type_=sa.Integer))
    return limited.offset(sa.literal_column("0"))  # SQLite has it bound otherwise


_REFUSED_TOO = Bulk(_most(_WITH_EVENT.where(IS_RELEASED)), ("most",))
_PENDING = Bulk(_most(_WITH_EVENT.where(IS_RELEASED, _IS_NOT_REFUSED)), ("most",))
_NEXT_OF_LANE = Bulk(
    _most(
        sa.select(_C.event_seq).where(
            IS_WAITING, _C.lane_id == sa.bindparam("lane", type_=sa.BigInteger)
        )
    ),
    ("lane", "most"),
)
_ANY_WAITING = sa.select(_C.event_seq).where(IS_WAITING)
_ANY_RELEASED = sa.select(_C.event_seq).where(IS_RELEASED)
_OPEN_REFUSED_TOO = Bulk(sa.select(sa.or_(_ANY_WAITING.exists(), _ANY_RELEASED.exists())), ())
_OPEN = Bulk(
    sa.select(sa.or_(_ANY_WAITING.exists(), _ANY_RELEASED.where(_IS_NOT_REFUSED).exists())), ()
)


def has_open(connection: sa.Connection, *, refused_too: bool = False) -> bool:
    """Whether any obligation waits to be released or handed off."""
    return bool((_OPEN_REFUSED_TOO if refused_too else _OPEN).scalar(connection, ()))


def handoffs_pending(
    connection: sa.Connection, most: int, *, refused_too: bool = False
) -> list[Handoff]:
    """Released obligations that Delivery has not acknowledged, most urgent first.

    Those that it refused only if they are to be tried again.
    """
    statement = _REFUSED_TOO if refused_too else _PENDING
    rows = [_Row(*row) for row in statement.fetch(connection, (most,))]
    if not rows:
        return []
    routes = routes_by_id(connection, {row.route_id for row in rows})
    return [
        _handoff(row, routes, row.delivery_id, _recipients(routes[row.route_id], row.taken))
        for row in rows
    ]


def release_from(
    connection: sa.Connection, room: Mapping[int, int | None], most: int, now: int
) -> tuple[list[Handoff], Mapping[int, int]]:
    """Release the most urgent events of the lanes in ``room``, about ``most`` at once.

    ``room``: how many events a lane may let go now, ``None`` for no limit; a lane that is not named
    lets none go. Each that may has its share of ``most``, at least one. Returns what is to be
    handed off, most urgent first, and how many events each lane let go. ``now`` in microseconds.
    """
    seqs: set[int] = set()
    free = {lane: events for lane, events in room.items() if events != 0}
    for lane, events in free.items():
        share = max(1, most // len(free))
        limit = share if events is None else min(share, events)
        seqs.update(row[0] for row in _NEXT_OF_LANE.fetch(connection, (lane, limit)))
    if not seqs:
        return [], {}
    dialect = connection.dialect.name
    found = _OF_EVENTS[dialect].fetch(connection, (listed(seqs, dialect),))
    rows = [_Row(*row) for row in found]
    routes = routes_by_id(connection, {row.route_id for row in rows})
    decided = _decide(rows, routes, room)
    _write(connection, decided, now)
    by_key = {(row.event_seq, row.position): row for row in rows}
    handoffs = [
        _handoff(
            by_key[each.waiting.event_seq, each.waiting.position],
            routes,
            each.delivery_id,
            each.recipients,
        )
        for each in decided.released
    ]
    return handoffs, decided.let_go


def _decide(
    rows: Sequence[_Row], routes: Mapping[int, KnownRoute], room: Mapping[int, int | None]
) -> Decided:
    waiting: list[Waiting] = []
    already: list[Released] = []
    limits = {lane: events for lane, events in room.items() if events is not None}
    for row in rows:
        each = _waiting(row, routes[row.route_id])
        if row.released_at is not None:
            recipients = _recipients(routes[row.route_id], row.taken)
            already.append(Released(each, row.delivery_id, recipients))
        elif row.state == State.READY:
            waiting.append(each)
            if row.lane_id not in room:
                limits[row.lane_id] = 0
    return release(waiting, already, limits)


def _waiting(row: _Row, route: KnownRoute) -> Waiting:
    return Waiting(
        row.event_seq,
        row.position,
        row.event_id,
        route.target_uid,
        route.recipients,
        kind_of(row.type),
        row.lane_id,
    )


def _write(connection: sa.Connection, decided: Decided, now: int) -> None:
    _RELEASE.run(
        connection,
        [
            (
                "" if each.recipients == each.waiting.recipients else json.dumps(each.recipients),
                now,
                each.delivery_id,
                each.waiting.event_seq,
                each.waiting.position,
            )
            for each in decided.released
        ],
    )
    _CLOSE.run(connection, [_coalesced(each) for each in decided.coalesced])


def _coalesced(each: Coalesced) -> tuple[Any, ...]:
    key = (each.waiting.event_seq, each.waiting.position)
    return (State.COALESCED.value, Reason.DESTINATION_TAKEN.value, each.into, *key)


def _handoff(
    row: _Row, routes: Mapping[int, KnownRoute], delivery_id: str, recipients: tuple[str, ...]
) -> Handoff:
    return Handoff(
        event_seq=row.event_seq,
        position=row.position,
        event_id=row.event_id,
        delivery_id=delivery_id,
        kind=kind_of(row.type),
        body=row.body,
        revision=row.revision,
        route=routes[row.route_id],
        recipients=recipients,
        suppressed=row.suppressed,
        suppressed_since=row.suppressed_since,
        digest=row.lane_id == DIGEST_LANE,
    )


def _recipients(route: KnownRoute, taken: str) -> tuple[str, ...]:
    return tuple(json.loads(taken)) if taken else route.recipients


def close(
    connection: sa.Connection,
    state: State,
    reason: Reason,
    keys: Sequence[tuple[int, int]],
    pointer: str,
) -> None:
    """End obligations that wait; ``keys`` are event and position."""
    _CLOSE.run(connection, [(state.value, reason.value, pointer, *key) for key in keys])


def set_aside(connection: sa.Connection, handoffs: Sequence[Handoff]) -> None:
    """Delivery refuses these as they are: they stay released, and hold up nothing else."""
    _SET_ASIDE.run(
        connection,
        [(Reason.HANDOFF_REFUSED.value, each.event_seq, each.position) for each in handoffs],
    )


def mark_handed_off(connection: sa.Connection, handoffs: Sequence[Handoff]) -> None:
    """Delivery answers for these from now on."""
    _HAND_OFF.run(
        connection,
        [(State.HANDED_OFF.value, each.event_seq, each.position) for each in handoffs],
    )
