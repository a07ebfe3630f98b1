"""A target's ``max_rate``: no more messages in any minute, exactly, over restarts and replicas.

A window of what was let through is kept with the target's state and changed under its lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WINDOW_MICROS = 61_000_000
"""A minute, and a second for what a slow connection delays into the next one."""
_GRAIN_MICROS = 100_000


@dataclass(frozen=True, slots=True)
class Passed:
    """So many messages were let through up to this moment, in microseconds."""

    at: int
    count: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many may pass now; where that is none, ``next_at`` is when one may, in microseconds."""

    count: int
    next_at: int | None


def allowance(window: Sequence[Passed], limit: int, now: int) -> Allowance:
    """What ``limit`` messages in any window leave at ``now``."""
    recent = current(window, now)
    left = limit - sum(each.count for each in recent)
    if left > 0:
        return Allowance(left, None)
    return Allowance(0, min(each.at for each in recent) + WINDOW_MICROS)


def passed(window: Sequence[Passed], count: int, now: int) -> tuple[Passed, ...]:
    """The window after ``count`` more. Those of one tenth of a second are merged to the latest."""
    recent = current(window, now)
    if recent and recent[-1].at // _GRAIN_MICROS == now // _GRAIN_MICROS:
        return (*recent[:-1], Passed(max(now, recent[-1].at), recent[-1].count + count))
    return (*recent, Passed(now, count))


def current(window: Sequence[Passed], now: int) -> tuple[Passed, ...]:
    """What still counts. A clock that went back makes entries of the future, which count."""
    return tuple(each for each in window if each.at > now - WINDOW_MICROS)
