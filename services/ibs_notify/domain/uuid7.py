"""Event ids for those who emit: UUIDs of version 7 (RFC 9562), which sort by their time."""

from __future__ import annotations

import secrets
from datetime import datetime

from ibs_notify.domain.clock import to_micros

_TAIL_BITS = 62


class Uuid7:
    """Ids of one instance sort in the order they were given, also when the clock goes back.

    48 bits of milliseconds, 12 of their fraction, 62 of chance. The chance is fresh for each, so a
    process that forks gives no id twice.
    """

    def __init__(self) -> None:
        self._ticks = 0

    def next(self, now: datetime) -> str:
        """The next id, 36 characters. Not for several threads at once."""
        milliseconds, rest = divmod(to_micros(now), 1000)
        self._ticks = max(milliseconds << 12 | (rest << 12) // 1000, self._ticks + 1)
        milliseconds, fraction = self._ticks >> 12, self._ticks & 0xFFF
        tail = 0b10 << _TAIL_BITS | secrets.randbits(_TAIL_BITS)
        text = f"{milliseconds:012x}7{fraction:03x}{tail:016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
