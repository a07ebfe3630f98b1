"""Comparisons: checked so that none can fail, and severities by rank and not by the alphabet."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2 import nodes

from ibs_notify.domain.severity import Severity
from ibs_notify.templates.faults import Fault, closest
from ibs_notify.templates.run import Run
from ibs_notify.templates.shapes import BOOLEAN, SEVERITY, Kind, Shape
from ibs_notify.templates.typed import Expression, agreed, describe, literal_of, merged

_RANK: Final = {severity.label: severity.value for severity in Severity}
_EQUAL: Final[Mapping[str, Callable[[Any, Any], bool]]] = {"eq": operator.eq, "ne": operator.ne}
_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "gt": operator.gt,
    "gteq": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
}
_SIGNS: Final = {"eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<="}


def compared(
    node: nodes.Compare, operand: nodes.Operand, left: Expression, right: Expression
) -> Expression:
    """``==``, ``!=`` of values of one kind; ``>`` and so on of numbers or severities."""
    _check_severity(node, left.shape, operand.expr)
    _check_severity(node, right.shape, node.expr)
    one, other, cost, sign = left.value, right.value, left.cost + right.cost + 1, operand.op
    if sign in _EQUAL:
        agreed(node, left, right, _SIGNS[sign])
        equal = _EQUAL[sign]
        return Expression(BOOLEAN, lambda run: equal(one(run), other(run)), cost)
    ordered = _ORDER[sign]
    if left.shape.kind is right.shape.kind is Kind.NUMBER:
        return Expression(BOOLEAN, lambda run: ordered(one(run), other(run)), cost)
    if SEVERITY in (left.shape, right.shape) and merged(left.shape, right.shape) is not None:
        _require_severity(node, left.shape, node.expr)
        _require_severity(node, right.shape, operand.expr)
        return Expression(
            BOOLEAN,
            # A record that is absent has no severity, which is below all.
            lambda run: ordered(_RANK.get(one(run), 0), _RANK.get(other(run), 0)),
            cost,
        )
    raise Fault(
        f"{_SIGNS[sign]} compares numbers or severities, not {left.shape.kind} "
        f"with {right.shape.kind}",
        f"make a text a number first: {describe(node.expr)}|int",
        line=node.lineno,
        word=_SIGNS[sign],
    )


def listed(node: nodes.Compare, left: Expression, items: list[nodes.Expr]) -> Expression:
    """``left in [...]``, where the list is written in the template."""
    one = left.value
    members = frozenset(literal_of(item) for item in items)
    if None in members or not (left.shape.is_text or left.shape.kind is Kind.NUMBER):
        raise Fault(
            "a list to look in holds quoted texts or numbers",
            "such as event.severity in ['error', 'critical']",
            line=node.lineno,
            word="in",
        )
    for item in items:
        _check_severity(node, left.shape, item)
    return Expression(BOOLEAN, lambda run: one(run) in members, left.cost + len(members))


def contained(node: nodes.Compare, left: Expression, right: Expression) -> Expression:
    """``left in right``: a part of a text, a member of a list, a key of a map."""
    one, inside = left.value, right.value
    holds = right.shape.is_text or right.shape.kind in (Kind.MAP, Kind.LIST)
    if not left.shape.is_text or not holds:
        raise Fault(
            f"in looks for a text in a text, a list or a map, not for {left.shape.kind} "
            f"in {right.shape.kind}",
            "such as 'vm/' in event.resource",
            line=node.lineno,
            word="in",
        )

    def found(run: Run) -> bool:
        place = inside(run)
        run.spend(1 + len(place) // 16)
        return one(run) in place

    return Expression(BOOLEAN, found, left.cost + right.cost + 1)


def _check_severity(node: nodes.Node, shape: Shape, other: nodes.Node) -> None:
    """A misspelt severity would never be equal, and nobody would notice."""
    word = literal_of(other)
    if shape.kind is Kind.SEVERITY and isinstance(word, str) and word not in _RANK:
        near = closest(word.lower(), _RANK)
        advice = f"did you mean {near!r}?" if near else f"there are: {', '.join(_RANK)}"
        raise Fault(f"there is no severity {word!r}", advice, line=node.lineno, word=word)


def _require_severity(node: nodes.Node, shape: Shape, side: nodes.Node) -> None:
    if shape.kind is not Kind.SEVERITY and not isinstance(literal_of(side), str):
        raise Fault(
            "a severity is compared with a severity",
            "such as event.severity >= 'error'",
            line=node.lineno,
        )
