"""What nobody hears of, and rules and groups that reach nobody. Pure.

A gap is found by asking who would be told of bare events, as ``hearing`` says. A silence makes and
closes none: it is meant, and ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from shlex import quote
from typing import Final

from ibs_notify.domain.catalogue import ABOUT_DATASTORES, CATALOGUE, Outcome
from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import datastore_of
from ibs_notify.domain.severity import Severity
from ibs_notify.router.hearing import is_told, tells_any
from ibs_notify.router.match import Route, RoutingTable
from ibs_notify.router.notices import NOTICES, TARGET_FAILING, resource_of_target
from ibs_notify.router.scope import who_hears
from ibs_notify.router.standing import at
from ibs_notify.rules.format import format_rule

MOST_OF_A_KIND: Final = 1000
MOST_NAMED: Final = 5
COMMAND: Final = "ironcore-backup notification"
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
_ERRORS_OF_DATASTORES: Final = frozenset(each.name for each in _ERRORS)
ERRORS_ELSEWHERE: Final = frozenset(
    each.name
    for each in CATALOGUE.values()
    if each.severity is Severity.ERROR and each not in ABOUT_DATASTORES and each.name not in NOTICES
)
"""What needs somebody and happens to no datastore. Of our own notices, those that are ever sent to
anybody are looked at as alarms."""


class Gap(StrEnum):
    """What kind of gap it is, the gravest first."""

    UNHEARD_ALARM = "UNHEARD_ALARM"
    UNHEARD_CRITICAL_TYPE = "UNHEARD_CRITICAL_TYPE"
    UNREACHABLE_GROUP = "UNREACHABLE_GROUP"
    WAITING_ERROR = "WAITING_ERROR"
    UNHEARD_RESOURCE = "UNHEARD_RESOURCE"
    UNHEARD_PROBLEM = "UNHEARD_PROBLEM"
    UNHEARD_ERROR_TYPE = "UNHEARD_ERROR_TYPE"
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


def untold_places(table: RoutingTable, places: Iterable[str], now: datetime) -> list[str]:
    """Places about which no problem of the catalogue would be told; what is below comes after."""
    return [
        place
        for place in sorted(places)
        if not any(is_told(table, each.name, each.severity, place, now) for each in _PROBLEMS)
    ]


def unknown_places(table: RoutingTable, places: Collection[str], now: datetime) -> list[str]:
    """What is to be said before any datastore is known, of which gaps could be found."""
    if places:
        return []
    unheard = [
        each.name for each in _ERRORS if not is_told(table, each.name, each.severity, "", now)
    ]
    if not unheard:
        return []
    return [f"no datastore is known yet; of a new one nobody would be told of {', '.join(unheard)}"]


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
            f"{COMMAND} group attach GROUP --resource {quote(place.resource)}",
            place.event_count,
        )
        for place in unheard
    ]


def unheard_problems(
    table: RoutingTable,
    datastores: Iterable[str],
    untold: Collection[str],
    since: datetime,
    now: datetime,
) -> list[Finding]:
    """Datastores that have errors of which nobody is told, though of other events somebody is.

    Of those that are ``untold`` as a whole, somebody was told something all the same ``since``: by
    a rule that asked for more, or for a part, or by one that is no more.
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
                    + (_BUT_WAS_HEARD.format(at(since)) if place in untold else ""),
                    f"{COMMAND} group target add GROUP TARGET --rule 'severity >= error'",
                )
            )
    return findings


_BUT_WAS_HEARD: Final = (
    "; since {} somebody was told of events that said more, or were about a part of it, "
    "by the rules of then"
)


def unheard_alarms(table: RoutingTable, now: datetime) -> list[Finding]:
    """Whether anybody is told when a target fails, which is never told to that target itself."""
    targets = {route.target_uid: route.target for route in table.routes}
    silent = sorted(
        name for uid, name in targets.items() if not _is_failing_told(table, name, uid, now)
    )
    if not silent:
        return []
    which = "a target" if len(silent) == len(targets) else named(silent)
    return [
        Finding(
            Gap.UNHEARD_ALARM,
            TARGET_FAILING,
            f"when {which} fails, no other target hears of it: it would reach only the inbox",
            f"{COMMAND} group target add GROUP TARGET --rule 'type = {TARGET_FAILING}'",
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
        unheard = _untold(table, name, Severity.CRITICAL, places, now)
        if unheard:
            everywhere = anywhere and len(unheard) == len(places)
            where, rule = _where(unheard, everywhere=everywhere), "severity = critical"
            count = sum(came.get(each, 0) for each in unheard)
            findings.append(_inbox_only(Gap.UNHEARD_CRITICAL_TYPE, name, where, rule, count))
    return findings


def unheard_error_types(
    table: RoutingTable, seen: Mapping[str, Mapping[str, int]], now: datetime
) -> list[Finding]:
    """Types of severity error that would reach only the inbox, where no datastore says so itself.

    ``seen`` as in ``unheard_critical_types``, of severity error. Looked at are the errors of the
    catalogue that happen to no datastore, and what came: but for those errors of a datastore that
    ``unheard_problems`` asks about, and for our own notices.
    """
    findings: list[Finding] = []
    for name in sorted((ERRORS_ELSEWHERE | seen.keys()) - NOTICES):
        came = seen.get(name, {})
        places = set(came)
        if name in ERRORS_ELSEWHERE:
            places.add("")
        if name in _ERRORS_OF_DATASTORES:
            places = {each for each in places if not datastore_of(each)}
        unheard = _untold(table, name, Severity.ERROR, places, now)
        if unheard:
            where, rule = _where(unheard, everywhere=False), "severity >= error"
            count = sum(came.get(each, 0) for each in unheard)
            findings.append(_inbox_only(Gap.UNHEARD_ERROR_TYPE, name, where, rule, count))
    return findings


def _inbox_only(gap: Gap, name: str, where: str, rule: str, count: int) -> Finding:
    return Finding(
        gap,
        name,
        f"{where} it would reach only the inbox",
        f"{COMMAND} group target add GROUP TARGET --rule '{rule}'",
        count,
    )


def _untold(
    table: RoutingTable, name: str, severity: Severity, places: Iterable[str], now: datetime
) -> list[str]:
    """Those of ``places``, the empty one last, about which the type would be told to nobody."""
    ordered = sorted(places, key=lambda each: (not each, each))
    return [each for each in ordered if not is_told(table, name, severity, each, now)]


def _where(unheard: Sequence[str], *, everywhere: bool) -> str:
    if everywhere:
        return "whatever it is about,"
    if unheard == [""]:
        return "without a resource"
    return f"about {named([each or 'no resource' for each in unheard])}"


def named(names: Sequence[str]) -> str:
    """The first of ``names``, and how many more there are."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


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
            f"{COMMAND} group target update {route.group} {route.target} --rule RULE",
            examined,
        )
        for route in routes
        if route.subscription_uid not in matched
    ]
