"""Messages of any shape, made from their descriptors: valid on the wire, and mostly nonsense.

What a service answers is remembered by the names of the fields, so that names, ids, tokens and
cursors that exist come back to it, in the right places and in wrong ones.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tests.support.hostile_text import TEXTS

_DEEPEST: Final = 6
_REMEMBERED: Final = 50
_HOSTILE: Final = tuple(TEXTS.values())
_NUMBERS: Final = (0, 0, 1, 1, 2, 3, 7, 60, 100, 1000, 1001, -1, -(2**31), 2**31 - 1)
_LONG_NUMBERS: Final = (*_NUMBERS, 2**53, 2**62, 2**63 - 1, -(2**63))
_SECONDS: Final = (0, 1, -1, 1_779_329_675, 253_402_300_799, -62_135_596_800, 2**62, -(2**62))

PLAUSIBLE: Final[Mapping[str, Sequence[str]]] = {
    "rule": (
        "*",
        "*",
        "type = backup.failed",
        "severity >= error",
        'type = backup.failed and not labels.x = "y"',
        "resource under /datastore/a",
        "summary matches *a*",
        "(" * 40,
        "a = b",
    ),
    "type": ("backup.failed", "backup.completed", "x", "notification.test", "A.b", "a..b"),
    "name": ("ops", "chat", "ops-smtp", "a" * 63, "a" * 64, "Ops", "a.b"),
    "target": ("ops", "chat", "ops-smtp", "nobody"),
    "group": ("ops", "chat", "ops-smtp", "nobody"),
    "groups": ("ops", "chat", "nobody"),
    "event_id": ("e1", "e2", "e3", "evt-2026-05-21-001"),
    "recipients": ("a@example.org", "b@example.org", "\u00e9@\u00e9.example", "nobody"),
    "address": ("a@example.org", "A <a@example.org>", "nobody"),
    "key": ("a", "x", "site"),
    "value": ("a", "x", "vienna"),
    "time_zone": ("Europe/Vienna", "UTC", "../etc/passwd", "Mars/Olympus", "x" * 300),
    "url": ("http://127.0.0.1:9/x", "https://[::1]:9/", "ftp://x", "http://", "http://[::"),
    "server": ("127.0.0.1", "localhost", "::1", "no.invalid", "-"),
    "time": ("08:00", "24:00", "8", "23:59", "aa:bb"),
    "weekday": ("monday", "Sunday", "x"),
    "resource": ("a:b", "/datastore/a/b", "/", "//", "nowhere"),
    "paths": ("target.smtp.server", "group.rule", "settings", "*", "a" * 200, "name", "labels"),
    "page_token": ("W10", "bnVsbA", "WyJldmVudHMiLDFd", "====", "\u00e9"),
    "template": ("{{ event.type }}", "{% for x in y %}", "{}", '{"a": "{{ summary }}"}'),
}
"""What a field is likely to hold, by the end of its name."""


class AnyMessage:
    """Makes messages. The same ``seed`` and the same answers make the same ones."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._known: dict[str, list[str]] = defaultdict(list)
        self._wild = 1.0

    def learn(self, message: Message) -> None:
        """Remember the texts of an answer."""
        for field, value in message.ListFields():
            for each in _values(field, value):
                if isinstance(each, Message):
                    self.learn(each)
                elif isinstance(each, str) and each:
                    self._remember(field.name, each)

    def make(self, descriptor: Descriptor) -> Any:
        """A message of ``descriptor``, valid on the wire: now nearly sensible, now nonsense."""
        self._wild = self._chance.choice((0.0, 0.02, 0.1, 0.4, 1.0))
        return self._make(descriptor, 0)

    def _make(self, descriptor: Descriptor, depth: int) -> Any:
        message: Any = GetMessageClass(descriptor)()
        if descriptor.full_name in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
            wild = self._is_wild()
            message.seconds = self._chance.choice(_SECONDS if wild else (0, 60, 3600))
            message.nanos = self._chance.choice((1, -1, 2**31 - 1)) if wild else 0
            return message
        taken: set[str] = set()
        for field in descriptor.fields:
            choice = field.containing_oneof
            if choice is not None:
                if choice.name in taken or self._chance.random() < 1 - 1 / len(choice.fields):
                    continue
                taken.add(choice.name)
            elif self._chance.random() < 0.4:
                continue
            self._fill(message, field, depth)
        return message

    def _fill(self, message: Any, field: FieldDescriptor, depth: int) -> None:
        if field.message_type is not None and depth >= _DEEPEST:
            return
        if not field.is_repeated:
            if field.message_type is not None:
                getattr(message, field.name).CopyFrom(self._make(field.message_type, depth + 1))
            else:
                setattr(message, field.name, self._scalar(field))
            return
        container = getattr(message, field.name)
        kind = field.message_type
        for _ in range(self._chance.choice((0, 3, 70) if self._is_wild() else (1, 1, 2))):
            if kind is not None and kind.GetOptions().map_entry:
                key = self._scalar(kind.fields_by_name["key"])
                container[key] = self._scalar(kind.fields_by_name["value"])
            elif kind is not None:
                container.add().CopyFrom(self._make(kind, depth + 1))
            else:
                container.append(self._scalar(field))

    def _scalar(self, field: FieldDescriptor) -> Any:
        chance = self._chance
        kinds = FieldDescriptor
        if field.type == kinds.TYPE_STRING:
            return self._text(field.name)
        if field.type == kinds.TYPE_BYTES:
            return chance.randbytes(chance.choice((0, 1, 16, 200)))
        if field.type == kinds.TYPE_BOOL:
            return chance.random() < 0.5
        if field.type == kinds.TYPE_ENUM:
            known = [each.number for each in field.enum_type.values]
            return chance.choice([-1, 999] if self._is_wild() else known)
        if field.type in (kinds.TYPE_DOUBLE, kinds.TYPE_FLOAT):
            return chance.choice((0.0, 1.5, -1.0, float("inf"), float("nan"), 1e300))
        if not self._is_wild():
            return chance.choice((0, 1, 1, 2, 60))
        if field.type in (kinds.TYPE_INT32, kinds.TYPE_SINT32, kinds.TYPE_SFIXED32):
            return chance.choice(_NUMBERS)
        if field.type in (kinds.TYPE_UINT32, kinds.TYPE_FIXED32):
            return abs(chance.choice(_NUMBERS))
        if field.type in (kinds.TYPE_UINT64, kinds.TYPE_FIXED64):
            return abs(chance.choice(_LONG_NUMBERS))
        return chance.choice(_LONG_NUMBERS)

    def _text(self, name: str) -> str:
        chance = self._chance
        if self._is_wild():
            others = [each for texts in self._known.values() for each in texts]
            kinds = (_HOSTILE, others or _HOSTILE, ("x" * 5_000, "\u00e9" * 40_000))
            return chance.choice(chance.choices(kinds, (8, 4, 1))[0])
        known = self._known[name]
        if known and chance.random() < 0.6:
            return chance.choice(known)
        endings = [ending for ending in PLAUSIBLE if name.endswith(ending)]
        return chance.choice(PLAUSIBLE[max(endings, key=len)]) if endings else ""

    def _is_wild(self) -> bool:
        return self._chance.random() < self._wild

    def _remember(self, name: str, text: str) -> None:
        known = self._known[name]
        if text not in known:
            if len(known) >= _REMEMBERED:
                known.pop(self._chance.randrange(_REMEMBERED))
            known.append(text)


