"""Why a subscription hears of an event, or does not: every decision in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from shlex import quote
from typing import Final, assert_never

from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import datastore_of, is_under
from ibs_notify.router.dispositions import Reason
from ibs_notify.router.match import Route, RoutedGroup
from ibs_notify.router.scope import IN_SCOPE, ScopeReason
from ibs_notify.router.standing import Standing, Step, sentence_of, steps_of
from ibs_notify.rules.evaluate import Trace, explain
from ibs_notify.rules.near_miss import Difference, differences

_COMMAND: Final = "ironcore-backup notification"
_MOST_NAMED: Final = 3


class RuleReason(StrEnum):
    """Whether the rule matches."""

    RULE_MATCHED = "RULE_MATCHED"
    RULE_NOT_MATCHED = "RULE_NOT_MATCHED"
    RULE_UNREADABLE = "RULE_UNREADABLE"


@dataclass(frozen=True, slots=True)
class Why:
    """Of one route. ``hears``: now, or as part of something else. ``distance`` orders by nearness:

    how many things would have to differ for its rule to match and its group to be in scope.
    """

    route: Route
    trace: Trace
    steps: tuple[Step, ...]
    hears: bool
    sentence: str
    near_misses: tuple[str, ...] = ()
    distance: int = 0


def why_not(group: RoutedGroup, route: Route, event: Event, reason: ScopeReason) -> Why:
    """Of a route that does not match, or whose group is not in scope."""
    trace = explain(route.rule, event)
    needed = differences(route.rule, trace)
    scope, rule = _scope(group, event, reason), _rule(route, trace)
    parts = []
    if reason is ScopeReason.ABOUT_THIS_TARGET:
        parts.append(scope.sentence)
    elif reason not in IN_SCOPE:
        parts.append(f"{scope.sentence}; {_to_be_in_scope(group, event, reason)}")
    if needed is None:
        parts.append("its rule can never match")
    elif needed:
        parts.append(_to_match(needed))
    return Why(
        route,
        trace,
        (scope, rule),
        hears=False,
        sentence="; and ".join(parts),
        near_misses=tuple(each.near_miss for each in needed or () if each.nearness),
        distance=len(parts) + len(needed or ()),
    )


def why(
    group: RoutedGroup, route: Route, event: Event, reason: ScopeReason, standing: Standing
) -> Why:
    """Of a route that matches, in scope."""
    trace = explain(route.rule, event)
    return Why(
        route,
        trace,
        (_scope(group, event, reason), _rule(route, trace), *steps_of(route, standing)),
        hears=standing.hears,
        sentence=sentence_of(standing),
    )


def _scope(group: RoutedGroup, event: Event, reason: ScopeReason) -> Step:
    return Step("scope", reason, _scope_sentence(group, event, reason))


def _scope_sentence(group: RoutedGroup, event: Event, reason: ScopeReason) -> str:
    resource, name = event.canonical_resource, group.name
    named = ", ".join(event.groups)
    match reason:
        case ScopeReason.HEARS_EVERYTHING:
            return f"group {name} hears everything"
        case ScopeReason.NAMED_BY_EVENT:
            return f"the event names group {name}"
        case ScopeReason.RESOURCE_ATTACHED:
            attached = next(each for each in group.attachments if is_under(resource, each))
            return f"{attached} is attached to group {name}"
        case ScopeReason.EVENT_NAMES_OTHER_GROUPS:
            return f"the event names {named}, and so does not go to group {name} by its resource"
        case ScopeReason.NOT_NAMED_BY_EVENT:
            names = f"names {named}" if named else "names none"
            return f"group {name} hears only what names it, and the event {names}"
        case ScopeReason.RESOURCE_NOT_ATTACHED if not resource:
            return f"the event has no resource, and group {name} hears only of what is attached"
        case ScopeReason.RESOURCE_NOT_ATTACHED:
            return f"{resource} is not attached to group {name}"
        case ScopeReason.ABOUT_THIS_TARGET:
            return f"the event tells of this very target: group {name} tells only its others"
        case _:
            assert_never(reason)


def _to_be_in_scope(group: RoutedGroup, event: Event, reason: ScopeReason) -> str:
    """The command, or the change of the event, that would put the group into scope."""
    if reason is ScopeReason.RESOURCE_NOT_ATTACHED and event.canonical_resource:
        datastore = datastore_of(event.canonical_resource)
        place = f"/datastore/{datastore}" if datastore else event.canonical_resource
        return f"to attach it: {_COMMAND} group attach {group.name} --resource {quote(place)}"
    return (
        f"name {group.name} in the event's groups, or let it hear everything: "
        f"{_COMMAND} group update {group.name} --scope everything"
    )


def _rule(route: Route, trace: Trace) -> Step:
    if route.reason is Reason.RULE_UNREADABLE:
        sentence = "this release cannot read the rule, and so lets every event through"
        return Step("rule", RuleReason.RULE_UNREADABLE, sentence)
    if trace.holds:
        return Step("rule", RuleReason.RULE_MATCHED, "the rule matches")
    return Step("rule", RuleReason.RULE_NOT_MATCHED, "the rule does not match")


def _to_match(needed: Sequence[Difference]) -> str:
    """The one thing that would have to differ, or the few."""
    sentences = [each.sentence for each in needed[:_MOST_NAMED]]
    if len(needed) == 1:
        return sentences[0]
    more = f"; and {len(needed) - _MOST_NAMED} more" if len(needed) > _MOST_NAMED else ""
    return f"{len(needed)} things would have to differ: {'; '.join(sentences)}{more}"
