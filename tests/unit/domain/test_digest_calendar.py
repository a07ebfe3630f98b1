"""A digest closes once a day, whatever the clocks of its zone do."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from tests.system.digest_calendar import check_all

from ibs_notify.domain.digest_calendar import (
    Schedule,
    last_slot,
    next_slot,
    schedule_of,
    weekly_summary_schedule,
)
from ibs_notify.domain.group import Digest, Frequency

MOMENT = timedelta(microseconds=1)


def daily(at: str, zone: str) -> Schedule:
    return schedule_of(Digest("*", time=at, time_zone=zone), "UTC")


def hourly(at: str, zone: str) -> Schedule:
    return schedule_of(Digest("*", Frequency.HOURLY, at, time_zone=zone), "UTC")


def closes(schedule: Schedule, after: str, count: int) -> list[str]:
    """The next closes, in UTC."""
    moment, found = datetime.fromisoformat(after).replace(tzinfo=UTC), []
    for _ in range(count):
        moment = next_slot(schedule, moment).at
        found.append(f"{moment:%m-%d %H:%M}")
    return found


def test_nine_in_the_morning_is_nine_on_the_wall_in_winter_and_in_summer() -> None:
    assert closes(daily("09:00", "Europe/Berlin"), "2026-03-27T12:00", 3) == [
        "03-28 08:00",
        "03-29 07:00",
        "03-30 07:00",
    ]


def test_a_time_that_the_clock_skips_comes_at_the_first_instant_after() -> None:
    # At 01:00 UTC it is 02:00 in Berlin, and then 03:00: there is no 02:30.
    assert closes(daily("02:30", "Europe/Berlin"), "2026-03-28T12:00", 2) == [
        "03-29 01:00",
        "03-30 00:30",
    ]


def test_a_time_that_the_clock_repeats_counts_once() -> None:
    assert closes(daily("02:30", "Europe/Berlin"), "2026-10-24T12:00", 2) == [
        "10-25 00:30",
        "10-26 01:30",
    ]


def test_a_day_that_an_island_leaves_out_is_over_when_the_next_begins() -> None:
    """Samoa went from 29 to 31 December 2011."""
    assert closes(daily("09:00", "Pacific/Apia"), "2011-12-29T00:00", 3) == [
        "12-29 19:00",
        "12-30 10:00",
        "12-30 19:00",
    ]


def test_midnight_that_is_skipped_is_one_in_the_morning() -> None:
    assert closes(daily("00:00", "Asia/Beirut"), "2026-03-27T12:00", 3) == [
        "03-27 22:00",
        "03-28 22:00",
        "03-29 21:00",
    ]


def test_hours_are_real_hours() -> None:
    spring = closes(hourly("00:15", "Europe/Berlin"), "2026-03-29T00:00", 3)
    assert spring == ["03-29 00:15", "03-29 01:15", "03-29 02:15"]
    autumn = closes(hourly("00:15", "Europe/Berlin"), "2026-10-25T00:00", 3)
    assert autumn == ["10-25 00:15", "10-25 01:15", "10-25 02:15"]


def test_an_hour_closes_at_the_minute_of_the_local_clock() -> None:
    assert closes(hourly("00:00", "Asia/Kathmandu"), "2026-05-21T00:00", 2) == [
        "05-21 00:15",
        "05-21 01:15",
    ]


def test_a_weekly_digest_closes_on_its_weekday() -> None:
    friday = Schedule(Frequency.WEEKLY, time(9), 4, "America/New_York")
    assert closes(friday, "2026-05-21T00:00", 2) == ["05-22 13:00", "05-29 13:00"]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Apia", "Australia/Lord_Howe"])
@pytest.mark.parametrize("frequency", Frequency)
def test_the_last_close_and_the_next_are_neighbours(zone: str, frequency: Frequency) -> None:
    schedule = Schedule(frequency, time(2, 15), 3, zone)
    slot = next_slot(schedule, datetime(2026, 3, 1, tzinfo=UTC))
    for _ in range(60):
        following = next_slot(schedule, slot.at)
        assert last_slot(schedule, following.at) == following
        assert last_slot(schedule, following.at - MOMENT) == slot
        assert following.name != slot.name
        slot = following


def test_the_weekly_summary_comes_on_monday_at_the_time_of_the_digest_or_at_nine() -> None:
    assert weekly_summary_schedule(None, "Europe/Vienna") == Schedule(
        Frequency.WEEKLY, time(9), 0, "Europe/Vienna"
    )
    digest = Digest("*", time="07:30", weekday="friday", time_zone="Asia/Tokyo")
    assert weekly_summary_schedule(digest, "UTC") == Schedule(
        Frequency.WEEKLY, time(7, 30), 0, "Asia/Tokyo"
    )


def test_no_date_is_missed_or_told_twice_around_the_changes_of_any_zone() -> None:
    """A part of what ``python -m tests.system.digest_calendar`` does."""
    tally = check_all(years=1, zones=10, restarts=2, seed=7)
    assert (tally.missed, tally.double, tally.late) == (0, 0, 0)
    assert tally.closes > 500
