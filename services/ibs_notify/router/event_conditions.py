"""The conditions of a query in SQL, and the indexes that may serve it.

The databases are not left to choose: which index is best hangs on how many events there are of a
kind, and that is asked for, up to a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.severity import Severity
from ibs_notify.router.books import index_text
from ibs_notify.router.dispositions import State, bit
from ibs_notify.router.event_query import EventQuery
from ibs_notify.router.handoffs import IS_RELEASED, IS_WAITING
from ibs_notify.router.lines import Mark
from ibs_notify.router.own_events import is_own
from ibs_notify.router.tables import EVENTS, MARKS, OBLIGATIONS, ROUTES

Condition = sa.ColumnElement[bool]
Columns = sa.ColumnCollection[str, Any]
Part = tuple[sa.Column[int], Sequence[Condition]]
_E, _O = EVENTS.c, OBLIGATIONS.c
COLUMNS = (
    _E.seq,
    _E.received_at,
    _E.severity,
    _E.type,
    _E.resource,
    _E.actor,
    _E.task_id,
    _E.opened,
    _E.closed,
    _E.states,
    _E.revision,
)
"""What conditions look at."""
TIMES = frozenset({"after", "before"})
"""The fields of a query that say when."""
MOST_TYPES = 32
"""Of more types the numbers are not merged from the index."""
_NO_LIMIT = 10**9


@dataclass(frozen=True, slots=True)
class Way:
    """Numbers of events by an index: those of each part in ``parts``, a column and its conditions.

    ``covers`` names the conditions that are met by it. An ``ordered`` one gives the newest first
    without a look at the others; one that is not is for few: they are all read, and sorted.
    """

    covers: frozenset[str]
    parts: Sequence[Part]
    ordered: bool = True

    def numbers(self, first: int, last: int, most: int, *more: sa.Column[Any]) -> sa.Select[Any]:
        """Select the newest ``most`` numbers from ``first`` to ``last``, as ``seq``.

        ``more``: columns of the events beside them, which only an index of events has.
        """
        read = self._newest_of if self.ordered else self._all_of
        selects = [read(part, first, last, most, more) for part in self.parts]
        if len(selects) == 1:
            return selects[0]
        merged = sa.union_all(*(sa.select(each.subquery()) for each in selects)).subquery()
        return sa.select(merged).order_by(merged.c.seq.desc()).limit(most)

    def _newest_of(
        self, part: Part, first: int, last: int, most: int, more: Sequence[sa.Column[Any]]
    ) -> sa.Select[Any]:
        column, conditions = part
        return (
            sa.select(column.label("seq"), *more)
            .where(*conditions, column.between(first, last))
            .order_by(column.desc())
            .limit(most)
        )

    def _all_of(
        self, part: Part, first: int, last: int, most: int, more: Sequence[sa.Column[Any]]
    ) -> sa.Select[Any]:
        """The limit keeps the databases from following the order instead of the index."""
        column, conditions = part
        every = sa.select(column.label("seq"), *more).where(*conditions).limit(_NO_LIMIT).subquery()
        seq = every.c.seq
        return sa.select(every).where(seq.between(first, last)).order_by(seq.desc()).limit(most)

    @property
    def knows_severity(self) -> bool:
        """Whether its index has the events' severities."""
        return all(column is _E.seq for column, _ in self.parts)

    def size(self, first: int, last: int, most: int) -> sa.Select[int]:
        """Select how many numbers there are, up to ``most``."""
        selects = []
        for column, conditions in self.parts:
            bounds = (column.between(first, last),) if self.ordered else ()
            selects.append(sa.select(sa.literal(1)).where(*conditions, *bounds).limit(most))
        every = sa.union_all(*(sa.select(each.subquery()) for each in selects)).subquery()
        return sa.select(sa.func.count()).select_from(sa.select(every).limit(most).subquery())


EVERY = Way(frozenset(), [(_E.seq, ())])
"""All events."""


def marked_way(viewer: str, marks: frozenset[Mark]) -> Way:
    """What ``viewer`` has marked as one of ``marks`` where the lines say otherwise."""
    mine = (MARKS.c.user_name == viewer, MARKS.c.state.in_(sorted(marks)))
    return Way(frozenset({"marks"}), [(MARKS.c.event_seq, mine)])


def ways_of(connection: sa.Connection, query: EventQuery) -> list[Way]:
    """The indexes that may serve ``query``, the most selective first as far as one can know."""
    found: list[Way] = []
    if query.collapsed_into:
        found.append(_collapsed_way(query.collapsed_into))
    if query.task_id:
        found.append(_ordered({"task_id"}, [_E.task_id == index_text(query.task_id)]))
    if query.states == {State.READY}:
        waiting, released = (sa.select(_O.event_seq).where(each) for each in _IS_OPEN)
        found.append(_few({"states"}, _E.seq.in_(waiting.union(released))))
    if query.types or query.sources:
        types = _types_of(connection, query)
        if len(types) <= MOST_TYPES:
            found.append(_ordered({"types", "sources"}, [_E.type == each for each in types]))
    if query.resource:
        found.append(_few({"resource"}, *_is_under(_E.resource, query.resource)))
    if query.min_severity > Severity.INFO:
        grave = [_E.severity == each for each in Severity if each >= query.min_severity]
        found.append(_ordered({"min_severity"}, grave))
    return [*found, EVERY]


