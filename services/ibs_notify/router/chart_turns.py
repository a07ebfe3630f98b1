"""The turns of a chart, whose cost is bounded: by stretches of the history, or along an index.

A chart needs no order, so nothing is sorted: where an index has all that is asked for, the events
are not looked at. Plain SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import sqlalchemy as sa

from ibs_notify.router.blocks import Blocks
from ibs_notify.router.books import index_text
from ibs_notify.router.event_conditions import (
    COLUMNS,
    EVERY,
    TIMES,
    Columns,
    Condition,
    Way,
    asked_for,
    conditions_of,
    has_prefix,
    ways_of,
)
from ibs_notify.router.event_query import EventQuery
from ibs_notify.router.tables import EVENTS

INDEXED = 40_000
"""So many entries of an index at most are counted in a turn: about ten milliseconds."""
LOOKED_AT = 4_000
"""So many events, for the same reason."""
MOST_OF_RESOURCE = 100_000
"""Of more events of a resource those that also match the rest are sought newest first."""
_E = EVENTS.c
_IN_INDEX = frozenset({"types", "sources", "min_severity"}) | TIMES
"""What the indexes by type and by severity know beside their key."""

Spans = Counter[tuple[int, int]]
"""By the number of the span since the epoch, and severity."""
Place = tuple[str, int]
"""Behind which resource, empty for the one that is asked for itself, and which number to go on."""


@dataclass(frozen=True, slots=True)
class OfResource:
    """A walk along the index by resource: of ``text`` itself, then of all ``below`` it."""

    text: str
    below: str
    rest: frozenset[str]
    query: EventQuery

    beginning: ClassVar[Place] = ("", 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """Events ``first`` to ``last`` by ``way``, of which ``rest`` must hold, ``size`` in a turn.

    With ``of_resource`` instead by that walk.
    """

    query: EventQuery
    way: Way
    rest: frozenset[str]
    first: int
    last: int
    size: int
    of_resource: OfResource | None = None


def plan_of(connection: sa.Connection, query: EventQuery, blocks: Blocks) -> Plan:
    """By which index ``query`` is counted."""
    first, last = blocks.overview(connection).between(query.after, query.before)
    asked = asked_for(query)
    ways = [each for each in ways_of(connection, query) if each.ordered]
    way = next((each for each in ways if each.covers <= _IN_INDEX), EVERY)
    rest = asked - way.covers
    size = INDEXED if way is not EVERY and rest <= _IN_INDEX else LOOKED_AT
    of_resource = _of_resource(connection, query, asked - {"resource"})
    return Plan(query, way, rest, first, last, size, of_resource)


def _of_resource(
    connection: sa.Connection, query: EventQuery, rest: frozenset[str]
) -> OfResource | None:
    if not query.resource:
        return None
    text = index_text(query.resource)
    asked = OfResource(text, text.rstrip("/") + "/", rest, query)
    if rest <= TIMES:
        return asked
    part = sa.select(sa.literal(1)).where(_is_of(asked)).limit(MOST_OF_RESOURCE + 1).subquery()
    size = connection.execute(sa.select(sa.func.count()).select_from(part)).scalar_one()
    return asked if size <= MOST_OF_RESOURCE else None


def _is_of(asked: OfResource) -> Condition:
    return sa.or_(_E.resource == asked.text, has_prefix(_E.resource, asked.below))


def count_window(connection: sa.Connection, plan: Plan, first: int, last: int, step: int) -> Spans:
    """The events from ``first`` to ``last``."""
    total: Spans = Counter()
    rest = conditions_of(plan.query, plan.rest, _E)
    for _, conditions in plan.way.parts:
        stretch = (*conditions, *rest, _E.seq.between(first, last))
        total.update(grouped(connection, _E, stretch, step))
    return total


def count_of_resource(
    connection: sa.Connection, asked: OfResource, place: Place, step: int
) -> tuple[Spans, Place | None]:
    """The next events behind ``place``, and where to go on; ``None`` at the end."""
    is_indexed = asked.rest <= TIMES
    most = INDEXED // 2 if is_indexed else LOOKED_AT
    columns = (_E.resource, _E.seq, _E.severity, _E.received_at) if is_indexed else COLUMNS
    resource, seq = place
    if not resource:
        behind: tuple[Condition, ...] = (_E.resource == asked.text, _E.seq > seq)
    else:
        behind = (
            has_prefix(_E.resource, asked.below),
            _E.resource != asked.text,
            sa.tuple_(_E.resource, _E.seq) > sa.tuple_(sa.literal(resource), sa.literal(seq)),
        )
    order = (_E.resource, _E.seq)
    events = sa.select(*columns).where(*behind).order_by(*order).limit(most).subquery()
    spans = grouped(connection, events.c, conditions_of(asked.query, asked.rest, events.c), step)
    entries = sa.select(*order).where(*behind).order_by(*order).offset(most - 1).limit(1)
    reached = connection.execute(entries).one_or_none()
    if reached is not None:
        return spans, (resource and reached[0], reached[1])
    return spans, None if resource else (asked.below, 0)


def grouped(
    connection: sa.Connection, c: Columns, conditions: Sequence[Condition], step: int
) -> Spans:
    """Counts of the events of the columns ``c`` for which the conditions hold."""
    span = (c.received_at // sa.literal(step, sa.BigInteger)).label("span")
    rows = connection.execute(
        sa.select(span, c.severity, sa.func.count()).where(*conditions).group_by(span, c.severity)
    )
    return Counter({(row[0], row[1]): row[2] for row in rows})
