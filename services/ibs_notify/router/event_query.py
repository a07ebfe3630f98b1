"""Which events are asked for: a filter, checked and in the terms of what is stored. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import is_under
from ibs_notify.router.dispositions import State
from ibs_notify.router.lines import Mark


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Every field given must hold; of several values in a field one must.

    ``resource`` is canonical: itself and all below it. ``after`` and ``before`` are in
    microseconds. ``text`` is casefolded. ``marks`` are those of ``viewer``. ``by_rules``: only of
    those of which rules are asked. ``scope`` is what a group hears of at all, None for everything.
    """

    sources: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    min_severity: int = 0
    resource: str = ""
    task_id: str = ""
    actor: str = ""
    after: int | None = None
    before: int | None = None
    states: frozenset[State] = frozenset()
    unmatched: bool = False
    collapsed_into: str = ""
    groups: frozenset[str] = frozenset()
    text: str = ""
    rule: Callable[[Event], bool] | None = None
    marks: frozenset[Mark] = frozenset()
    viewer: str = ""
    by_rules: bool = False
    scope: Callable[[Event], bool] | None = None

    @property
    def reads_content(self) -> bool:
        """Whether it asks for what an event says, of which the database knows nothing."""
        return bool(self.text) or self.rule is not None or self.scope is not None

    @property
    def opens_events(self) -> bool:
        """Whether events must be opened, one by one, to tell."""
        return self.reads_content or bool(self.groups)

    @property
    def asks_only_for_marks(self) -> bool:
        """Whether it is about all events, but perhaps for how they are marked."""
        return replace(self, marks=frozenset(), viewer="") == EventQuery()


@dataclass(frozen=True, slots=True)
class Routes:
    """Where an event went, as far as a filter asks: ``pointers`` are those of collapsed ones."""

    groups: frozenset[str]
    states: frozenset[State]
    pointers: frozenset[str]


def has_text(event: Event, text: str) -> bool:
    """Whether a field that people search contains ``text``, which is casefolded."""
    fields = (
        event.event_id,
        event.subject,
        event.summary,
        event.resource,
        event.task_id,
        event.actor,
        *event.labels.values(),
    )
    return text in "\0".join(fields).casefold()


def says(query: EventQuery, event: Event) -> bool:
    """Whether what ``event`` says is asked for, as far as it must be opened for that; but for the
    scope.
    """
    if query.text and not has_text(event, query.text):
        return False
    return query.rule is None or query.rule(event)


def holds(query: EventQuery, event: Event, received_at: int, routes: Routes) -> bool:
    """Whether an event is asked for, whoever has marked it how: as the database would say it."""
    return (
        (not query.types or event.type in query.types)
        and (not query.sources or event.source in query.sources)
        and event.severity >= query.min_severity
        and (not query.resource or is_under(event.canonical_resource, query.resource))
        and (not query.task_id or event.task_id == query.task_id)
        and (not query.actor or event.actor == query.actor)
        and (query.after is None or received_at >= query.after)
        and (query.before is None or received_at < query.before)
        and (not query.states or bool(query.states & routes.states))
        and not (query.unmatched and routes.states)
        and (not query.collapsed_into or query.collapsed_into in routes.pointers)
        and (not query.groups or bool(query.groups & routes.groups))
        and says(query, event)
    )
