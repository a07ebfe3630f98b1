"""Counts of events by span of time and severity.

Without a filter but for time, severity and marks they are kept by hour for each full block of the
history: a chart of a million events is then a look at what was accepted last. With a filter an
index is walked, newest first; what costs too much ends after a while, and says since when it
counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock
from ibs_notify.router.blocks import Blocks
from ibs_notify.router.chart_blocks import BlockCharts
from ibs_notify.router.chart_turns import (
    OfResource,
    Place,
    Spans,
    count_of_resource,
    count_window,
    grouped,
    plan_of,
)
from ibs_notify.router.event_query import EventQuery
from ibs_notify.router.event_scan import OPENED, EventScan
from ibs_notify.router.event_walk import Walk, begin, go_on, next_piece
from ibs_notify.router.tables import EVENTS
from ibs_notify.store.database import Database

LOOK_SECONDS = 1.5
"""After so much looking a chart is what was counted until then."""
COUNTED = 20_000
"""So many events are looked at in a turn: about ten milliseconds."""
_E = EVENTS.c


@dataclass(frozen=True, slots=True)
class Charted:
    """``counted_since``, in microseconds, where not all was looked at. ``outside`` is how many more
    would be counted but for the scope.
    """

    spans: Spans
    counted_since: int | None = None
    outside: int = 0


@dataclass(frozen=True, slots=True)
class _Part:
    """What a turn counted, and below which number to go on; 0 at the end."""

    spans: Spans
    before: int
    outside: int = 0


class EventCharts:
    """Counts in turns, as ``EventScan`` walks."""

    def __init__(self, database: Database, blocks: Blocks, clock: Clock) -> None:
        self._database = database
        self._blocks = blocks
        self._clock = clock
        self._kept = BlockCharts(database, blocks)

    async def of(self, query: EventQuery, step: int) -> Charted:
        """The events of ``query`` in spans of ``step`` microseconds."""
        if replace(query, min_severity=0, after=None, before=None).asks_only_for_marks:
            found = await self._kept.of(query, step)
            if found is not None:
                return Charted(found)
        end = self._clock.monotonic() + LOOK_SECONDS
        total: Spans = Counter()
        outside = 0
        async for part in self._turns(query, step):
            total.update(part.spans)
            outside += part.outside
            if part.before and self._clock.monotonic() >= end:
                since = await self._database.read(partial(_received_from, seq=part.before))
                return Charted(total, since, outside)
        return Charted(total, outside=outside)

    def _turns(self, query: EventQuery, step: int) -> AsyncIterator[_Part]:
        if query.opens_events:
            return self._opened(query, step)
        if query.marks or query.collapsed_into or query.task_id:
            return self._walked(query, step)
        return self._windows(query, step)

    async def _windows(self, query: EventQuery, step: int) -> AsyncIterator[_Part]:
        """Stretches of the history, newest first: what an index has of each is in no order."""
        plan = await self._database.read(lambda c: plan_of(c, query, self._blocks))
        if plan.of_resource is not None:
            async for part in self._of_resource(plan.of_resource, step):
                yield _Part(part, 0)
            return
        last = plan.last
        while last >= plan.first:
            first = max(plan.first, last - plan.size + 1)
            count = partial(count_window, plan=plan, first=first, last=last, step=step)
            last = first - 1
            part = await self._database.read(count)
            yield _Part(part, first if last >= plan.first else 0)

    async def _of_resource(self, asked: OfResource, step: int) -> AsyncIterator[Spans]:
        place: Place | None = asked.beginning
        while place is not None:
            turn = partial(count_of_resource, asked=asked, place=place, step=step)
            part, place = await self._database.read(turn)
            yield part

    async def _walked(self, query: EventQuery, step: int) -> AsyncIterator[_Part]:
        walk = await self._database.read(lambda c: begin(c, query, self._blocks, few=COUNTED))
        before: int | None = None
        while before != 0:
            turn = partial(_turn, walk=walk, before=before, step=step)
            part, reached = await self._database.read(turn)
            before = reached
            yield _Part(part, reached)

    async def _opened(self, query: EventQuery, step: int) -> AsyncIterator[_Part]:
        scan = EventScan(self._database, self._blocks, self._clock, query)
        before: int | None = None
        while before != 0:
            # It looks no longer than this for the next that matches.
            found = await scan.find(before, OPENED, LOOK_SECONDS / 4)
            chosen = (_E.seq.in_(found.seqs),)
            part = await self._database.read(partial(grouped, c=_E, conditions=chosen, step=step))
            before = found.before
            yield _Part(part, before, found.outside)


def _turn(
    connection: sa.Connection, walk: Walk, before: int | None, step: int
) -> tuple[Spans, int]:
    piece = next_piece(connection, walk, before, COUNTED, COUNTED, whole=True)
    if piece is None:
        return Counter(), 0
    counted = grouped(connection, piece.events.c, piece.rest, step)
    return counted, go_on(walk, piece.first)


def _received_from(connection: sa.Connection, seq: int) -> int | None:
    """When the first event from the number ``seq`` on was accepted."""
    statement = sa.select(_E.received_at).where(_E.seq >= seq).order_by(_E.seq).limit(1)
    found: int | None = connection.execute(statement).scalar()
    return found
