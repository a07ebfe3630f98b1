"""Our rules in the languages of others, to measure the same matching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

from ibs_notify.domain.event import Event
from ibs_notify.rules.ast import Always, And, Atom, Field, Not, Operator, Or, Rule
from ibs_notify.rules.normal_form import normal_form


@dataclass(frozen=True, slots=True)
class Language:
    """How a language writes what the rules of the workload need."""

    both: str
    either: str
    negation: str
    starts_with: str
    ends_with: str


CEL = Language(" && ", " || ", "!", "startsWith", "endsWith")
RULE_ENGINE = Language(" and ", " or ", "not ", "starts_with", "ends_with")


def translated(rule: Rule, language: Language) -> str:
    """The text of ``rule`` in ``language``."""
    return _text(normal_form(rule), language)


def _text(rule: Rule, language: Language) -> str:
    match rule:
        case Always():
            return "true"
        case And(parts):
            return "(" + language.both.join(_text(each, language) for each in parts) + ")"
        case Or(parts):
            return "(" + language.either.join(_text(each, language) for each in parts) + ")"
        case Not(part):
            return f"({language.negation}{_text(part, language)})"
        case Atom():
            return _atom_text(rule, language)
        case _:
            assert_never(rule)


def _atom_text(atom: Atom, language: Language) -> str:
    name = f'labels["{atom.label}"]' if atom.field is Field.LABEL else atom.field.value
    values = ", ".join(f'"{each}"' for each in atom.values)
    match atom.operator:
        case Operator.IN:
            return f"{name} in [{values}]" if len(atom.values) > 1 else f"{name} == {values}"
        case Operator.STARTS_WITH:
            return f"{name}.{language.starts_with}({values})"
        case Operator.ENDS_WITH:
            return f"{name}.{language.ends_with}({values})"
        case Operator.UNDER:
            below = f'{name}.{language.starts_with}("{atom.value}/")'
            return f"({name} == {values}{language.either}{below})"
        case _:
            raise ValueError(f"the workload has no {atom.operator}")


def as_variables(event: Event) -> dict[str, Any]:
    """What the others are given of an event."""
    return {
        "type": event.type,
        "source": event.source,
        "severity": event.severity.label,
        "actor": event.actor,
        "resource": event.canonical_resource,
        "labels": dict(event.labels),
    }
