"""The words of the language, and what people write who mean one of them."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

from ibs_notify.domain.catalogue import CATALOGUE
from ibs_notify.domain.severity import Severity
from ibs_notify.rules.ast import Field, Operator, Position
from ibs_notify.rules.errors import RuleError, shown

RESERVED: Final = frozenset({"and", "or", "not"})
"""Words that stand for themselves only in quotes."""

FIELD_WORDS: Final = tuple("labels.KEY" if each is Field.LABEL else each.value for each in Field)
SEVERITY_WORDS: Final = tuple(each.label for each in Severity)

_FIELDS: Final = {each.value: each for each in Field if each is not Field.LABEL}
_LABELS: Final = f"{Field.LABEL}."
_OPERATORS: Final = {each.value: each for each in Operator}
_ORDERED = (Operator.GE, Operator.GT, Operator.LE, Operator.LT)
_SEVERITY_OPERATORS = (Operator.EQ, Operator.NE, Operator.IN, Operator.NOT_IN, *_ORDERED)

_OTHER_FIELDS: Final = {
    **dict.fromkeys(("level", "priority"), "severity"),
    **dict.fromkeys(("event", "event_type", "kind", "name"), "type"),
    **dict.fromkeys(("user", "username", "token", "who"), "actor"),
    **dict.fromkeys(("datastore", "path", "object", "namespace"), "resource"),
    **dict.fromkeys(("message", "text", "body", "description"), "summary"),
    **dict.fromkeys(("task", "taskid", "upid"), "task_id"),
    **dict.fromkeys(("label", "labels", "labels.", "tag", "tags"), "labels.KEY"),
    **dict.fromkeys(("all", "any", "true", "always", "everything"), "*"),
}
_OTHER_OPERATORS: Final = {
    **dict.fromkeys(("==", "===", ":", ":=", "is", "are", "eq", "equal", "equals"), "="),
    **dict.fromkeys(("<>", "!==", "ne", "isnt", "isn't", "not", "!", "is not", "≠"), "!="),
    **dict.fromkeys(("=>", "gte", "ge", "at-least", "at least", "≥"), ">="),
    **dict.fromkeys(("=<", "lte", "le", "at-most", "at most", "≤"), "<="),
    **dict.fromkeys(("gt", "above"), ">"),
    **dict.fromkeys(("lt", "below"), "<"),
    **dict.fromkeys(
        ("starts", "begins", "begins-with", "starts with", "begins with"), "starts-with"
    ),
    **dict.fromkeys(("startswith", "starts_with", "prefix", "^="), "starts-with"),
    **dict.fromkeys(("ends", "endswith", "ends_with", "ends with", "suffix"), "ends-with"),
    **dict.fromkeys(("has", "includes", "include", "contain"), "contains"),
    **dict.fromkeys(("~", "=~", "~=", "like", "glob", "regex", "match", "regexp"), "matches"),
    **dict.fromkeys(("notin", "not_in", "nin", "not in", "is not in"), "not-in"),
    **dict.fromkeys(("within", "inside", "beneath"), "under"),
}
_OTHER_SEVERITIES: Final = {
    **dict.fromkeys(("fatal", "emergency", "emerg", "alert", "crit", "panic"), "critical"),
    **dict.fromkeys(("debug", "trace", "ok", "low"), "info"),
    **dict.fromkeys(("high", "err", "failed", "failure"), "error"),
    **dict.fromkeys(("warn", "medium"), "warning"),
}
TWO_WORDS: Final = re.compile(r"\s+(with|in|not in|not|least|most)(?![\w.\-])", re.IGNORECASE)
"""The second word of what people write for an operator, such as ``starts with``."""


def is_field(word: str) -> bool:
    """Whether ``word`` is a field as it can be written in a rule."""
    lower = word.lower()
    return lower in _FIELDS or lower.startswith(_LABELS)


def is_operator(word: str) -> bool:
    """Whether ``word`` is an operator, or what people write for one."""
    return word.lower() in _OPERATORS or word.lower() in _OTHER_OPERATORS


def operator_meant(word: str) -> str:
    """The operator that ``word`` is, or what people write it for."""
    return _OTHER_OPERATORS.get(word.lower(), word.lower())


def fitting_operators(field: Field) -> tuple[Operator, ...]:
    """Those that can be used with ``field``."""
    if field is Field.SEVERITY:
        return _SEVERITY_OPERATORS
    fitting = [each for each in Operator if each not in _ORDERED]
    if field is not Field.RESOURCE:
        fitting.remove(Operator.UNDER)
    return tuple(fitting)


def closest(word: str, known: tuple[str, ...]) -> str:
    """The known word that ``word`` most resembles, or an empty string."""
    found = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return found[0] if found else ""


def field_of(word: str, at: Position) -> tuple[Field, str]:
    """The field, and the label's key (unquoted by the caller) or an empty string; ``RuleError``."""
    name, dot, key = word.partition(".")
    lowered = word.lower()
    if name.lower() == Field.LABEL and dot and key:
        return Field.LABEL, key
    if lowered in _FIELDS:
        return _FIELDS[lowered], ""
    if lowered in RESERVED or lowered in _OPERATORS:
        missing = "a condition" if lowered in RESERVED else "a field"
        example = f"{missing} such as `severity{' >= error' if lowered in RESERVED else ''}`"
        raise RuleError(at, f"{missing} is missing before {shown(word)}", expected=example)
    raise RuleError(
        at,
        f"unknown field {shown(word)}",
        expected="one of " + ", ".join(FIELD_WORDS),
        suggestion=_field_meant(lowered),
    )


