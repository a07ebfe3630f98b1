"""How the events of a query are found: newest first, in turns whose cost is bounded.

A turn looks through a piece of one index, cut off by a LIMIT that neither database moves a
condition across. Plain SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from ibs_notify.router.blocks import Blocks
from ibs_notify.router.event_conditions import (
    COLUMNS,
    Condition,
    Way,
    conditions_of,
    marked_otherwise,
    marked_way,
    ways_of,
)
from ibs_notify.router.event_query import EventQuery
from ibs_notify.router.lines import ALL, Lines, Stretch
from ibs_notify.router.marks import has_marks, lines_of
from ibs_notify.router.tables import EVENTS

PIECE = 10_000
"""So many events are looked at in a turn: some milliseconds."""
FEW = 10_000
"""So many numbers at most are sorted for a page."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What is decided once for a call: the index, how far it goes, and the viewer's lines."""

    query: EventQuery
    way: Way
    first: int
    last: int
    lines: Lines


@dataclass(frozen=True, slots=True)
class Piece:
    """Some events down to the number ``first``: ``events`` selects them, ``rest`` must hold of it.

    One that is not ``whole`` has not all ``COLUMNS``, and ends with as many events as were said to
    be enough, before ``first`` perhaps.
    """

    first: int
    events: sa.Subquery
    rest: Sequence[Condition]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """Numbers of events, newest first, and below which number to go on; 0: there are no more."""

    seqs: Sequence[int]
    before: int


def begin(
    connection: sa.Connection, query: EventQuery, blocks: Blocks, through: int | None = None
) -> Walk:
    """Choose the way of ``query``, down from ``through``, by how much there is to look at."""
    if query.after is None and query.before is None:
        first, last = 1, blocks.newest(connection)
    else:
        first, last = blocks.overview(connection).between(query.after, query.before)
    last = last if through is None else min(last, through)
    lines = lines_of(connection, query.viewer) if query.marks else Lines()
    return Walk(query, _choose(connection, query, first, last), first, last, lines)


def _choose(connection: sa.Connection, query: EventQuery, first: int, last: int) -> Way:
    ways = ways_of(connection, query)
    if len(ways) <= 2 and ways[0].ordered:
        return ways[0]
    sizes = [connection.execute(each.size(first, last, FEW + 1)).scalar_one() for each in ways[:-1]]
    smallest = min(range(len(sizes)), key=sizes.__getitem__)
    if sizes[smallest] <= FEW:
        return ways[smallest]
    return next(each for each in ways if each.ordered)


def turn(connection: sa.Connection, walk: Walk, before: int | None, most: int) -> Turn:
    """Up to ``most`` events below ``before`` that match, as far as the database can tell.

    They may be fewer, or none, and yet not all.
    """
    piece = next_piece(connection, walk, before, most)
    if piece is None:
        return Turn((), 0)
    seq = piece.events.c.seq
    matching = sa.select(seq).where(*piece.rest).order_by(seq.desc()).limit(most)
    seqs = connection.execute(matching).scalars().all()
    return Turn(seqs, go_on(walk, seqs[-1] if len(seqs) == most else piece.first))


def go_on(walk: Walk, reached: int) -> int:
    """Below which number a walk goes on that has looked at everything down to ``reached``."""
    return reached if reached > walk.first else 0


def next_piece(
    connection: sa.Connection,
    walk: Walk,
    before: int | None,
    enough: int,
    *,
    severities: bool = False,
    whole: bool = False,
) -> Piece | None:
    """What is to be looked through next; ``None`` at the end.

    Where an index gives only what matches, ``enough`` events will do, and of them there are only
    the numbers, or also the ``severities``; unless ``whole`` asks for all ``COLUMNS``.
    """
    last = walk.last if before is None else min(walk.last, before - 1)
    for stretch in walk.lines.stretches(last):
        if stretch.last < walk.first:
            return None
        way = _way_through(connection, walk, stretch)
        if way is None:
            continue
        first = max(stretch.first, walk.first)
        looked_at = _looked_at(way, first, stretch.last)
        rest = _rest(connection, walk, way, stretch, looked_at)
        if rest or whole or (severities and not way.knows_severity):
            end = _end_of(connection, way, first, stretch.last)
            return Piece(end, looked_at, rest, is_whole=True)
        more = (EVENTS.c.severity,) if severities else ()
        numbers = way.numbers(first, stretch.last, enough, *more)
        return Piece(first, numbers.subquery(), (), is_whole=False)
    return None


def _way_through(connection: sa.Connection, walk: Walk, stretch: Stretch) -> Way | None:
    """Where the lines leave out a whole stretch, only marks can bring something of it in."""
    query = walk.query
    if not query.marks or stretch.mark in query.marks:
        return walk.way
    if has_marks(connection, query.viewer, stretch.first, stretch.last, query.marks):
        return marked_way(query.viewer, query.marks)
    return None


def _looked_at(way: Way, first: int, last: int) -> sa.Subquery:
    numbers = way.numbers(first, last, PIECE).subquery()
    joined = sa.select(*COLUMNS).join_from(numbers, EVENTS, EVENTS.c.seq == numbers.c.seq)
    return joined.limit(PIECE).subquery()


def _rest(
    connection: sa.Connection, walk: Walk, way: Way, stretch: Stretch, events: sa.Subquery
) -> list[Condition]:
    query = walk.query
    conditions = conditions_of(query, events.c)
    rest = [each for name, each in conditions.items() if name not in way.covers]
    others = ALL - query.marks
    if (
        query.marks
        and stretch.mark in query.marks
        and has_marks(connection, query.viewer, stretch.first, stretch.last, others)
    ):
        rest.append(~marked_otherwise(query.viewer, query.marks, events.c))
    return rest


def _end_of(connection: sa.Connection, way: Way, first: int, last: int) -> int:
    """The last number of a piece: ``first`` where the index has no more."""
    numbers = way.numbers(first, last, PIECE).subquery()
    lowest, count = connection.execute(
        sa.select(sa.func.min(numbers.c.seq), sa.func.count()).select_from(numbers)
    ).one()
    return int(lowest) if count == PIECE else first
