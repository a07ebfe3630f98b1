"""A backlog over its bound: its lowest severities become one summary for each target. Plain SQL.

The summary is an event of its own, to which what it stands for points. It waits in the same lane
and gathers until its turn comes; only then is it written out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.catalogue import SUMMARY_TYPE, default_severity
from ibs_notify.domain.clock import Clock, from_micros
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.collapse import SummaryRow, bound_of, collapse, summary_of
from ibs_notify.router.dispositions import Reason, State
from ibs_notify.router.handoffs import IS_WAITING, close
from ibs_notify.router.identity import EventIds, Kind
from ibs_notify.router.lanes import limit_of
from ibs_notify.router.match import RoutingTable
from ibs_notify.router.ports import Handoff
from ibs_notify.router.repository import insert_own
from ibs_notify.router.tables import EVENTS, OBLIGATIONS, SUMMARIES
from ibs_notify.store.database import Database
from ironcore.notification.v1 import event_pb2

LOOK_SECONDS = 1.0
"""A backlog that grows is looked at so often at most."""
MOST_FOLDED = 1000
"""Obligations in one transaction, apart from an event that has more: it takes about 10 ms."""
_ROWS_AT_A_TIME = 500
_C = OBLIGATIONS.c


@dataclass(frozen=True, slots=True)
class _Fold:
    """``count`` events of a lane are to be folded, by the ``bound`` that it had."""

    lane: int
    bound: int
    severity: Severity
    count: int


class Backlog:
    """Looks at the lanes' queues now and then, and folds what is over their bounds bit by bit.

    Only what is to be folded is remembered here: all else is in the database.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ids = EventIds()
        self._look_at = float("-inf")
        self._folds: deque[_Fold] = deque()

    @property
    def is_folding(self) -> bool:
        """Whether there is more to fold."""
        return bool(self._folds)

    def forget(self) -> None:
        """Another replica looks after the queues now."""
        self._folds.clear()

    async def look(self, database: Database, lanes: Sequence[int], table: RoutingTable) -> None:
        """Plan to fold what is over the bound of each of ``lanes``.

        Counting a long queue takes a while, so it is done beside the one who writes.
        """
        limited = [lane for lane in lanes if limit_of(lane, table.limits)]
        elapsed = self._clock.monotonic()
        if self._folds or not limited or elapsed < self._look_at:
            return
        self._look_at = elapsed + LOOK_SECONDS
        for lane in limited:
            bound = bound_of(limit_of(lane, table.limits))
            waiting = await database.read(lambda c, lane=lane: _waiting(c, lane))  # type: ignore[misc]
            self._folds += (
                _Fold(lane, bound, severity, count)
                for severity, count in collapse(waiting, bound).counts.items()
            )

    def fold(self, connection: sa.Connection, table: RoutingTable, now: int) -> None:
        """Fold the next of what is planned, ``MOST_FOLDED`` at most, into summaries."""
        if not self._folds:
            return
        fold = self._folds.popleft()
        if bound_of(limit_of(fold.lane, table.limits)) != fold.bound:
            return
        events = _newest(connection, fold)
        by_route: dict[int, list[tuple[int, int]]] = {}
        for event_seq, obligations in events.items():
            for position, route_id in obligations:
                by_route.setdefault(route_id, []).append((event_seq, position))
        for route_id, keys in sorted(by_route.items()):
            summary_id = self._summary(
                connection, fold.lane, route_id, fold.severity, table.revision, now
            )
            close(connection, State.COLLAPSED, Reason.BACKLOG_COLLAPSED, keys, summary_id)
        if events and len(events) < fold.count:
            self._folds.appendleft(replace(fold, count=fold.count - len(events)))

    def _summary(
        self,
        connection: sa.Connection,
        lane: int,
        route_id: int,
        severity: Severity,
        revision: int,
        now: int,
    ) -> str:
        """The id of the summary that gathers for a lane and a route, made where there is none."""
        mine = sa.and_(SUMMARIES.c.lane_id == lane, SUMMARIES.c.route_id == route_id)
        found = connection.execute(sa.select(SUMMARIES).where(mine)).one_or_none()
        if found is not None:
            _raise_to(connection, found.event_seq, severity)
            return str(found.event_id)
        moment = from_micros(now)
        event = Event(
            event_id=self._ids.next(moment),
            type=SUMMARY_TYPE,
            severity=max(severity, default_severity(SUMMARY_TYPE)),
            timestamp=moment,
            subject="Summary of a backlog that still gathers",
        )
        seq = insert_own(connection, event, moment, revision=revision, lane=lane, route_id=route_id)
        connection.execute(
            sa.insert(SUMMARIES).values(
                lane_id=lane, route_id=route_id, event_seq=seq, event_id=event.event_id
            )
        )
        return event.event_id


async def finish(database: Database, handoffs: list[Handoff]) -> list[Handoff]:
    """Write out the summaries among ``handoffs`` that still gather: now they gather no more.

    They were released, and nothing is folded before they are handed off: what they stand for does
    not change meanwhile, and may be long to read. What another Router wrote out since is told as it
    is stored. An event of their type that somebody emitted stands for nothing, and stays as it is.
    """
    seqs = [each.event_seq for each in handoffs if each.kind is Kind.SUMMARY]
    if not seqs:
        return handoffs
    lanes, bodies = await database.read(lambda c: (_lanes_of(c, seqs), _bodies_of(c, seqs)))
    written = {
        each.event_seq: await database.read(
            lambda c, each=each: _body_of(c, each, lanes[each.event_seq])  # type: ignore[misc]
        )
        for each in handoffs
        if each.event_seq in lanes
    }
    if written:
        await database.write(lambda c: _write_out(c, written))
        bodies |= written
    return [replace(each, body=bodies.get(each.event_seq, each.body)) for each in handoffs]


