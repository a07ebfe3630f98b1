"""When the windows of digests close: local times of day, in zones whose clocks go forward and back.

A time that the clock skips comes at the first instant after the gap; one that it repeats counts
once, the first time. Hours are real ones: each time that the local clock shows the minute. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from ibs_notify.domain.clock import in_zone
from ibs_notify.domain.group import WEEKDAYS, Digest, Frequency
from ibs_notify.domain.time_zone import zone_of

_SECOND = timedelta(seconds=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_FAR = {Frequency.DAILY: 3, Frequency.WEEKLY: 9}
"""So many days before or after a moment there certainly is a close."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """``at`` is the local time of day, of which an hourly one keeps the minute; ``weekday`` counts
    from Monday, 0, and is of weekly ones; ``zone`` is an IANA name."""

    frequency: Frequency
    at: time
    weekday: int
    zone: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A close: the moment in UTC, and its name, the local date or the local hour with its offset.

    A stream of digests has one digest of a name, whatever clocks and configurations do meanwhile.
    """

    at: datetime
    name: str


def schedule_of(digest: Digest, default_zone: str) -> Schedule:
    """The schedule of a group's digest; ``default_zone`` is the installation's."""
    return Schedule(
        digest.frequency,
        time.fromisoformat(digest.time),
        WEEKDAYS.index(digest.weekday),
        digest.time_zone or default_zone,
    )


def schedule_of_close(frequency: Frequency, at: datetime, zone: str) -> Schedule:
    """The schedule that has a close at that moment, as far as one close tells it."""
    local = in_zone(at, zone_of(zone))
    return Schedule(frequency, local.time(), local.weekday(), zone)


def weekly_summary_schedule(digest: Digest | None, default_zone: str) -> Schedule:
    """Mondays, at the time and in the zone of the group's digest, else at 09:00."""
    if digest is None:
        return Schedule(Frequency.WEEKLY, time(9), 0, default_zone)
    zone = digest.time_zone or default_zone
    return Schedule(Frequency.WEEKLY, time.fromisoformat(digest.time), 0, zone)


def next_slot(schedule: Schedule, after: datetime) -> Slot:
    """The first close later than ``after``."""
    return min(
        (slot for slot in _around(schedule, after) if slot.at > after), key=lambda slot: slot.at
    )


def last_slot(schedule: Schedule, until: datetime) -> Slot:
    """The last close up to ``until``, that moment included."""
    return max(
        (slot for slot in _around(schedule, until) if slot.at <= until), key=lambda slot: slot.at
    )


def _around(schedule: Schedule, moment: datetime) -> Iterator[Slot]:
    """The closes before and after ``moment``, at least one on each side."""
    zone = zone_of(schedule.zone)
    if schedule.frequency is Frequency.HOURLY:
        return _hours(schedule, moment, zone)
    return _days(schedule, moment, zone)


def _days(schedule: Schedule, moment: datetime, zone: tzinfo) -> Iterator[Slot]:
    today = moment.astimezone(zone).date()
    far = _FAR[schedule.frequency]
    for step in range(-far, far + 1):
        day = today + step * _DAY
        if schedule.frequency is Frequency.DAILY or day.weekday() == schedule.weekday:
            yield Slot(_instant(day, schedule.at, schedule.zone), day.isoformat())


def _hours(schedule: Schedule, moment: datetime, zone: tzinfo) -> Iterator[Slot]:
    around = (moment + step * _HOUR for step in range(-3, 4))
    for offset in sorted({_offset(each, zone) for each in around}):
        local = (moment + offset).replace(minute=schedule.at.minute, second=0, microsecond=0)
        for step in range(-3, 4):
            at = local + step * _HOUR - offset
            if _offset(at, zone) == offset:
                yield Slot(at, at.astimezone(zone).isoformat(timespec="minutes"))


@lru_cache(maxsize=4096)
def _instant(day: date, at: time, zone_name: str) -> datetime:
    """The first instant at which the clock shows ``at`` on ``day``, or, where it skips that, the
    first one after the gap."""
    zone = zone_of(zone_name)
    local = datetime.combine(day, at, tzinfo=zone)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    # ``fold`` chooses the offset before the gap, which gives too late a moment, or the one after.
    before, after = local.replace(fold=1).astimezone(UTC), instant
    return _change(before, after, zone)


def _change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The first second after ``before``, up to ``after``, that has the offset of ``after``."""
    offset = _offset(after, zone)
    low, high = 0, (after - before) // _SECOND
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(before + middle * _SECOND, zone) == offset:
            high = middle
        else:
            low = middle
    return before + high * _SECOND


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
