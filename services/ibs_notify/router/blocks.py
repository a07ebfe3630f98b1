"""What there is in each stretch of the history: how many of each severity, and from when to when.

Events do not change once they are stored, so a block that is full is counted once and kept in
memory: to count a million events is then to count the last few thousand. For charts by the hour,
too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import sqlalchemy as sa

from ibs_notify.domain.severity import Severity
from ibs_notify.router.tables import EVENTS, SEQUENCE, SUMMARIES

BLOCK = 8192
"""Events of a full block: as many as are counted in about a millisecond."""
HOUR = 3_600_000_000
_E = EVENTS.c
_FIRST, _LAST = (sa.bindparam(name, type_=sa.BigInteger) for name in ("first", "last"))
# Each severity is named, so that the index on severity and number is used for the range.
_TALLY = (
    sa.select(
        _E.severity, sa.func.count(), sa.func.min(_E.received_at), sa.func.max(_E.received_at)
    )
    .where(_E.severity.in_([each.value for each in Severity]), _E.seq.between(_FIRST, _LAST))
    .group_by(_E.severity)
)
_HOUR = (_E.received_at // sa.literal(HOUR, sa.BigInteger)).label("hour")
_BY_HOUR = _TALLY.add_columns(_HOUR).group_by(_HOUR)
_NEWEST = sa.select(SEQUENCE.c.value).where(SEQUENCE.c.name == "event")
_NUMBERS = sa.select(SEQUENCE.c.name, SEQUENCE.c.value).where(
    SEQUENCE.c.name.in_(("event", "retired_through"))
)


Hours: TypeAlias = Counter[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Block:
    """The events numbered ``first`` to ``last``; moments in microseconds, both inclusive.

    ``hours`` are the counts by hour since the epoch and severity; ``None`` while nobody asked.
    """

    first: int
    last: int
    counts: Counter[int]
    earliest: int
    latest: int
    hours: Hours | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """The events of ``block`` that are numbered ``first`` to ``last``."""

    block: Block
    first: int
    last: int

    def is_all_of(self, after: int | None, before: int | None) -> bool:
        """Whether it is the whole block, no event of which was accepted at another time."""
        block = self.block
        return (
            (self.first, self.last) == (block.first, block.last)
            and (after is None or block.earliest >= after)
            and (before is None or block.latest < before)
        )


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole history in blocks, oldest first; those without events are left out."""

    blocks: Sequence[Block]
    newest: int
    retired_through: int

    def between(self, after: int | None, before: int | None) -> tuple[int, int]:
        """The first and the last number of what may have been accepted then, inclusive.

        By the clock of that moment, which may have gone back: what is between them may be of
        another time. ``(1, 0)`` where there is nothing.
        """
        found = [
            each
            for each in self.blocks
            if (after is None or each.latest >= after)
            and (before is None or each.earliest < before)
        ]
        return (found[0].first, found[-1].last) if found else (1, 0)

    def pieces(self, first: int, last: int) -> list[Piece]:
        """What the blocks have of the events numbered ``first`` to ``last``, oldest first."""
        return [
            Piece(each, max(each.first, first), min(each.last, last))
            for each in self.blocks
            if each.first <= last and first <= each.last
        ]

    def count(self, connection: sa.Connection, first: int, last: int) -> Counter[int]:
        """How many events of each severity are numbered ``first`` to ``last``."""
        total: Counter[int] = Counter()
        for each in self.blocks:
            if first <= each.first and each.last <= last:
                total.update(each.counts)
            elif each.first <= last and first <= each.last:
                part = _tally(connection, max(first, each.first), min(last, each.last))
                total.update(part.counts)
        return total


