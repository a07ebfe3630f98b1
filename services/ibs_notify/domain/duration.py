"""Spans of time as people write them: on the command line, in forms."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_PART = re.compile(r"([0-9]{1,9})([smhdw])")
_DURATION = re.compile(r"(?:[0-9]{1,9}[smhdw])+")


def parse_duration(text: str) -> timedelta:
    """``5m``, ``1h30m`` or ``0``. ``ValueError`` for anything else, ``OverflowError`` for what is
    too long."""
    text = text.strip().lower()
    if text == "0":
        return timedelta(0)
    if _DURATION.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no duration: such as 5m, 90s, 1h30m, 2d, or 0")
    return timedelta(seconds=sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text)))


def show_duration(span: timedelta) -> str:
    """``1h30m``: as it may be given. Weeks are days."""
    left, text = int(span.total_seconds()), ""
    for unit in "dhms":
        count, left = divmod(left, _UNITS[unit])
        text += f"{count}{unit}" if count else ""
    return text or "0"
