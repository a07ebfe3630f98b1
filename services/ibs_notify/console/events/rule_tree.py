"""A rule held against an event, as a tree to be shown. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ironcore.notification.v1 import router_service_pb2 as pb

_JOINTS = {"and": "all of", "or": "any of", "not": "not"}


@dataclass(frozen=True, slots=True)
class Node:
    """``actual`` is the value that the event has, at a leaf that looks at one."""

    text: str
    holds: bool
    actual: str = ""
    looks: bool = False
    parts: tuple[Node, ...] = ()


def tree_of(trace: pb.RuleTrace) -> Node:
    """The tree of a trace: of a node with parts the word that joins them, of a leaf its text."""
    if trace.parts:
        parts = tuple(tree_of(each) for each in trace.parts)
        return Node(_joint(trace) or trace.text, trace.holds, parts=parts)
    return Node(trace.text, trace.holds, trace.actual, looks=trace.text != "*")


def _joint(trace: pb.RuleTrace) -> str:
    """By the word that stands between the parts, or before the only one."""
    at = 0
    for part in trace.parts:
        found = trace.text.find(part.text, at)
        if found < 0:
            return ""
        for word in trace.text[at:found].lower().replace("(", " ").replace(")", " ").split():
            if word in _JOINTS:
                return _JOINTS[word]
        at = found + len(part.text)
    return ""
