"""A rule in the form that an index can use: negation at the atoms, one spelling of one meaning."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never

from ibs_notify.domain.severity import Severity
from ibs_notify.rules.ast import Always, And, Atom, Field, Not, Operator, Or, Rule
from ibs_notify.rules.evaluate import severities_of
from ibs_notify.rules.glob import required_texts

ALWAYS: Final = Always()
NEVER: Final = Not(ALWAYS)

_EQUALITY: Final = {
    Operator.EQ: True,
    Operator.IN: True,
    Operator.NE: False,
    Operator.NOT_IN: False,
}
_EMPTY_MATCHES: Final = (Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.CONTAINS)


def normal_form(rule: Rule) -> Rule:
    """A rule that holds for the same events as ``rule``.

    ``Not`` stands only around atoms that have no opposite operator. Comparisons for equality are
    ``IN`` or ``NOT_IN`` of sorted values, also those of severities. ``ALWAYS`` and ``NEVER`` are
    whole rules, never parts. Beside a glob stand the literal texts that it needs.
    """
    return _normal(rule, holds=True)


def _normal(rule: Rule, *, holds: bool) -> Rule:
    match rule:
        case Always():
            return ALWAYS if holds else NEVER
        case Not(part):
            return _normal(part, holds=not holds)
        case And(parts) | Or(parts):
            inner = [_normal(part, holds=holds) for part in parts]
            return conjunction(inner) if isinstance(rule, And) is holds else _disjunction(inner)
        case Atom():
            return _normal_atom(rule, holds=holds)
        case _:
            assert_never(rule)


def conjunction(parts: Iterable[Rule]) -> Rule:
    """All of ``parts``, which are in normal form, as one rule in normal form."""
    flat: dict[Rule, None] = {}
    for part in parts:
        flat.update(dict.fromkeys(part.parts if isinstance(part, And) else (part,)))
    flat.pop(ALWAYS, None)
    if NEVER in flat:
        return NEVER
    return _joined(And, tuple(flat), ALWAYS)


def _disjunction(parts: Iterable[Rule]) -> Rule:
    flat: dict[Rule, None] = {}
    for part in parts:
        flat.update(dict.fromkeys(part.parts if isinstance(part, Or) else (part,)))
    flat.pop(NEVER, None)
    if ALWAYS in flat:
        return ALWAYS
    return _joined(Or, tuple(flat), NEVER)


def _joined(kind: type[And] | type[Or], parts: tuple[Rule, ...], nothing: Rule) -> Rule:
    if len(parts) > 1:
        return kind(parts)
    return parts[0] if parts else nothing


def _normal_atom(atom: Atom, *, holds: bool) -> Rule:
    if atom.field is Field.SEVERITY:
        return _severities(severities_of(atom), holds=holds)
    operator = atom.operator
    if operator in _EQUALITY:
        meant = Operator.IN if _EQUALITY[operator] is holds else Operator.NOT_IN
        return Atom(atom.field, meant, tuple(sorted(set(atom.values))), atom.label)
    if operator is Operator.MATCHES:
        return _glob(atom, holds=holds)
    if operator is Operator.UNDER and "/" in atom.values:
        # Whatever is a path is under `/`, where no segment ends.
        path = Atom(atom.field, Operator.STARTS_WITH, ("/",))
        others = tuple(each for each in atom.values if not each.startswith("/"))
        if not others:
            return path if holds else Not(path)
        rest = Atom(atom.field, Operator.UNDER, others)
        return Or((path, rest)) if holds else And((Not(path), Not(rest)))
    if operator in _EMPTY_MATCHES and not atom.value:
        return ALWAYS if holds else NEVER
    plain = Atom(atom.field, operator, atom.values, atom.label)
    return plain if holds else Not(plain)


def _severities(named: frozenset[Severity], *, holds: bool) -> Rule:
    holding = sorted(named if holds else frozenset(Severity) - named)
    if not holding:
        return NEVER
    if len(holding) == len(Severity):
        return ALWAYS
    return Atom(Field.SEVERITY, Operator.IN, tuple(each.label for each in holding))


def _glob(atom: Atom, *, holds: bool) -> Rule:
    needed = required_texts(atom.value)
    literals: list[Rule] = []
    for operator, texts in (
        (Operator.IN, needed.whole),
        (Operator.STARTS_WITH, needed.start),
        (Operator.ENDS_WITH, needed.end),
        (Operator.CONTAINS, needed.inside),
    ):
        literals += (Atom(atom.field, operator, (text,), atom.label) for text in texts)
    if needed.enough:
        return _normal(conjunction(literals), holds=holds)
    plain = Atom(atom.field, Operator.MATCHES, atom.values, atom.label)
    return conjunction((*literals, plain)) if holds else Not(plain)
