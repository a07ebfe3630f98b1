"""Reads of the Router: lists of events, one event, and the books of the ledger. Plain SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.clock import to_micros
from ibs_notify.router.dispositions import State
from ibs_notify.router.ledger import Books
from ibs_notify.router.ports import KnownRoute
from ibs_notify.router.routes import routes_by_id
from ibs_notify.router.tables import EVENTS, OBLIGATIONS

_MOST_ASTRAY = 1000


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Every field given must hold. ``resource`` is canonical: itself and all below it."""

    sources: Sequence[str] = ()
    types: Sequence[str] = ()
    min_severity: int = 0
    resource: str = ""
    task_id: str = ""
    actor: str = ""
    after: datetime | None = None
    before: datetime | None = None


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


def list_events(
    connection: sa.Connection, query: EventQuery, before_seq: int | None, limit: int
) -> list[StoredEvent]:
    """Newest first, those with a number below ``before_seq``."""
    statement = _SELECT.where(*_conditions(query)).order_by(EVENTS.c.seq.desc()).limit(limit)
    if before_seq is not None:
        statement = statement.where(EVENTS.c.seq < before_seq)
    return _with_obligations(connection, connection.execute(statement).all())


def events_by_id(connection: sa.Connection, event_ids: Sequence[str]) -> list[StoredEvent]:
    """Those events of the ids that there are."""
    ids = [index_text(each) for each in event_ids]
    rows = connection.execute(_SELECT.where(EVENTS.c.event_id.in_(ids))).all()
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


def _conditions(query: EventQuery) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if query.sources:
        conditions.append(
            sa.or_(*(_starts_with(EVENTS.c.type, f"{each}.") for each in query.sources))
        )
    if query.types:
        conditions.append(EVENTS.c.type.in_([index_text(each) for each in query.types]))
    if query.min_severity:
        conditions.append(EVENTS.c.severity >= query.min_severity)
    if query.resource:
        conditions.append(
            sa.or_(
                EVENTS.c.resource == index_text(query.resource),
                _starts_with(EVENTS.c.resource, query.resource.rstrip("/") + "/"),
            )
        )
    if query.task_id:
        conditions.append(EVENTS.c.task_id == index_text(query.task_id))
    if query.actor:
        conditions.append(EVENTS.c.actor == index_text(query.actor))
    if query.after is not None:
        conditions.append(EVENTS.c.received_at >= to_micros(query.after))
    if query.before is not None:
        conditions.append(EVENTS.c.received_at < to_micros(query.before))
    return conditions


def _starts_with(column: sa.Column[str], prefix: str) -> sa.ColumnElement[bool]:
    # Not LIKE: on SQLite that takes upper case for lower case.
    text = index_text(prefix)
    return sa.func.substr(column, 1, len(text)) == text


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


def _bytewise(connection: sa.Connection) -> sa.ColumnElement[str]:
    """The id in the order that SQLite, Python and Delivery have."""
    column = OBLIGATIONS.c.delivery_id
    return column.collate("C") if connection.dialect.name == "postgresql" else column
