"""What nobody hears of, and rules and groups that reach nobody. Pure.

A gap is found by asking who would be told of bare events, as ``hearing`` says. A silence makes and
closes none: it is meant, and ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from shlex import quote
from typing import Final

from ibs_notify.domain.catalogue import ABOUT_DATASTORES, CATALOGUE, Outcome
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.hearing import is_told, tells_any
from ibs_notify.router.match import Route, RoutedGroup, RoutingTable
from ibs_notify.router.notices import TARGET_FAILING, resource_of_target
from ibs_notify.router.scope import who_hears
from ibs_notify.rules.format import format_rule

MOST_OF_A_KIND: Final = 1000
_MOST_NAMED: Final = 5
_COMMAND: Final = "ironcore-backup notification"
_PROBLEMS: Final = tuple(
    sorted(
        (each for each in ABOUT_DATASTORES if each.outcome is Outcome.PROBLEM),
        key=lambda each: -each.severity,
    )
)
_ERRORS: Final = tuple(each for each in _PROBLEMS if each.severity is Severity.ERROR)
"""What happens to a datastore and needs somebody."""
_CRITICAL: Final = frozenset(
    each.name for each in CATALOGUE.values() if each.severity is Severity.CRITICAL
)


class Gap(StrEnum):
    """What kind of gap it is, the gravest first."""

    UNHEARD_ALARM = "UNHEARD_ALARM"
    UNHEARD_CRITICAL_TYPE = "UNHEARD_CRITICAL_TYPE"
    UNREACHABLE_GROUP = "UNREACHABLE_GROUP"
    UNHEARD_RESOURCE = "UNHEARD_RESOURCE"
    UNHEARD_PROBLEM = "UNHEARD_PROBLEM"
    IDLE_RULE = "IDLE_RULE"


@dataclass(frozen=True, slots=True)
class Finding:
    """A gap: what it is about, in a sentence, and the command that helps."""

    gap: Gap
    subject: str
    sentence: str
    advice: str
    event_count: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """A datastore, ``/datastore/NAME``, a job's path below it, or what is attached to a group.

    ``event_count`` events came about it, of which somebody heard one at least if ``was_heard``.
    """

    resource: str
    event_count: int = 0
    was_heard: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a target reaches nobody, in words."""

    target: str
    problem: str


def untold_places(table: RoutingTable, places: Iterable[str], now: datetime) -> list[str]:
    """Places about which no problem of the catalogue would be told; what is below comes after."""
    return [
        place
        for place in sorted(places)
        if not any(is_told(table, each.name, each.severity, place, now) for each in _PROBLEMS)
    ]


def parents_of(resource: str) -> list[str]:
    """What the resource is below of."""
    parts = resource.split("/")
    return ["/".join(parts[:count]) for count in range(2, len(parts))]


def unheard_places(unheard: Iterable[Place]) -> list[Finding]:
    """Of ``untold_places`` that nobody heard of, not even by a rule that asks for more."""
    return [
        Finding(
            Gap.UNHEARD_RESOURCE,
            place.resource,
            f"{_how_many(place.event_count)}, and nobody is told even if a backup of it fails",
            f"{_COMMAND} group attach GROUP --resource {quote(place.resource)}",
            place.event_count,
        )
        for place in unheard
    ]


def unheard_problems(
    table: RoutingTable, datastores: Iterable[str], untold: Collection[str], now: datetime
) -> list[Finding]:
    """Datastores that have errors of which nobody is told, though of other events somebody is.

    Of those that are ``untold`` as a whole, somebody heard something all the same: by a rule that
    asks for more, or for a part.
    """
    findings: list[Finding] = []
    for place in sorted(datastores):
        unheard = sorted(
            each.name
            for each in _ERRORS
            if not is_told(table, each.name, each.severity, place, now)
        )
        if unheard:
            findings.append(
                Finding(
                    Gap.UNHEARD_PROBLEM,
                    place,
                    f"nobody is told of {', '.join(unheard)} about it"
                    + (_BUT_WAS_HEARD if place in untold else ""),
                    f"{_COMMAND} group target add GROUP TARGET --rule 'severity >= error'",
                )
            )
    return findings


_BUT_WAS_HEARD: Final = (
    "; of some events that say more, or are about a part of it, somebody was told"
)


def unheard_alarms(table: RoutingTable, now: datetime) -> list[Finding]:
    """Whether anybody is told when a target fails, which is never told to that target itself."""
    targets = {route.target_uid: route.target for route in table.routes}
    silent = sorted(
        name for uid, name in targets.items() if not _is_failing_told(table, name, uid, now)
    )
    if not silent:
        return []
    which = "a target" if len(silent) == len(targets) else _named(silent)
    return [
        Finding(
            Gap.UNHEARD_ALARM,
            TARGET_FAILING,
            f"when {which} fails, no other target hears of it: it would reach only the inbox",
            f"{_COMMAND} group target add GROUP TARGET --rule 'type = {TARGET_FAILING}'",
        )
    ]


