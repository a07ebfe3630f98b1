"""Reads of the Router: stored events, and the books of the ledger. Plain SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ibs_notify.router.dispositions import State
from ibs_notify.router.ledger import Books
from ibs_notify.router.ports import KnownRoute
from ibs_notify.router.routes import routes_by_id
from ibs_notify.router.tables import EVENTS, OBLIGATIONS

_MOST_ASTRAY = 1000


@dataclass(frozen=True, slots=True)
class StoredObligation:
    """Where an obligation with a row stands, as far as the Router knows."""

    position: int
    route: KnownRoute
    state: State
    reason: str
    pointer: str
    delivery_id: str
    recipients: tuple[str, ...]
    suppressed: int = 0


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """``body`` is the event's protobuf, ``packed`` that of what was closed at once, and warnings.

    ``content_hash`` is empty where the id is ours; ``received_at`` is in microseconds.
    """

    seq: int
    event_id: str
    received_at: int
    revision: int
    content_hash: bytes
    body: bytes
    packed: bytes
    obligations: tuple[StoredObligation, ...]


def events_by_id(connection: sa.Connection, event_ids: Sequence[str]) -> list[StoredEvent]:
    """Those events of the ids that there are."""
    ids = [index_text(each) for each in event_ids]
    rows = connection.execute(_SELECT.where(EVENTS.c.event_id.in_(ids))).all()
    return _with_obligations(connection, rows)


def seqs_by_id(connection: sa.Connection, event_ids: Sequence[str]) -> list[int]:
    """The numbers of those events of the ids that there are."""
    ids = [index_text(each) for each in event_ids]
    return list(
        connection.execute(sa.select(EVENTS.c.seq).where(EVENTS.c.event_id.in_(ids))).scalars()
    )


def events_by_seq(connection: sa.Connection, seqs: Sequence[int]) -> list[StoredEvent]:
    """Those events of the numbers that there are, newest first."""
    statement = _SELECT.where(EVENTS.c.seq.in_(seqs)).order_by(EVENTS.c.seq.desc())
    return _with_obligations(connection, connection.execute(statement).all())


def events_after(
    connection: sa.Connection, seq: int, most: int, most_bytes: int
) -> list[StoredEvent]:
    """The ``most`` events that follow the number ``seq``, in order.

    They end with the one with which they reach ``most_bytes``.
    """
    statement = _SELECT.where(EVENTS.c.seq > seq).order_by(EVENTS.c.seq).limit(most)
    rows = []
    with connection.execute(statement) as found:
        for row in found:
            rows.append(row)
            most_bytes -= len(row.body)
            if most_bytes <= 0:
                break
    return _with_obligations(connection, rows)


_SELECT = sa.select(
    EVENTS.c.seq,
    EVENTS.c.event_id,
    EVENTS.c.received_at,
    EVENTS.c.revision,
    EVENTS.c.content_hash,
    EVENTS.c.body,
    EVENTS.c.packed,
)


def index_text(text: str) -> str:
    """``text`` as an index column holds it: no database refuses it and no list is broken by it."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _with_obligations(
    connection: sa.Connection, rows: Sequence[sa.Row[*tuple[Any, ...]]]
) -> list[StoredEvent]:
    obligations = _obligations(connection, [row.seq for row in rows])
    return [
        StoredEvent(
            row.seq,
            row.event_id,
            row.received_at,
            row.revision,
            row.content_hash or b"",
            row.body,
            row.packed,
            tuple(obligations.get(row.seq, ())),
        )
        for row in rows
    ]


def _obligations(
    connection: sa.Connection, event_seqs: Sequence[int]
) -> dict[int, list[StoredObligation]]:
    if not event_seqs:
        return {}
    rows = connection.execute(
        sa.select(OBLIGATIONS)
        .where(OBLIGATIONS.c.event_seq.in_(event_seqs))
        .order_by(OBLIGATIONS.c.event_seq, OBLIGATIONS.c.position)
    ).all()
    routes = routes_by_id(connection, {row.route_id for row in rows})
    found: dict[int, list[StoredObligation]] = {}
    for row in rows:
        route = routes[row.route_id]
        found.setdefault(row.event_seq, []).append(
            StoredObligation(
                position=row.position,
                route=route,
                state=State(row.state),
                reason=row.reason,
                pointer=row.pointer,
                delivery_id=row.delivery_id or "",
                recipients=tuple(json.loads(row.taken)) if row.taken else route.recipients,
                suppressed=row.suppressed,
            )
        )
    return found


def read_books(connection: sa.Connection) -> Books:
    """What must balance, from one consistent view."""
    accepted, opened, closed, unmatched = connection.execute(
        sa.select(
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(EVENTS.c.opened), 0),
            sa.func.coalesce(sa.func.sum(EVENTS.c.closed), 0),
            sa.func.count().filter(EVENTS.c.opened + EVENTS.c.closed == 0),
        )
    ).one()
    counts = sa.select(OBLIGATIONS.c.state, sa.func.count()).group_by(OBLIGATIONS.c.state)
    states: dict[str, int] = {row[0]: row[1] for row in connection.execute(counts)}
    astray = [] if sum(states.values()) == opened else _events_astray(connection)
    if closed:
        states["closed at once"] = int(closed)
    return Books(accepted, unmatched, states, astray)


def _events_astray(connection: sa.Connection) -> list[str]:
    counts = (
        sa.select(OBLIGATIONS.c.event_seq, sa.func.count().label("obligations"))
        .group_by(OBLIGATIONS.c.event_seq)
        .subquery()
    )
    return list(
        connection.execute(
            sa.select(EVENTS.c.event_id)
            .outerjoin(counts, counts.c.event_seq == EVENTS.c.seq)
            .where(EVENTS.c.opened != sa.func.coalesce(counts.c.obligations, 0))
            .limit(_MOST_ASTRAY)
        ).scalars()
    )


def handed_off_ids(connection: sa.Connection, after: str, limit: int) -> Sequence[str]:
    """Up to ``limit`` ids that Delivery must answer for, behind ``after``, in bytewise order."""
    column = _bytewise(connection)
    statement = sa.select(OBLIGATIONS.c.delivery_id).where(
        OBLIGATIONS.c.state == State.HANDED_OFF.value, column > after
    )
    return list(connection.execute(statement.order_by(column).limit(limit)).scalars())


def released_ids(connection: sa.Connection, after: str, end: str | None) -> frozenset[str]:
    """Every delivery id behind ``after``, up to ``end``, that the Router has ever made."""
    column = _bytewise(connection)
    statement = sa.select(OBLIGATIONS.c.delivery_id).where(column > after)
    if end is not None:
        statement = statement.where(column <= end)
    return frozenset(connection.execute(statement).scalars())


def handed_off_before(
    connection: sa.Connection, after: str, end: str | None, moment: int
) -> frozenset[str]:
    """The ids behind ``after``, up to ``end``, that were released up to ``moment``."""
    column = _bytewise(connection)
    statement = sa.select(OBLIGATIONS.c.delivery_id).where(
        OBLIGATIONS.c.state == State.HANDED_OFF.value,
        OBLIGATIONS.c.released_at <= moment,
        column > after,
    )
    if end is not None:
        statement = statement.where(column <= end)
    return frozenset(connection.execute(statement).scalars())


def _bytewise(connection: sa.Connection) -> sa.ColumnElement[str]:
    """The id in the order that SQLite, Python and Delivery have."""
    column = OBLIGATIONS.c.delivery_id
    return column.collate("C") if connection.dialect.name == "postgresql" else column
