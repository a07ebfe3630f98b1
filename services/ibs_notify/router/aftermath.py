"""What ended deliveries change in the Router: windows that told in vain, and notices. Plain SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from ibs_notify.router import end_counts
from ibs_notify.router.identity import obligation_id
from ibs_notify.router.notices import by_hour, notices_of_ends
from ibs_notify.router.ports import Ended
from ibs_notify.router.repository import insert_own, take_turn
from ibs_notify.router.tables import EVENTS, OBLIGATIONS
from ibs_notify.router.windows import forget_told

_C = OBLIGATIONS.c


def take_ends(connection: sa.Connection, ended: Sequence[Ended], now: datetime) -> None:
    """Close the windows of what was told in vain, and write notices of it. Bears repeats."""
    take_turn(connection)
    forget_told(connection, _in_vain(connection, ended))
    hours = by_hour(ended)
    before = end_counts.add(connection, {hour: len(each) for hour, each in hours.items()})
    for notice in notices_of_ends(hours, before):
        insert_own(connection, notice, now)


def _in_vain(connection: sa.Connection, ended: Sequence[Ended]) -> list[tuple[int, int]]:
    """The obligations that ended, and those that share their fate: coalesced into, collapsed."""
    ids = {each.obligation_id for each in ended}
    events = [each.event_id for each in ended]
    of_events = connection.execute(
        sa.select(EVENTS.c.event_id, _C.event_seq, _C.position, _C.pointer)
        .join(EVENTS, EVENTS.c.seq == _C.event_seq)
        .where(EVENTS.c.event_id.in_(events))
    )
    in_vain = [
        (row.event_seq, row.position)
        for row in of_events
        if obligation_id(row.event_id, row.position) in ids or row.pointer in ids
    ]
    collapsed = connection.execute(
        sa.select(_C.event_seq, _C.position).where(
            sa.text("state = 'collapsed'"), _C.pointer.in_(events)
        )
    )
    return in_vain + [(row.event_seq, row.position) for row in collapsed]
