"""A rule held against an event, as a tree: what holds, what does not, and what the event has."""

from __future__ import annotations

from ibs_notify.cli.output import paragraph
from ironcore.notification.v1 import router_service_pb2 as pb

HOLDS = "✓"
HOLDS_NOT = "✗"
_JOINTS = {"and": "all of", "or": "any of", "not": "not"}


def show_rule(node: pb.RuleTrace, *, indent: str) -> None:
    """``✗ all of``, and below it ``✗ severity >= critical — it is error``."""
    mark = HOLDS if node.holds else HOLDS_NOT
    if node.parts:
        paragraph(f"{mark} {joint(node) or node.text}", first=indent, rest=indent + "    ")
        for part in node.parts:
            show_rule(part, indent=indent + "  ")
    else:
        paragraph(f"{mark} {node.text}{_actual(node)}", first=indent, rest=indent + "    ")


def joint(node: pb.RuleTrace) -> str:
    """How the parts are joined: by the word that stands between them or before the only one."""
    at = 0
    for part in node.parts:
        found = node.text.find(part.text, at)
        if found < 0:
            return ""
        for word in node.text[at:found].lower().split():
            if word.strip("()") in _JOINTS:
                return _JOINTS[word.strip("()")]
        at = found + len(part.text)
    return ""


def _actual(node: pb.RuleTrace) -> str:
    if node.text == "*":
        return ""
    return f" — it is {node.actual or 'empty'}"
