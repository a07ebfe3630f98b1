"""A checked expression, and what can be said of an expression's node before it is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jinja2 import nodes

from ibs_notify.templates.faults import Fault
from ibs_notify.templates.run import Run
from ibs_notify.templates.shapes import TEXT, Shape

Value = Callable[[Run], Any]


@dataclass(frozen=True, slots=True)
class Expression:
    """The shape of a value, and how to get it; ``cost`` counts the nodes that takes."""

    shape: Shape
    value: Value
    cost: int = 1


def describe(node: nodes.Node) -> str:
    """The expression as people write it, for messages: ``event.labels``."""
    match node:
        case nodes.Name(name=name):
            return str(name)
        case nodes.Getattr(node=inner, attr=name):
            return f"{describe(inner)}.{name}"
        case nodes.Const(value=value):
            return repr(value)
        case nodes.Filter(node=nodes.Expr() as inner, name=name):
            return f"{describe(inner)}|{name}"
        case _:
            return "the expression"


def literal_of(node: nodes.Node | None) -> Any:
    """The value of a constant, negative numbers too; None for anything else."""
    match node:
        case nodes.Const(value=bool() | str() | int() | float() as value):
            return value
        case nodes.Neg(node=nodes.Const(value=int() | float() as value)):
            return -value
        case _:
            return None


def agreed(node: nodes.Node, one: Expression, other: Expression, word: str) -> Shape:
    """The shape of a value that is either ``one`` or ``other``; Fault where that is none."""
    shape = merged(one.shape, other.shape)
    if shape is None:
        raise Fault(
            f"one value is {one.shape.kind} and the other {other.shape.kind}",
            "both must be of one kind; put a number in quotes to make it a text",
            line=node.lineno,
            word=word,
        )
    return shape


def merged(one: Shape, other: Shape) -> Shape | None:
    """The shape that both have; None where they do not go together."""
    if one == other:
        return one
    return TEXT if one.is_text and other.is_text else None
