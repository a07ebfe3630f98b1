"""How many calls a minute are let through: a bucket that fills evenly. Pure.

What is let through once is let through whole: a batch that is larger than what is left takes the
bucket below empty, and what it took too much is waited for afterwards. So no batch is too large to
ever pass, and over time nobody gets more than the quota.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """``level`` calls were left at ``at``, in seconds of a clock that never runs backwards."""

    level: float
    at: float


@dataclass(frozen=True, slots=True)
class Charge:
    """The bucket afterwards, and how long to wait; zero where the call is let through."""

    bucket: Bucket
    wait: timedelta


def charge(bucket: Bucket | None, per_minute: int, count: int, now: float) -> Charge:
    """Take ``count`` out of ``bucket``, or nothing where none is left. ``None`` is a full one.

    A full bucket holds ``per_minute``: who was quiet may make a minute's calls at once.
    """
    rate = per_minute / _MINUTE
    if bucket is None:
        level = float(per_minute)
    else:
        level = min(float(per_minute), bucket.level + max(0.0, now - bucket.at) * rate)
    if level < 1.0:
        return Charge(Bucket(level, now), timedelta(seconds=(1.0 - level) / rate))
    return Charge(Bucket(level - count, now), timedelta(0))
