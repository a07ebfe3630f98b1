"""The text of a rule between browsers and services.

Browsers count UTF-16 units, the API counts characters: a 💾 is two of the ones, one of the others.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate

from ibs_notify.domain.resource import canonical
from ironcore.notification.v1.event_pb2 import Event

MOST_SEEN = 10
_BARE = re.compile(r"[\w./:@!*-]+", re.ASCII)
_RESERVED = frozenset({"and", "or", "not"})
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
LABELS = "labels."
_RESOURCE = "resource"
_NOT_CRITICAL = "severity < critical"


def _path(event: Event) -> str:
    """Its resource as rules compare it; empty of one that is no path."""
    resource = canonical(event.resource)
    return resource if resource.startswith("/") else ""


_FIELDS: dict[str, Callable[[Event], str]] = {
    "type": lambda event: event.type,
    "actor": lambda event: event.actor,
    _RESOURCE: _path,
    "subject": lambda event: event.subject,
    "task_id": lambda event: event.task_id,
}


class Units:
    """``characters`` and ``units`` turn a place in ``text`` from one count into the other."""

    def __init__(self, text: str) -> None:
        widths = (2 if ord(each) > 0xFFFF else 1 for each in text)
        self._starts = [0, *accumulate(widths)]

    def characters(self, units: int) -> int:
        """Of a place counted in UTF-16 units; the nearest one in the text."""
        return min(bisect_left(self._starts, units), len(self._starts) - 1)

    def units(self, characters: int) -> int:
        """Of a place counted in characters; the nearest one in the text."""
        return self._starts[min(max(characters, 0), len(self._starts) - 1)]


def quoted(value: str) -> str:
    """``value`` as it is written in a rule."""
    if _BARE.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    return f'"{value.translate(_ESCAPES)}"'


def but_critical(rule: str) -> str:
    """What ``rule``, in canonical form, matches, without critical events."""
    if rule == "*":
        return _NOT_CRITICAL
    return f"{f'({rule})' if ' or ' in rule else rule} and {_NOT_CRITICAL}"


def seen_values(events: list[Event], field: str, written: str) -> Iterator[tuple[str, str]]:
    """What ``field`` is in ``events`` and holds ``written``, as a rule says it, with a remark.

    Not what is written already; nor a resource that is no path, of which a rule is warned.
    """
    sought = written.strip("\"'").lower()
    if field == _RESOURCE:
        sought = canonical(sought)
    found = dict.fromkeys(_value(event, field) for event in events)
    offered = [quoted(each) for each in found if each and sought in each.lower()]
    yield from ((each, "Seen lately") for each in offered[:MOST_SEEN] if each != written)


def seen_labels(events: list[Event], written: str) -> Iterator[tuple[str, str]]:
    """The labels of ``events`` whose field begins with ``written``."""
    keys = sorted({key for event in events for key in event.labels})
    fields = [LABELS + quoted(key) for key in keys]
    for field in [each for each in fields if each.lower().startswith(written.lower())][:MOST_SEEN]:
        yield field, "A label seen lately"


def _value(event: Event, field: str) -> str:
    if field.startswith(LABELS):
        return event.labels.get(field.removeprefix(LABELS), "")
    look = _FIELDS.get(field)
    return look(event) if look else ""
