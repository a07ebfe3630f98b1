"""From Jinja's expression nodes to checked, typed closures. What is not handled here is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from jinja2 import nodes

from ibs_notify.templates.comparisons import compared, contained, listed
from ibs_notify.templates.faults import Fault, closest
from ibs_notify.templates.filters import FILTERS, Filter
from ibs_notify.templates.refusals import refusal
from ibs_notify.templates.run import MOST_RESULT, Run, size_of, to_text, too_large
from ibs_notify.templates.shapes import BOOLEAN, EVENT, NUMBER, TEXT, Kind, Shape
from ibs_notify.templates.typed import Expression, Value, agreed, describe, literal_of, merged

MOST_DEPTH: Final = 40
"""How deep expressions and blocks may nest; a chain of filters or of ``or`` nests too."""


def lower(  # noqa: C901, PLR0912 - the allow-list, one branch for each kind of node
    node: nodes.Node, scope: Mapping[str, Shape], depth: int = 0
) -> Expression:
    """The checked expression of ``node``, where ``scope`` has the names it may use.

    Raises Fault, saying what is wrong and the likeliest fix.
    """
    if depth > MOST_DEPTH:
        raise Fault("the expression is nested too deeply", "make it simpler", line=node.lineno)
    match node:
        case nodes.Const() | nodes.Neg():
            return _constant(node)
        case nodes.Name():
            return _name(node, scope)
        case nodes.Getattr(node=inner, attr=name):
            return _field(node, lower(inner, scope, depth + 1), name)
        case nodes.Getitem(node=inner, arg=nodes.Const(value=str(name))):
            return _field(node, lower(inner, scope, depth + 1), name)
        case nodes.Filter(name="default"):
            return _default(node, scope, depth)
        case nodes.Filter():
            return _filter(node, scope, depth)
        case nodes.Compare():
            return _compare(node, scope, depth)
        case nodes.And() | nodes.Or():
            return _either(node, scope, depth)
        case nodes.Not():
            inverted = lower(node.node, scope, depth + 1)
            return Expression(BOOLEAN, lambda run: not inverted.value(run), inverted.cost + 1)
        case nodes.CondExpr():
            return _conditional(node, scope, depth)
        case nodes.Concat():
            return _concat(node, scope, depth)
        case _:
            raise refusal(node)


def _constant(node: nodes.Const | nodes.Neg) -> Expression:
    value = literal_of(node)
    if isinstance(value, bool):
        shape = BOOLEAN
    elif isinstance(value, str):
        shape = TEXT
    elif isinstance(value, (int, float)) and math.isfinite(value):
        shape = NUMBER
    else:
        raise Fault("not a value to use here", 'an empty text is ""', line=node.lineno)
    return Expression(shape, lambda _: value)


def _name(node: nodes.Name, scope: Mapping[str, Shape]) -> Expression:
    name = node.name
    shape = scope.get(name)
    if shape is not None:
        return Expression(shape, lambda run: run.names[name])
    if name in EVENT.fields:
        advice = f"did you mean event.{name}?"
    else:
        near = closest(name, scope)
        advice = f"did you mean {near}?" if near else f"there are: {', '.join(sorted(scope))}"
    raise Fault(f"there is no variable {name}", advice, line=node.lineno, word=name)


def _field(node: nodes.Getattr | nodes.Getitem, inner: Expression, name: str) -> Expression:
    value, cost = inner.value, inner.cost + 1
    match inner.shape.kind:
        case Kind.MAP:
            return Expression(TEXT, lambda run: value(run).get(name, ""), cost)
        case Kind.RECORD if name in inner.shape.fields:
            # A record may be absent: rows|first of no rows is an empty text.
            return Expression(
                inner.shape.fields[name], lambda run: (value(run) or {}).get(name, ""), cost
            )
        case Kind.RECORD:
            owner = describe(node.node)
            near = closest(name, inner.shape.fields)
            known = ", ".join(sorted(inner.shape.fields))
            raise Fault(
                f"there is no field {owner}.{name}",
                f"did you mean {owner}.{near}?" if near else f"there are: {known}",
                line=node.lineno,
                word=name,
            )
        case _:
            raise Fault(
                f"{describe(node.node)} is {inner.shape.kind} and has no field {name}",
                f"write {{{{ {describe(node.node)} }}}}",
                line=node.lineno,
                word=name,
            )


def _filter(node: nodes.Filter, scope: Mapping[str, Shape], depth: int) -> Expression:
    name = node.name
    known = FILTERS.get(name)
    if known is None or node.node is None:
        raise _unknown_filter(node)
    inner = lower(node.node, scope, depth + 1)
    if inner.shape.kind not in known.takes:
        takes = " or ".join(sorted(known.takes - {Kind.SEVERITY}))
        raise Fault(
            f"{name} takes {takes}, and {describe(node.node)} is {inner.shape.kind}",
            "leave the filter out, or use another one",
            line=node.lineno,
            word=name,
        )
    arguments = _arguments(node, known)
    value, apply, weight = inner.value, known.apply, known.weight

    def filtered(run: Run) -> Any:
        given = value(run)
        run.spend(1 + size_of(given) // weight)
        result = apply(given, *arguments)
        if isinstance(result, str) and len(result) > MOST_RESULT:
            raise too_large()
        return result

    return Expression(known.gives(inner.shape), filtered, inner.cost + 2)


def _unknown_filter(node: nodes.Filter) -> Fault:
    name = node.name
    if name in ("e", "escape", "safe", "forceescape"):
        advice = "leave it out: values are always escaped as their place needs it"
    else:
        near = closest(name, (*FILTERS, "default"))
        known = ", ".join(sorted((*FILTERS, "default")))
        advice = f"did you mean {near}?" if near else f"there are: {known}"
    return Fault(f"there is no filter {name}", advice, line=node.lineno, word=name)


def _arguments(node: nodes.Filter, known: Filter) -> tuple[Any, ...]:
    expected = known.arguments
    needed = sum(argument.required for argument in expected)
    usage = f"write it as {known.usage}"
    if node.kwargs or node.dyn_args or node.dyn_kwargs:
        raise Fault(
            f"{node.name} takes no named arguments", usage, line=node.lineno, word=node.name
        )
    if not needed <= len(node.args) <= len(expected):
        count = str(needed) if needed == len(expected) else f"{needed} to {len(expected)}"
        raise Fault(
            f"{node.name} takes {count} argument(s)", usage, line=node.lineno, word=node.name
        )
    values = tuple(literal_of(argument) for argument in node.args)
    for value, argument in zip(values, expected, strict=False):
        if not argument.accepts(value):
            raise Fault(
                f"an argument of {node.name} must be {argument}",
                usage,
                line=node.lineno,
                word=node.name,
            )
    return values


def _default(node: nodes.Filter, scope: Mapping[str, Shape], depth: int) -> Expression:
    if node.node is None or len(node.args) != 1 or node.kwargs:
        raise Fault(
            "default takes 1 argument", "write it as default('-')", line=node.lineno, word="default"
        )
    inner = lower(node.node, scope, depth + 1)
    other = lower(node.args[0], scope, depth + 1)
    if inner.shape.is_text and other.shape.kind is Kind.NUMBER:
        other = Expression(TEXT, _as_text(other.value), other.cost)
    shape = agreed(node, inner, other, "default")
    value, otherwise = inner.value, other.value

    def defaulted(run: Run) -> Any:
        given = value(run)
        return otherwise(run) if given == "" else given

    return Expression(shape, defaulted, inner.cost + other.cost + 1)


def _as_text(value: Value) -> Value:
    return lambda run: to_text(value(run))


def _either(node: nodes.And | nodes.Or, scope: Mapping[str, Shape], depth: int) -> Expression:
    left, right = lower(node.left, scope, depth + 1), lower(node.right, scope, depth + 1)
    one, other = left.value, right.value
    both: Value
    if isinstance(node, nodes.And):
        both = lambda run: one(run) and other(run)  # noqa: E731
    else:
        both = lambda run: one(run) or other(run)  # noqa: E731
    cost = left.cost + right.cost + 1
    shape = merged(left.shape, right.shape)
    if shape is not None:
        return Expression(shape, both, cost)
    return Expression(BOOLEAN, lambda run: bool(both(run)), cost)


def _conditional(node: nodes.CondExpr, scope: Mapping[str, Shape], depth: int) -> Expression:
    test = lower(node.test, scope, depth + 1)
    yes = lower(node.expr1, scope, depth + 1)
    no = lower(node.expr2 or nodes.Const("", lineno=node.lineno), scope, depth + 1)
    shape = agreed(node, yes, no, "if")
    when, then, otherwise = test.value, yes.value, no.value
    return Expression(
        shape,
        lambda run: then(run) if when(run) else otherwise(run),
        test.cost + yes.cost + no.cost + 1,
    )


def _concat(node: nodes.Concat, scope: Mapping[str, Shape], depth: int) -> Expression:
    parts = [lower(part, scope, depth + 1) for part in node.nodes]
    values = [part.value for part in parts]

    def joined(run: Run) -> str:
        texts = []
        room = MOST_RESULT
        for value in values:
            texts.append(to_text(value(run)))
            room -= len(texts[-1])
            if room < 0:
                raise too_large()
        run.spend(1 + (MOST_RESULT - room) // 64)
        return "".join(texts)

    return Expression(TEXT, joined, sum(part.cost for part in parts) + 1)


def _compare(node: nodes.Compare, scope: Mapping[str, Shape], depth: int) -> Expression:
    if len(node.ops) != 1:
        raise Fault("a comparison has two sides", "join two comparisons with and", line=node.lineno)
    operand = node.ops[0]
    left = lower(node.expr, scope, depth + 1)
    if operand.op not in ("in", "notin"):
        return compared(node, operand, left, lower(operand.expr, scope, depth + 1))
    if isinstance(operand.expr, (nodes.List, nodes.Tuple)):
        found = listed(node, left, operand.expr.items)
    else:
        found = contained(node, left, lower(operand.expr, scope, depth + 1))
    if operand.op == "in":
        return found
    return Expression(BOOLEAN, lambda run: not found.value(run), found.cost)
