"""The tree of a rule: frozen, hashable, equal when the meaning as written is equal."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Field(StrEnum):
    """What of an event an atom looks at; the value is the word in a rule."""

    SEVERITY = "severity"
    TYPE = "type"
    ACTOR = "actor"
    RESOURCE = "resource"
    SUBJECT = "subject"
    SUMMARY = "summary"
    TASK_ID = "task_id"
    SOURCE = "source"
    LABEL = "labels"


class Operator(StrEnum):
    """How an atom compares; the value is the word in a rule."""

    EQ = "="
    NE = "!="
    IN = "in"
    NOT_IN = "not-in"
    STARTS_WITH = "starts-with"
    ENDS_WITH = "ends-with"
    CONTAINS = "contains"
    MATCHES = "matches"
    GE = ">="
    GT = ">"
    LE = "<="
    LT = "<"
    UNDER = "under"

    @property
    def takes_list(self) -> bool:
        """Whether the value is a list in parentheses."""
        return self in (Operator.IN, Operator.NOT_IN)


@dataclass(frozen=True, slots=True)
class Position:
    """Where in the text: both count from 1, columns in characters."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Always:
    """``*``: every event."""


@dataclass(frozen=True, slots=True)
class Atom:
    """``field operator values``, checked. One value, or several where the operator takes a list.

    A text names one path after ``under``; the resources that a group is attached to are several.
    Severities are lower-case words, resources canonical. ``label`` is the key where ``field`` is
    ``LABEL``, else empty. ``position`` is no part of the meaning: equal atoms at two places of a
    rule are equal, and an index can share them.
    """

    field: Field
    operator: Operator
    values: tuple[str, ...]
    label: str = ""
    position: Position = dataclasses.field(default=Position(), compare=False)

    @property
    def value(self) -> str:
        """The value, or the first of a list."""
        return self.values[0]


@dataclass(frozen=True, slots=True)
class And:
    """All of at least two parts, none of them an ``And``."""

    parts: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of at least two parts, none of them an ``Or``."""

    parts: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """What ``part`` does not match."""

    part: Rule


Rule: TypeAlias = Always | Atom | And | Or | Not


def all_of(parts: Iterable[Rule]) -> Rule:
    """The conjunction of at least one part; nested ones are flattened, a single one is itself."""
    flat: list[Rule] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, And) else (part,))
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def any_of(parts: Iterable[Rule]) -> Rule:
    """The disjunction of at least one part; nested ones are flattened, a single one is itself."""
    flat: list[Rule] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Or) else (part,))
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def atoms(rule: Rule) -> tuple[Atom, ...]:
    """Every atom of a rule, from left to right."""
    found: list[Atom] = []
    todo: list[Rule] = [rule]
    while todo:
        node = todo.pop()
        if isinstance(node, Atom):
            found.append(node)
        elif isinstance(node, Not):
            todo.append(node.part)
        elif isinstance(node, And | Or):
            todo.extend(reversed(node.parts))
    return tuple(found)
