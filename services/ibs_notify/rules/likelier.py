"""What a rule was probably meant to be, where a part of it may never do what it says. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, assert_never

from ibs_notify.domain.resource import canonical
from ibs_notify.rules.ast import Always, And, Atom, Field, Not, Operator, Or, Rule, all_of, any_of
from ibs_notify.rules.errors import RuleError
from ibs_notify.rules.format import format_rule
from ibs_notify.rules.parse import parse
from ibs_notify.rules.vocabulary import closest
from ibs_notify.rules.warn import SOURCES, TYPES, place_meant, problem

_NEGATED: Final = (Operator.NE, Operator.NOT_IN)
_EQUAL: Final = (Operator.EQ, Operator.IN, *_NEGATED)
_GLOB: Final = frozenset("*?[")


def likelier(rule: Rule) -> str:
    """The whole rule with its doubtful parts as they were probably meant, or an empty string.

    What it gives can be read, and is never ``rule`` itself; a part of which nobody can say what was
    meant stays as it is.
    """
    meant = _meant(rule)
    if meant == rule:
        return ""
    text = format_rule(meant)
    try:
        parse(text)
    except RuleError:
        return ""  # one that is too large now
    return text


def _meant(rule: Rule) -> Rule:
    match rule:
        case Always():
            return rule
        case Not(part):
            return Not(_meant(part))
        case And(parts):
            return all_of(map(_meant, parts))
        case Or(parts):
            return any_of(map(_meant, parts))
        case Atom():
            return _atom(rule)
        case _:
            assert_never(rule)


def _atom(atom: Atom) -> Rule:
    """The same where there is no doubt. A list turns into alternatives where it cannot stay one."""
    if not any(problem(atom, each) for each in atom.values):
        return atom
    if atom.operator not in _EQUAL:
        return _other(atom)
    equals = [_equal(atom, each) for each in atom.values]
    if all(each.operator is Operator.EQ and each.field is atom.field for each in equals):
        return replace(atom, values=tuple(dict.fromkeys(each.value for each in equals)))
    meant = any_of(dict.fromkeys(equals))
    return Not(meant) if atom.operator in _NEGATED else meant


def _equal(atom: Atom, value: str) -> Atom:
    """One value of an equality as a condition of its own."""
    one = replace(atom, operator=Operator.EQ, values=(value,))
    if not problem(one, value):
        return one
    if "*" in value:
        beginning = value.removesuffix("*")
        if beginning and not _GLOB & set(beginning):
            return replace(one, operator=Operator.STARTS_WITH, values=(beginning,))
        return replace(one, operator=Operator.MATCHES)
    if atom.field is Field.RESOURCE:
        return replace(one, operator=Operator.UNDER, values=(canonical(f"/datastore/{value}"),))
    if atom.field is Field.TYPE:
        source = value.removesuffix(".")
        if source in SOURCES:
            return replace(one, field=Field.SOURCE, values=(source,))
    known = TYPES if atom.field is Field.TYPE else SOURCES
    return replace(one, values=(closest(value, known) or value,))


def _other(atom: Atom) -> Atom:
    """A prefix, a path, a part of a resource, or a glob of resources."""
    value = atom.value
    if "*" in value and atom.operator in (Operator.STARTS_WITH, Operator.UNDER):
        return _without_star(atom, value)
    if atom.field is Field.TYPE:
        source = closest(value.removesuffix("."), SOURCES)
        return replace(atom, values=(f"{source}.",)) if source else atom
    if atom.field is not Field.RESOURCE:
        return atom
    if atom.operator in (Operator.CONTAINS, Operator.ENDS_WITH):
        return replace(atom, values=(canonical(value),))
    operator, path = place_meant(atom.operator, value)
    return replace(atom, operator=operator, values=(path,))


def _without_star(atom: Atom, value: str) -> Atom:
    beginning = value.removesuffix("*")
    if atom.operator is Operator.UNDER:
        beginning = beginning.removesuffix("/")
    if beginning and not _GLOB & set(beginning):
        return replace(atom, values=(beginning,))
    return replace(atom, operator=Operator.MATCHES, values=(f"{beginning}*",))
