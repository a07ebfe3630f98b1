"""What reaches nobody though rules are there for it: by its targets, as they fare now. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, TypeAlias

from ibs_notify.domain.catalogue import ABOUT_DATASTORES, CATALOGUE, EventType
from ibs_notify.domain.severity import Severity
from ibs_notify.router.coverage import (
    COMMAND,
    ERRORS_ELSEWHERE,
    MOST_NAMED,
    Finding,
    Gap,
    named,
    parents_of,
)
from ibs_notify.router.hearing import telling
from ibs_notify.router.match import RoutedGroup, RoutingTable

_OF_DATASTORES: Final = tuple(each for each in ABOUT_DATASTORES if each.severity >= Severity.ERROR)
_ELSEWHERE: Final = tuple(CATALOGUE[each] for each in sorted(ERRORS_ELSEWHERE))


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a target reaches nobody, in words."""

    target: str
    problem: str


def unreachable_groups(
    groups: Iterable[RoutedGroup], troubles: Mapping[str, Trouble]
) -> list[Finding]:
    """Groups that have no target, or none that reaches anybody; ``troubles`` by target uid.

    A metric server reaches nobody, whether it works or not; a group of nothing else is in order
    as long as one does.
    """
    findings: list[Finding] = []
    for group in groups:
        meant = [each for each in group.routes if not each.is_metric_server] or group.routes
        problems = [
            Trouble(route.target, "has no recipient")
            if route.lacks_recipients
            else troubles.get(route.target_uid)
            for route in meant
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
            f"{COMMAND} group target add {group.name} TARGET --rule RULE",
        )
    return Finding(
        Gap.UNREACHABLE_GROUP,
        group.name,
        f"none of its targets reaches anybody: {_in_words(problems)}",
        _to_mend(group, problems[0]),
    )


def _to_mend(group: RoutedGroup, trouble: Trouble) -> str:
    lacking = {route.target for route in group.routes if route.lacks_recipients}
    if trouble.target in lacking:
        return f"{COMMAND} group target update {group.name} {trouble.target} --recipient ADDRESS"
    return f"{COMMAND} target test {trouble.target}"


def waiting_errors(
    table: RoutingTable,
    places: Collection[str],
    troubles: Mapping[str, Trouble],
    now: datetime,
) -> list[Finding]:
    """Errors that rules tell somebody of, but only through targets that take nothing now.

    One finding for all that waits for the same targets, however many datastores and jobs that are.
    Of a job, what waits as it does of the datastore is not said again.
    """
    if not troubles:
        return []
    waiting: defaultdict[frozenset[str], _Waiting] = defaultdict(lambda: defaultdict(list))
    by_place: dict[str, _ByTargets] = {}
    # In order of name: what a place is below of comes before it.
    for place, types in (*((each, _OF_DATASTORES) for each in sorted(places)), _NOWHERE):
        found = by_place[place] = _waiting_for(table, place, types, troubles, now)
        above = [by_place[each] for each in parents_of(place) if each in by_place]
        for targets, of_them in found.items():
            said = {name for each in above for name in each.get(targets, ())}
            news = tuple(name for name in of_them if name not in said)
            if news:
                waiting[targets][news].append(place)
    return [
        _waits(sorted((troubles[uid] for uid in targets), key=lambda each: each.target), what)
        for targets, what in waiting.items()
    ]


_NOWHERE: Final = ("", _ELSEWHERE)
_ByTargets: TypeAlias = Mapping[frozenset[str], Sequence[str]]
"""The types that wait at a place, by the uids of the targets they wait for."""
_Waiting = defaultdict[tuple[str, ...], list[str]]
"""The places by the types that wait there."""


def _waiting_for(
    table: RoutingTable,
    place: str,
    types: Iterable[EventType],
    troubles: Mapping[str, Trouble],
    now: datetime,
) -> _ByTargets:
    """Of ``types`` about ``place``, those that wait."""
    found: defaultdict[frozenset[str], list[str]] = defaultdict(list)
    for each in types:
        routes = telling(table, each.name, each.severity, place, now)
        targets = frozenset(route.target_uid for route in routes)
        if targets and targets <= troubles.keys():
            found[targets].append(each.name)
    return found


def _waits(troubles: Sequence[Trouble], what: Mapping[tuple[str, ...], Sequence[str]]) -> Finding:
    things = [
        f"of {_all_of(types)}" + (f" about {named(places)}" if any(places) else "")
        for types, places in what.items()
    ]
    return Finding(
        Gap.WAITING_ERROR,
        named([each.target for each in troubles]),
        f"nobody hears now {_nor(things)}, until a target works again: {_in_words(troubles)}",
        f"{COMMAND} target test {troubles[0].target}",
    )


def _nor(things: Sequence[str]) -> str:
    more = len(things) - MOST_NAMED
    return ", nor ".join(things[:MOST_NAMED]) + (f", nor {more:,} more" if more > 0 else "")


def _all_of(types: Sequence[str]) -> str:
    return "any error" if len(types) == len(_OF_DATASTORES) else named(types)


def _in_words(troubles: Sequence[Trouble]) -> str:
    words = "; ".join(f"{each.target} {each.problem}" for each in islice(troubles, MOST_NAMED))
    more = len(troubles) - MOST_NAMED
    return words + (f"; and {more} more" if more > 0 else "")
