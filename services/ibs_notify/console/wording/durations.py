"""Spans of time in forms, where people write them a little more freely than in commands."""

from __future__ import annotations

from datetime import timedelta

from ibs_notify.domain.duration import parse_duration

_OFF = frozenset({"", "off"})


def read_duration(text: str) -> timedelta:
    """``5m``, ``1h 30min``; none is ``0``, ``off`` or nothing. ``ValueError`` for anything else."""
    plain = text.strip().lower().replace("min", "m").replace(" ", "")
    if plain in _OFF:
        return timedelta(0)
    try:
        return parse_duration(plain)
    except ValueError:
        problem = "is no span of time: such as 5m, 1h30m or 2d; off for none"
    except OverflowError:
        problem = "is too long"
    raise ValueError(problem)
