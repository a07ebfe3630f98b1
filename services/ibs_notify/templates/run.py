"""One rendering: its variables, what it has written, and how much more it may do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ibs_notify.domain.errors import InvalidArgument, Reason

MOST_TEMPLATE: Final = 64 * 1024
"""Characters of a template."""
MOST_RESULT: Final = 256 * 1024
"""Bytes of a result; while it is being written, characters."""
MOST_WORK: Final = 100_000
"""Units of about a tenth of a microsecond: what keeps the worst rendering below 50 ms."""

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class Run:
    """The state of one rendering; made for it, and thrown away after it."""

    __slots__ = ("_room", "_work", "names", "out")

    def __init__(self, context: Mapping[str, Any]) -> None:
        self.names: dict[str, Any] = dict(context)
        self.out: list[str] = []
        self._room = MOST_RESULT
        self._work = MOST_WORK

    def spend(self, units: int) -> None:
        """Account for work. Raises InvalidArgument when the template asks for too much of it."""
        self._work -= units
        if self._work < 0:
            raise InvalidArgument(
                Reason.TEMPLATE_INVALID,
                "the template does too much work for one event",
                advice="use fewer loops and filters; truncate a long text first",
            )

    def reserve(self, characters: int) -> None:
        """Account for output. Raises InvalidArgument when the result grows too large."""
        self._room -= characters
        if self._room < 0:
            raise too_large()

    def write(self, text: str) -> None:
        self.reserve(len(text))
        self.out.append(text)


def too_large() -> InvalidArgument:
    """The error for a result over ``MOST_RESULT``."""
    return InvalidArgument(
        Reason.TEMPLATE_INVALID,
        f"the template's result is larger than {MOST_RESULT // 1024} KiB",
        advice="shorten long fields, such as {{ event.summary|truncate(2000) }}",
    )


def to_json(value: Any) -> str:
    """Compact JSON; text is kept as it is, not escaped to ASCII."""
    return _ENCODER.encode(value)


def to_text(value: Any) -> str:
    """How a value is written inside a text: what is not a text, as JSON."""
    return value if isinstance(value, str) else to_json(value)


def size_of(value: Any) -> int:
    """About how many characters ``value`` is written with."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(key) + 8 + size_of(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return sum(8 + size_of(item) for item in value)
    return 8
