"""A target's last day as a row of bars, drawn by the server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ibs_notify.rpc.convert import moment_from_proto
from ironcore.notification.v1.delivery_service_pb2 import DeliverySpan

HOURS = 24
HEIGHT = 20
LEAST = 1.5
_STEP = 4.0
"""Of each bar three are ink and one is a gap."""


@dataclass(frozen=True, slots=True)
class Bar:
    """An hour: what arrived, and above it what failed. Lengths in units of the view box."""

    x: float
    good_y: float
    good: float
    bad_y: float
    bad: float


@dataclass(frozen=True, slots=True)
class Sparkline:
    """``bars`` from left to right; the words say the same."""

    bars: tuple[Bar, ...]
    delivered: int
    dead: int
    failed: int

    @property
    def words(self) -> str:
        text = f"The last day: {self.delivered:,} delivered, {self.failed:,} failed attempts"
        return f"{text}, {self.dead:,} given up" if self.dead else text


def sparkline(spans: Iterable[DeliverySpan], now: datetime) -> Sparkline:
    """The ``HOURS`` hours up to ``now``, the present one at the right."""
    good, bad = [0] * HOURS, [0] * HOURS
    delivered = dead = failed = 0
    for span in spans:
        age = int((now - moment_from_proto(span.start_time)).total_seconds() // 3600)
        if 0 <= age < HOURS:
            good[HOURS - 1 - age] += span.delivered
            bad[HOURS - 1 - age] += span.failed_attempts
            delivered, dead = delivered + span.delivered, dead + span.dead
            failed += span.failed_attempts
    most = max(1, *(one + other for one, other in zip(good, bad, strict=True)))
    bars = tuple(
        _bar(place, one * HEIGHT / most, other * HEIGHT / most)
        for place, (one, other) in enumerate(zip(good, bad, strict=True))
        if one or other
    )
    return Sparkline(bars, delivered, dead, failed)


def _bar(place: int, good: float, bad: float) -> Bar:
    # What is there is to be seen, however little of it.
    good, bad = (max(each, LEAST) if each else 0.0 for each in (good, bad))
    good, bad = (min(good, HEIGHT - bad), bad) if good > bad else (good, min(bad, HEIGHT - good))
    good_y = HEIGHT - good
    rounded = (round(each, 1) for each in (place * _STEP, good_y, good, good_y - bad, bad))
    return Bar(*rounded)
