"""Many rules held against an event at once, at a cost that hardly grows with their number.

A rule is found by what it needs of an event: a value, a prefix, a part of a text, whichever is
the rarest among the rules. Only what it needs beside that is evaluated, and only for events that
have it. Rules of type, source and severity alone are evaluated once for each pair of type and
severity. A rule that needs nothing that can be looked up, such as ``not actor = root``, is
evaluated for every event, once for all rules that are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.rules.ast import Or, Rule
from ibs_notify.rules.index_build import Entry, NodeBuilder
from ibs_notify.rules.index_node import KindAnswers, Node, collect, of_kind_only
from ibs_notify.rules.keys import is_of_kind
from ibs_notify.rules.normal_form import NEVER, normal_form

PLANS_LIMIT: Final = 500_000
"""What all plans may weigh together, in rules: some MiB."""
_PLAN_WEIGHT: Final = 256


@dataclass(frozen=True, slots=True)
class _Plan:
    """For one type and severity: the rules that hold whatever else, and how to find the others."""

    always: tuple[int, ...]
    rest: Node
    kind: KindAnswers


class RuleIndex:
    """Immutable but for a bounded memo. ``build`` one off the way of events."""

    __slots__ = ("_decided", "_plans", "_rest", "_weight")

    def __init__(self, decided: Node, rest: Node) -> None:
        self._decided = decided
        self._rest = rest
        self._plans: dict[tuple[str, Severity], _Plan] = {}
        self._weight = 0

    @classmethod
    def build(cls, rules: Iterable[Rule]) -> RuleIndex:
        """The index of ``rules``; their positions count from 0."""
        decided: list[Entry] = []
        rest: list[Entry] = []
        for entry in _distinct(rules):
            (decided if is_of_kind(entry[0]) else rest).append(entry)
        builder = NodeBuilder()
        return cls(builder.root(decided), builder.root(rest))

    def matching(self, event: Event) -> Sequence[int]:
        """The positions of all rules that hold for ``event``, ascending."""
        plan = self._plans.get((event.type, event.severity)) or self._plan(event)
        found: list[int] = []
        collect(plan.rest, event, plan.kind, found)
        return sorted({*plan.always, *found}) if found else plan.always

    def _plan(self, event: Event) -> _Plan:
        always: list[int] = []
        kind = KindAnswers(event)
        collect(self._decided, event, kind, always)
        plan = _Plan(tuple(sorted(set(always))), of_kind_only(self._rest, event, kind), kind)
        # Types are open: whoever invents many must not fill the memory.
        weight = _PLAN_WEIGHT + len(plan.always) + len(plan.rest.leaves[0])
        if self._weight + weight > PLANS_LIMIT:
            self._plans.clear()
            self._weight = 0
        self._plans[event.type, event.severity] = plan
        self._weight += weight
        return plan


def _distinct(rules: Iterable[Rule]) -> list[Entry]:
    """The alternatives of the rules in normal form, each once, with all its positions."""
    written: dict[Rule, list[int]] = {}
    for position, rule in enumerate(rules):
        written.setdefault(rule, []).append(position)
    positions: dict[Rule, list[int]] = {}
    for rule, each in written.items():
        normal = normal_form(rule)
        for part in normal.parts if isinstance(normal, Or) else (normal,):
            positions.setdefault(part, []).extend(each)
    positions.pop(NEVER, None)
    return [(rule, tuple(each)) for rule, each in positions.items()]
