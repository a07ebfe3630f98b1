"""The queues of the groups, one lane each: who waits, how many may go, what went. Plain SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from ibs_notify.domain.group import DEFAULT_RATE_LIMIT
from ibs_notify.router.digest import DIGEST_LANE
from ibs_notify.router.handoffs import IS_WAITING
from ibs_notify.router.limit import Allowance, Past, allowance, from_bytes, record, to_bytes
from ibs_notify.router.tables import LANES, OBLIGATIONS
from ibs_notify.store.bulk import Bulk
from ibs_notify.store.value_list import is_among, listed

FREE_LANE = 0
"""Metric servers': nobody's limit holds it."""
_LANE = OBLIGATIONS.c.lane_id


def _waiting_statement() -> sa.Select[tuple[int]]:
    """The lanes that hold anything, by hops along the index: as fast with a backlog as without."""
    first = sa.select(sa.func.min(_LANE).label("lane")).where(IS_WAITING)
    lanes = first.cte("lanes", recursive=True)
    following = (
        sa.select(sa.func.min(_LANE)).where(IS_WAITING, lanes.c.lane < _LANE).scalar_subquery()
    )
    lanes = lanes.union_all(sa.select(following).where(lanes.c.lane.is_not(None)))
    return sa.select(lanes.c.lane).where(lanes.c.lane.is_not(None))


_WAITING = Bulk(_waiting_statement(), ())
_PAST = {
    dialect: Bulk(
        sa.select(LANES.c.lane_id, LANES.c.releases).where(
            is_among(LANES.c.lane_id, "lanes", dialect)
        ),
        ("lanes",),
    )
    for dialect in ("sqlite", "postgresql")
}
_RECORD = Bulk(
    sa.update(LANES)
    .where(LANES.c.lane_id == sa.bindparam("key_lane"))
    .values(releases=sa.bindparam("new_releases")),
    ("new_releases", "key_lane"),
)


@dataclass(frozen=True, slots=True)
class Room:
    """What the lanes that hold anything may let go now.

    ``events`` by lane, ``None`` without limit; ``limited`` says by what. ``next_at``, in
    microseconds: when a lane that is full may let the next one go; ``None`` where none is full.
    """

    events: Mapping[int, int | None]
    limited: Mapping[int, Allowance]
    next_at: int | None


def waiting_lanes(connection: sa.Connection) -> Sequence[int]:
    """The lanes that hold anything."""
    return [lane for (lane,) in _WAITING.fetch(connection, ())]


def room_of(
    connection: sa.Connection, lanes: Sequence[int], limits: Mapping[int, int], now: int
) -> Room:
    """What each of ``lanes`` may let go at ``now`` by its limit in ``limits``.

    A lane that has none there is of a group that is gone: what it holds goes by the default.
    """
    bounds = {lane: limit_of(lane, limits) for lane in lanes}
    past = past_of(connection, [lane for lane, bound in bounds.items() if bound])
    limited = {lane: allowance(each, bounds[lane], now) for lane, each in past.items()}
    full = [each.next_at for each in limited.values() if each.next_at is not None]
    return Room(
        {lane: limited[lane].count if lane in limited else None for lane in lanes},
        limited,
        min(full, default=None),
    )


def limit_of(lane: int, limits: Mapping[int, int]) -> int:
    """Events a minute of a lane, 0 for no limit."""
    if lane in (FREE_LANE, DIGEST_LANE):
        return 0
    return limits.get(lane, DEFAULT_RATE_LIMIT)


def past_of(connection: sa.Connection, lanes: Sequence[int]) -> dict[int, Past]:
    """What each lane let go lately."""
    dialect = connection.dialect.name
    rows = _PAST[dialect].fetch(connection, (listed(lanes, dialect),))
    return {lane: from_bytes(releases) for lane, releases in rows}


def record_releases(
    connection: sa.Connection, room: Room, let_go: Mapping[int, int], now: int
) -> None:
    """Count what the limited lanes let go at ``now``."""
    _RECORD.run(
        connection,
        [
            (to_bytes(record(each.past, let_go.get(lane, 0), now)), lane)
            for lane, each in room.limited.items()
            if lane in let_go or each.went_back
        ],
    )
