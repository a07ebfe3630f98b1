"""The open obligation's row is the outbox: releases and handoffs. Plain SQL functions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from ibs_notify.domain.clock import to_micros
from ibs_notify.router.dispositions import Reason, State
from ibs_notify.router.ports import Handoff, KnownRoute
from ibs_notify.router.release import Coalesced, Released, Waiting, release
from ibs_notify.router.routes import routes_by_id
from ibs_notify.router.tables import EVENTS, OBLIGATIONS
from ibs_notify.store.bulk import Bulk


def _update_one(**values: str) -> Bulk:
    """An update of one obligation; the values come first, then its key."""
    return Bulk(
        sa.update(OBLIGATIONS)
        .where(
            OBLIGATIONS.c.event_seq == sa.bindparam("key_seq"),
            OBLIGATIONS.c.position == sa.bindparam("key_position"),
        )
        .values({name: sa.bindparam(parameter) for name, parameter in values.items()}),
        (*values.values(), "key_seq", "key_position"),
    )


_RELEASE = _update_one(taken="new_taken", released_at="new_time", delivery_id="new_id")
_CLOSE = _update_one(state="new_state", reason="new_reason", pointer="new_pointer")
_HAND_OFF = _update_one(state="new_state")

_IS_OPEN = OBLIGATIONS.c.state == sa.literal_column("'ready'")
_ANY_OPEN = sa.select(OBLIGATIONS.c.event_seq).where(_IS_OPEN).limit(1)
_URGENCY = (OBLIGATIONS.c.severity.desc(), OBLIGATIONS.c.event_seq, OBLIGATIONS.c.position)


def has_open(connection: sa.Connection) -> bool:
    """Whether any obligation waits to be released or handed off."""
    return connection.execute(_ANY_OPEN).first() is not None


def release_next(connection: sa.Connection, limit: int, now: datetime) -> list[Handoff]:
    """Release up to ``limit`` ready obligations, highest severity first, then oldest.

    Returns what is to be handed off: what was released earlier and not acknowledged comes first.
    """
    pending = handoffs_pending(connection, limit)
    if pending:
        return pending
    waiting = _ready(connection, limit)
    if not waiting:
        return []
    decisions = release(waiting, _released_before(connection, waiting))
    _write(connection, decisions, to_micros(now))
    return handoffs_pending(connection, limit)


def _ready(connection: sa.Connection, limit: int) -> list[Waiting]:
    rows = connection.execute(
        sa.select(
            OBLIGATIONS.c.event_seq,
            OBLIGATIONS.c.position,
            EVENTS.c.event_id,
            OBLIGATIONS.c.route_id,
        )
        .join(EVENTS, EVENTS.c.seq == OBLIGATIONS.c.event_seq)
        .where(_IS_OPEN, OBLIGATIONS.c.released_at.is_(None))
        .order_by(*_URGENCY)
        .limit(limit)
    ).all()
    routes = routes_by_id(connection, {row.route_id for row in rows})
    return [
        Waiting(
            row.event_seq,
            row.position,
            row.event_id,
            routes[row.route_id].target_uid,
            routes[row.route_id].recipients,
        )
        for row in rows
    ]


def _released_before(connection: sa.Connection, waiting: Sequence[Waiting]) -> list[Released]:
    """What other routes of the same events took before."""
    events = {each.event_seq: each.event_id for each in waiting}
    rows = connection.execute(
        sa.select(
            OBLIGATIONS.c.event_seq,
            OBLIGATIONS.c.position,
            OBLIGATIONS.c.route_id,
            OBLIGATIONS.c.taken,
            OBLIGATIONS.c.delivery_id,
        ).where(OBLIGATIONS.c.event_seq.in_(list(events)), OBLIGATIONS.c.released_at.is_not(None))
    ).all()
    routes = routes_by_id(connection, {row.route_id for row in rows})
    return [
        Released(
            Waiting(
                row.event_seq,
                row.position,
                events[row.event_seq],
                routes[row.route_id].target_uid,
                routes[row.route_id].recipients,
            ),
            row.delivery_id,
            _recipients(routes[row.route_id], row.taken),
        )
        for row in rows
    ]


def _write(connection: sa.Connection, decisions: Sequence[Released | Coalesced], now: int) -> None:
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
            for each in decisions
            if isinstance(each, Released)
        ],
    )
    _CLOSE.run(
        connection,
        [
            (
                State.COALESCED.value,
                Reason.DESTINATION_TAKEN.value,
                each.into,
                each.waiting.event_seq,
                each.waiting.position,
            )
            for each in decisions
            if isinstance(each, Coalesced)
        ],
    )


def handoffs_pending(connection: sa.Connection, limit: int) -> list[Handoff]:
    """Released obligations that Delivery has not acknowledged, most urgent first."""
    rows = connection.execute(
        sa.select(
            OBLIGATIONS.c.event_seq,
            OBLIGATIONS.c.position,
            EVENTS.c.event_id,
            OBLIGATIONS.c.delivery_id,
            EVENTS.c.body,
            EVENTS.c.revision,
            OBLIGATIONS.c.route_id,
            OBLIGATIONS.c.taken,
        )
        .join(EVENTS, EVENTS.c.seq == OBLIGATIONS.c.event_seq)
        .where(_IS_OPEN, OBLIGATIONS.c.released_at.is_not(None))
        .order_by(*_URGENCY)
        .limit(limit)
    ).all()
    routes = routes_by_id(connection, {row.route_id for row in rows})
    return [
        Handoff(
            event_seq=row.event_seq,
            position=row.position,
            event_id=row.event_id,
            delivery_id=row.delivery_id,
            body=row.body,
            revision=row.revision,
            route=routes[row.route_id],
            recipients=_recipients(routes[row.route_id], row.taken),
        )
        for row in rows
    ]


def _recipients(route: KnownRoute, taken: str) -> tuple[str, ...]:
    return tuple(json.loads(taken)) if taken else route.recipients


def mark_handed_off(connection: sa.Connection, handoffs: Sequence[Handoff]) -> None:
    """Delivery answers for these from now on."""
    _HAND_OFF.run(
        connection,
        [(State.HANDED_OFF.value, each.event_seq, each.position) for each in handoffs],
    )
