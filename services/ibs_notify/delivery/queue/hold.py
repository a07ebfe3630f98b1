"""Holding the whole queue: nothing is sent until it is released. For databases that were restored.

What a backup knew as open may have been delivered since; whoever restored it looks before it is all
sent again. Plain SQL.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from ibs_notify.audit.journal import append
from ibs_notify.delivery.audited import hold_act, release_act
from ibs_notify.delivery.tables import AUDIT, DELIVERIES, SEQUENCE
from ibs_notify.domain.clock import from_micros, to_micros

_HELD_SINCE = "held_since"
_IS_IT = SEQUENCE.c.name == _HELD_SINCE
_SINCE = sa.select(SEQUENCE.c.value).where(_IS_IT)

is_held: sa.ColumnElement[bool] = sa.exists(_SINCE.where(SEQUENCE.c.value > 0))
"""Whether the queue is held."""


def held_since(connection: sa.Connection) -> datetime | None:
    """Since when; ``None`` where it is not held."""
    micros = connection.execute(_SINCE).scalar_one()
    return from_micros(micros) if micros else None


def hold(connection: sa.Connection, actor: str, now: datetime) -> datetime:
    """Hold the queue; since when it is."""
    first = sa.update(SEQUENCE).where(_IS_IT, SEQUENCE.c.value == 0)
    if connection.execute(first.values(value=to_micros(now))).rowcount:
        append(connection, AUDIT, actor, hold_act(), now)
    return held_since(connection) or now


def release(connection: sa.Connection, actor: str, count: int, now: datetime) -> None:
    """Let the queue go on, by which ``count`` deliveries are sent."""
    held = sa.update(SEQUENCE).where(_IS_IT, SEQUENCE.c.value > 0)
    if connection.execute(held.values(value=0)).rowcount:
        append(connection, AUDIT, actor, release_act(count), now)


def queued(connection: sa.Connection) -> int:
    """How many deliveries would be sent as soon as they may."""
    return connection.execute(
        sa.select(sa.func.count())
        .select_from(DELIVERIES)
        .where(sa.or_(sa.text("state = 1"), sa.text("state = 3")))
    ).scalar_one()
