"""What of a rule can be looked up, instead of evaluated for each event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from ibs_notify.rules.ast import And, Atom, Field, Operator, Or, Rule, atoms
from ibs_notify.rules.normal_form import ALWAYS, conjunction

KIND_FIELDS: Final = frozenset({Field.TYPE, Field.SOURCE, Field.SEVERITY})
"""Known of an event as soon as its type and its severity are."""


class Lookup(StrEnum):
    """How a text is found for the value of a field."""

    EQUAL = "equal"
    STARTS = "starts"
    UNDER = "under"
    BELOW = "below"
    ENDS = "ends"
    INSIDE = "inside"


_LOOKUPS: Final = {
    Operator.IN: Lookup.EQUAL,
    Operator.STARTS_WITH: Lookup.STARTS,
    Operator.UNDER: Lookup.UNDER,
    Operator.ENDS_WITH: Lookup.ENDS,
    Operator.CONTAINS: Lookup.INSIDE,
}


class Key(NamedTuple):
    """A condition that holds for all events that ``text`` is found for, and for no others."""

    field: Field
    label: str
    lookup: Lookup
    text: str


Branch = tuple[Key, Rule]
"""A key, and what must hold beside it."""


def keys_of(atom: Atom) -> list[Key]:
    """Keys one of which is found exactly when ``atom`` holds; none where there are no such."""
    lookup = _LOOKUPS.get(atom.operator)
    # An absent label is empty, and only labels that are there are looked up.
    if lookup is None or (atom.field is Field.LABEL and "" in atom.values):
        return []
    if lookup is Lookup.STARTS and atom.field is Field.RESOURCE and atom.value[-1] == "/":
        return [Key(atom.field, "", Lookup.BELOW, atom.value[:-1])]
    return [Key(atom.field, atom.label, lookup, value) for value in atom.values]


def is_of_kind(rule: Rule) -> bool:
    """Whether an event's type and severity decide ``rule``."""
    return all(atom.field in KIND_FIELDS for atom in atoms(rule))


def count_keys(rule: Rule, counts: Counter[Key]) -> None:
    """Counts every key of a rule in normal form."""
    if isinstance(rule, Atom):
        counts.update(keys_of(rule))
    elif isinstance(rule, And | Or):
        for part in rule.parts:
            count_keys(part, counts)


def branches_of(rule: Rule, counts: Mapping[Key, int]) -> list[Branch]:
    """Branches one of which holds exactly when ``rule``, in normal form, does; none: no keys.

    Of a conjunction that part is looked up whose most frequent key is the least frequent.
    """
    if isinstance(rule, Atom):
        return [(key, ALWAYS) for key in keys_of(rule)]
    if isinstance(rule, Or):
        found = [branches_of(part, counts) for part in rule.parts]
        return [each for part in found for each in part] if all(found) else []
    if isinstance(rule, And):
        return _best_part(rule, counts)
    return []


def _best_part(rule: And, counts: Mapping[Key, int]) -> list[Branch]:
    best: list[Branch] = []
    chosen, least = 0, 0
    for place, part in enumerate(rule.parts):
        branches = branches_of(part, counts)
        if branches:
            most = max(counts[key] for key, _ in branches)
            if not best or most < least:
                best, chosen, least = branches, place, most
    others = rule.parts[:chosen] + rule.parts[chosen + 1 :]
    beside = conjunction(others)
    return [(key, beside if rest is ALWAYS else conjunction((rest, *others))) for key, rest in best]
