"""``python -m tests.system.digest_calendar``: is there one digest of each date, in every zone?

The zones of IANA, each of different rules once, for ten years. Around every change of a zone's
clock, and around an ordinary day, a stream of digests is lived through with times of day from
before to after the change: a look now and then, and restarts during which nobody looks for some
hours. It is lived by the decisions that Delivery makes, and judged by a plain reading of the clock
on the wall.
"""

from __future__ import annotations

import argparse
import random
import time as stopwatch
import zoneinfo
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from ibs_notify.delivery.digests.windows import Stream, Window, WindowReason, judge
from ibs_notify.delivery.model import Kind
from ibs_notify.domain.digest_calendar import Schedule
from ibs_notify.domain.group import Frequency

FIRST_YEAR = 2026
LOOK = timedelta(minutes=20)
"""From one look at a window to the next, on average. Delivery looks each second."""
LIFE = timedelta(hours=36)
"""So long before and after a change."""
_DAY, _HOUR, _MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
_STREAM = Stream(Kind.DIGEST, "g", "t")


@dataclass(slots=True)
class Tally:
    """What was counted: dates without a digest, with two, and digests that came too late."""

    zones: int = 0
    lives: int = 0
    closes: int = 0
    missed: int = 0
    double: int = 0
    late: int = 0
    examples: list[str] = field(default_factory=list)

    def fault(self, what: str, where: str) -> None:
        setattr(self, what, getattr(self, what) + 1)
        if len(self.examples) < 10:
            self.examples.append(f"{what}: {where}")


def distinct_zones(years: int) -> dict[str, list[datetime]]:
    """The changes of each zone's clock, of those with the same changes and offsets one."""
    found: dict[tuple[object, ...], tuple[str, list[datetime]]] = {}
    for name in sorted(zoneinfo.available_timezones()):
        zone = zoneinfo.ZoneInfo(name)
        changes = list(_changes(zone, years))
        offsets = [(each + _MINUTE).astimezone(zone).utcoffset() for each in changes]
        begin = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).astimezone(zone).utcoffset()
        found.setdefault((begin, *changes, *offsets), (name, changes))
    return dict(found.values())


def _changes(zone: zoneinfo.ZoneInfo, years: int) -> Iterator[datetime]:
    """To the minute, which is as fine as any zone has them nowadays."""
    moment = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    end = datetime(FIRST_YEAR + years, 1, 1, tzinfo=UTC)
    while moment < end:
        following = moment + _DAY
        offset = moment.astimezone(zone).utcoffset()
        if following.astimezone(zone).utcoffset() != offset:
            low, high = moment, following
            while high - low > _MINUTE:
                middle = low + (high - low) // 2 // _MINUTE * _MINUTE
                if middle.astimezone(zone).utcoffset() == offset:
                    low = middle
                else:
                    high = middle
            yield high
        moment = following


def expected(zone: zoneinfo.ZoneInfo, at: time, dates: Iterable[date]) -> dict[str, datetime]:
    """For each date the first minute at which the clock on the wall shows that time or, if it never
    does, a later one: found by looking at the clock, not by reckoning."""
    found: dict[str, datetime] = {}
    for day in dates:
        wanted = datetime.combine(day, at)
        moment = wanted.replace(tzinfo=UTC) - 15 * _HOUR
        last = moment
        # In steps of a quarter of an hour, then minute by minute.
        while moment.astimezone(zone).replace(tzinfo=None) < wanted:
            last, moment = moment, moment + 15 * _MINUTE
        while last.astimezone(zone).replace(tzinfo=None) < wanted:
            last += _MINUTE
        found[day.isoformat()] = last
    return found


