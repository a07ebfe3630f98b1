"""An event as a point: the same one on every attempt, another one for every event."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.transports import message

from ibs_notify.delivery.transports.influxdb_point import LONGEST_FIELD, line_of, time_of
from ibs_notify.delivery.transports.metric_labels import EventLabels

LABELS = EventLabels("backup.failed", "error", "backup", "ibs-primary")


def test_tags_have_few_values_and_everything_else_is_a_field() -> None:
    made = replace(message(summary="", task_id="", actor=""), sequence=7)
    assert line_of(made, LABELS).decode() == (
        "ibs_event,datastore=ibs-primary,severity=error,source=backup,type=backup.failed "
        'count=1i,event_id="evt-2026-05-21-001",'
        'event_time="2026-05-21T02:14:35.000000+00:00",event_type="backup.failed",'
        'resource="ibs-primary:production/vm/12345",subject="Backup failed for vm/12345" '
        "1779329675000000007"
    )


def test_ten_events_of_one_second_are_ten_points() -> None:
    moment = datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC)
    messages = [
        replace(message(timestamp=moment + timedelta(milliseconds=100 * n)), sequence=n)
        for n in range(10)
    ]
    assert len({time_of(each) for each in messages}) == 10


@given(st.datetimes(timezones=st.just(UTC)), st.integers(1, 2**40), st.integers(1, 999_999_999))
def test_no_two_deliveries_share_a_time(moment: datetime, sequence: int, later: int) -> None:
    one = replace(message(timestamp=moment), sequence=sequence)
    other = replace(message(timestamp=moment.replace(microsecond=0)), sequence=sequence + later)
    assert time_of(one) != time_of(other)
    assert -(2**63) < time_of(one) < 2**63


@given(st.text(), st.text())
def test_every_attempt_makes_the_same_point(subject: str, summary: str) -> None:
    made = replace(message(subject=subject, summary=summary), sequence=3)
    assert line_of(made, LABELS) == line_of(made, LABELS)
    assert line_of(made, LABELS).endswith(b" 1779329675000000003")


def test_a_text_with_line_breaks_leaves_the_count_readable_line_by_line() -> None:
    made = replace(message(summary="first\nsecond"), sequence=1)
    first, rest = line_of(made, LABELS).decode().split("\n", 1)
    assert first == (
        "ibs_event,datastore=ibs-primary,severity=error,source=backup,type=backup.failed "
        "count=1i 1779329675000000001"
    )
    assert 'summary="first\nsecond"' in rest


@pytest.mark.parametrize("letter", ["x", "ä", "\N{SNOWMAN}", "\U0001f600"])
def test_a_field_is_never_longer_than_a_server_takes(letter: str) -> None:
    made = message(summary=letter * (LONGEST_FIELD + 1))
    (summary,) = [
        field for field in line_of(made, LABELS).split(b",") if field.startswith(b"summary=")
    ]
    assert LONGEST_FIELD - 16 < len(summary) <= LONGEST_FIELD + 64
    assert "…" in summary.decode()
