"""The tree of an index: what an event's values lead to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from ibs_notify.domain.event import Event
from ibs_notify.rules.evaluate import Predicate

Check: TypeAlias = Predicate | None
"""What is left to check; None where nothing is."""
Leaf: TypeAlias = tuple[Check, tuple[int, ...]]
"""A check, and the positions of the rules that hold if it does."""
Leaves: TypeAlias = tuple[tuple[Check, ...], tuple[Leaf, ...]]
"""For each leaf what is to be checked of type and severity first. These stand together, so that
the leaves of other types and severities, which are most, need not be fetched from memory."""

ANSWERS_LIMIT: Final = 256
"""So many answers are remembered for a type and severity."""
VALUE_LIMIT: Final = 256
"""Characters of a value that is remembered."""

Read: TypeAlias = Callable[[Event], str]


@dataclass(frozen=True, slots=True)
class Node:
    """Many rules, each as a leaf or in the table of a key of its own.

    ``kinds`` are the tables of what an event's type and severity decide, ``fields`` those of all
    else; the tables of ``labels`` are by key.
    """

    leaves: Leaves = ((), ())
    kinds: tuple[tuple[Read, FieldTable], ...] = ()
    fields: tuple[tuple[Read, FieldTable], ...] = ()
    labels: tuple[Mapping[str, FieldTable], ...] = ()


Posting: TypeAlias = Leaves | Node
"""The rules that have a key in common: a few, or many by their next key."""
Find: TypeAlias = Callable[[str], Sequence[Posting]]


class FieldTable(dict[str, tuple[Posting, ...]]):
    """What the values of one field lead to. Remembers ``remembered`` of them, unless too long."""

    __slots__ = ("_finds", "_remembered")

    def __init__(self, finds: Sequence[Find], remembered: int) -> None:
        super().__init__()
        self._finds = finds
        self._remembered = remembered

    def __missing__(self, value: str) -> tuple[Posting, ...]:
        found: list[Posting] = []
        for find in self._finds:
            found += find(value)
        postings = tuple(found)
        if self._remembered and len(value) <= VALUE_LIMIT:
            if len(self) >= self._remembered:
                self.clear()
            self[value] = postings
        return postings


class KindAnswers(dict[Check, bool]):
    """What predicates say of one type and severity: each is asked once, at first use."""

    __slots__ = ("_event",)

    def __init__(self, event: Event) -> None:
        super().__init__({None: True})
        self._event = Event("", event.type, event.severity, event.timestamp)

    def __missing__(self, predicate: Predicate) -> bool:
        answer = predicate(self._event)
        if len(self) < ANSWERS_LIMIT:
            self[predicate] = answer
        return answer


def collect(node: Node, event: Event, kind: KindAnswers, found: list[int]) -> None:
    """Append the positions of the rules of ``node`` that hold for ``event``, some perhaps twice."""
    reached: list[Posting] = [node.leaves]
    for read, table in node.fields:
        reached += table[read(event)]
    if node.labels and event.labels:
        reached += _by_labels(node, event.labels)
    for read, table in node.kinds:
        reached += table[read(event)]
    for posting in reached:
        if isinstance(posting, Node):
            collect(posting, event, kind, found)
        else:
            of_kinds, leaves = posting
            for place, of_kind in enumerate(of_kinds):
                if kind[of_kind]:
                    check, positions = leaves[place]
                    if check is None or check(event):
                        found += positions


def _by_labels(node: Node, labels: Mapping[str, str]) -> list[Posting]:
    reached: list[Posting] = []
    for tables in node.labels:
        for key, value in labels.items():
            if key in tables:
                reached += tables[key][value]
    return reached


def of_kind_only(root: Node, event: Event, kind: KindAnswers) -> Node:
    """What ``root`` comes to for all events of the type and severity of ``event``."""
    reached: list[Node] = []
    leaves: list[Leaf] = []
    ahead: list[Posting] = [root]
    while ahead:
        posting = ahead.pop()
        if isinstance(posting, Node):
            reached.append(posting)
            ahead.append(posting.leaves)
            for read, table in posting.kinds:
                ahead += table[read(event)]
        else:
            leaves += (leaf for of_kind, leaf in zip(*posting, strict=True) if kind[of_kind])
    return Node(
        leaves=((None,) * len(leaves), tuple(leaves)),
        fields=tuple(table for node in reached for table in node.fields),
        labels=tuple(table for node in reached for table in node.labels),
    )
