"""Which groups hear of an event at all, before their rules are asked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Scope
from ibs_notify.domain.resource import is_under
from ibs_notify.router.match import Route, RoutedGroup, RoutingTable


class ScopeReason(StrEnum):
    """Why a group is in scope, or not."""

    HEARS_EVERYTHING = "HEARS_EVERYTHING"
    NAMED_BY_EVENT = "NAMED_BY_EVENT"
    RESOURCE_ATTACHED = "RESOURCE_ATTACHED"
    EVENT_NAMES_OTHER_GROUPS = "EVENT_NAMES_OTHER_GROUPS"
    RESOURCE_NOT_ATTACHED = "RESOURCE_NOT_ATTACHED"
    NOT_NAMED_BY_EVENT = "NOT_NAMED_BY_EVENT"


IN_SCOPE = frozenset(
    {ScopeReason.HEARS_EVERYTHING, ScopeReason.NAMED_BY_EVENT, ScopeReason.RESOURCE_ATTACHED}
)


@dataclass(frozen=True, slots=True)
class Heard:
    """The routes that match in the groups in scope, and what the emitter should know."""

    routes: tuple[Route, ...]
    warnings: tuple[str, ...] = ()


def who_hears(table: RoutingTable, event: Event) -> Heard:
    """The routes of ``event``: groups that hear everything first, each kind by name.

    An event that names groups goes to those instead of the attached ones; groups that hear
    everything hear it too. A name that does not exist falls back to the attachments.
    """
    unknown = [name for name in event.groups if name not in table.group_names]
    names_decide = table.names_decide(event)
    asked = [
        group
        for group in table.particular
        if scope_reason(group, event, names_decide=names_decide) in IN_SCOPE
    ]
    return Heard(
        tuple(
            route
            for group in (*table.everything, *asked)
            for route in group.routes
            if route.matches(event)
        ),
        tuple(f"there is no group {name!r}; attachments decided instead" for name in unknown),
    )


def scope_reason(group: RoutedGroup, event: Event, *, names_decide: bool) -> ScopeReason:
    """``names_decide``: the event names groups, and all of them exist."""
    if group.scope is Scope.EVERYTHING:
        return ScopeReason.HEARS_EVERYTHING
    if group.name in event.groups:
        return ScopeReason.NAMED_BY_EVENT
    if group.scope is Scope.SELECTED:
        return ScopeReason.NOT_NAMED_BY_EVENT
    if names_decide:
        return ScopeReason.EVENT_NAMES_OTHER_GROUPS
    if any(is_under(event.canonical_resource, attached) for attached in group.attachments):
        return ScopeReason.RESOURCE_ATTACHED
    return ScopeReason.RESOURCE_NOT_ATTACHED
