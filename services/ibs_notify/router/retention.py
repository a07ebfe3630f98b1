"""What is kept of old events: nothing but the ids that emitters chose, for a while longer.

An event goes when it is over its age, or when there are more than are to be kept, and nothing of it
is open: no obligation waits, no summary that still gathers stands for it. Plain SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from ibs_notify.domain.clock import to_micros
from ibs_notify.router.blocks import Blocks, Overview
from ibs_notify.router.books import index_text
from ibs_notify.router.tables import EVENTS, OBLIGATIONS, RETIRED, SEQUENCE, SUMMARIES
from ibs_notify.store.housekeeping import Bounds, Due
from ibs_notify.store.upsert import insert_or_ignore

IDS_KEPT = timedelta(days=30)
"""So much longer than its event the id that an emitter chose stays known."""
LATEST_HANDOFF = timedelta(days=7)
"""Delivery has a released event after so long at the latest, if it was away: so far behind what is
gone may be in Delivery that is unknown here."""
LOOKED_AT = 2_000
REMOVED = 200
"""So many events at most go in one transaction: a few milliseconds."""
_E, _O = EVENTS.c, OBLIGATIONS.c


def retired_ids(connection: sa.Connection, event_ids: Sequence[str]) -> dict[str, bytes]:
    """Those of the ids whose event is gone, with the hash of its content."""
    ids = [index_text(each) for each in event_ids]
    rows = connection.execute(
        sa.select(RETIRED.c.event_id, RETIRED.c.content_hash).where(RETIRED.c.event_id.in_(ids))
    )
    return {row.event_id: row.content_hash for row in rows}


def due_after(connection: sa.Connection, seq: int, bounds: Bounds, blocks: Blocks) -> Due:
    """What may go of the next events behind the number ``seq``."""
    overview = blocks.overview(connection)
    surplus = _surplus_through(connection, overview, bounds.most)
    _, of_age = overview.between(None, bounds.since)
    last = max(surplus, of_age)
    piece = (
        sa.select(_E.seq, _E.received_at)
        .where(_E.seq > seq, _E.seq <= last)
        .order_by(_E.seq)
        .limit(LOOKED_AT)
        .subquery()
    )
    c = piece.c
    through, count = connection.execute(
        sa.select(sa.func.max(c.seq), sa.func.count()).select_from(piece)
    ).one()
    due = sa.select(c.seq).where(
        sa.or_(c.received_at < bounds.since, c.seq <= surplus), ~_is_open(c.seq)
    )
    seqs = connection.execute(due.order_by(c.seq)).scalars().all()
    return Due(seqs, through or seq, is_last=count < LOOKED_AT)


def remove(connection: sa.Connection, seqs: Sequence[int], now: datetime) -> None:
    """Remove events that are due, at most ``REMOVED``, and remember what must be remembered."""
    chosen = sa.select(_E.event_id, _E.content_hash, sa.literal(to_micros(now))).where(
        _E.seq.in_(seqs), _E.content_hash.is_not(None)
    )
    remember = insert_or_ignore(RETIRED, connection.dialect.name)
    connection.execute(remember.from_select([column.name for column in RETIRED.columns], chosen))
    # None is left of them where another replica was faster.
    latest = connection.execute(_LATEST, {"seqs": seqs}).scalar() or 0
    handed_off = min(latest + _micros(LATEST_HANDOFF), to_micros(now))
    connection.execute(sa.delete(OBLIGATIONS).where(_O.event_seq.in_(seqs)))
    connection.execute(sa.delete(EVENTS).where(_E.seq.in_(seqs)))
    _raise_to(connection, "retired_through", max(seqs))
    _raise_to(connection, "retired_before", handed_off)


def ids_to_forget(connection: sa.Connection, now: datetime) -> Sequence[str]:
    """Some ids that were known for long enough."""
    old = RETIRED.c.retired_at < to_micros(now - IDS_KEPT)
    return (
        connection.execute(sa.select(RETIRED.c.event_id).where(old).limit(REMOVED)).scalars().all()
    )


def forget_ids(connection: sa.Connection, event_ids: Sequence[str]) -> None:
    """An event with one of these is a new one from now on."""
    connection.execute(sa.delete(RETIRED).where(RETIRED.c.event_id.in_(event_ids)))


def retired_before(connection: sa.Connection) -> int:
    """What Delivery accepted before this moment may be of events that are gone; microseconds."""
    return int(connection.execute(_number("retired_before")).scalar_one())


def retired_through(connection: sa.Connection) -> int:
    """The highest number of an event that is gone."""
    return int(connection.execute(_number("retired_through")).scalar_one())


def _number(name: str) -> sa.Select[int]:
    return sa.select(SEQUENCE.c.value).where(SEQUENCE.c.name == name)


def _surplus_through(connection: sa.Connection, overview: Overview, most: int) -> int:
    """The number of the last event that is over ``most``; 0 where there is none."""
    surplus = sum(each.counts.total() for each in overview.blocks) - most
    if not most or surplus <= 0:
        return 0
    for each in overview.blocks:
        count = each.counts.total()
        if surplus <= count:
            nth = sa.select(_E.seq).where(_E.seq >= each.first).order_by(_E.seq)
            return int(connection.execute(nth.offset(surplus - 1).limit(1)).scalar_one())
        surplus -= count
    return overview.newest


def _is_open(seq: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    gathering = sa.select(SUMMARIES.c.event_id)
    return sa.exists().where(
        _O.event_seq == seq,
        sa.or_(
            _O.state == sa.literal_column("'ready'"),
            sa.and_(_O.state == sa.literal_column("'collapsed'"), _O.pointer.in_(gathering)),
        ),
    )


_LATEST = (
    sa.select(sa.func.max(sa.func.coalesce(_O.released_at, _E.received_at)))
    .select_from(sa.outerjoin(EVENTS, OBLIGATIONS, _O.event_seq == _E.seq))
    .where(_E.seq.in_(sa.bindparam("seqs", expanding=True)))
)


def _raise_to(connection: sa.Connection, name: str, value: int) -> None:
    connection.execute(
        sa.update(SEQUENCE)
        .where(SEQUENCE.c.name == name, SEQUENCE.c.value < value)
        .values(value=value)
    )


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
