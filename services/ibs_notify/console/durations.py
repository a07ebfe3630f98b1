"""Spans of time as people write them in forms and on the command line."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_PART = re.compile(r"([0-9]{1,9})([dhms])")
_WHOLE = re.compile(r"(?:[0-9]{1,9}[dhms])+")
_OFF = frozenset({"", "0", "off"})


def read_duration(text: str) -> timedelta:
    """``5m``, ``1h30m``; none is ``0``, ``off`` or nothing. ``ValueError`` for anything else."""
    plain = text.strip().lower().replace("min", "m").replace(" ", "")
    if plain in _OFF:
        return timedelta(0)
    if _WHOLE.fullmatch(plain) is None:
        raise ValueError("is no span of time: such as 5m, 1h30m or 2d; off for none")
    try:
        return timedelta(seconds=sum(int(n) * _UNITS[unit] for n, unit in _PART.findall(plain)))
    except OverflowError:
        raise ValueError("is too long") from None


def written(span: timedelta) -> str:
    """``1h30m``, ``0``: as the command line takes it."""
    left, text = int(span.total_seconds()), ""
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0"
