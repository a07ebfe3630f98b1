"""Who hears only some of what happens to a place, and of which of it. Pure.

Of events that name no group: one that does goes to that group as well.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from ibs_notify.domain.catalogue import ABOUT_DATASTORES
from ibs_notify.domain.group import Scope
from ibs_notify.domain.resource import ancestors
from ibs_notify.router.match import Route, RoutedGroup, RoutingTable
from ibs_notify.rules.ast import Atom, Field, Operator, Rule
from ibs_notify.rules.format import format_rule
from ibs_notify.rules.normal_form import ALWAYS, NEVER
from ibs_notify.rules.remainder import both, either, of_kind, of_place

GRAVEST_FIRST: Final = tuple(sorted(ABOUT_DATASTORES, key=lambda each: (-each.severity, each.name)))


class InPart(NamedTuple):
    """A route that may hear of an event, and what the event must say for it: a rule."""

    route: Route
    condition: str


_ByRemainder = Mapping[Rule, Mapping[str, Sequence[Route]]]
"""What rules ask for beside the type, with the routes of each by the name of the type."""


class Audience:
    """A routing table, ready to be asked about many places: what types decide is decided once."""

    def __init__(self, table: RoutingTable) -> None:
        self.table = table
        known: dict[int, Sequence[tuple[str, Rule]]] = {}
        everything = [each for each in table.groups if each.scope is Scope.EVERYTHING]
        self._everywhere = _by_remainder(everything, known)
        self._attached = [
            (group, _by_remainder([group], known))
            for group in table.groups
            if group.scope is Scope.ATTACHED
        ]
        self._holding: defaultdict[str, list[int]] = defaultdict(list)
        for number, (group, _) in enumerate(self._attached):
            for each in group.attachments:
                self._holding[each].append(number)
        self._attachments = sorted(self._holding)

    def in_part(self, resource: str) -> Mapping[str, Sequence[InPart]]:
        """By the type's name, those that hear of some events about ``resource`` or below it.

        Who is not among them, and not told of a bare event either, hears of none.
        """
        found: defaultdict[str, list[InPart]] = defaultdict(list)
        for beside, routes in self._remainders_at(resource):
            if beside in (ALWAYS, NEVER):
                continue
            condition = format_rule(beside)
            for name, of_type in routes.items():
                found[name] += (InPart(route, condition) for route in of_type)
        return found

    def _remainders_at(self, resource: str) -> Iterator[tuple[Rule, Mapping[str, Sequence[Route]]]]:
        holding = {number for path in ancestors(resource) for number in self._holding.get(path, ())}
        whole = [self._everywhere, *(self._attached[number][1] for number in sorted(holding))]
        for remainders in whole:
            for rule, routes in remainders.items():
                yield of_place(rule, resource), routes
        for number, below in self._attached_below(resource).items():
            if number not in holding:
                for rule, routes in self._attached[number][1].items():
                    yield either(_rule_at(rule, part) for part in below), routes

    def _attached_below(self, resource: str) -> Mapping[int, Sequence[str]]:
        """The groups that have parts of ``resource`` attached, with those parts."""
        found: defaultdict[int, list[str]] = defaultdict(list)
        begin = resource if resource == "/" else f"{resource}/"
        place = bisect_left(self._attachments, begin)
        while resource and place < len(self._attachments):
            path = self._attachments[place]
            if not path.startswith(begin):
                break
            for number in self._holding[path]:
                found[number].append(path)
            place += 1
        return found


def _rule_at(rule: Rule, part: str) -> Rule:
    """What is left of ``rule`` where only ``part`` is attached."""
    return both(Atom(Field.RESOURCE, Operator.UNDER, (part,)), of_place(rule, part))


def _by_remainder(
    groups: Sequence[RoutedGroup], known: dict[int, Sequence[tuple[str, Rule]]]
) -> _ByRemainder:
    """``known`` has what is left of each rule for each type, by the rule's identity."""
    found: defaultdict[Rule, defaultdict[str, list[Route]]] = defaultdict(lambda: defaultdict(list))
    for group in groups:
        for route in group.routes:
            rule = route.rule
            if id(rule) not in known:
                left = [
                    (each.name, of_kind(rule, each.name, each.severity)) for each in GRAVEST_FIRST
                ]
                known[id(rule)] = [each for each in left if each[1] != NEVER]
            for name, beside in known[id(rule)]:
                found[beside][name].append(route)
    return found
