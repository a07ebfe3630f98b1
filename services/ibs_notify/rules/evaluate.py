"""Holding a rule against an event: one by one, compiled, or with an explanation."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import assert_never

from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import ancestors, is_under
from ibs_notify.domain.severity import Severity
from ibs_notify.rules.ast import Always, And, Atom, Field, Not, Operator, Or, Rule
from ibs_notify.rules.format import format_rule
from ibs_notify.rules.glob import compile_glob

Predicate = Callable[[Event], bool]


@dataclass(frozen=True, slots=True)
class Trace:
    """A part of a rule held against an event; ``actual`` is the event's value at an atom."""

    text: str
    holds: bool
    actual: str = ""
    parts: tuple[Trace, ...] = ()


def matches(rule: Rule, event: Event) -> bool:
    """Whether ``rule`` holds for ``event``. Iterative and lazy: for a rule that is used once."""
    open_nodes: list[tuple[And | Or | Not, Iterator[Rule]]] = []
    node = rule
    while True:
        match node:
            case And(parts) | Or(parts):
                rest = iter(parts)
                open_nodes.append((node, rest))
                node = next(rest)
                continue
            case Not(part):
                open_nodes.append((node, iter(())))
                node = part
                continue
            case Always():
                holds = True
            case Atom():
                holds = compile_atom(node)(event)
            case _:
                assert_never(node)
        following, holds = _close(open_nodes, holds=holds)
        if following is None:
            return holds
        node = following


def _close(
    open_nodes: list[tuple[And | Or | Not, Iterator[Rule]]], *, holds: bool
) -> tuple[Rule | None, bool]:
    """Closes the nodes that ``holds`` decides; the part to look at next, or None at the root."""
    while open_nodes:
        node, rest = open_nodes[-1]
        if isinstance(node, Not):
            holds = not holds
        elif holds is isinstance(node, And):
            following = next(rest, None)
            if following is not None:
                return following, holds
        open_nodes.pop()
    return None, holds


def compile_rule(rule: Rule) -> Predicate:
    """``rule`` as a function, for one that is held against many events."""
    match rule:
        case Always():
            return lambda _: True
        case Atom():
            return compile_atom(rule)
        case Not(part):
            inner = compile_rule(part)
            return lambda event: not inner(event)
        case And((first, second)):
            left, right = compile_rule(first), compile_rule(second)
            return lambda event: left(event) and right(event)
        case Or((first, second)):
            left, right = compile_rule(first), compile_rule(second)
            return lambda event: left(event) or right(event)
        case And(parts):
            return _every(tuple(compile_rule(part) for part in parts))
        case Or(parts):
            return _some(tuple(compile_rule(part) for part in parts))
        case _:
            assert_never(rule)


def _every(predicates: tuple[Predicate, ...]) -> Predicate:
    def holds(event: Event) -> bool:
        for predicate in predicates:  # noqa: SIM110  a generator for all() costs twice the time
            if not predicate(event):
                return False
        return True

    return holds


def _some(predicates: tuple[Predicate, ...]) -> Predicate:
    def holds(event: Event) -> bool:
        for predicate in predicates:  # noqa: SIM110  a generator for any() costs twice the time
            if predicate(event):
                return True
        return False

    return holds


def explain(rule: Rule, event: Event) -> Trace:
    """Every part of ``rule`` with its answer for ``event``, also those that decide nothing."""
    text = format_rule(rule)
    match rule:
        case Always():
            return Trace(text, holds=True)
        case Atom():
            actual = reader_of(rule.field, rule.label)(event)
            return Trace(text, compile_atom(rule)(event), actual)
        case Not(part):
            inner = explain(part, event)
            return Trace(text, not inner.holds, parts=(inner,))
        case And(parts):
            traces = tuple(explain(part, event) for part in parts)
            return Trace(text, all(each.holds for each in traces), parts=traces)
        case Or(parts):
            traces = tuple(explain(part, event) for part in parts)
            return Trace(text, any(each.holds for each in traces), parts=traces)
        case _:
            assert_never(rule)


def reader_of(field: Field, label: str = "") -> Callable[[Event], str]:
    """A field of an event, as text; an absent field or label is empty."""
    match field:
        case Field.SEVERITY:
            return operator.attrgetter("severity.label")
        case Field.RESOURCE:
            return operator.attrgetter("canonical_resource")
        case Field.LABEL:
            return lambda event: event.labels.get(label, "")
        case (
            Field.TYPE | Field.ACTOR | Field.SUBJECT | Field.SUMMARY | Field.TASK_ID | Field.SOURCE
        ):
            return operator.attrgetter(field.value)
        case _:
            assert_never(field)


def compile_atom(atom: Atom) -> Predicate:
    """One condition as a function."""
    if atom.field is Field.SEVERITY:
        return _compile_severity(atom)
    read = reader_of(atom.field, atom.label)
    value, values = atom.value, frozenset(atom.values)
    match atom.operator:
        case Operator.EQ | Operator.IN:
            return lambda event: read(event) in values
        case Operator.NE | Operator.NOT_IN:
            return lambda event: read(event) not in values
        case Operator.STARTS_WITH:
            return lambda event: read(event).startswith(value)
        case Operator.ENDS_WITH:
            return lambda event: read(event).endswith(value)
        case Operator.CONTAINS:
            return lambda event: value in read(event)
        case Operator.MATCHES:
            glob = compile_glob(value)
            return lambda event: glob(read(event))
        case Operator.UNDER:
            return _compile_under(read, values)
        case Operator.GE | Operator.GT | Operator.LE | Operator.LT:
            raise ValueError(f"{atom.operator} orders severities only")
        case _:
            assert_never(atom.operator)


def _compile_under(read: Callable[[Event], str], paths: frozenset[str]) -> Predicate:
    if len(paths) > 1:
        return lambda event: not paths.isdisjoint(ancestors(read(event)))
    (path,) = paths
    return lambda event: is_under(read(event), path)


def severities_of(atom: Atom) -> frozenset[Severity]:
    """The severities for which a severity atom holds: five answers say all there is to know."""
    named = [Severity.parse(each) for each in atom.values]
    compare: Callable[[Severity], bool]
    match atom.operator:
        case Operator.EQ | Operator.IN:
            compare = named.__contains__
        case Operator.NE | Operator.NOT_IN:
            return frozenset(Severity) - frozenset(named)
        case Operator.GE:
            compare = named[0].__le__
        case Operator.GT:
            compare = named[0].__lt__
        case Operator.LE:
            compare = named[0].__ge__
        case Operator.LT:
            compare = named[0].__gt__
        case _:
            raise ValueError(f"{atom.operator} does not compare severities")
    return frozenset(filter(compare, Severity))


def _compile_severity(atom: Atom) -> Predicate:
    holding = severities_of(atom)
    return lambda event: event.severity in holding