class Blocks:
    """Remembers full blocks. One for a process: what it knows holds for every replica's events."""

    def __init__(self) -> None:
        self._full: dict[int, Block] = {}

    def newest(self, connection: sa.Connection) -> int:
        """The number of the last event; 0 where there was none."""
        return int(connection.execute(_NEWEST).scalar_one())

    def overview(self, connection: sa.Connection) -> Overview:
        """All that the connection sees."""
        newest, retired = _numbers(connection)
        old = retired // BLOCK
        gathering = _gathering(connection)
        # A copy, and replaced as a whole: two threads read.
        known = dict(self._full)
        full: dict[int, Block] = {}
        found = [_tally(connection, 1, min((old + 1) * BLOCK - 1, newest))]
        for number in range(old + 1, newest // BLOCK + 1):
            end = (number + 1) * BLOCK - 1
            block = known.get(number)
            if block is None:
                block = _tally(connection, number * BLOCK, min(end, newest))
            if block.last == end and number not in gathering:
                full[number] = block
            found.append(block)
        self._full = full
        return Overview([each for each in found if each.counts], newest, retired)

    def is_full(self, block: Block) -> bool:
        """Whether no event will come to a block of an overview any more, nor change in it."""
        return self._kept(block) is not None

    def hours_of(self, block: Block) -> Hours | None:
        """The counts by hour of a block of an overview, where they are kept."""
        kept = self._kept(block)
        return None if kept is None else kept.hours

    def count_hours(self, connection: sa.Connection, block: Block) -> Hours:
        """The same, counted; kept where the block is full."""
        counted, hours = _tally_by_hour(connection, block.first, block.last)
        if self._kept(block) is not None:
            self._keep(counted)
        return hours

    def keep_next(self, connection: sa.Connection) -> bool:
        """Count the newest full block of which no hours are kept; False where there is none."""
        newest, retired = _numbers(connection)
        gathering = _gathering(connection)
        for number in range((newest + 1) // BLOCK - 1, retired // BLOCK, -1):
            known = self._full.get(number)
            if number not in gathering and (known is None or known.hours is None):
                first = number * BLOCK
                self._keep(_tally_by_hour(connection, first, first + BLOCK - 1)[0])
                return True
        return False

    def _kept(self, block: Block) -> Block | None:
        """The same block as it is kept: not one that has grown full since ``block`` was seen."""
        kept = self._full.get(block.first // BLOCK)
        is_same = kept is not None and (kept.first, kept.last) == (block.first, block.last)
        return kept if is_same else None

    def _keep(self, block: Block) -> None:
        # Two threads count: what one of them overwrites is counted again.
        self._full = {**self._full, block.first // BLOCK: block}


_GATHERING = sa.select(SUMMARIES.c.event_seq)


def _numbers(connection: sa.Connection) -> tuple[int, int]:
    """Those of the newest event and of the last that is gone: old blocks lose events."""
    numbers = {row.name: row.value for row in connection.execute(_NUMBERS)}
    return numbers["event"], numbers["retired_through"]


def _gathering(connection: sa.Connection) -> Set[int]:
    """The blocks in which a summary gathers: its severity may change."""
    return {seq // BLOCK for seq in connection.execute(_GATHERING).scalars()}


def _tally(connection: sa.Connection, first: int, last: int) -> Block:
    rows = connection.execute(_TALLY, {"first": first, "last": last}).all()
    return _block(first, last, rows)


def _tally_by_hour(connection: sa.Connection, first: int, last: int) -> tuple[Block, Hours]:
    rows = connection.execute(_BY_HOUR, {"first": first, "last": last}).all()
    hours = Counter({(row.hour, row.severity): row[1] for row in rows})
    return replace(_block(first, last, rows), hours=hours), hours


def _block(first: int, last: int, rows: Sequence[sa.Row[*tuple[Any, ...]]]) -> Block:
    """Of rows of a severity, how many, and from when to when."""
    counts: Counter[int] = Counter()
    for severity, count, *_ in rows:
        counts[severity] += count
    return Block(
        first,
        last,
        counts,
        min((row[2] for row in rows), default=0),
        max((row[3] for row in rows), default=0),
    )
