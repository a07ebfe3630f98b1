"""A walk through the events of a query, also by what only opening them tells: text, rule, group.

It goes in short turns, each a read of its own: between them others have theirs, and an event that
is emitted meanwhile waits for one turn at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock
from ibs_notify.router.blocks import Blocks
from ibs_notify.router.event_query import EventQuery, says
from ibs_notify.router.event_walk import PIECE, Turn, Walk, begin, turn
from ibs_notify.router.tables import EVENTS, OBLIGATIONS, ROUTES
from ibs_notify.rpc.convert import event_from_proto
from ibs_notify.store.database import Database
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

FIRST_PIECE = 1_000
"""At first few are looked at: what matches is often among them. Then more and more."""
OPENED = 500
"""So many events are opened in a turn: one or two milliseconds."""


class EventScan:
    """Of one call. ``through``: newer events are left out."""

    def __init__(
        self,
        database: Database,
        blocks: Blocks,
        clock: Clock,
        query: EventQuery,
        through: int | None = None,
    ) -> None:
        self._database = database
        self._blocks = blocks
        self._clock = clock
        self._query = query
        self._through = through
        self._walk: Walk | None = None

    async def find(self, before: int | None, most: int, seconds: float | None = None) -> Turn:
        """Up to ``most`` events below ``before``, newest first.

        They may be fewer, or none, and yet not all: after ``seconds`` of looking, if given.
        """
        end = None if seconds is None else self._clock.monotonic() + seconds
        found: list[int] = []
        outside = 0
        size = FIRST_PIECE
        while True:
            look = partial(self._turn, before=before, most=most - len(found), size=size)
            part = await self._database.read(look)
            found += part.seqs
            outside += part.outside
            size = min(4 * size, PIECE)
            before = part.before
            late = end is not None and self._clock.monotonic() >= end
            if len(found) >= most or not before or late:
                return Turn(found, before or 0, outside=outside)

    def _turn(self, connection: sa.Connection, before: int | None, most: int, size: int) -> Turn:
        query = self._query
        if self._walk is None:
            self._walk = begin(connection, query, self._blocks, self._through)
        if not query.opens_events:
            return turn(connection, self._walk, before, most, size=size)
        looked_at = turn(
            connection, self._walk, before, OPENED, size=size, bodies=query.reads_content
        )
        found: Sequence[int] = looked_at.seqs
        outside: Sequence[int] = ()
        if query.reads_content:
            found, outside = self._saying(looked_at)
        if query.groups:
            found = _heard_by(connection, query.groups, found)
            outside = _heard_by(connection, query.groups, outside)
        if len(found) <= most:
            return Turn(found, looked_at.before, outside=len(outside))
        last = found[most - 1]
        return Turn(found[:most], last, outside=sum(each > last for each in outside))

    def _saying(self, looked_at: Turn) -> tuple[Sequence[int], Sequence[int]]:
        """Those of which the content matches, in the scope and out of it."""
        query, now = self._query, self._clock.now()
        found: list[int] = []
        outside: list[int] = []
        for seq, body in zip(looked_at.seqs, looked_at.bodies, strict=True):
            if query.text and query.text not in _rough_text(body):
                continue
            event, _ = event_from_proto(event_pb2.Event.FromString(body), now)
            if says(query, event):
                is_heard = query.scope is None or query.scope(event)
                (found if is_heard else outside).append(seq)
        return found, outside


def _rough_text(body: bytes) -> str:
    """All that an event's text may be found in, and more: much faster than to open it.

    The bytes that are no text never hide the beginning of one: the last of them is ASCII.
    """
    return body.decode(errors="replace").casefold()


def _heard_by(
    connection: sa.Connection, groups: Iterable[str], seqs: Sequence[int]
) -> Sequence[int]:
    """Those of ``seqs`` that were routed to one of ``groups``."""
    names = frozenset(groups)
    open_ones = connection.execute(
        sa.select(OBLIGATIONS.c.event_seq)
        .join(ROUTES, ROUTES.c.route_id == OBLIGATIONS.c.route_id)
        .where(OBLIGATIONS.c.event_seq.in_(seqs), ROUTES.c.group_name.in_(sorted(names)))
    )
    found = set(open_ones.scalars())
    packed = connection.execute(
        sa.select(EVENTS.c.seq, EVENTS.c.packed).where(EVENTS.c.seq.in_(seqs), EVENTS.c.closed > 0)
    )
    for seq, body in packed:
        dispositions = pb.EventRecord.FromString(body).dispositions
        if any(each.group in names for each in dispositions):
            found.add(seq)
    return [seq for seq in seqs if seq in found]
