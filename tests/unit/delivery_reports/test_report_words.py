"""Numbers, spans and moments as people say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ibs_notify.delivery.reports.words import counted, shortened, took, when, window_words

BERLIN = ZoneInfo("Europe/Berlin")
CLOSED = datetime(2026, 5, 21, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 s"),
        (0.42, "0.4 s"),
        (4.06, "4.1 s"),
        (9.0, "9 s"),
        (45.9, "45 s"),
        (60, "1 min"),
        (119.6, "1 min 59 s"),
        (7800, "2 h 10 min"),
        (7205, "2 h"),
        (86_400 * 3 + 4 * 3600, "3 d 4 h"),
        (86_400 * 1500, "1,500 d"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert took(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2026-05-21T02:14", "2026-05-21T02:14", "04:14"),
        ("2026-05-21T00:14", "2026-05-21T03:20", "02:14 – 05:20"),
        ("2026-05-20T08:00", "2026-05-20T08:00", "20 May 10:00"),
        ("2026-05-20T08:00", "2026-05-20T09:00", "20 May 10:00 – 11:00"),
        ("2026-05-20T20:00", "2026-05-21T03:00", "20 May 22:00 – 21 May 05:00"),
        ("2024-01-01T20:00", "2024-01-01T20:00", "1 Jan 2024 21:00"),
    ],
)
def test_moments_are_told_in_the_zone_with_the_day_where_it_is_another(
    first: str, last: str, words: str
) -> None:
    began, ended = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (first, last))
    assert when(began, ended, CLOSED, BERLIN) == words


def test_a_window_is_told_with_its_days() -> None:
    day, hour = timedelta(days=1), timedelta(hours=1)
    assert window_words(CLOSED - day, CLOSED, BERLIN) == (
        "Wed 20 May 09:00 – Thu 21 May 2026 09:00"
    )
    assert window_words(CLOSED - hour, CLOSED, BERLIN) == "Thu 21 May 2026 08:00 – 09:00"
    new_year = datetime(2027, 1, 1, 8, 0, tzinfo=UTC)
    assert window_words(new_year - day, new_year, BERLIN) == (
        "Thu 31 Dec 2026 09:00 – Fri 1 Jan 2027 09:00"
    )


def test_one_is_not_many() -> None:
    assert (counted(1, "event"), counted(1204, "event")) == ("1 event", "1,204 events")


def test_what_is_long_is_shortened_to_one_line() -> None:
    assert shortened("a\n b" * 9, 6) == "a ba …"


def test_a_moment_at_the_end_of_the_calendar_is_told_in_any_zone() -> None:
    west = ZoneInfo("America/New_York")
    assert (
        when(datetime(1, 1, 1, tzinfo=UTC), CLOSED, CLOSED, west) == "1 Jan 1 00:00 – 21 May 03:00"
    )
