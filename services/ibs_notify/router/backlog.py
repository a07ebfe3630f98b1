"""A backlog over its bound: its lowest severities become one summary for each target. Plain SQL.

The summary is an event of its own, to which what it stands for points. It waits in the same lane
and gathers until its turn comes; only then is it written out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from ibs_notify.domain.catalogue import default_severity
from ibs_notify.domain.clock import Clock, from_micros
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.collapse import SummaryRow, bound_of, collapse, summary_of
from ibs_notify.router.dispositions import Reason, State
from ibs_notify.router.handoffs import IS_WAITING, close
from ibs_notify.router.identity import SUMMARY_TYPE, EventIds, Kind
from ibs_notify.router.lanes import FREE_LANE, limit_of
from ibs_notify.router.match import RoutingTable
from ibs_notify.router.ports import Handoff
from ibs_notify.router.repository import insert_own
from ibs_notify.router.tables import EVENTS, OBLIGATIONS, SUMMARIES
from ironcore.notification.v1 import event_pb2

LOOK_SECONDS = 1.0
"""A backlog that grows is looked at so often at most."""
_C = OBLIGATIONS.c


class Backlog:
    """Looks at the lanes' queues now and then; every decision is read from the database."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ids = EventIds()
        self._looked_at: dict[int, float] = {}

    def collapse(
        self, connection: sa.Connection, lanes: Sequence[int], table: RoutingTable, now: int
    ) -> None:
        """Fold what is over the bound of each of ``lanes`` into summaries."""
        for lane in lanes:
            limit = limit_of(lane, table.limits)
            if lane == FREE_LANE or not limit or not self._is_time(lane):
                continue
            plan = collapse(_waiting(connection, lane), bound_of(limit))
            for severity, count in plan.counts.items():
                self._fold(connection, lane, severity, count, table.revision, now)

    def _is_time(self, lane: int) -> bool:
        elapsed = self._clock.monotonic()
        if elapsed - self._looked_at.get(lane, float("-inf")) < LOOK_SECONDS:
            return False
        self._looked_at[lane] = elapsed
        return True

    def _fold(
        self,
        connection: sa.Connection,
        lane: int,
        severity: Severity,
        count: int,
        revision: int,
        now: int,
    ) -> None:
        by_route: dict[int, list[tuple[int, int]]] = {}
        for row in connection.execute(_NEWEST, {"lane": lane, "of": severity.value, "most": count}):
            by_route.setdefault(row.route_id, []).append((row.event_seq, row.position))
        for route_id, keys in sorted(by_route.items()):
            summary_id = self._summary(connection, lane, route_id, severity, revision, now)
            close(connection, State.COLLAPSED, Reason.BACKLOG_COLLAPSED, keys, summary_id)

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

    def finish(self, connection: sa.Connection, handoffs: Sequence[Handoff]) -> list[Handoff]:
        """Write out the summaries among ``handoffs``: they gather no more.

        An event of their type that somebody emitted stands for nothing, and stays as it is.
        """
        seqs = [each.event_seq for each in handoffs if each.kind is Kind.SUMMARY]
        if not seqs:
            return list(handoffs)
        query = sa.select(SUMMARIES.c.event_seq).where(SUMMARIES.c.event_seq.in_(seqs))
        gathered = set(connection.execute(query).scalars())
        return [
            replace(each, body=_write_out(connection, each)) if each.event_seq in gathered else each
            for each in handoffs
        ]


_IN_LANE = sa.and_(IS_WAITING, _C.lane_id == sa.bindparam("lane", type_=sa.BigInteger))
_IS_SUMMARY = _C.event_seq.in_(sa.select(SUMMARIES.c.event_seq))
_COUNTS = (
    sa.select(_C.severity, sa.func.count(_C.event_seq.distinct()))
    .where(_IN_LANE, ~_IS_SUMMARY)
    .group_by(_C.severity)
)
_OF_SEVERITY = sa.and_(_IN_LANE, _C.severity == sa.bindparam("of", type_=sa.SmallInteger))
_NEWEST = sa.select(_C.event_seq, _C.position, _C.route_id).where(
    _OF_SEVERITY,
    _C.event_seq.in_(
        sa.select(_C.event_seq)
        .where(_OF_SEVERITY, ~_IS_SUMMARY)
        .distinct()
        .order_by(_C.event_seq.desc())
        .limit(sa.bindparam("most", type_=sa.Integer))
    ),
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
    .where(sa.text("state = 'collapsed'"), _C.pointer == sa.bindparam("summary"))
    .order_by(EVENTS.c.seq)
)


def _waiting(connection: sa.Connection, lane: int) -> Mapping[Severity, int]:
    rows = connection.execute(_COUNTS, {"lane": lane})
    return {Severity(severity): count for severity, count in rows}


def _raise_to(connection: sa.Connection, seq: int, severity: Severity) -> None:
    """A summary is as grave as the gravest that it stands for."""
    for table, key in ((OBLIGATIONS, _C.event_seq), (EVENTS, EVENTS.c.seq)):
        connection.execute(
            sa.update(table)
            .where(key == seq, table.c.severity < severity.value)
            .values(severity=severity.value)
        )


def _write_out(connection: sa.Connection, handoff: Handoff) -> bytes:
    """Say what the summary stands for, now that it is known; the body of its event."""
    rows = connection.execute(_COLLAPSED, {"summary": handoff.event_id})
    subject, text = summary_of(
        (
            SummaryRow(
                row.type,
                Severity(row.severity),
                row.resource,
                event_pb2.Event.FromString(row.body).subject,
                row.event_id,
                from_micros(row.received_at),
            )
            for row in rows
        ),
        handoff.event_id,
    )
    severity = connection.execute(
        sa.select(EVENTS.c.severity).where(EVENTS.c.seq == handoff.event_seq)
    ).scalar_one()
    message = event_pb2.Event.FromString(handoff.body)
    message.severity = event_pb2.Severity.ValueType(severity)
    message.subject, message.summary = subject, text
    body = message.SerializeToString()
    connection.execute(sa.update(EVENTS).where(EVENTS.c.seq == handoff.event_seq).values(body=body))
    connection.execute(sa.delete(SUMMARIES).where(SUMMARIES.c.event_seq == handoff.event_seq))
    return body