def full_of(descriptor: Descriptor, text: str, depth: int = 0) -> Any:
    """A message in which every text is ``text``, and of everything else there is one."""
    message: Any = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if descriptor.full_name.startswith("google.protobuf."):
            return GetMessageClass(descriptor)(seconds=60)
        if field.containing_oneof is not None and message.WhichOneof(field.containing_oneof.name):
            continue
        _fill_with(message, field, text, depth)
    return message


def _fill_with(message: Any, field: FieldDescriptor, text: str, depth: int) -> None:
    kind = field.message_type
    if kind is not None and depth >= _DEEPEST:
        return
    if kind is not None and kind.GetOptions().map_entry:
        getattr(message, field.name)[text] = text
        return
    value: Any = 1
    if kind is not None:
        value = full_of(kind, text, depth + 1)
    elif field.type == FieldDescriptor.TYPE_STRING:
        value = text
    elif field.type == FieldDescriptor.TYPE_BYTES:
        value = text.encode()
    elif field.type == FieldDescriptor.TYPE_ENUM:
        value = field.enum_type.values[-1].number
    if field.is_repeated:
        getattr(message, field.name).append(value)
    elif kind is not None:
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)


def _values(field: FieldDescriptor, value: Any) -> Sequence[Any]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return [*value.keys(), *value.values()]
    return list(value) if field.is_repeated else [value]
