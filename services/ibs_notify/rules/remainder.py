"""What a rule asks for beside what is known of an event: all of it, some of it, or none. Pure.

``ALWAYS`` and ``NEVER`` are proofs: whatever else an event says, the rule matches, or does not. Any
other remainder is what must hold beside; that something can satisfy it is not promised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, assert_never

from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import is_under
from ibs_notify.domain.severity import Severity
from ibs_notify.rules.ast import Always, And, Atom, Field, Not, Operator, Or, Rule, all_of, any_of
from ibs_notify.rules.evaluate import compile_atom
from ibs_notify.rules.keys import KIND_FIELDS
from ibs_notify.rules.normal_form import ALWAYS, NEVER, normal_form

_NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)

Known = Callable[[Atom], bool | None]
"""Whether a condition holds by what is known; ``None`` where that depends on more."""


def of_kind(rule: Rule, event_type: str, severity: Severity) -> Rule:
    """What ``rule`` asks for beside the type and the severity."""
    event = Event("", event_type, severity, _NO_TIME)

    def known(atom: Atom) -> bool | None:
        return compile_atom(atom)(event) if atom.field in KIND_FIELDS else None

    return _remainder(rule, known)


def of_place(rule: Rule, resource: str) -> Rule:
    """What ``rule`` asks for beside that an event is about canonical ``resource`` or what is below.

    An empty resource is that there is none.
    """

    def known(atom: Atom) -> bool | None:
        return _at(normal_form(atom), resource) if atom.field is Field.RESOURCE else None

    return _remainder(rule, known)


def both(first: Rule, second: Rule) -> Rule:
    """The remainder of two rules that must both hold."""
    return _joined((first, second), every=True)


def either(remainders: Iterable[Rule]) -> Rule:
    """The remainder of rules one of which must hold."""
    return _joined(remainders, every=False)


def _remainder(rule: Rule, known: Known) -> Rule:
    match rule:
        case Always():
            return ALWAYS
        case Atom():
            holds = known(rule)
            return rule if holds is None else ALWAYS if holds else NEVER
        case Not(part):
            return _opposite(_remainder(part, known))
        case And(parts) | Or(parts):
            inner = [_remainder(part, known) for part in parts]
            return _joined(inner, every=isinstance(rule, And))
        case _:
            assert_never(rule)


def _opposite(rule: Rule) -> Rule:
    return rule.part if isinstance(rule, Not) else Not(rule)


def _joined(parts: Iterable[Rule], *, every: bool) -> Rule:
    """In the words of the rule, each condition once; what decides nothing is left out."""
    neutral, deciding = (ALWAYS, NEVER) if every else (NEVER, ALWAYS)
    left = [each for each in dict.fromkeys(parts) if each != neutral]
    if deciding in left:
        return deciding
    if not left:
        return neutral
    return all_of(left) if every else any_of(left)


def _at(rule: Rule, resource: str) -> bool | None:
    """Whether conditions on the resource, in normal form, hold at ``resource`` and all below it."""
    match rule:
        case Always():
            return True
        case Atom():
            return _atom_at(rule, resource)
        case Not(part):
            inner = _at(part, resource)
            return None if inner is None else not inner
        case And(parts) | Or(parts):
            answers = [_at(part, resource) for part in parts]
            deciding = isinstance(rule, Or)
            if deciding in answers:
                return deciding
            return None if None in answers else not deciding
        case _:
            assert_never(rule)


def _atom_at(atom: Atom, resource: str) -> bool | None:
    """``None``: at some of it, perhaps."""
    if not resource:
        return compile_atom(atom)(Event("", "", Severity.INFO, _NO_TIME))
    value, operator = atom.value, atom.operator
    below = resource if resource == "/" else f"{resource}/"
    match operator:
        case Operator.IN | Operator.NOT_IN:
            meets = any(is_under(each, resource) for each in atom.values)
            return None if meets else operator is Operator.NOT_IN
        case Operator.UNDER:
            if any(is_under(resource, each) for each in atom.values):
                return True
            return None if any(is_under(each, resource) for each in atom.values) else False
        case Operator.STARTS_WITH:
            if resource.startswith(value):
                return True
            return None if value.startswith(below) else False
        case Operator.CONTAINS:
            return True if value in resource else None
        case Operator.ENDS_WITH | Operator.MATCHES:
            # What is below may end in any way.
            return None
        case Operator.EQ | Operator.NE | Operator.GE | Operator.GT | Operator.LE | Operator.LT:
            raise ValueError(f"{operator} is no condition on a resource in normal form")
        case _:
            assert_never(operator)
