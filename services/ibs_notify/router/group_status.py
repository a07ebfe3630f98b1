"""The queues of groups: what a rate limit holds back, and until when. Plain SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from ibs_notify.domain.severity import Severity
from ibs_notify.router.collapse import bound_of
from ibs_notify.router.handoffs import IS_WAITING
from ibs_notify.router.lanes import past_of, waiting_lanes
from ibs_notify.router.limit import Past, allowance
from ibs_notify.router.match import RoutedGroup
from ibs_notify.router.tables import EVENTS, OBLIGATIONS
from ibs_notify.store.bulk import Bulk
from ibs_notify.store.value_list import is_among, listed

_C = OBLIGATIONS.c
_DIALECTS = ("sqlite", "postgresql")
_WAITING = {
    dialect: Bulk(
        sa.select(
            _C.lane_id,
            _C.severity,
            sa.func.count(_C.event_seq.distinct()),
            sa.func.count(),
            sa.func.min(_C.event_seq),
        )
        .where(IS_WAITING, is_among(_C.lane_id, "lanes", dialect))
        .group_by(_C.lane_id, _C.severity),
        ("lanes",),
    )
    for dialect in _DIALECTS
}
_COLLAPSED = {
    dialect: Bulk(
        sa.select(_C.lane_id, sa.func.count())
        .where(sa.text("state = 'collapsed'"), is_among(_C.lane_id, "lanes", dialect))
        .group_by(_C.lane_id),
        ("lanes",),
    )
    for dialect in _DIALECTS
}
_RECEIVED = {
    dialect: Bulk(
        sa.select(EVENTS.c.seq, EVENTS.c.received_at).where(
            is_among(EVENTS.c.seq, "seqs", dialect)
        ),
        ("seqs",),
    )
    for dialect in _DIALECTS
}


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


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What waits in a lane at one severity; ``oldest`` is an event's number."""

    severity: Severity
    events: int
    obligations: int
    oldest: int


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Groups in order of name, each with its queue; ``are_more`` come behind them."""

    queues: Sequence[tuple[str, GroupStatus]]
    are_more: bool


def read_status(connection: sa.Connection, group: RoutedGroup, now: int) -> GroupStatus:
    """The queue of ``group`` at ``now``, from one consistent view."""
    return _statuses(connection, [group], now)[0]


def read_page(
    connection: sa.Connection,
    groups: Sequence[RoutedGroup],
    now: int,
    *,
    size: int,
    waiting_only: bool,
) -> QueuePage:
    """The queues of the first ``size`` of ``groups``, from one consistent view."""
    if waiting_only:
        waiting = set(waiting_lanes(connection))
        groups = [each for each in groups if each.lane_id in waiting]
    page = groups[:size]
    names = [each.name for each in page]
    statuses = _statuses(connection, page, now)
    return QueuePage(list(zip(names, statuses, strict=True)), len(groups) > size)


def _statuses(
    connection: sa.Connection, groups: Sequence[RoutedGroup], now: int
) -> Sequence[GroupStatus]:
    dialect = connection.dialect.name
    lanes = listed([each.lane_id for each in groups], dialect)
    waiting: defaultdict[int, list[_Waiting]] = defaultdict(list)
    for lane, severity, *numbers in _WAITING[dialect].fetch(connection, (lanes,)):
        waiting[lane].append(_Waiting(Severity(severity), *numbers))
    collapsed = dict(_COLLAPSED[dialect].fetch(connection, (lanes,)))
    pasts = past_of(connection, [each.lane_id for each in groups])
    oldest = {lane: min(each.oldest for each in found) for lane, found in waiting.items()}
    events = listed(oldest.values(), dialect)
    received = dict(_RECEIVED[dialect].fetch(connection, (events,)))
    return [
        _status(
            group,
            waiting[group.lane_id],
            pasts.get(group.lane_id, ()),
            received.get(oldest.get(group.lane_id)),
            collapsed.get(group.lane_id, 0),
            now,
        )
        for group in groups
    ]


def _status(
    group: RoutedGroup,
    waiting: Sequence[_Waiting],
    past: Past,
    received_at: int | None,
    collapsed: int,
    now: int,
) -> GroupStatus:
    """``received_at`` is when the oldest that waits was accepted."""
    room = allowance(past, group.rate_limit, now)
    next_at = (now if room.next_at is None else room.next_at) if waiting else None
    return GroupStatus(
        ready=sum(each.obligations for each in waiting),
        waiting={each.severity: each.events for each in waiting},
        next_release_at=next_at,
        # Not below zero where the clock went back.
        oldest_age=None if received_at is None else max(now - received_at, 0),
        collapsed=collapsed,
        released=sum(each.count for each in room.past) if group.rate_limit else 0,
        rate_limit=group.rate_limit,
        backlog_bound=bound_of(group.rate_limit) if group.rate_limit else 0,
    )