_IN_LANE = sa.and_(IS_WAITING, _C.lane_id == sa.bindparam("lane", type_=sa.BigInteger))
_IS_SUMMARY = _C.event_seq.in_(sa.select(SUMMARIES.c.event_seq))
_COUNTS = (
    sa.select(_C.severity, sa.func.count(_C.event_seq.distinct()))
    .where(_IN_LANE, ~_IS_SUMMARY)
    .group_by(_C.severity)
)
_OF_SEVERITY = sa.and_(_IN_LANE, _C.severity == sa.bindparam("of", type_=sa.SmallInteger))
_NEWEST = (
    sa.select(_C.event_seq, _C.position, _C.route_id)
    .where(_OF_SEVERITY, ~_IS_SUMMARY)
    .order_by(_C.event_seq.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)
"""Of a severity those that would go last."""
_COLLAPSED = (
    sa.select(
        EVENTS.c.type,
        EVENTS.c.severity,
        EVENTS.c.resource,
        EVENTS.c.event_id,
        EVENTS.c.received_at,
        EVENTS.c.body,
    )
    .join(OBLIGATIONS, _C.event_seq == EVENTS.c.seq)
    .where(
        sa.text("state = 'collapsed'"),
        _C.pointer == sa.bindparam("summary"),
        # As they all are; so they come in the order of the index, and nothing need be sorted.
        _C.lane_id == sa.bindparam("lane", type_=sa.BigInteger),
    )
    .order_by(_C.event_seq)
)


def _waiting(connection: sa.Connection, lane: int) -> Mapping[Severity, int]:
    rows = connection.execute(_COUNTS, {"lane": lane})
    return {Severity(severity): count for severity, count in rows}


def _newest(connection: sa.Connection, fold: _Fold) -> Mapping[int, Sequence[tuple[int, int]]]:
    """Position and route of the next obligations to be folded, by event, each event whole."""
    found: dict[int, list[tuple[int, int]]] = {}
    most = MOST_FOLDED
    while True:
        parameters = {"lane": fold.lane, "of": fold.severity.value, "most": most + 1}
        rows = connection.execute(_NEWEST, parameters).all()
        for row in rows:
            found.setdefault(row.event_seq, []).append((row.position, row.route_id))
        if len(rows) <= most:
            break
        if len(found) > 1:
            # The last one may go on.
            found.popitem()
            break
        found, most = {}, most * 2
    return dict(islice(found.items(), fold.count))


def _raise_to(connection: sa.Connection, seq: int, severity: Severity) -> None:
    """A summary is as grave as the gravest that it stands for."""
    for table, key in ((OBLIGATIONS, _C.event_seq), (EVENTS, EVENTS.c.seq)):
        connection.execute(
            sa.update(table)
            .where(key == seq, table.c.severity < severity.value)
            .values(severity=severity.value)
        )


def _lanes_of(connection: sa.Connection, seqs: Sequence[int]) -> Mapping[int, int]:
    """The lanes of those summaries that still gather."""
    gathering = sa.select(SUMMARIES.c.event_seq, SUMMARIES.c.lane_id)
    rows = connection.execute(gathering.where(SUMMARIES.c.event_seq.in_(seqs)))
    return {row.event_seq: row.lane_id for row in rows}


def _bodies_of(connection: sa.Connection, seqs: Sequence[int]) -> dict[int, bytes]:
    """The bodies of events as they are stored now."""
    rows = connection.execute(sa.select(EVENTS.c.seq, EVENTS.c.body).where(EVENTS.c.seq.in_(seqs)))
    return {row.seq: row.body for row in rows}


def _body_of(connection: sa.Connection, handoff: Handoff, lane: int) -> bytes:
    """What the summary stands for, now that it is known, in the body of its event."""
    # Some at a time: they may be many, and on PostgreSQL others have their turn in between.
    rows = connection.execute(
        _COLLAPSED,
        {"summary": handoff.event_id, "lane": lane},
        execution_options={"yield_per": _ROWS_AT_A_TIME},
    )
    subject, text = summary_of(map(_summary_row, rows), handoff.event_id)
    severity = connection.execute(
        sa.select(EVENTS.c.severity).where(EVENTS.c.seq == handoff.event_seq)
    ).scalar_one()
    message = event_pb2.Event.FromString(handoff.body)
    message.severity = event_pb2.Severity.ValueType(severity)
    message.subject, message.summary = subject, text
    return message.SerializeToString()


def _summary_row(row: sa.Row[*tuple[Any, ...]]) -> SummaryRow:
    return SummaryRow(
        row.type,
        Severity(row.severity),
        row.resource,
        event_pb2.Event.FromString(row.body).subject,
        row.event_id,
        from_micros(row.received_at),
    )


def _write_out(connection: sa.Connection, bodies: Mapping[int, bytes]) -> None:
    for seq, body in bodies.items():
        connection.execute(sa.update(EVENTS).where(EVENTS.c.seq == seq).values(body=body))
        connection.execute(sa.delete(SUMMARIES).where(SUMMARIES.c.event_seq == seq))
