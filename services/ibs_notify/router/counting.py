"""Counts of events: by severity for the inbox, by datastore, type and severity for reports, and of
the resources with the most problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from heapq import nlargest
from typing import Generic, Protocol, TypeVar

import sqlalchemy as sa

from ibs_notify.domain.catalogue import Outcome, outcome_of
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.severity import Severity
from ibs_notify.router.blocks import Blocks
from ibs_notify.router.combination_blocks import Combination, CombinationBlocks, combine
from ibs_notify.router.event_conditions import Columns, Condition
from ibs_notify.router.event_query import EventQuery
from ibs_notify.router.event_scan import OPENED, EventScan
from ibs_notify.router.event_walk import Walk, begin, go_on, next_piece
from ibs_notify.router.lines import ALL, Mark
from ibs_notify.router.marks import count_by_severity, has_read_nothing, lines_of
from ibs_notify.router.tables import EVENTS
from ibs_notify.store.database import Database

INDEXED = 50_000
"""So many entries of an index are counted in a turn: about ten milliseconds."""
SORTED = 100_000
"""So many are read and sorted for it rather than that everything is looked at."""
MOST_KEYS = 40_000
"""So many are counted apart before the least of them are only added up."""
MOST_OF_A_TURN = 5_000
"""So many resources are taken from a turn."""
MOST_TYPES = 1_000
"""So many types of problems are looked for."""

Key = TypeVar("Key")
Offence = tuple[str, str, int]
"""Canonical resource, type and severity."""


class CountTurn(Protocol[Key]):
    """Counts the next piece of a walk; below which number to go on, 0 at the end."""

    def __call__(
        self, connection: sa.Connection, walk: Walk, before: int | None
    ) -> tuple[Counter[Key], int]: ...


class Group(Protocol[Key]):
    """Counts the events of the columns ``c`` for which the conditions hold."""

    def __call__(
        self, connection: sa.Connection, c: Columns, conditions: Sequence[Condition]
    ) -> Counter[Key]: ...


class Tally(Generic[Key]):
    """Counts in bounded memory: of too many keys the least are only added up, as ``other``."""

    def __init__(self, rank: Callable[[tuple[Key, int]], tuple[int, ...]]) -> None:
        self._rank = rank
        self.counts: Counter[Key] = Counter()
        self.other = 0

    def add(self, part: Counter[Key]) -> None:
        self.counts += part
        if len(self.counts) > MOST_KEYS:
            self.cut(MOST_KEYS // 2)

    def cut(self, most: int) -> None:
        """Keep the ``most`` highest."""
        before = self.counts.total()
        self.counts = Counter(dict(nlargest(most, self.counts.items(), key=self._rank)))
        self.other += before - self.counts.total()


class EventCounts:
    """Counts in turns, as ``EventScan`` walks."""

    def __init__(self, database: Database, blocks: Blocks, clock: Clock) -> None:
        self._database = database
        self._blocks = blocks
        self._clock = clock
        self._kept = CombinationBlocks(database, blocks)

    async def by_severity(self, query: EventQuery) -> tuple[Counter[int], Counter[int]]:
        """Of each severity how many events there are, and how many the viewer has not read."""
        marks = query.marks or ALL
        if replace(query, min_severity=0).asks_only_for_marks:
            states = await self._database.read(lambda c: self._by_state(c, query))
            return _of_marks(states, marks), _of_marks(states, marks & {Mark.UNREAD})
        every = await _sum(self._turns(query, _count_turn))
        if Mark.UNREAD not in marks:
            return every, Counter()
        if await self._database.read(lambda c: has_read_nothing(c, query.viewer)):
            return every, every
        unread = replace(query, marks=frozenset({Mark.UNREAD}))
        return every, await _sum(self._turns(unread, _count_turn))

    async def by_combination(self, query: EventQuery) -> Tally[Combination]:
        """Of each datastore, type and severity how many events there are."""
        tally: Tally[Combination] = Tally(lambda item: (item[1],))
        every = replace(query, min_severity=0, after=None, before=None)
        is_kept = every.asks_only_for_marks and (not query.marks or query.marks == ALL)
        parts = self._kept.of(query) if is_kept else self._grouped(query, combine)
        async for part in parts:
            tally.add(part)
        return tally

    async def offenders(
        self, query: EventQuery, combinations: Iterable[Combination], most: int
    ) -> Sequence[tuple[Offence, int]]:
        """The ``most`` resources with the worst problems, each with the type and how many of it.

        ``combinations`` are those that occur. Worst severity first, then the most frequent.
        """
        types = {
            event_type
            for _, event_type, severity in combinations
            if severity >= Severity.WARNING and outcome_of(event_type) is Outcome.PROBLEM
        }
        grave = replace(query, min_severity=max(query.min_severity, Severity.WARNING.value))
        tally: Tally[Offence] = Tally(_rank)
        group = partial(_offences, types=sorted(types)[:MOST_TYPES])
        async for part in self._grouped(grave, group):
            tally.add(part)
        # By name among equals, so that the answer is the same each time.
        return sorted(tally.counts.items(), key=lambda item: (-item[0][2], -item[1], item[0]))[
            :most
        ]

    def _by_state(self, connection: sa.Connection, query: EventQuery) -> Counter[tuple[int, Mark]]:
        """By severity and mark: the lines' stretches, but for what has a mark of its own."""
        viewer = query.viewer
        total: Counter[tuple[int, Mark]] = Counter()
        overview = self._blocks.overview(connection)
        for stretch in lines_of(connection, viewer).stretches(overview.newest):
            own = count_by_severity(connection, viewer, stretch.first, stretch.last)
            total.update(own)
            counts = overview.count(connection, stretch.first, stretch.last)
            for (severity, _), count in own.items():
                counts[severity] -= count
            total.update({(each, stretch.mark): count for each, count in counts.items()})
        return Counter({key: n for key, n in total.items() if key[0] >= query.min_severity})

    def _grouped(self, query: EventQuery, group: Group[Key]) -> AsyncIterator[Counter[Key]]:
        if query.opens_events:
            return self._opened(query, group)
        return self._turns(query, partial(_group_turn, group=group))

    async def _turns(self, query: EventQuery, count: CountTurn[Key]) -> AsyncIterator[Counter[Key]]:
        walk = await self._database.read(lambda c: begin(c, query, self._blocks, few=SORTED))
        before: int | None = None
        while before != 0:
            turn = partial(count, walk=walk, before=before)
            part, before = await self._database.read(turn)
            yield part

    async def _opened(self, query: EventQuery, group: Group[Key]) -> AsyncIterator[Counter[Key]]:
        scan = EventScan(self._database, self._blocks, self._clock, query)
        before: int | None = None
        while before != 0:
            found = await scan.find(before, OPENED)
            yield await self._database.read(
                partial(group, c=EVENTS.c, conditions=(EVENTS.c.seq.in_(found.seqs),))
            )
            before = found.before


