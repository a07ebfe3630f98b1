"""How somebody has marked events: two lines below which all is read, or archived, and marks.

A mark wins over the lines. To mark everything is to move a line, however many events there are.
Pure.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise


class Mark(IntEnum):
    """Values equal those of the API's ``InboxState``; a higher one is further put away."""

    UNREAD = 1
    READ = 2
    ARCHIVED = 3


ALL = frozenset(Mark)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Events from ``first`` to ``last``, and how they are marked where they have no mark."""

    first: int
    last: int
    mark: Mark


@dataclass(frozen=True, slots=True)
class Lines:
    """Up to ``read_through`` all is read, up to ``archived_through``, never above it, archived."""

    read_through: int = 0
    archived_through: int = 0

    def mark_of(self, seq: int) -> Mark:
        """How an event without a mark is marked."""
        if seq <= self.archived_through:
            return Mark.ARCHIVED
        return Mark.READ if seq <= self.read_through else Mark.UNREAD

    def stretches(self, newest: int) -> list[Stretch]:
        """All events up to ``newest``, from the newest on."""
        edges = [0, self.archived_through, self.read_through, newest]
        below = [min(each, newest) for each in edges]
        marks = (Mark.ARCHIVED, Mark.READ, Mark.UNREAD)
        found = [
            Stretch(low + 1, high, mark)
            for (low, high), mark in zip(pairwise(below), marks, strict=True)
            if low < high
        ]
        return found[::-1]


def moved(lines: Lines, through: int, among: Collection[Mark], to: Mark) -> Lines | None:
    """The lines after all events up to ``through`` that are marked as one of ``among`` become
    ``to``; ``None`` where no two lines can say that.
    """
    edges = sorted({0, lines.archived_through, lines.read_through, through})
    after: list[tuple[int, Mark]] = []
    for low, high in pairwise(edges):
        mark = lines.mark_of(low + 1)
        after.append((high, to if high <= through and mark in among else mark))
    marks = [mark for _, mark in after]
    if marks != sorted(marks, reverse=True):
        return None
    return Lines(
        read_through=max((end for end, mark in after if mark >= Mark.READ), default=0),
        archived_through=max((end for end, mark in after if mark is Mark.ARCHIVED), default=0),
    )
