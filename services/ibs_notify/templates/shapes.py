"""What kinds of values templates handle, and the fields of an event and of a loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Kind(StrEnum):
    """The kind of a value; the word is what error messages call it."""

    TEXT = "a text"
    SEVERITY = "a severity"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    LIST = "a list"
    MAP = "a map"
    RECORD = "an object"
    PAIR = "a pair"


_NO_FIELDS: Mapping[str, Shape] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind and what is inside: ``fields`` of a RECORD, ``items`` of a LIST or a MAP."""

    kind: Kind
    fields: Mapping[str, Shape] = field(default_factory=lambda: _NO_FIELDS)
    items: Shape | None = None

    @property
    def is_text(self) -> bool:
        return self.kind in (Kind.TEXT, Kind.SEVERITY)


TEXT: Final = Shape(Kind.TEXT)
SEVERITY: Final = Shape(Kind.SEVERITY)
NUMBER: Final = Shape(Kind.NUMBER)
BOOLEAN: Final = Shape(Kind.BOOLEAN)
PAIR: Final = Shape(Kind.PAIR)
TEXTS: Final = Shape(Kind.LIST, items=TEXT)
TEXT_MAP: Final = Shape(Kind.MAP, items=TEXT)

EVENT: Final = Shape(
    Kind.RECORD,
    fields=MappingProxyType(
        {
            "event_id": TEXT,
            "type": TEXT,
            "severity": SEVERITY,
            "subject": TEXT,
            "summary": TEXT,
            "task_id": TEXT,
            "actor": TEXT,
            "resource": TEXT,
            "timestamp": TEXT,
            "when": TEXT,
            "task_url": TEXT,
            "links": TEXT_MAP,
            "labels": TEXT_MAP,
            "source": TEXT,
            "groups": TEXTS,
            "outcome": TEXT,
            "topic": TEXT,
        }
    ),
)

PRESET: Final = Shape(
    Kind.RECORD,
    fields=MappingProxyType(
        {"token": TEXT, "topic": TEXT, "account": TEXT, "sender": TEXT, "recipient": TEXT}
    ),
)
"""What a preset's peer has to be told of the target; empty without a preset."""

SENT: Final = Shape(
    Kind.RECORD, fields=MappingProxyType({"target": TEXT, "group": TEXT, "url": TEXT})
)
"""Why a message is sent: where to, the group that routes it there, and the event in the console."""

LOOP: Final = Shape(
    Kind.RECORD,
    fields=MappingProxyType({"index": NUMBER, "length": NUMBER, "first": BOOLEAN, "last": BOOLEAN}),
)
"""The variable ``loop`` inside ``{% for %}``."""
