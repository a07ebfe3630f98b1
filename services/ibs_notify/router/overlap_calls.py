"""PreviewOverlap: the newest events of a filter, put to ``overlap``. Nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.router.blocks import Blocks
from ibs_notify.router.event_filter import query_of, scoped
from ibs_notify.router.event_query import EventQuery
from ibs_notify.router.event_scan import EventScan
from ibs_notify.router.hearing import effect_of
from ibs_notify.router.in_force import InForce, required
from ibs_notify.router.overlap import Brought, Overlap
from ibs_notify.router.tables import EVENTS
from ibs_notify.rpc.convert import event_from_proto
from ibs_notify.store.database import Database
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

MOST_EVENTS = 500
LOOK_SECONDS = 0.25
"""After so much looking for more that match, those that were found will do."""
_MOST_GROUPS: Final = 20
_MOST_RECIPIENTS: Final = 10
_BATCH: Final = 250
"""So many are routed at a time, in a thread; between them others have their turn."""


class Overlaps:
    """Answers for the configuration in force."""

    def __init__(self, database: Database, blocks: Blocks, in_force: InForce, clock: Clock) -> None:
        self._database = database
        self._blocks = blocks
        self._in_force = in_force
        self._clock = clock

    async def preview(
        self, request: pb.PreviewOverlapRequest, viewer: str
    ) -> pb.PreviewOverlapResponse:
        """``InvalidArgument`` without a target; of one that nobody has there are no groups."""
        if not request.target:
            raise InvalidArgument.of([FieldViolation("target", "is missing")])
        table = required(self._in_force.table)
        query = query_of(request.filter, viewer)
        query = await asyncio.to_thread(scoped, query, request.scope, table.group_names)
        seqs, truncated = await self._newest(query)
        overlap = Overlap(table, request.scope.group, request.target)
        for start in range(0, len(seqs), _BATCH):
            read = partial(_bodies, seqs=seqs[start : start + _BATCH])
            bodies = await self._database.read(read)
            await asyncio.to_thread(self._take, overlap, bodies)
        return _response(overlap, truncated=truncated)

    async def _newest(self, query: EventQuery) -> tuple[Sequence[int], bool]:
        """The numbers of the newest events of ``query``; whether there may be older ones."""
        scan = EventScan(self._database, self._blocks, self._clock, query)
        found = await scan.find(None, MOST_EVENTS, LOOK_SECONDS)
        return found.seqs, bool(found.before)

    def _take(self, overlap: Overlap, bodies: Sequence[bytes]) -> None:
        now = self._clock.now()
        messages = map(event_pb2.Event.FromString, bodies)
        overlap.take(event for event, _ in (event_from_proto(each, now) for each in messages))


def _bodies(connection: sa.Connection, seqs: Sequence[int]) -> Sequence[bytes]:
    statement = sa.select(EVENTS.c.body).where(EVENTS.c.seq.in_(seqs))
    return connection.execute(statement).scalars().all()


def _response(overlap: Overlap, *, truncated: bool) -> pb.PreviewOverlapResponse:
    groups = overlap.groups
    response = pb.PreviewOverlapResponse(
        examined=overlap.examined,
        truncated=truncated,
        count=overlap.count,
        gathered_count=overlap.gathered,
        groups=map(_view, groups[:_MOST_GROUPS]),
        group_count=len(groups),
    )
    if groups:
        effect = effect_of(groups[0].route)
        response.effect = pb.HearingEffect.Value(f"HEARING_EFFECT_{effect.name}")
    return response


def _view(each: Brought) -> pb.OverlappingGroup:
    return pb.OverlappingGroup(
        group=each.route.group,
        count=each.count,
        gathered_count=each.gathered,
        recipients=each.route.recipients[:_MOST_RECIPIENTS],
        recipient_count=len(each.route.recipients),
    )
