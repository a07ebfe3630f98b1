"""PreviewDedup: past events, decided on anew with another window. Nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock, from_micros
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.domain.group import MAX_DEDUP_WINDOW
from ibs_notify.router.in_force import InForce, required
from ibs_notify.router.match import RoutingTable
from ibs_notify.router.own_events import is_own
from ibs_notify.router.preview import Fingerprint, Past, Replay
from ibs_notify.router.since import first_since, moment_of
from ibs_notify.router.tables import EVENTS
from ibs_notify.rpc.convert import event_from_proto
from ibs_notify.store.database import Database
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

SINCE = timedelta(hours=24)
MOST_EVENTS = 100_000
MOST_DECISIONS = 1_000_000
"""Events by subscriptions of the group."""
_MOST_SHOWN = 1000
_BATCH = 1000
_C = EVENTS.c

Rows = Sequence[sa.Row[*tuple[Any, ...]]]


class Preview:
    """Looks back, and says what another window would have told."""

    def __init__(self, database: Database, in_force: InForce, clock: Clock) -> None:
        self._database = database
        self._in_force = in_force
        self._clock = clock

    async def preview(self, request: pb.PreviewDedupRequest) -> pb.PreviewDedupResponse:
        """``NotFound`` for an unknown group."""
        group, table = self._in_force.group(request.group), required(self._in_force.table)
        since = moment_of(request, self._clock.now() - SINCE)
        window = _window_of(request, group.dedup_window)
        most = min(MOST_EVENTS, MOST_DECISIONS // max(len(group.routes), 1))
        replay = Replay(group, window)
        ends = await self._database.read(lambda c: _ends(c, since))
        begin, end = max(ends[0], ends[1] - most), ends[1]
        while begin < end:
            until = min(begin + _BATCH, end)
            rows = await self._database.read(lambda c, b=begin, u=until: _rows(c, b, u))  # type: ignore[misc]
            await asyncio.to_thread(_take, replay, table, rows)
            begin = until
        return _response(replay, window, dropped=ends[1] - ends[0] > most, most=most)


def _window_of(request: pb.PreviewDedupRequest, own: timedelta) -> timedelta:
    if not request.HasField("window"):
        return own
    seconds = request.window.seconds + request.window.nanos / 1e9
    if not 0 <= seconds <= MAX_DEDUP_WINDOW.total_seconds():
        fault = FieldViolation("window", f"is not between 0 and {MAX_DEDUP_WINDOW.days} days")
        raise InvalidArgument.of([fault])
    return timedelta(seconds=seconds)


def _ends(connection: sa.Connection, since: datetime) -> tuple[int, int]:
    """The number of the first event since, and the one behind the newest."""
    newest = connection.execute(sa.select(sa.func.max(_C.seq))).scalar() or 0
    return first_since(connection, since), newest + 1


def _rows(connection: sa.Connection, begin: int, until: int) -> Rows:
    """Without our own events, on which nobody decides."""
    return connection.execute(
        sa.select(_C.seq, _C.received_at, _C.body)
        .where(_C.seq >= begin, _C.seq < until, sa.not_(is_own(_C)))
        .order_by(_C.seq)
    ).all()


def _take(replay: Replay, table: RoutingTable, rows: Rows) -> None:
    past = []
    for row in rows:
        received_at = from_micros(row.received_at)
        event, _ = event_from_proto(event_pb2.Event.FromString(row.body), received_at)
        past.append(Past(row.seq, event, received_at, table.names_decide(event)))
    replay.take(past)


def _response(
    replay: Replay, window: timedelta, *, dropped: bool, most: int
) -> pb.PreviewDedupResponse:
    every = sorted(replay.fingerprints.values(), key=lambda each: -each.count)
    response = pb.PreviewDedupResponse(
        fingerprints=map(_view, every[:_MOST_SHOWN]),
        examined=replay.examined,
        count=sum(each.count for each in every),
        told=sum(each.told for each in every),
    )
    response.window.FromTimedelta(window)
    if dropped:
        response.warnings.append(f"only the newest {most:,} events were looked at")
    if len(every) > _MOST_SHOWN:
        response.warnings.append(f"{len(every) - _MOST_SHOWN:,} more kinds are not listed")
    return response


def _view(each: Fingerprint) -> pb.DedupFingerprint:
    return pb.DedupFingerprint(
        type=each.type,
        severity=event_pb2.Severity.ValueType(each.severity.value),
        resource=each.resource,
        subject=each.subject,
        target=each.target,
        count=each.count,
        told=each.told,
        suppressed=each.count - each.told,
        event_id=each.event_id,
    )
