"""How many events of each datastore, type and severity there are: of full blocks counted once.

A summary of a month of a million events is then a look at what was accepted last. Plain SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import partial
from sys import intern

import sqlalchemy as sa

from ibs_notify.router.blocks import Blocks, Piece
from ibs_notify.router.event_conditions import Columns, Condition, accepted_then
from ibs_notify.router.event_query import EventQuery
from ibs_notify.router.tables import EVENTS
from ibs_notify.store.database import Database

MOST_KEPT = 1_000
"""Of a block with more combinations nothing is kept: it takes about 100 bytes for each."""
_DATASTORE = "/datastore/"
_E = EVENTS.c

Combination = tuple[str, str, int]
"""Datastore, type and severity."""


class CombinationBlocks:
    """Counts in turns of one block, each wholly from memory where it can be."""

    def __init__(self, database: Database, blocks: Blocks) -> None:
        self._database = database
        self._blocks = blocks
        self._kept: dict[int, Counter[Combination]] = {}

    async def of(self, query: EventQuery) -> AsyncIterator[Counter[Combination]]:
        """``query`` names times and a severity at most. To be added up."""
        pieces = await self._database.read(partial(self._pieces, query=query))
        while pieces:
            yield await self._database.read(partial(self._next, pieces, query))

    def _pieces(self, connection: sa.Connection, query: EventQuery) -> list[Piece]:
        overview = self._blocks.overview(connection)
        there = {each.first for each in overview.blocks}
        # Two threads count: what one of them overwrites is counted again.
        self._kept = {first: each for first, each in self._kept.items() if first in there}
        return overview.pieces(*overview.between(query.after, query.before))

    def _next(
        self, pieces: list[Piece], query: EventQuery, connection: sa.Connection
    ) -> Counter[Combination]:
        """Of the last of ``pieces``, which are taken from the list, down to one not known yet."""
        total: Counter[Combination] = Counter()
        while pieces:
            piece = pieces.pop()
            is_all = piece.is_all_of(query.after, query.before)
            kept = self._kept.get(piece.block.first) if is_all else None
            found = _counted(connection, piece, query) if kept is None else kept
            total.update({each: n for each, n in found.items() if each[2] >= query.min_severity})
            if kept is None:
                if is_all and len(found) <= MOST_KEPT and self._blocks.is_full(piece.block):
                    self._kept[piece.block.first] = found
                break
        return total


def _counted(connection: sa.Connection, piece: Piece, query: EventQuery) -> Counter[Combination]:
    conditions = [_E.seq.between(piece.first, piece.last), *accepted_then(query)]
    return combine(connection, _E, conditions)


def combine(
    connection: sa.Connection, c: Columns, conditions: Sequence[Condition]
) -> Counter[Combination]:
    """Counts of the events of the columns ``c`` for which the conditions hold."""
    store = _datastore(c.resource, connection.dialect.name).label("datastore")
    rows = connection.execute(
        sa.select(store, c.type, c.severity, sa.func.count())
        .where(*conditions)
        .group_by(store, c.type, c.severity)
    )
    return Counter({(intern(row[0]), intern(row[1]), row[2]): row[3] for row in rows})


def _datastore(resource: sa.ColumnElement[str], dialect: str) -> sa.ColumnElement[str]:
    """As ``domain.resource.datastore_of``, in SQL: a report must not read every resource."""
    name = sa.func.substr(resource, len(_DATASTORE) + 1)
    position = sa.func.instr if dialect == "sqlite" else sa.func.strpos
    slash = position(name, "/")
    return sa.case(
        (sa.func.substr(resource, 1, len(_DATASTORE)) != _DATASTORE, ""),
        (slash > 0, sa.func.substr(name, 1, slash - 1)),
        else_=name,
    )
