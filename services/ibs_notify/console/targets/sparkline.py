"""A target's last day, hour by hour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ibs_notify.rpc.convert import moment_from_proto
from ironcore.notification.v1.delivery_service_pb2 import DeliverySpan

HOURS = 24


@dataclass(frozen=True, slots=True)
class Sparkline:
    """What arrived and what failed in each hour, the present one last; the words say the same."""

    delivered: Sequence[int]
    failed: Sequence[int]
    dead: int

    @property
    def words(self) -> str:
        text = f"{sum(self.delivered):,} delivered, {sum(self.failed):,} failed attempts"
        return f"The last day: {text}" + (f", {self.dead:,} given up" if self.dead else "")


def sparkline(spans: Iterable[DeliverySpan], now: datetime) -> Sparkline:
    """The ``HOURS`` hours up to ``now``."""
    delivered, failed, dead = [0] * HOURS, [0] * HOURS, 0
    for span in spans:
        age = int((now - moment_from_proto(span.start_time)).total_seconds() // 3600)
        if 0 <= age < HOURS:
            delivered[HOURS - 1 - age] += span.delivered
            failed[HOURS - 1 - age] += span.failed_attempts
            dead += span.dead
    return Sparkline(delivered, failed, dead)
