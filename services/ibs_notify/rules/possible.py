"""What a rule may match, as far as an event's type and severity say. Pure.

Whatever else it asks for is taken to be possible: what is ruled out here is never matched.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NamedTuple, assert_never

from ibs_notify.domain.catalogue import CATALOGUE
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.rules.ast import Always, And, Atom, Field, Not, Or, Rule, atoms
from ibs_notify.rules.evaluate import compile_atom

_KNOWN: Final = frozenset({Field.SEVERITY, Field.TYPE, Field.SOURCE})
_OTHER_TYPE: Final = "other.type"
"""One that the catalogue does not have, and that no rule asks for."""
_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)


class _Answer(NamedTuple):
    """Whether it may hold, and whether it may not: both where that is not known."""

    yes: bool
    no: bool


def may_match(rule: Rule, event_type: str, severity: Severity) -> bool:
    """Whether ``rule`` may match an event of that type and severity."""
    return _held(rule, Event("", event_type, severity, _ANY_TIME)).yes


def severities_possible(rule: Rule) -> tuple[Severity, ...]:
    """The severities that an event which ``rule`` matches may have, the gravest first.

    One of a known type has its usual severity here, one of another type any.
    """
    others = {_OTHER_TYPE, *_types_named(rule)} - CATALOGUE.keys()
    found = {
        each.severity for each in CATALOGUE.values() if may_match(rule, each.name, each.severity)
    }
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
    holds = compile_atom(atom)
    answers = {holds(Event("", each.name, each.severity, _ANY_TIME)) for each in CATALOGUE.values()}
    return len(answers) > 1


def _held(rule: Rule, event: Event) -> _Answer:
    match rule:
        case Always():
            return _Answer(yes=True, no=False)
        case Atom():
            if rule.field not in _KNOWN:
                return _Answer(yes=True, no=True)
            holds = compile_atom(rule)(event)
            return _Answer(yes=holds, no=not holds)
        case Not(part):
            inner = _held(part, event)
            return _Answer(yes=inner.no, no=inner.yes)
        case And(parts):
            held = [_held(each, event) for each in parts]
            return _Answer(all(each.yes for each in held), any(each.no for each in held))
        case Or(parts):
            held = [_held(each, event) for each in parts]
            return _Answer(any(each.yes for each in held), all(each.no for each in held))
        case _:
            assert_never(rule)
