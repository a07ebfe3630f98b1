"""GetGroupStatus: what a group's rate limit holds back, and until when. Plain SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.severity import Severity
from ibs_notify.router.collapse import bound_of
from ibs_notify.router.handoffs import IS_WAITING
from ibs_notify.router.lanes import past_of
from ibs_notify.router.limit import allowance
from ibs_notify.router.match import RoutedGroup
from ibs_notify.router.tables import EVENTS, OBLIGATIONS

_C = OBLIGATIONS.c
_LANE = sa.bindparam("lane", type_=sa.BigInteger)
_WAITING = (
    sa.select(
        _C.severity,
        sa.func.count(_C.event_seq.distinct()).label("events"),
        sa.func.count().label("obligations"),
        sa.func.min(_C.event_seq).label("oldest"),
    )
    .where(IS_WAITING, _C.lane_id == _LANE)
    .group_by(_C.severity)
)
_COLLAPSED = (
    sa.select(sa.func.count())
    .select_from(OBLIGATIONS)
    .where(sa.text("state = 'collapsed'"), _C.lane_id == _LANE)
)


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """A group's queue. Moments and spans in microseconds; ``None`` where nothing waits.

    ``waiting`` counts events, ``ready`` the obligations that these are. ``rate_limit`` and
    ``backlog_bound`` are 0 for none; without a limit ``released`` is not counted.
    """

    ready: int
    waiting: Mapping[Severity, int]
    next_release_at: int | None
    oldest_age: int | None
    collapsed: int
    released: int
    rate_limit: int
    backlog_bound: int


def read_status(connection: sa.Connection, group: RoutedGroup, now: int) -> GroupStatus:
    """The queue of ``group`` at ``now``, from one consistent view."""
    lane = {"lane": group.lane_id}
    rows = connection.execute(_WAITING, lane).all()
    past = past_of(connection, [group.lane_id]).get(group.lane_id, ())
    room = allowance(past, group.rate_limit, now)
    next_at = (now if room.next_at is None else room.next_at) if rows else None
    return GroupStatus(
        ready=sum(row.obligations for row in rows),
        waiting={Severity(row.severity): row.events for row in rows},
        next_release_at=next_at,
        oldest_age=_age_of_oldest(connection, rows, now),
        collapsed=connection.execute(_COLLAPSED, lane).scalar_one(),
        released=sum(each.count for each in room.past) if group.rate_limit else 0,
        rate_limit=group.rate_limit,
        backlog_bound=bound_of(group.rate_limit) if group.rate_limit else 0,
    )


def _age_of_oldest(
    connection: sa.Connection, rows: Sequence[sa.Row[*tuple[Any, ...]]], now: int
) -> int | None:
    if not rows:
        return None
    oldest = min(row.oldest for row in rows)
    received = sa.select(EVENTS.c.received_at).where(EVENTS.c.seq == oldest)
    # Not below zero where the clock went back.
    return max(now - int(connection.execute(received).scalar_one()), 0)
