"""A silence holds by the wall clock of its zone, and what it keeps quiet points to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.dispositions import Decision, Reason, State
from ibs_notify.router.silence import (
    MAX_COMMENT,
    Silence,
    armed,
    faults_of,
    is_active,
    next_change,
    schedule_of,
    silenced_by,
)

START = datetime(2026, 5, 21, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
ONCE = Silence(
    "sil-1", "type starts-with backup.", START, START + HOUR, "", "", "upgrade", "alice", START
)
SATURDAYS = replace(ONCE, end=None, weekly="sat 22:00-24:00", time_zone="Europe/Berlin")
FAILED = Event("evt-1", "backup.failed", Severity.ERROR, START)


def weekly(text: str, zone: str = "Europe/Berlin") -> Silence:
    return replace(SATURDAYS, start=datetime(2025, 1, 1, tzinfo=UTC), weekly=text, time_zone=zone)


def active(silence: Silence, now: datetime) -> bool:
    return is_active(schedule_of(silence), now)


def minutes_active(silence: Silence, begin: datetime, minutes: int) -> int:
    schedule = schedule_of(silence)
    return sum(is_active(schedule, begin + index * MINUTE) for index in range(minutes))


def test_a_one_off_silence_holds_from_its_start_until_before_its_end() -> None:
    moments = (START - MINUTE, START, START + HOUR - MINUTE, START + HOUR)
    assert [active(ONCE, each) for each in moments] == [False, True, True, False]


def test_a_weekly_one_recurs_in_its_zone_within_its_ends() -> None:
    saturday = datetime(2026, 5, 23, 20, 0, tzinfo=UTC)
    assert not active(SATURDAYS, saturday - MINUTE)
    assert active(SATURDAYS, saturday)
    assert active(SATURDAYS, saturday + timedelta(days=7))
    assert not active(SATURDAYS, saturday - timedelta(days=7))
    assert not active(replace(SATURDAYS, end=saturday), saturday)
    assert active(replace(SATURDAYS, time_zone=""), saturday + 2 * HOUR)


def test_what_the_clocks_leave_out_does_not_occur_and_what_they_repeat_occurs_twice() -> None:
    sundays = weekly("sun 02:15-02:45")
    spring, autumn = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
    assert minutes_active(sundays, spring, 24 * 60) == 0
    assert minutes_active(sundays, autumn, 24 * 60) == 60
    assert minutes_active(sundays, autumn + timedelta(days=7), 24 * 60) == 30


@pytest.mark.parametrize(
    ("silence", "now", "change"),
    [
        (ONCE, START - HOUR, START),
        (ONCE, START, START + HOUR),
        (ONCE, START + HOUR, None),
        (SATURDAYS, START, datetime(2026, 5, 23, 20, 0, tzinfo=UTC)),
        (SATURDAYS, START - timedelta(days=90), datetime(2026, 5, 23, 20, 0, tzinfo=UTC)),
        (replace(SATURDAYS, end=START + HOUR), START, None),
        (weekly("daily 00:00-24:00"), START, None),
        # Two Sundays on: the clocks leave this one out.
        (
            weekly("sun 02:15-02:45"),
            datetime(2026, 3, 22, 12, 0, tzinfo=UTC),
            datetime(2026, 4, 5, 0, 15, tzinfo=UTC),
        ),
    ],
)
def test_the_next_change_is_when_it_begins_or_ends(
    silence: Silence, now: datetime, change: datetime | None
) -> None:
    assert next_change(schedule_of(silence), now) == change


@settings(max_examples=40, deadline=None)
@given(
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    turn=st.sampled_from(
        [
            datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
            datetime(2026, 10, 25, 1, 0, tzinfo=UTC),
            datetime(2026, 3, 8, 7, 0, tzinfo=UTC),
            datetime(2026, 11, 1, 6, 0, tzinfo=UTC),
            datetime(2026, 4, 4, 15, 0, tzinfo=UTC),
            datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
        ]
    ),
    before=st.integers(0, 12 * 60),
    begin=st.integers(0, 24 * 60 - 1),
    length=st.integers(1, 180),
)
def test_the_next_change_is_the_first_minute_that_differs_also_where_clocks_change(
    zone: str, turn: datetime, before: int, begin: int, length: int
) -> None:
    end = (begin + length) % (24 * 60)
    text = f"daily {begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    schedule, now = schedule_of(weekly(text, zone)), turn - before * MINUTE
    held = is_active(schedule, now)
    found = next_change(schedule, now)
    assert found is not None
    following = now
    while is_active(schedule, following) is held:
        following += MINUTE
    assert found == following


def test_what_is_silenced_points_to_the_oldest_silence_that_matches() -> None:
    silences = armed(
        [
            replace(ONCE, silence_id="sil-9", created_at=START),
            replace(ONCE, silence_id="sil-3", created_at=START),
            replace(ONCE, silence_id="sil-0", rule="severity = info", created_at=START - HOUR),
            replace(ONCE, silence_id="sil-1", end=START + MINUTE, created_at=START - HOUR),
            replace(ONCE, silence_id="sil-5", created_at=START + MINUTE),
        ]
    )
    pointed = [silenced_by(silences, FAILED, START + index * MINUTE) for index in (0, 1)]
    assert pointed == [
        Decision(State.SILENCED, Reason.SILENCE_MATCHED, "sil-1"),
        Decision(State.SILENCED, Reason.SILENCE_MATCHED, "sil-3"),
    ]
    assert silenced_by(silences, FAILED, START + HOUR) is None
    assert silenced_by(silences, replace(FAILED, type="sync.failed"), START) is None


@pytest.mark.parametrize(
    "broken",
    [
        replace(ONCE, rule="of a later release ??"),
        replace(SATURDAYS, weekly="every second saturday"),
        replace(SATURDAYS, time_zone="Mars/Olympus"),
    ],
)
def test_a_silence_that_cannot_be_read_silences_nothing_and_is_named_in_the_log(
    broken: Silence, caplog: pytest.LogCaptureFixture
) -> None:
    assert [each.silence_id for each in armed([broken, replace(ONCE, silence_id="s")])] == ["s"]
    assert "silence sil-1 does not hold" in caplog.text


@pytest.mark.parametrize(
    ("silence", "path", "problem"),
    [
        (replace(ONCE, rule="severty = info"), "silence.rule", "did you mean"),
        (replace(ONCE, end=None), "silence.end_time", "is missing"),
        (replace(ONCE, end=START), "silence.end_time", "is not after start_time"),
        (replace(ONCE, start=START - 2 * HOUR, end=START - HOUR), "silence.end_time", "past"),
        (replace(ONCE, end=START + timedelta(days=367)), "silence.end_time", "366 days"),
        (replace(SATURDAYS, weekly="sat"), "silence.weekly", "without a time"),
        (replace(SATURDAYS, weekly="daily 00:00-24:00"), "silence.weekly", "give it an end_time"),
        (replace(SATURDAYS, time_zone="Europ/Berlin"), "silence.time_zone", "Europe/Berlin"),
        (replace(ONCE, comment=" "), "silence.comment", "say why"),
        (replace(ONCE, comment="x" * (MAX_COMMENT + 1)), "silence.comment", "at most 1000"),
    ],
)
def test_what_is_wrong_with_a_silence_is_said(silence: Silence, path: str, problem: str) -> None:
    (fault,) = faults_of(silence, START)
    assert fault.path == path
    assert problem in fault.description


def test_all_faults_are_named_at_once_and_a_right_one_has_none() -> None:
    assert faults_of(ONCE, START) == []
    assert faults_of(SATURDAYS, START) == []
    assert faults_of(replace(SATURDAYS, end=START + timedelta(days=4000)), START) == []
    bad = replace(ONCE, rule="", comment="", end=None, time_zone="x")
    assert len(faults_of(bad, START)) == 4
