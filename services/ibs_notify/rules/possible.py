"""What a rule may match, as far as an event's type and severity say. Pure.

Whatever else it asks for is taken to be possible: what is ruled out here is never matched.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from ibs_notify.domain.catalogue import CATALOGUE
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.rules.ast import Atom, Field, Rule, atoms
from ibs_notify.rules.evaluate import compile_atom
from ibs_notify.rules.normal_form import NEVER
from ibs_notify.rules.remainder import of_kind

_OTHER_TYPE: Final = "other.type"
"""One that the catalogue does not have, and that no rule asks for."""
_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
_KNOWN: Final = tuple(Event("", each.name, each.severity, _ANY_TIME) for each in CATALOGUE.values())


def may_match(rule: Rule, event_type: str, severity: Severity) -> bool:
    """Whether ``rule`` may match an event of that type and severity."""
    return of_kind(rule, event_type, severity) != NEVER


def severities_possible(rule: Rule) -> tuple[Severity, ...]:
    """The severities that an event which ``rule`` matches may have, the gravest first.

    One of a known type has its usual severity here, one of another type any.
    """
    others = {_OTHER_TYPE, *_types_named(rule)} - CATALOGUE.keys()
    found = {each.severity for each in _KNOWN if may_match(rule, each.type, each.severity)}
    for severity in set(Severity) - found:
        if any(may_match(rule, each, severity) for each in others):
            found.add(severity)
    return tuple(sorted(found, reverse=True))


def _types_named(rule: Rule) -> set[str]:
    """What its types and sources are compared with, as types, where no known type is meant."""
    named: set[str] = set()
    for atom in atoms(rule):
        for value in atom.values:
            one = replace(atom, values=(value,))
            if atom.field in (Field.TYPE, Field.SOURCE) and not _means_a_known_type(one):
                named.add(value if atom.field is Field.TYPE else f"{value}.type")
    return named


def _means_a_known_type(atom: Atom) -> bool:
    """Whether it holds for one and not for another."""
    answers = map(compile_atom(atom), _KNOWN)
    first = next(answers)
    return any(each is not first for each in answers)
