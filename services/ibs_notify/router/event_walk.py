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
    asked_for,
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
    """What is decided once for a call: the index, how far it goes, and the viewer's lines.

    ``rest`` are the fields of the query that the index does not answer.
    """

    query: EventQuery
    way: Way
    rest: frozenset[str]
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
    """Numbers of events, newest first, and below which number to go on; 0: there are no more.

    ``bodies`` are the events' where these were asked for. ``outside`` is how many more, down to
    there, are what is asked for, but out of the scope.
    """

    seqs: Sequence[int]
    before: int
    bodies: Sequence[bytes] = ()
    outside: int = 0


def begin(
    connection: sa.Connection,
    query: EventQuery,
    blocks: Blocks,
    through: int | None = None,
    few: int = FEW,
) -> Walk:
    """Choose the way of ``query``, down from ``through``, by how much there is to look at.

    A way that must read and sort all its numbers will do for ``few`` of them.
    """
    if query.after is None and query.before is None:
        first, last = 1, blocks.newest(connection)
    else:
        first, last = blocks.overview(connection).between(query.after, query.before)
    last = last if through is None else min(last, through)
    lines = lines_of(connection, query.viewer) if query.marks else Lines()
    way = _choose(connection, query, first, last, few)
    return Walk(query, way, asked_for(query) - way.covers, first, last, lines)


def _choose(connection: sa.Connection, query: EventQuery, first: int, last: int, few: int) -> Way:
    ways = ways_of(connection, query)
    if len(ways) <= 2 and ways[0].ordered:
        return ways[0]
    sizes = [connection.execute(each.size(first, last, few + 1)).scalar_one() for each in ways[:-1]]
    smallest = min(range(len(sizes)), key=sizes.__getitem__)
    if sizes[smallest] <= few:
        return ways[smallest]
    return next(each for each in ways if each.ordered)


def turn(
    connection: sa.Connection,
    walk: Walk,
    before: int | None,
    most: int,
    *,
    size: int = PIECE,
    bodies: bool = False,
) -> Turn:
    """Up to ``most`` events below ``before`` that match, as far as the database can tell.

    They may be fewer, or none, and yet not all. ``size``: how many are looked at.
    """
    piece = next_piece(connection, walk, before, most, size)
    if piece is None:
        return Turn((), 0)
    seq = piece.events.c.seq
    matching = sa.select(seq).where(*piece.rest).order_by(seq.desc()).limit(most)
    if not bodies:
        seqs = connection.execute(matching).scalars().all()
        return Turn(seqs, _reached(walk, piece, seqs, most))
    found = matching.subquery()
    rows = connection.execute(
        sa.select(EVENTS.c.seq, EVENTS.c.body)
        .join_from(found, EVENTS, EVENTS.c.seq == found.c.seq)
        .order_by(EVENTS.c.seq.desc())
    ).all()
    seqs = [row[0] for row in rows]
    return Turn(seqs, _reached(walk, piece, seqs, most), [row[1] for row in rows])


def _reached(walk: Walk, piece: Piece, seqs: Sequence[int], most: int) -> int:
    return go_on(walk, seqs[-1] if len(seqs) == most else piece.first)


def go_on(walk: Walk, reached: int) -> int:
    """Below which number a walk goes on that has looked at everything down to ``reached``."""
    return reached if reached > walk.first else 0


def next_piece(
    connection: sa.Connection,
    walk: Walk,
    before: int | None,
    enough: int,
    size: int = PIECE,
    *,
    severities: bool = False,
    whole: bool = False,
) -> Piece | None:
    """The next ``size`` events to be looked at; ``None`` at the end.

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
        rest = walk.rest if way is walk.way else asked_for(walk.query)
        others = _has_other_marks(connection, walk.query, stretch)
        if not (rest or others or whole or (severities and not way.knows_severity)):
            more = (EVENTS.c.severity,) if severities else ()
            numbers = way.numbers(first, stretch.last, enough, *more)
            return Piece(first, numbers.subquery(), (), is_whole=False)
        events = _whole(way, first, stretch.last, size)
        conditions = conditions_of(walk.query, rest, events.c)
        if others:
            conditions.append(~marked_otherwise(walk.query.viewer, walk.query.marks, events.c))
        end = _end_of(connection, way, first, stretch.last, size)
        return Piece(end, events, conditions, is_whole=True)
    return None


def _way_through(connection: sa.Connection, walk: Walk, stretch: Stretch) -> Way | None:
    """Where the lines leave out a whole stretch, only marks can bring something of it in."""
    query = walk.query
    if not query.marks or stretch.mark in query.marks:
        return walk.way
    if has_marks(connection, query.viewer, stretch.first, stretch.last, query.marks):
        return marked_way(query.viewer, query.marks)
    return None


def _has_other_marks(connection: sa.Connection, query: EventQuery, stretch: Stretch) -> bool:
    """Whether marks leave something out of a stretch that the lines let in."""
    if stretch.mark not in query.marks:
        return False
    others = ALL - query.marks
    return has_marks(connection, query.viewer, stretch.first, stretch.last, others)


def _whole(way: Way, first: int, last: int, size: int) -> sa.Subquery:
    numbers = way.numbers(first, last, size).subquery()
    joined = sa.select(*COLUMNS).join_from(numbers, EVENTS, EVENTS.c.seq == numbers.c.seq)
    return joined.limit(size).subquery()


def _end_of(connection: sa.Connection, way: Way, first: int, last: int, size: int) -> int:
    """The last number of a piece: ``first`` where the index has no more."""
    numbers = way.numbers(first, last, size).subquery()
    lowest, count = connection.execute(
        sa.select(sa.func.min(numbers.c.seq), sa.func.count()).select_from(numbers)
    ).one()
    return int(lowest) if count == size else first