class Life:
    """A stream of digests that always has something to tell, as Delivery looks after it."""

    def __init__(self, schedule: Schedule, begin: datetime) -> None:
        self.schedule = schedule
        self.closes: list[tuple[str, datetime]] = []
        self.window = Window(1, _STREAM, "t", 1, begin)

    def look(self, now: datetime) -> None:
        """What the scheduler does once."""
        if self.window.opened_at > now:
            self.window = replace(self.window, opened_at=now)
        taken = {name for name, _ in self.closes}
        judgement = judge(self.window, self.schedule, 1, now, taken)
        if judgement.reason is WindowReason.DUE and judgement.slot is not None:
            self.closes.append((judgement.slot.name, now))
            self.window = replace(self.window, opened_at=now)


def check_all(*, years: int, zones: int | None, restarts: int, seed: int) -> Tally:
    """Live through it; ``zones``: only so many, by chance."""
    chance, tally = random.Random(seed), Tally()
    changes = distinct_zones(years)
    names = sorted(changes)
    if zones is not None:
        names = sorted(chance.sample(names, min(zones, len(names))))
    for name in names:
        tally.zones += 1
        zone = zoneinfo.ZoneInfo(name)
        ordinary = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC) + chance.random() * years * 365 * _DAY
        for change in [*changes[name], ordinary]:
            for at in _times_around(zone, change):
                _check(tally, name, at, change, restarts, chance)
    return tally


def _times_around(zone: zoneinfo.ZoneInfo, change: datetime) -> Iterator[time]:
    """Every half hour from two hours before to two hours after, by the wall before the change, and
    the minutes next to it."""
    before = (change - _MINUTE).astimezone(zone).replace(tzinfo=None) + _MINUTE
    minutes = [*range(-120, 121, 30), -1, 1, 29, 31, 59, 61]
    yield from sorted({(before + each * _MINUTE).time().replace(second=0) for each in minutes})


def _check(
    tally: Tally, name: str, at: time, change: datetime, restarts: int, chance: random.Random
) -> None:
    zone = zoneinfo.ZoneInfo(name)
    begin, end = change - LIFE, change + LIFE
    life = Life(Schedule(Frequency.DAILY, at, 0, name), begin)
    pauses = [
        (start, start + chance.random() * 5 * _HOUR)
        for start in (begin + chance.random() * (end - begin) for _ in range(restarts))
    ]
    moment, looks = begin, []
    while moment < end:
        moment += LOOK * (0.5 + chance.random())
        if not any(start <= moment < over for start, over in pauses):
            looks.append(moment)
            life.look(moment)
    days = [change.date() + step * _DAY for step in range(-3, 4)]
    wanted = {day: due for day, due in expected(zone, at, days).items() if begin < due <= looks[-1]}
    told = [day for day, _ in life.closes]
    where = f"{name} at {at:%H:%M} around {change:%Y-%m-%d %H:%M} UTC"
    tally.lives += 1
    tally.closes += len(told)
    for day in set(told) - wanted.keys() | {day for day in told if told.count(day) > 1}:
        tally.fault("double", f"{day} in {where}")
    for day, due in wanted.items():
        first_look = next(look for look in looks if look >= due)
        happened = dict(life.closes).get(day)
        # Of those that a pause covers only the last one is told.
        if happened is None and not any(due < other <= first_look for other in wanted.values()):
            tally.fault("missed", f"{day} in {where}")
        elif happened is not None and happened != first_look:
            tally.fault("late", f"{day} in {where}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--zones", type=int, default=None, help="only so many, by chance")
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = stopwatch.process_time()
    tally = check_all(
        years=options.years, zones=options.zones, restarts=options.restarts, seed=options.seed
    )
    print(
        f"{len(zoneinfo.available_timezones())} zones, {tally.zones} of different rules in "
        f"{options.years} years; {tally.lives:,} lives of 3 days with {options.restarts} restarts, "
        f"{tally.closes:,} digests: {tally.missed} missed, {tally.double} double, "
        f"{tally.late} late ({stopwatch.process_time() - began:.0f} s of CPU)"
    )
    for each in tally.examples:
        print(f"  {each}")
    raise SystemExit(bool(tally.missed or tally.double or tally.late))


if __name__ == "__main__":
    main()