def _is_failing_told(table: RoutingTable, target: str, uid: str, now: datetime) -> bool:
    resource = resource_of_target(target)
    event = Event(
        "",
        TARGET_FAILING,
        CATALOGUE[TARGET_FAILING].severity,
        now,
        resource=resource,
        canonical_resource=resource,
        labels={"target_uid": uid},
    )
    return tells_any(who_hears(table, event).routes)


def _how_many(count: int) -> str:
    if not count:
        return "no event came"
    return f"{count:,} {'event' if count == 1 else 'events'} came"


def unheard_critical_types(
    table: RoutingTable,
    seen: Mapping[str, Mapping[str, int]],
    datastores: Collection[str],
    now: datetime,
) -> list[Finding]:
    """Critical types that would reach only the inbox: anywhere, or about some places.

    ``seen`` has the types that came with severity critical, each with the places it was about
    (empty for none), and how many of those events nobody was told of. One that is not critical by
    the catalogue is looked for where it came; without a place it may come anywhere.
    """
    findings: list[Finding] = []
    for name in sorted(_CRITICAL | seen.keys()):
        came = seen.get(name, {})
        anywhere = name in _CRITICAL or "" in came
        places = {*came, *(datastores if anywhere else ())} or {""}
        unheard = [
            each
            for each in sorted(places, key=lambda each: (not each, each))
            if not is_told(table, name, Severity.CRITICAL, each, now)
        ]
        if unheard:
            everywhere = anywhere and len(unheard) == len(places)
            findings.append(
                Finding(
                    Gap.UNHEARD_CRITICAL_TYPE,
                    name,
                    f"{_where(unheard, everywhere=everywhere)} it would reach only the inbox",
                    f"{_COMMAND} group target add GROUP TARGET --rule 'severity = critical'",
                    sum(came.get(each, 0) for each in unheard),
                )
            )
    return findings


def _where(unheard: Sequence[str], *, everywhere: bool) -> str:
    if everywhere:
        return "whatever it is about,"
    return f"about {_named([each or 'no resource' for each in unheard])}"


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def idle_rules(routes: Iterable[Route], matched: Collection[str], examined: int) -> list[Finding]:
    """Rules of subscriptions that are not among the ``matched``, by uid, of ``examined`` events.

    Of no event, nothing can be said.
    """
    if not examined:
        return []
    return [
        Finding(
            Gap.IDLE_RULE,
            f"{route.group}/{route.target}",
            f"{format_rule(route.rule)} matched no event of {examined:,}",
            f"{_COMMAND} group target update {route.group} {route.target} --rule RULE",
            examined,
        )
        for route in routes
        if route.subscription_uid not in matched
    ]


def unreachable_groups(
    groups: Iterable[RoutedGroup], troubles: Mapping[str, Trouble]
) -> list[Finding]:
    """Groups that have no target, or none that reaches anybody; ``troubles`` by target uid."""
    findings: list[Finding] = []
    for group in groups:
        problems = [
            Trouble(route.target, "has no recipient")
            if route.lacks_recipients
            else troubles.get(route.target_uid)
            for route in group.routes
        ]
        known = [each for each in problems if each is not None]
        if len(known) == len(problems):
            findings.append(_unreachable(group, known))
    return findings


def _unreachable(group: RoutedGroup, problems: Sequence[Trouble]) -> Finding:
    if not problems:
        return Finding(
            Gap.UNREACHABLE_GROUP,
            group.name,
            "it has no target",
            f"{_COMMAND} group target add {group.name} TARGET --rule RULE",
        )
    named = "; ".join(f"{each.target} {each.problem}" for each in islice(problems, _MOST_NAMED))
    more = f"; and {len(problems) - _MOST_NAMED} more" if len(problems) > _MOST_NAMED else ""
    return Finding(
        Gap.UNREACHABLE_GROUP,
        group.name,
        f"none of its targets reaches anybody: {named}{more}",
        _to_mend(group, problems[0]),
    )


def _to_mend(group: RoutedGroup, trouble: Trouble) -> str:
    lacking = {route.target for route in group.routes if route.lacks_recipients}
    if trouble.target in lacking:
        return f"{_COMMAND} group target update {group.name} {trouble.target} --recipient ADDRESS"
    return f"{_COMMAND} target test {trouble.target}"
