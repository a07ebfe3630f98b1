"""A chart of all events, but for time, severity and marks: from what is kept of full blocks.

Where marks are asked for, what lies between the viewer's lines is counted so, and what has a mark
of its own apart: that are few. Plain SQL.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

import sqlalchemy as sa

from ibs_notify.domain.severity import Severity
from ibs_notify.router.blocks import HOUR, Blocks, Piece
from ibs_notify.router.chart_turns import Spans, grouped
from ibs_notify.router.event_conditions import Condition, accepted_then
from ibs_notify.router.event_query import EventQuery
from ibs_notify.router.lines import ALL
from ibs_notify.router.marks import between, has_more_marks, lines_of
from ibs_notify.router.tables import EVENTS, MARKS
from ibs_notify.store.database import Database

COUNTED_BLOCKS = 4
"""So many blocks are counted in a turn: about ten milliseconds."""
MOST_MARKS = 10_000
"""So many marks are counted in a turn, for the same reason; of more all events are walked."""
_E = EVENTS.c
_SEVERITIES = [each.value for each in Severity]


class BlockCharts:
    """Counts in turns, each wholly from memory where it can be."""

    def __init__(self, database: Database, blocks: Blocks) -> None:
        self._database = database
        self._blocks = blocks

    async def of(self, query: EventQuery, step: int) -> Spans | None:
        """``query`` names times, a severity and marks at most; ``step`` is in microseconds.

        ``None`` where the viewer has too many marks.
        """
        found = await self._database.read(partial(self._begin, query=query, step=step))
        if found is None:
            return None
        pieces, total = found
        while pieces:
            total.update(await self._database.read(partial(self._some, pieces, query, step)))
        return +total

    def _begin(
        self, connection: sa.Connection, query: EventQuery, step: int
    ) -> tuple[list[Piece], Spans] | None:
        """What to count, and what to add to it, or to take from it, for marks."""
        overview = self._blocks.overview(connection)
        first, last = overview.between(query.after, query.before)
        if not query.marks or query.marks == ALL:
            return overview.pieces(first, last), Counter()
        if has_more_marks(connection, query.viewer, first, last, MOST_MARKS):
            return None
        pieces: list[Piece] = []
        own: Spans = Counter()
        for stretch in lines_of(connection, query.viewer).stretches(last):
            low, high = max(stretch.first, first), stretch.last
            if stretch.mark in query.marks:
                pieces += overview.pieces(low, high)
                own.subtract(_marked(connection, query, low, high, step, others=True))
            else:
                own.update(_marked(connection, query, low, high, step))
        return pieces, own

    def _some(
        self, pieces: list[Piece], query: EventQuery, step: int, connection: sa.Connection
    ) -> Spans:
        """Of the last of ``pieces``, which are taken from the list, as many as a turn may count."""
        total: Spans = Counter()
        left = COUNTED_BLOCKS
        while pieces and left:
            piece = pieces.pop()
            if step % HOUR or not piece.is_all_of(query.after, query.before):
                total.update(_count(connection, piece, query, step))
                left -= 1
                continue
            hours = self._blocks.hours_of(piece.block)
            if hours is None:
                hours = self._blocks.count_hours(connection, piece.block)
                left -= 1
            for (hour, severity), count in hours.items():
                if severity >= query.min_severity:
                    total[hour * HOUR // step, severity] += count
        return total


def _count(connection: sa.Connection, piece: Piece, query: EventQuery, step: int) -> Spans:
    return grouped(connection, _E, [_E.seq.between(piece.first, piece.last), *_wanted(query)], step)


def _marked(
    connection: sa.Connection,
    query: EventQuery,
    first: int,
    last: int,
    step: int,
    *,
    others: bool = False,
) -> Spans:
    """Those with a mark of their own that is asked for, or one of the ``others``."""
    marks = ALL - query.marks if others else query.marks
    conditions = (
        _E.seq == MARKS.c.event_seq,
        between(query.viewer, first, last),
        MARKS.c.state.in_(marks),
    )
    return grouped(connection, _E, [*conditions, *_wanted(query)], step)


def _wanted(query: EventQuery) -> list[Condition]:
    # Each severity is named, so that the index on severity, number and time is enough.
    wanted = [each for each in _SEVERITIES if each >= query.min_severity]
    return [_E.severity.in_(wanted), *accepted_then(query)]
