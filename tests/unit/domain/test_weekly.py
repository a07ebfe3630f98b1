"""Weekly windows mean what people write."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.domain.group import WEEKDAYS
from ibs_notify.domain.weekly import DAY, WEEK, Span, holds, parse_weekly

MONDAY = datetime(2026, 5, 18, tzinfo=UTC)


def spans(*hours: tuple[float, float]) -> tuple[Span, ...]:
    return tuple(Span(int(begin * 60), int(end * 60)) for begin, end in hours)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sat 22:00-24:00", spans((5 * 24 + 22, 6 * 24))),
        ("SAT 9:30 - 11:00", spans((5 * 24 + 9.5, 5 * 24 + 11))),
        ("saturday 22:00–24:00", spans((5 * 24 + 22, 6 * 24))),
        ("fri 22:00-sat 06:00", spans((4 * 24 + 22, 5 * 24 + 6))),
        ("fri 22:00-mon 06:00", spans((0, 6), (4 * 24 + 22, 7 * 24))),
        ("sat 22:00-sun 24:00", spans((5 * 24 + 22, 7 * 24))),
        ("mon-tue 01:00-03:00", spans((1, 3), (25, 27))),
        ("sun-mon 01:00-03:00", spans((1, 3), (6 * 24 + 1, 6 * 24 + 3))),
        ("mon 22:00-02:00", spans((22, 26))),
        ("sun 22:00-02:00", spans((0, 2), (6 * 24 + 22, 7 * 24))),
        ("mon, wed 01:00-02:00", spans((1, 2), (49, 50))),
        ("mon 01:00-02:00, mon 02:00-03:00, mon 01:30-01:45", spans((1, 3))),
        ("daily 00:00-24:00", (Span(0, WEEK),)),
    ],
)
def test_a_window_is_read(text: str, expected: tuple[Span, ...]) -> None:
    assert parse_weekly(text) == expected


def test_daily_is_every_day() -> None:
    every_day = parse_weekly("daily 02:00-03:00")
    assert every_day == parse_weekly("mon-sun 02:00-03:00")
    assert len(every_day) == 7


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no weekly window"),
        ("sat", "a day without a time"),
        ("22:00-24:00", "no weekly window"),
        ("sat 22:00", "no weekly window"),
        ("sat 22-24", "no weekly window"),
        ("sab 22:00-24:00", "'sab', which is no day"),
        ("daily-fri 22:00-24:00", "'daily', which is no day"),
        ("sat 24:00-24:00", "the time 24:00"),
        ("sat 22:00-24:01", "the time 24:01"),
        ("sat 22:60-23:00", "the time 22:60"),
        ("sat 22:00-22:00", "00:00-24:00 is a whole day"),
        ("fri 22:00-fri 06:00", "ends before it begins"),
        ("sat 22:00-24:00,", "no weekly window"),
        ("sat, fri 22:00-mon 06:00", "no weekly window"),
        ("x" * 201, "201 characters"),
    ],
)
def test_what_is_no_window_is_refused_with_advice(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_weekly(text)


@given(
    first=st.integers(0, 6),
    last=st.integers(0, 6),
    begin=st.integers(0, DAY - 1),
    end=st.integers(0, DAY),
    minute=st.integers(0, WEEK - 1),
)
def test_a_window_holds_from_its_beginning_until_before_its_end(
    first: int, last: int, begin: int, end: int, minute: int
) -> None:
    start, stop = first * DAY + begin, last * DAY + end
    if first == last and end <= begin:
        return
    text = f"{WEEKDAYS[first]} {begin // 60:02}:{begin % 60:02}"
    text += f"-{WEEKDAYS[last][:3]} {end // 60:02}:{end % 60:02}"
    length = (stop - start) % WEEK or WEEK
    expected = (minute - start) % WEEK < length
    assert holds(parse_weekly(text), MONDAY + timedelta(minutes=minute)) == expected


@given(text=st.text("mon tuedaily,-:0123456789", max_size=24))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_weekly(text)
    except ValueError:
        return
    assert all(0 <= each.begin < each.end <= WEEK for each in found)
    assert all(left.end < right.begin for left, right in itertools.pairwise(found))
