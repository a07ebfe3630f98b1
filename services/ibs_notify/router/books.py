"""Reads of the Router: lists of events, one event, and the books of the ledger. Plain SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.clock import to_micros
from ibs_notify.router.ledger import Books
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
    """Where an obligation stands, as far as the Router knows."""

    position: int
    state: str
    reason: str
    pointer: str
    delivery_id: str
    recipients: str


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """``body`` and ``answer`` are protobuf: the event, and what its emitter was told."""

    seq: int
    received_at: int
    revision: int
    body: bytes
    answer: bytes
    obligations: tuple[StoredObligation, ...]


def list_events(
    connection: sa.Connection, query: EventQuery, before_seq: int | None, limit: int
) -> list[StoredEvent]:
    """Newest first, those with a number below ``before_seq``."""
    statement = _SELECT.where(*_conditions(query)).order_by(EVENTS.c.seq.desc()).limit(limit)
    if before_seq is not None:
        statement = statement.where(EVENTS.c.seq < before_seq)
    return _with_obligations(connection, connection.execute(statement).all())


def get_event(connection: sa.Connection, event_id: str) -> StoredEvent | None:
    """The event of that id."""
    rows = connection.execute(_SELECT.where(EVENTS.c.event_id == event_id)).all()
    return next(iter(_with_obligations(connection, rows)), None)


_SELECT = sa.select(
    EVENTS.c.seq, EVENTS.c.received_at, EVENTS.c.revision, EVENTS.c.body, EVENTS.c.answer
)


def _conditions(query: EventQuery) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if query.sources:
        conditions.append(
            sa.or_(
                *(EVENTS.c.type.startswith(f"{each}.", autoescape=True) for each in query.sources)
            )
        )
    if query.types:
        conditions.append(EVENTS.c.type.in_(query.types))
    if query.min_severity:
        conditions.append(EVENTS.c.severity >= query.min_severity)
    if query.resource:
        conditions.append(
            sa.or_(
                EVENTS.c.resource == query.resource,
                EVENTS.c.resource.startswith(query.resource.rstrip("/") + "/", autoescape=True),
            )
        )
    if query.task_id:
        conditions.append(EVENTS.c.task_id == query.task_id)
    if query.actor:
        conditions.append(EVENTS.c.actor == query.actor)
    if query.after is not None:
        conditions.append(EVENTS.c.received_at >= to_micros(query.after))
    if query.before is not None:
        conditions.append(EVENTS.c.received_at < to_micros(query.before))
    return conditions


def _with_obligations(
    connection: sa.Connection, rows: Sequence[sa.Row[*tuple[Any, ...]]]
) -> list[StoredEvent]:
    found: dict[int, list[StoredObligation]] = {row.seq: [] for row in rows}
    if found:
        for row in connection.execute(
            sa.select(
                OBLIGATIONS.c.event_seq,
                OBLIGATIONS.c.position,
                OBLIGATIONS.c.state,
                OBLIGATIONS.c.reason,
                OBLIGATIONS.c.pointer,
                sa.func.coalesce(OBLIGATIONS.c.delivery_id, ""),
                OBLIGATIONS.c.recipients,
            )
            .where(OBLIGATIONS.c.event_seq.in_(list(found)))
            .order_by(OBLIGATIONS.c.event_seq, OBLIGATIONS.c.position)
        ):
            found[row[0]].append(StoredObligation(*row[1:]))
    return [
        StoredEvent(
            row.seq, row.received_at, row.revision, row.body, row.answer, tuple(found[row.seq])
        )
        for row in rows
    ]


def read_books(connection: sa.Connection) -> Books:
    """What must balance, from one consistent view."""
    accepted, matched, unmatched = connection.execute(
        sa.select(
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(EVENTS.c.matched), 0),
            sa.func.count().filter(EVENTS.c.matched == 0),
        )
    ).one()
    states: dict[str, int] = dict(
        connection.execute(
            sa.select(OBLIGATIONS.c.state, sa.func.count()).group_by(OBLIGATIONS.c.state)
        ).tuples()
    )
    handed_off = frozenset(
        connection.execute(
            sa.select(OBLIGATIONS.c.delivery_id).where(OBLIGATIONS.c.state == "handed_off")
        ).scalars()
    )
    astray = [] if sum(states.values()) == matched else _events_astray(connection)
    return Books(accepted, unmatched, int(matched), states, handed_off, astray)


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
            .where(EVENTS.c.matched != sa.func.coalesce(counts.c.obligations, 0))
            .limit(_MOST_ASTRAY)
        ).scalars()
    )


def released_ids(connection: sa.Connection) -> frozenset[str]:
    """Every delivery id that the Router has ever made."""
    return frozenset(
        connection.execute(
            sa.select(OBLIGATIONS.c.delivery_id).where(OBLIGATIONS.c.delivery_id.is_not(None))
        ).scalars()
    )
