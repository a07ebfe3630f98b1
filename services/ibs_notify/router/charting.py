"""Counts of events by span of time and severity.

Without a filter but for time and severity they are kept by hour for each full block of the history:
a chart of a million events is then a look at what was accepted last. With a filter an index is
walked, newest first; what costs too much ends after a while, and says since when it counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock
from ibs_notify.domain.severity import Severity
from ibs_notify.router.blocks import Block, Blocks
from ibs_notify.router.chart_turns import (
    OfResource,
    Place,
    Spans,
    count_of_resource,
    count_window,
    grouped,
    plan_of,
)
from ibs_notify.router.event_conditions import Condition
from ibs_notify.router.event_query import EventQuery
from ibs_notify.router.event_scan import OPENED, EventScan
from ibs_notify.router.event_walk import Walk, begin, go_on, next_piece
from ibs_notify.router.tables import EVENTS
from ibs_notify.store.database import Database

HOUR = 3_600_000_000
LOOK_SECONDS = 1.5
"""After so much looking a chart is what was counted until then."""
COUNTED = 20_000
"""So many events are looked at in a turn: about ten milliseconds."""
COUNTED_BLOCKS = 4
"""So many blocks are counted in a turn, for the same reason."""
_E = EVENTS.c
_SEVERITIES = [each.value for each in Severity]


@dataclass(frozen=True, slots=True)
class Charted:
    """``counted_since``, in microseconds, where not all was looked at."""

    spans: Spans
    counted_since: int | None = None


class EventCharts:
    """Counts in turns, as ``EventScan`` walks. One for a process: it remembers."""

    def __init__(self, database: Database, blocks: Blocks, clock: Clock) -> None:
        self._database = database
        self._blocks = blocks
        self._clock = clock
        self._by_hour: dict[int, tuple[Block, Spans]] = {}

    async def of(self, query: EventQuery, step: int) -> Charted:
        """The events of ``query`` in spans of ``step`` microseconds."""
        everything = replace(query, min_severity=0, after=None, before=None, viewer="")
        if everything == EventQuery():
            return Charted(await self._of_all(query, step))
        end = self._clock.monotonic() + LOOK_SECONDS
        total: Spans = Counter()
        async for part, before in self._turns(query, step):
            total.update(part)
            if before and self._clock.monotonic() >= end:
                since = await self._database.read(partial(_received_from, seq=before))
                return Charted(total, since)
        return Charted(total)

    async def _of_all(self, query: EventQuery, step: int) -> Spans:
        """By block, each wholly from memory where it can be."""
        overview = await self._database.read(self._blocks.overview)
        first, last = overview.between(query.after, query.before)
        blocks = [each for each in overview.blocks if first <= each.first and each.last <= last]
        self._forget_all_but(overview.blocks)
        total: Spans = Counter()
        while blocks:
            total.update(await self._database.read(partial(self._some, blocks, query, step)))
        return total

    def _some(
        self, blocks: list[Block], query: EventQuery, step: int, connection: sa.Connection
    ) -> Spans:
        """Of the last of ``blocks``, which are taken from the list, as many as a turn may count."""
        total: Spans = Counter()
        left = COUNTED_BLOCKS
        while blocks and left:
            block = blocks.pop()
            known = self._by_hour.get(block.first)
            if step % HOUR or _is_cut(block, query):
                total.update(_count(connection, block, query, step))
                left -= 1
                continue
            if known is None or known[0] is not block:
                known = block, _count(connection, block, EventQuery(), HOUR)
                self._by_hour[block.first] = known
                left -= 1
            for (hour, severity), count in known[1].items():
                if severity >= query.min_severity:
                    total[hour * HOUR // step, severity] += count
        return total

    def _forget_all_but(self, blocks: Sequence[Block]) -> None:
        present = {each.first: each for each in blocks}
        self._by_hour = {
            first: known for first, known in self._by_hour.items() if present.get(first) is known[0]
        }

    def _turns(self, query: EventQuery, step: int) -> AsyncIterator[tuple[Spans, int]]:
        if query.opens_events:
            return self._opened(query, step)
        if query.marks or query.collapsed_into or query.task_id:
            return self._walked(query, step)
        return self._windows(query, step)

    async def _windows(self, query: EventQuery, step: int) -> AsyncIterator[tuple[Spans, int]]:
        """Stretches of the history, newest first: what an index has of each is in no order."""
        plan = await self._database.read(lambda c: plan_of(c, query, self._blocks))
        if plan.of_resource is not None:
            async for part in self._of_resource(plan.of_resource, step):
                yield part, 0
            return
        last = plan.last
        while last >= plan.first:
            first = max(plan.first, last - plan.size + 1)
            count = partial(count_window, plan=plan, first=first, last=last, step=step)
            last = first - 1
            yield await self._database.read(count), first if last >= plan.first else 0

    async def _of_resource(self, asked: OfResource, step: int) -> AsyncIterator[Spans]:
        place: Place | None = asked.beginning
        while place is not None:
            turn = partial(count_of_resource, asked=asked, place=place, step=step)
            part, place = await self._database.read(turn)
            yield part

    async def _walked(self, query: EventQuery, step: int) -> AsyncIterator[tuple[Spans, int]]:
        walk = await self._database.read(lambda c: begin(c, query, self._blocks, few=COUNTED))
        before: int | None = None
        while before != 0:
            turn = partial(_turn, walk=walk, before=before, step=step)
            part, reached = await self._database.read(turn)
            before = reached
            yield part, reached

    async def _opened(self, query: EventQuery, step: int) -> AsyncIterator[tuple[Spans, int]]:
        scan = EventScan(self._database, self._blocks, self._clock, query)
        before: int | None = None
        while before != 0:
            # It looks no longer than this for the next that matches.
            found = await scan.find(before, OPENED, LOOK_SECONDS / 4)
            chosen = (_E.seq.in_(found.seqs),)
            part = await self._database.read(partial(grouped, c=_E, conditions=chosen, step=step))
            before = found.before
            yield part, before


def _is_cut(block: Block, query: EventQuery) -> bool:
    """Whether a bound of the chart goes through the block."""
    return (query.after is not None and block.earliest < query.after) or (
        query.before is not None and block.latest >= query.before
    )


def _count(connection: sa.Connection, block: Block, query: EventQuery, step: int) -> Spans:
    # Each severity is named, so that the index on severity, number and time is enough.
    wanted = [each for each in _SEVERITIES if each >= query.min_severity]
    conditions: list[Condition] = [_E.severity.in_(wanted), _E.seq.between(block.first, block.last)]
    if query.after is not None:
        conditions.append(_E.received_at >= query.after)
    if query.before is not None:
        conditions.append(_E.received_at < query.before)
    return grouped(connection, _E, conditions, step)


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
