"""MarkEvents: some by their ids, or all that match, in short transactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock
from ibs_notify.router.blocks import Blocks
from ibs_notify.router.books import seqs_by_id
from ibs_notify.router.event_query import EventQuery
from ibs_notify.router.event_scan import EventScan
from ibs_notify.router.lines import ALL, Lines, Mark, moved
from ibs_notify.router.marks import (
    MOST_WRITTEN,
    count_marks,
    lines_of,
    marks_between,
    marks_of,
    put_lines,
    put_marks,
)
from ibs_notify.store.database import Database


class Marking:
    """Every method tells how many events are marked otherwise than before, ``by_id`` also how many

    ids are of no event.
    """

    def __init__(self, database: Database, blocks: Blocks, clock: Clock) -> None:
        self._database = database
        self._blocks = blocks
        self._clock = clock

    async def by_id(self, event_ids: Sequence[str], viewer: str, mark: Mark) -> tuple[int, int]:
        """Ids of events that there are not, or no longer, are passed over."""
        distinct = list(dict.fromkeys(event_ids))
        changed, known = 0, 0
        for start in range(0, len(distinct), MOST_WRITTEN):
            chunk = distinct[start : start + MOST_WRITTEN]
            work = partial(_mark_ids, event_ids=chunk, viewer=viewer, mark=mark)
            others, found = await self._database.write(work)
            changed, known = changed + others, known + found
        return changed, len(distinct) - known

    async def matching(self, query: EventQuery, through: int, mark: Mark) -> int:
        """All that match, up to the number ``through``. Of what comes meanwhile nothing."""
        among = (query.marks or ALL) - {mark}
        if not among:
            return 0
        if query.asks_only_for_marks:
            changed = await self._move_lines(query.viewer, through, among, mark)
            if changed is not None:
                return changed
        return await self._one_by_one(replace(query, marks=among), through, mark)

    async def _one_by_one(self, query: EventQuery, through: int, mark: Mark) -> int:
        scan = EventScan(self._database, self._blocks, self._clock, query, through)
        changed = 0
        before: int | None = None
        while before != 0:
            found = await scan.find(before, MOST_WRITTEN)
            work = partial(put_marks, user=query.viewer, seqs=found.seqs, mark=mark)
            await self._database.write(work)
            changed += len(found.seqs)
            before = found.before
        return changed

    async def _move_lines(
        self, viewer: str, through: int, among: frozenset[Mark], mark: Mark
    ) -> int | None:
        """However many events there are; ``None`` where lines cannot say it."""
        while True:
            lines, count = await self._database.read(
                lambda c: self._count_moved(c, viewer, through, among)
            )
            to = moved(lines, through, among, mark)
            if to is None:
                return None
            move = partial(_replace_lines, viewer=viewer, before=lines, after=to)
            if await self._database.write(move):
                break
        await self._tidy(viewer, through, among | {mark}, mark)
        return count

    def _count_moved(
        self, connection: sa.Connection, viewer: str, through: int, among: frozenset[Mark]
    ) -> tuple[Lines, int]:
        lines = lines_of(connection, viewer)
        overview = self._blocks.overview(connection)
        own = count_marks(connection, viewer, 1, through)
        count = sum(own[each] for each in among)
        for stretch in lines.stretches(through):
            if stretch.mark in among:
                marked = count_marks(connection, viewer, stretch.first, stretch.last)
                events = overview.count(connection, stretch.first, stretch.last)
                count += events.total() - marked.total()
        return lines, count

    async def _tidy(self, viewer: str, through: int, among: frozenset[Mark], mark: Mark) -> None:
        """Bring marks into line, and forget those that now say no more than a line."""
        after: int | None = 0
        while after is not None:
            rest = range(after + 1, through + 1)
            work = partial(_tidy, viewer=viewer, events=rest, among=among, mark=mark)
            after = await self._database.write(work)


def _tidy(
    connection: sa.Connection, viewer: str, events: range, among: frozenset[Mark], mark: Mark
) -> int | None:
    """The event that was reached; ``None`` at the end."""
    seqs = marks_between(connection, viewer, events, among)
    put_marks(connection, viewer, seqs, mark)
    return seqs[-1] if len(seqs) == MOST_WRITTEN else None


def _mark_ids(
    connection: sa.Connection, event_ids: Sequence[str], viewer: str, mark: Mark
) -> tuple[int, int]:
    """How many are marked otherwise now, and how many there are."""
    seqs = seqs_by_id(connection, event_ids)
    marks = marks_of(connection, viewer, seqs)
    others = [seq for seq in seqs if marks[seq] is not mark]
    put_marks(connection, viewer, others, mark)
    return len(others), len(seqs)


def _replace_lines(connection: sa.Connection, viewer: str, before: Lines, after: Lines) -> bool:
    """False where they are no longer as before: somebody of the same name was faster."""
    if lines_of(connection, viewer) != before:
        return False
    if after != before:
        put_lines(connection, viewer, after)
    return True
