"""What templates do not have, and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jinja2 import nodes

from ibs_notify.templates.faults import Fault

_ARITHMETIC: Final[Mapping[type[nodes.Node], str]] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
    nodes.Pow: "**",
}
_TAGS: Final[Mapping[type[nodes.Node], str]] = {
    nodes.For: "for",
    nodes.Assign: "set",
    nodes.AssignBlock: "set",
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.FilterBlock: "filter",
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from",
    nodes.Extends: "extends",
    nodes.Block: "block",
    nodes.With: "with",
    nodes.ScopedEvalContextModifier: "autoescape",
}


def refusal(node: nodes.Node) -> Fault:  # noqa: C901 - a table with patterns for keys
    """The error for a node that no template may have."""
    match node:
        case nodes.Call(node=nodes.Getattr(attr="items" | "keys" | "values" as name)):
            return _fault(node, "nothing can be called", "use |dictsort", str(name))
        case nodes.Call():
            return _fault(node, "nothing can be called", "a filter may do: event.type|upper", "(")
        case nodes.Sub(left=nodes.Getattr(attr=str(name)), right=nodes.Name(name=str(rest))):
            advice = f"a name with a dash goes in brackets: event.labels['{name}-{rest}']"
            return _fault(node, "- is not available", advice, "-")
        case nodes.Add():
            return _fault(node, "+ is not available", "join texts with ~", "+")
        case nodes.Test():
            return _fault(
                node,
                f"the test 'is {node.name}' is not available",
                "an absent field is empty: {% if event.labels.KEY %}",
                "is",
            )
        case nodes.Getitem():
            return _fault(
                node, "brackets take a quoted name", "such as event.labels['KEY'], or |first", "["
            )
        case nodes.List() | nodes.Tuple() | nodes.Dict():
            return _fault(node, "a list is only for in", "such as event.type in ['a', 'b']", "")
    sign = _ARITHMETIC.get(type(node))
    if sign is not None:
        return _fault(node, f"{sign} is not available", "templates do not calculate", sign)
    tag = _TAGS.get(type(node))
    if tag is not None:
        advice = "use {% if %}, {% elif %}, {% else %}"
        if tag == "for":
            advice = "loops are for mail; here, {{ event.labels|tojson }} or |join(', ')"
        return _fault(node, f"{{% {tag} %}} is not available here", advice, tag)
    return _fault(node, f"{type(node).__name__.lower()} is not available", "leave it out", "")


def _fault(node: nodes.Node, message: str, advice: str, word: str) -> Fault:
    return Fault(message, advice, line=node.lineno, word=word)
