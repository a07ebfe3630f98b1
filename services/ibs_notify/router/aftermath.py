"""What ended deliveries change in the Router: windows that told in vain, and notices. Plain SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from ibs_notify.router import end_counts
from ibs_notify.router.identity import obligation_id
from ibs_notify.router.notices import by_hour, notices_of_ends
from ibs_notify.router.ports import Ended
from ibs_notify.router.repository import insert_own
from ibs_notify.router.tables import EVENTS, OBLIGATIONS
from ibs_notify.router.windows import forget_told


def take_ends(connection: sa.Connection, ended: Sequence[Ended], now: datetime) -> None:
    """Close the windows of what was told in vain, and write notices of it. Bears repeats."""
    forget_told(connection, _in_vain(connection, ended))
    hours = by_hour(ended)
    before = end_counts.add(connection, {hour: len(each) for hour, each in hours.items()})
    for notice in notices_of_ends(hours, before):
        insert_own(connection, notice, now)


def _in_vain(connection: sa.Connection, ended: Sequence[Ended]) -> list[str]:
    """The obligations that ended, and those that share their fate: coalesced into, collapsed."""
    pointers = [each.obligation_id for each in ended] + [each.event_id for each in ended]
    shared = (
        sa.select(EVENTS.c.event_id, OBLIGATIONS.c.position)
        .join(OBLIGATIONS, OBLIGATIONS.c.event_seq == EVENTS.c.seq)
        .where(
            sa.or_(
                sa.and_(
                    EVENTS.c.event_id.in_([each.event_id for each in ended]),
                    OBLIGATIONS.c.pointer.in_(pointers),
                ),
                sa.and_(sa.text("state = 'collapsed'"), OBLIGATIONS.c.pointer.in_(pointers)),
            )
        )
    )
    return [each.obligation_id for each in ended] + [
        obligation_id(event_id, position) for event_id, position in connection.execute(shared)
    ]