def _field_meant(word: str) -> str:
    if word in _OTHER_FIELDS:
        return _OTHER_FIELDS[word]
    if word in SEVERITY_WORDS:
        return f"severity = {word}"
    if word in CATALOGUE:
        return f"type = {word}"
    name, _, key = word.partition(".")
    if _OTHER_FIELDS.get(name) == "labels.KEY" and key:
        return f"labels.{key}"
    tail = word.rpartition(".")[2] if word.startswith("event.") else word
    return closest(tail, tuple(_FIELDS))


def operator_of(word: str, following: str, field: str, at: Position) -> Operator:
    """The operator of a word before ``following``; ``RuleError`` names the one that was meant."""
    lowered = word.lower()
    if lowered in _OPERATORS:
        return _OPERATORS[lowered]
    written, meant = _operator_meant(word, following)
    problem, advice = f"unknown operator {shown(written)}", ""
    if not meant:
        problem, meant = f"an operator is missing before {shown(word)}", f"{field} = {word}"
    elif lowered.startswith("=="):
        advice = f"use a single `=`: {field} = …"
    raise RuleError(
        at,
        problem,
        expected="one of " + ", ".join(_OPERATORS),
        suggestion=meant,
        advice=advice,
    )


def _operator_meant(word: str, following: str) -> tuple[str, str]:
    """What was written, of one word or two, and the operator it resembles or an empty string."""
    lowered = word.lower()
    if lowered == "!~":
        return word, "not … matches"
    second = TWO_WORDS.match(following)
    if second:
        meant = _OTHER_OPERATORS.get(f"{lowered} {second[1].lower()}")
        if meant:
            return word + second[0], meant
    return word, _OTHER_OPERATORS.get(lowered) or closest(lowered, tuple(_OPERATORS))


def check_fits(field: Field, operator: Operator, name: str, at: Position) -> None:
    """``RuleError`` where ``operator`` cannot be used with ``field``, written ``name``."""
    if field is Field.SEVERITY:
        if operator not in _SEVERITY_OPERATORS:
            raise RuleError(
                at,
                f"`{operator}` does not work with severity",
                expected="one of " + ", ".join(_SEVERITY_OPERATORS),
                suggestion="severity in (error, critical)",
            )
    elif operator in _ORDERED:
        raise RuleError(
            at,
            f"`{operator}` works with severity only, which alone is ordered",
            expected="one of " + ", ".join(fitting_operators(field)),
            suggestion=f"{name} = …",
        )
    elif operator is Operator.UNDER and field is not Field.RESOURCE:
        raise RuleError(
            at,
            "`under` works with resource only, which alone is a path",
            expected="one of " + ", ".join(fitting_operators(field)),
            suggestion=f"{name} starts-with …",
        )


def severity_of(word: str, at: Position) -> str:
    """The lower-case severity of a word in any case; ``RuleError`` names the closest."""
    lowered = word.lower()
    if lowered in SEVERITY_WORDS:
        return lowered
    raise RuleError(
        at,
        f"unknown severity {shown(word)}",
        expected="one of " + ", ".join(SEVERITY_WORDS),
        suggestion=_OTHER_SEVERITIES.get(lowered) or closest(lowered, SEVERITY_WORDS),
    )