def _collapsed_way(summary: str) -> Way:
    """By the lane too, which is the same for all of a summary: the index has them in order then."""
    any_of_it = OBLIGATIONS.alias("any_of_it")
    is_collapsed = _is_collapsed_into(summary)
    lane = (
        sa.select(any_of_it.c.lane_id)
        .where(sa.text("any_of_it.state = 'collapsed'"), any_of_it.c.pointer == index_text(summary))
        .limit(1)
        .scalar_subquery()
    )
    return Way(frozenset({"collapsed_into"}), [(_O.event_seq, (is_collapsed, _O.lane_id == lane))])


def asked_for(query: EventQuery) -> frozenset[str]:
    """The fields of ``query`` that are conditions on an event's columns."""
    return frozenset(
        name for name in _CONDITIONS if getattr(query, name) != getattr(_NOTHING, name)
    )


def conditions_of(query: EventQuery, names: Collection[str], c: Columns) -> list[Condition]:
    """What must hold of an event with the columns ``c``, for those fields of the query.

    Of ``groups`` only a part: what was closed at once is packed, and must be opened.
    """
    return [_CONDITIONS[name](query, c) for name in sorted(names)]


def accepted_then(query: EventQuery) -> list[Condition]:
    """That an event was accepted in the time that ``query`` names."""
    return conditions_of(query, asked_for(query) & TIMES, _E)


def marked_otherwise(viewer: str, marks: frozenset[Mark], c: Columns) -> Condition:
    """Whether ``viewer`` has marked the event, and as none of ``marks``."""
    return sa.exists().where(
        MARKS.c.user_name == viewer,
        MARKS.c.event_seq == c.seq,
        MARKS.c.state.not_in(sorted(marks)),
    )


_NOTHING = EventQuery()
_IS_OPEN = (IS_WAITING, IS_RELEASED)


def _ordered(covers: set[str], parts: Sequence[Condition]) -> Way:
    return Way(frozenset(covers), [(_E.seq, (each,)) for each in parts or [sa.false()]])


def _few(covers: set[str], *parts: Condition) -> Way:
    return Way(frozenset(covers), [(_E.seq, (each,)) for each in parts], ordered=False)


def _types_of(connection: sa.Connection, query: EventQuery) -> Sequence[str]:
    """The types that are asked for, at most one more than ``MOST_TYPES``."""
    if query.types:
        asked = sorted(query.types)
        return [
            index_text(each)
            for each in asked
            if not query.sources or each.partition(".")[0] in query.sources
        ]
    found: list[str] = []
    for source in sorted(query.sources):
        low = f"{index_text(source)}."
        while len(found) <= MOST_TYPES:
            following = sa.select(sa.func.min(_E.type)).where(
                _E.type > low, _E.type < f"{index_text(source)}/"
            )
            name = connection.execute(following).scalar()
            if name is None:
                break
            found.append(name)
            low = name
    return found


def has_prefix(column: sa.ColumnElement[str], prefix: str) -> Condition:
    """A range of texts in the order of their bytes; ``prefix`` ends in a character below DEL."""
    beyond = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return sa.and_(column >= prefix, column < beyond)


def _is_under(column: sa.ColumnElement[str], resource: str) -> tuple[Condition, Condition]:
    """The resource itself, and all below it: no event is both."""
    text = index_text(resource)
    below = text.rstrip("/") + "/"
    return column == text, sa.and_(has_prefix(column, below), column != text)


def _obliges(c: Columns, condition: Condition) -> Condition:
    return sa.exists().where(_O.event_seq == c.seq, condition)


def _is_collapsed_into(summary: str) -> Condition:
    # Written out, so that the partial index is used.
    return sa.and_(sa.text("state = 'collapsed'"), _O.pointer == index_text(summary))


def _by_source(query: EventQuery, c: Columns) -> Condition:
    return sa.or_(*(has_prefix(c.type, f"{index_text(each)}.") for each in sorted(query.sources)))


def _by_type(query: EventQuery, c: Columns) -> Condition:
    condition: Condition = c.type.in_([index_text(each) for each in sorted(query.types)])
    return condition


def _by_resource(query: EventQuery, c: Columns) -> Condition:
    return sa.or_(*_is_under(c.resource, query.resource))


def _by_state(query: EventQuery, c: Columns) -> Condition:
    at_once = sum(bit(each) for each in query.states if each is not State.READY)
    stands = _obliges(c, _O.state.in_([each.value for each in sorted(query.states)]))
    return sa.or_(c.states.bitwise_and(at_once) != 0, stands) if at_once else stands


def _by_group(query: EventQuery, c: Columns) -> Condition:
    routes = sa.select(ROUTES.c.route_id).where(ROUTES.c.group_name.in_(sorted(query.groups)))
    return sa.or_(c.closed > 0, _obliges(c, _O.route_id.in_(routes)))


_CONDITIONS: Mapping[str, Callable[[EventQuery, Columns], Condition]] = {
    "sources": _by_source,
    "types": _by_type,
    "min_severity": lambda query, c: c.severity >= query.min_severity,
    "resource": _by_resource,
    "task_id": lambda query, c: c.task_id == index_text(query.task_id),
    "actor": lambda query, c: c.actor == index_text(query.actor),
    "after": lambda query, c: c.received_at >= query.after,
    "before": lambda query, c: c.received_at < query.before,
    "states": _by_state,
    "unmatched": lambda _, c: sa.and_(c.opened == 0, c.closed == 0),
    "collapsed_into": lambda query, c: _obliges(c, _is_collapsed_into(query.collapsed_into)),
    "groups": _by_group,
    "by_rules": lambda _, c: sa.not_(is_own(c)),
}
