"""What is legal in a rule and yet probably not meant."""

from __future__ import annotations

from typing import Final

from ibs_notify.domain.catalogue import CATALOGUE
from ibs_notify.domain.resource import canonical
from ibs_notify.rules.ast import Atom, Field, Operator, Rule, atoms
from ibs_notify.rules.errors import shown
from ibs_notify.rules.vocabulary import closest

MOST_WARNINGS: Final = 16
"""Who has read so many reads no more."""

_WHOLE = (Operator.EQ, Operator.NE, Operator.IN, Operator.NOT_IN)
TYPES = tuple(CATALOGUE)
SOURCES = tuple(sorted({each.source for each in CATALOGUE.values()}))


def warnings(rule: Rule) -> tuple[str, ...]:
    """A sentence for each value that may never do what it says, with its place: the first few.

    Types and sources that the catalogue does not have (they are open, so this is no error), globs
    where no operator looks for them, and resources that no event's canonical one can equal.
    """
    found: list[str] = []
    for atom in atoms(rule):
        where = f"line {atom.position.line}, column {atom.position.column}: "
        for value in atom.values:
            said = problem(atom, value)
            if said:
                found.append(where + said)
            if len(found) == MOST_WARNINGS:
                return tuple(found)
    return tuple(found)


def problem(atom: Atom, value: str) -> str:
    """What of a value of an atom may never do what it says; empty where nothing is to be said."""
    if "*" in value and atom.operator in (*_WHOLE, Operator.STARTS_WITH, Operator.UNDER):
        return f"`{atom.operator}` takes {shown(value)} literally; for a glob use `matches`"
    if atom.field is Field.TYPE and atom.operator in _WHOLE:
        return _unknown("event type", value, TYPES)
    if atom.field is Field.TYPE and atom.operator is Operator.STARTS_WITH:
        if any(each.startswith(value) for each in TYPES):
            return ""
        return f"no known event type begins with {shown(value)}" + _meant(value, SOURCES)
    if atom.field is Field.SOURCE and atom.operator in _WHOLE:
        return _unknown("source", value, SOURCES)
    if atom.field is Field.RESOURCE:
        return _never_a_resource(atom.operator, value)
    return ""


def _unknown(what: str, value: str, known: tuple[str, ...]) -> str:
    return "" if value in known else f"unknown {what} {shown(value)}" + _meant(value, known)


def _meant(value: str, known: tuple[str, ...]) -> str:
    meant = closest(value, known)
    return f"; did you mean `{meant}`?" if meant else ""


def _never_a_resource(operator: Operator, value: str) -> str:
    if operator in (Operator.CONTAINS, Operator.ENDS_WITH):
        path = canonical(value)
        if path == value or value.startswith("/"):
            return ""
        return f"resources are compared in the form {path}, which {shown(value)} is not part of"
    if not value or value[0] in "/*?[":
        return ""
    likelier, path = place_meant(operator, value)
    meant = path if likelier is operator else f"{likelier.value} {path}"
    return (
        f"resources are compared in the form /datastore/NAME/rest, and {shown(value)} begins no "
        f"such; did you mean {shown(meant)}?"
    )


def place_meant(operator: Operator, value: str) -> tuple[Operator, str]:
    """The operator and the path that are meant by a ``value`` which begins no resource.

    Who begins with a whole name, as ``tank`` is and ``tank-`` is not, means that place, and not its
    neighbour ``tank2`` as well.
    """
    is_name = value[-1].isalnum() or value[-1] == "/"
    if operator is Operator.STARTS_WITH and is_name:
        operator = Operator.UNDER
    return operator, canonical(f"/datastore/{value}")
