"""From rules to the tree of an index: each rule goes to the table of its rarest key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from ibs_notify.rules.ast import Always, And, Field, Or, Rule
from ibs_notify.rules.evaluate import compile_rule, reader_of
from ibs_notify.rules.index_node import Check, FieldTable, Find, Leaves, Node, Posting, Read
from ibs_notify.rules.keys import KIND_FIELDS, Key, Lookup, branches_of, count_keys, is_of_kind
from ibs_notify.rules.normal_form import conjunction
from ibs_notify.rules.text_sets import Parts, Paths, Prefixes, Suffixes, Whole

Entry: TypeAlias = tuple[Rule, tuple[int, ...]]
"""A rule in normal form, and the positions it stands for."""
Lookups: TypeAlias = dict[Lookup, dict[str, Posting]]
Tables: TypeAlias = dict[tuple[Field, str], Lookups]

MOST_LEAVES: Final = 16
"""So many rules with a key in common are checked one by one; more get tables of their own."""

_REMEMBERED: Final = {Field.ACTOR: 2048, Field.RESOURCE: 2048, Field.LABEL: 256}
"""How many values the tables at the root remember, of fields whose values come again."""


class NodeBuilder:
    """Builds nodes that share the predicates of equal rules."""

    def __init__(self) -> None:
        self._predicates: dict[Rule, Check] = {}
        self._checks: dict[Rule, tuple[Check, Check]] = {}
        self._shared: dict[tuple[Check, ...], tuple[Check, ...]] = {}

    def root(self, entries: Iterable[Entry]) -> Node:
        """The tree of ``entries``."""
        return self._node(entries, _REMEMBERED)

    def _node(self, entries: Iterable[Entry], remembered: Mapping[Field, int]) -> Node:
        parts = [
            (part, positions)
            for rule, positions in entries
            for part in (rule.parts if isinstance(rule, Or) else (rule,))
        ]
        counts: Counter[Key] = Counter()
        for part, _ in parts:
            count_keys(part, counts)
        keyed: dict[Key, list[Entry]] = {}
        keyless: list[Entry] = []
        for part, positions in parts:
            branches = branches_of(part, counts)
            if not branches:
                keyless.append((part, positions))
            for key, rest in branches:
                keyed.setdefault(key, []).append((rest, positions))
        return _with_tables(self._leaves(keyless), self._tables(keyed), remembered)

    def _tables(self, keyed: dict[Key, list[Entry]]) -> Tables:
        tables: Tables = {}
        while keyed:  # emptied on the way, so that entries and postings are not held at once
            key, entries = keyed.popitem()
            lookups = tables.setdefault((key.field, key.label), {})
            lookups.setdefault(key.lookup, {})[key.text] = self._posting(entries)
        return tables

    def _posting(self, entries: list[Entry]) -> Posting:
        leaves = self._leaves(entries)
        if len(leaves[0]) <= MOST_LEAVES:
            return leaves
        node = self._node(entries, {})
        return leaves if len(node.leaves[0]) == len(leaves[0]) else node

    def _leaves(self, entries: list[Entry]) -> Leaves:
        merged = dict(entries)
        if len(merged) < len(entries):
            several: dict[Rule, list[int]] = {}
            for rule, positions in entries:
                several.setdefault(rule, []).extend(positions)
            merged = {rule: tuple(positions) for rule, positions in several.items()}
        checks = [self._checked(rule) for rule in merged]
        of_kinds = tuple(of_kind for of_kind, _ in checks)
        return self._shared.setdefault(of_kinds, of_kinds), tuple(
            (check, positions)
            for (_, check), positions in zip(checks, merged.values(), strict=True)
        )

    def _checked(self, rule: Rule) -> tuple[Check, Check]:
        checks = self._checks.get(rule)
        if checks is None:
            parts = rule.parts if isinstance(rule, And) else (rule,)
            of_kind = conjunction(part for part in parts if is_of_kind(part))
            others = conjunction(part for part in parts if not is_of_kind(part))
            checks = self._checks[rule] = self._predicate(of_kind), self._predicate(others)
        return checks

    def _predicate(self, rule: Rule) -> Check:
        if rule not in self._predicates:
            self._predicates[rule] = None if isinstance(rule, Always) else compile_rule(rule)
        return self._predicates[rule]


def _with_tables(leaves: Leaves, tables: Tables, remembered: Mapping[Field, int]) -> Node:
    kinds: list[tuple[Read, FieldTable]] = []
    fields: list[tuple[Read, FieldTable]] = []
    labels: dict[str, FieldTable] = {}
    for (field, label), lookups in tables.items():
        table = FieldTable(_finds(lookups), remembered.get(field, 0))
        if field is Field.LABEL:
            labels[label] = table
        else:
            (kinds if field in KIND_FIELDS else fields).append((reader_of(field), table))
    return Node(leaves, tuple(kinds), tuple(fields), (labels,) if labels else ())


def _finds(lookups: Lookups) -> list[Find]:
    finds: list[Find] = []
    if Lookup.EQUAL in lookups:
        finds.append(Whole(lookups[Lookup.EQUAL]).find)
    under, below = lookups.get(Lookup.UNDER, {}), lookups.get(Lookup.BELOW, {})
    if under or below:
        finds.append(Paths(under, below).find)
    if Lookup.STARTS in lookups:
        finds.append(Prefixes(lookups[Lookup.STARTS]).find)
    if Lookup.ENDS in lookups:
        finds.append(Suffixes(lookups[Lookup.ENDS]).find)
    if Lookup.INSIDE in lookups:
        finds.append(Parts(lookups[Lookup.INSIDE]).find)
    return finds
