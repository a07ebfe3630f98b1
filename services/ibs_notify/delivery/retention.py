"""What is kept of finished deliveries: for so long, and so many. All that is open stays. Plain SQL.

A delivery goes with its attempts. What goes leaves a watermark behind, by which the ledger tells
what is kept no more from what is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from ibs_notify.delivery.tables import ATTEMPTS, DELIVERIES, SEQUENCE

LOOKED_AT = 2_000
REMOVED = 200
"""So many deliveries at most go in one transaction: a few milliseconds."""
_C = DELIVERIES.c
_WATERMARK = "retired_before"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is kept: deliveries that ended since ``since``, and the newest ``most``, 0 for all.

    ``since`` is in microseconds, 0 for all.
    """

    since: int
    most: int


@dataclass(frozen=True, slots=True)
class Due:
    """Numbers of deliveries that may go, oldest first, and up to which number was looked.

    ``is_last``: there are no more.
    """

    seqs: Sequence[int]
    through: int
    is_last: bool


def due_after(connection: sa.Connection, seq: int, bounds: Bounds) -> Due:
    """What may go of the next deliveries behind the number ``seq``."""
    surplus = _surplus_through(connection, bounds.most)
    rows = connection.execute(
        sa.select(_C.seq, _C.created_at, _C.closed_at)
        .where(_C.seq > seq)
        .order_by(_C.seq)
        .limit(LOOKED_AT)
    ).all()
    seqs = [
        row.seq
        for row in rows
        if row.closed_at is not None and (row.closed_at < bounds.since or row.seq <= surplus)
    ]
    if len(rows) < LOOKED_AT:
        return Due(seqs, rows[-1].seq if rows else seq, is_last=True)
    last = rows[-1]
    # Nothing ends before it is accepted, and they are numbered as they are accepted.
    is_young = last.created_at >= bounds.since and last.seq > surplus
    return Due(seqs, last.seq, is_last=is_young)


def remove(connection: sa.Connection, seqs: Sequence[int]) -> int:
    """Remove deliveries that are due, at most ``REMOVED``; how many.

    One that was sent again meanwhile is open, and stays.
    """
    gone = connection.execute(
        sa.delete(DELIVERIES)
        .where(_C.seq.in_(seqs), _C.closed_at.is_not(None))
        .returning(_C.seq, _C.created_at)
    ).all()
    if not gone:
        return 0
    removed = [row.seq for row in gone]
    connection.execute(sa.delete(ATTEMPTS).where(ATTEMPTS.c.delivery_seq.in_(removed)))
    latest = max(row.created_at for row in gone)
    connection.execute(
        sa.update(SEQUENCE)
        .where(SEQUENCE.c.name == _WATERMARK, SEQUENCE.c.value < latest)
        .values(value=latest)
    )
    return len(gone)


def retired_before(connection: sa.Connection) -> int:
    """What was accepted up to this moment may be kept no more; microseconds, 0 for none."""
    statement = sa.select(SEQUENCE.c.value).where(SEQUENCE.c.name == _WATERMARK)
    return int(connection.execute(statement).scalar_one())


def _surplus_through(connection: sa.Connection, most: int) -> int:
    """The number of the last delivery that is over ``most``. Numbers have few gaps, so this is

    about right, and costs no count.
    """
    if not most:
        return 0
    newest = connection.execute(sa.select(sa.func.max(_C.seq))).scalar() or 0
    return max(0, int(newest) - most)
