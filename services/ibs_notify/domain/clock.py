"""Time enters the system here, once, at the edge."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol


class Clock(Protocol):
    """Where a component gets the time from; a constructor argument, never a module call."""

    def now(self) -> datetime:
        """Wall-clock time, aware UTC. It may jump; use it for what people see and for due times."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for measuring intervals."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def to_micros(moment: datetime) -> int:
    """Microseconds since the epoch: how moments are stored. Exact, unlike ``timestamp()``."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC moment of a stored value."""
    return _EPOCH + timedelta(0, 0, micros)


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """``moment`` as clocks in ``zone`` show it; in UTC where their calendar has no such day.

    Emitters send the year 1 for no time at all, which is the year 0 west of Greenwich.
    """
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment.astimezone(UTC)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
