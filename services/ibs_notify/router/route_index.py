"""Which routes an event concerns, by rule and by scope at once, without asking each of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Scope
from ibs_notify.rules.ast import Atom, Field, Operator, Rule, all_of
from ibs_notify.rules.evaluate import Predicate, compile_rule
from ibs_notify.rules.index import RuleIndex
from ibs_notify.rules.normal_form import NEVER


@dataclass(frozen=True, slots=True)
class ScopedRules:
    """The rules of a group's routes, and which events it hears at all."""

    name: str
    scope: Scope
    attachments: tuple[str, ...]
    rules: tuple[Rule, ...]


class RouteIndex:
    """Finds positions of routes, which count through all groups in their order.

    To be attached to resources is one more condition of each rule. What an event selects by name
    is few and is asked directly. See ``scope`` for the meaning; this is the same in one look.
    """

    def __init__(self, groups: Sequence[ScopedRules]) -> None:
        """``groups`` that hear everything come first."""
        hearing_all = [group for group in groups if group.scope is Scope.EVERYTHING]
        self._particular = sum(len(group.rules) for group in hearing_all)
        self._index = RuleIndex.build(rule for group in groups for rule in _within_scope(group))
        self._named: dict[str, tuple[int, ScopedRules]] = {}
        self._predicates: dict[str, list[Predicate]] = {}
        position = self._particular
        for group in groups[len(hearing_all) :]:
            self._named[group.name] = position, group
            position += len(group.rules)

    def matching(self, event: Event, *, names_decide: bool) -> Sequence[int]:
        """The positions of those whose rule matches and whose group is in scope, ascending.

        ``names_decide``: the event names groups, and all of them exist.
        """
        found = self._index.matching(event)
        if not event.groups:
            return found
        if names_decide:
            found = found[: bisect_left(found, self._particular)]
        return sorted({*found, *self._matching_by_name(event)})

    def _matching_by_name(self, event: Event) -> Iterator[int]:
        for name in event.groups:
            if name in self._named:
                first, group = self._named[name]
                if name not in self._predicates:
                    self._predicates[name] = [compile_rule(rule) for rule in group.rules]
                for position, holds in enumerate(self._predicates[name], first):
                    if holds(event):
                        yield position


def _within_scope(group: ScopedRules) -> Iterator[Rule]:
    """The rules of ``group`` for events that do not name it."""
    for rule in group.rules:
        if group.scope is Scope.EVERYTHING:
            yield rule
        elif group.scope is Scope.ATTACHED and group.attachments:
            yield all_of((Atom(Field.RESOURCE, Operator.UNDER, group.attachments), rule))
        else:
            yield NEVER
