"""What is kept of finished deliveries: for so long from their end, and so many. Plain SQL.

All that is open stays. A delivery goes with its attempts, the parts of a digest not before it has
ended, and its window once it is gone. What goes leaves a watermark behind, by which the ledger
tells what is kept no more from what is lost.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from ibs_notify.delivery.digests.windows import WindowState
from ibs_notify.delivery.tables import ATTEMPTS, DELIVERIES, SEQUENCE, WINDOWS
from ibs_notify.store.housekeeping import Bounds, Due

LOOKED_AT = 2_000
REMOVED = 200
"""So many deliveries at most go in one transaction: a few milliseconds."""
_C, _W = DELIVERIES.c, WINDOWS.c
_WATERMARK = "retired_before"


def due_after(connection: sa.Connection, seq: int, bounds: Bounds) -> Due:
    """What may go of the next deliveries behind the number ``seq``."""
    surplus = _surplus_through(connection, bounds.most)
    rows = connection.execute(
        sa.select(_C.seq, _C.created_at, _C.closed_at, _C.window_seq)
        .where(_C.seq > seq)
        .order_by(_C.seq)
        .limit(LOOKED_AT)
    ).all()
    old = [
        row
        for row in rows
        if row.closed_at is not None and (row.closed_at < bounds.since or row.seq <= surplus)
    ]
    unsent = _windows_unsent(connection, {row.window_seq for row in old} - {None})
    seqs = [row.seq for row in old if row.window_seq not in unsent]
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


def windows_to_remove(connection: sa.Connection, before: int) -> Sequence[int]:
    """Some windows that were closed before a moment, and whose digest is gone.

    The last of each stream stays: the next one begins where it ended.
    """
    later = WINDOWS.alias()
    statement = sa.select(_W.seq).where(
        _W.state == WindowState.CLOSED.value,
        _W.closed_at < before,
        ~sa.exists().where(_C.delivery_id == _W.delivery_id),
        sa.exists().where(
            later.c.kind == _W.kind,
            later.c.group_name == _W.group_name,
            later.c.target_uid == _W.target_uid,
            later.c.audience == _W.audience,
            later.c.seq > _W.seq,
            later.c.closed_at.is_not(None),
        ),
    )
    return connection.execute(statement.order_by(_W.seq).limit(REMOVED)).scalars().all()


def remove_windows(connection: sa.Connection, seqs: Sequence[int]) -> None:
    """Remove what ``windows_to_remove`` found."""
    connection.execute(sa.delete(WINDOWS).where(_W.seq.in_(seqs)))


def retired_before(connection: sa.Connection) -> int:
    """What was accepted up to this moment may be kept no more; microseconds, 0 for none."""
    statement = sa.select(SEQUENCE.c.value).where(SEQUENCE.c.name == _WATERMARK)
    return int(connection.execute(statement).scalar_one())


def _windows_unsent(connection: sa.Connection, seqs: Collection[int]) -> set[int]:
    """Those of the windows whose digest is still on its way."""
    if not seqs:
        return set()
    statement = (
        sa.select(_W.seq)
        .join_from(WINDOWS, DELIVERIES, _C.delivery_id == _W.delivery_id)
        .where(_W.seq.in_(seqs), _C.closed_at.is_(None))
    )
    return set(connection.execute(statement).scalars())


def _surplus_through(connection: sa.Connection, most: int) -> int:
    """The number of the last delivery that is over ``most``. Numbers have few gaps, so this is

    about right, and costs no count.
    """
    if not most:
        return 0
    newest = connection.execute(sa.select(sa.func.max(_C.seq))).scalar() or 0
    return max(0, int(newest) - most)