async def _sum(parts: AsyncIterator[Counter[Key]]) -> Counter[Key]:
    total: Counter[Key] = Counter()
    async for part in parts:
        total += part
    return total


def _of_marks(states: Counter[tuple[int, Mark]], marks: frozenset[Mark]) -> Counter[int]:
    total: Counter[int] = Counter()
    for (severity, mark), count in states.items():
        if mark in marks:
            total[severity] += count
    return +total


def _count_turn(
    connection: sa.Connection, walk: Walk, before: int | None
) -> tuple[Counter[int], int]:
    piece = next_piece(connection, walk, before, INDEXED, severities=True)
    if piece is None:
        return Counter(), 0
    c = piece.events.c
    # Faster than to group them: one pass, and nothing is sorted.
    counts = [sa.func.count().filter(c.severity == each.value) for each in Severity]
    lowest, *row = connection.execute(
        sa.select(sa.func.min(c.seq), *counts).where(*piece.rest)
    ).one()
    found = Counter({each.value: count for each, count in zip(Severity, row, strict=True)})
    reached = piece.first
    if not piece.is_whole and found.total() == INDEXED:
        reached = lowest
    return found, go_on(walk, reached)


def _group_turn(
    connection: sa.Connection, walk: Walk, before: int | None, group: Group[Key]
) -> tuple[Counter[Key], int]:
    piece = next_piece(connection, walk, before, INDEXED, whole=True)
    if piece is None:
        return Counter(), 0
    return group(connection, piece.events.c, piece.rest), go_on(walk, piece.first)


def _offences(
    connection: sa.Connection, c: Columns, conditions: Sequence[Condition], types: Sequence[str]
) -> Counter[Offence]:
    count = sa.func.count()
    rows = connection.execute(
        sa.select(c.resource, c.type, c.severity, count)
        .where(*conditions, c.resource != "", c.type.in_(types))
        .group_by(c.resource, c.type, c.severity)
        .order_by(c.severity.desc(), count.desc())
        .limit(MOST_OF_A_TURN)
    )
    return Counter({(row[0], row[1], row[2]): row[3] for row in rows})


def _rank(item: tuple[Offence, int]) -> tuple[int, ...]:
    (_, _, severity), count = item
    return severity, count
