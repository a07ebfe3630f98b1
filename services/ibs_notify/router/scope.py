"""Which groups hear of an event at all, whatever their rules, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Scope
from ibs_notify.domain.resource import ancestors
from ibs_notify.router.match import Route, RoutedGroup, RoutingTable
from ibs_notify.router.route_index import RouteIndex, ScopedRules
from ibs_notify.rules.ast import Always


class ScopeReason(StrEnum):
    """Why a group is in scope, or not."""

    HEARS_EVERYTHING = "HEARS_EVERYTHING"
    NAMED_BY_EVENT = "NAMED_BY_EVENT"
    RESOURCE_ATTACHED = "RESOURCE_ATTACHED"
    EVENT_NAMES_OTHER_GROUPS = "EVENT_NAMES_OTHER_GROUPS"
    RESOURCE_NOT_ATTACHED = "RESOURCE_NOT_ATTACHED"
    NOT_NAMED_BY_EVENT = "NOT_NAMED_BY_EVENT"
    ABOUT_THIS_TARGET = "ABOUT_THIS_TARGET"
    """Of a route, not a group: that its target fails is told to others, never to itself."""


_OF_TARGETS = "notification.target-"
IN_SCOPE = frozenset(
    {ScopeReason.HEARS_EVERYTHING, ScopeReason.NAMED_BY_EVENT, ScopeReason.RESOURCE_ATTACHED}
)


@dataclass(frozen=True, slots=True)
class Heard:
    """The routes that match in the groups in scope, and what the emitter should know."""

    routes: tuple[Route, ...]
    warnings: tuple[str, ...] = ()


def who_hears(table: RoutingTable, event: Event) -> Heard:
    """The routes of ``event``: groups that hear everything first, each kind by name."""
    routes = table.hearing(event)
    if _target_of(event):
        routes = tuple(each for each in routes if not is_about(event, each))
    if not event.groups:
        return Heard(routes)
    return Heard(
        routes,
        tuple(
            f"there is no group {name!r}; attachments decided instead"
            for name in event.groups
            if name not in table.group_names
        ),
    )


def is_in_scope(
    name: str, scope: Scope, attachments: tuple[str, ...], group_names: frozenset[str]
) -> Callable[[Event], bool]:
    """Whether a group of ``name`` would hear of an event, were it one of ``group_names``.

    By the index that events are routed by, so that many attachments are no matter.
    """
    index = RouteIndex([ScopedRules(name, scope, attachments, (Always(),))])
    names = group_names | {name}

    def hears(event: Event) -> bool:
        names_decide = bool(event.groups) and names.issuperset(event.groups)
        return bool(index.matching(event, names_decide=names_decide))

    return hears


def is_about(event: Event, route: Route) -> bool:
    """Whether ``event`` tells of the target of ``route``: a notice to it would be its own cause."""
    return _target_of(event) == route.target_uid


def _target_of(event: Event) -> str:
    """The uid of the target that ``event`` tells of; empty where it does not."""
    if not event.type.startswith(_OF_TARGETS):
        return ""
    return event.labels.get("target_uid", "")


def scope_reason(group: RoutedGroup, event: Event, *, names_decide: bool) -> ScopeReason:
    """Whether ``group`` hears of ``event``, and why.

    An event that names groups goes to those instead of the attached ones; groups that hear
    everything hear it too. A name that does not exist falls back to the attachments.
    ``names_decide``: the event names groups, and all of them exist. ``route_index`` finds the
    groups in scope without asking each; a test holds the two equal.
    """
    if group.scope is Scope.EVERYTHING:
        return ScopeReason.HEARS_EVERYTHING
    if group.name in event.groups:
        return ScopeReason.NAMED_BY_EVENT
    if group.scope is Scope.SELECTED:
        return ScopeReason.NOT_NAMED_BY_EVENT
    if names_decide:
        return ScopeReason.EVENT_NAMES_OTHER_GROUPS
    if not set(ancestors(event.canonical_resource)).isdisjoint(group.attachments):
        return ScopeReason.RESOURCE_ATTACHED
    return ScopeReason.RESOURCE_NOT_ATTACHED
