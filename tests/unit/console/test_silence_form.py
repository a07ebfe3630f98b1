"""When a silence is to hold, as its form says it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from ibs_notify.console.forms import Form
from ibs_notify.console.pages.silence_form import When, quick_spans, request_of, windows_of
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.rpc.convert import moment_from_proto
from ironcore.notification.v1.router_service_pb2 import Silence

VIENNA = "Europe/Vienna"
FRIDAY = datetime(2026, 11, 27, 19, 30, tzinfo=UTC)
SUNDAY = datetime(2026, 11, 29, 10, 0, tzinfo=UTC)


def wanted(fields: Mapping[str, str], now: datetime = FRIDAY) -> Silence:
    form = Form({name: [text] for name, text in {"rule": "*", "comment": "x", **fields}.items()})
    return request_of(form, now, VIENNA).silence


@pytest.mark.parametrize(
    ("when", "start", "end"),
    [
        ("hour", None, datetime(2026, 11, 27, 20, 30, tzinfo=UTC)),
        ("four-hours", None, datetime(2026, 11, 27, 23, 30, tzinfo=UTC)),
        ("morning", None, datetime(2026, 11, 28, 7, tzinfo=UTC)),
        ("weekend", datetime(2026, 11, 27, 23, tzinfo=UTC), datetime(2026, 11, 29, 23, tzinfo=UTC)),
    ],
)
def test_a_quick_choice_goes_by_the_clocks_of_the_installation(
    when: str, start: datetime | None, end: datetime
) -> None:
    silence = wanted({"when": when})
    assert silence.HasField("start_time") == (start is not None)
    if start is not None:
        assert moment_from_proto(silence.start_time) == start
    assert moment_from_proto(silence.end_time) == end


def test_at_the_weekend_this_weekend_is_the_rest_of_it() -> None:
    silence = wanted({"when": "weekend"}, SUNDAY)
    assert not silence.HasField("start_time")
    assert moment_from_proto(silence.end_time) == datetime(2026, 11, 29, 23, tzinfo=UTC)


@pytest.mark.parametrize("day", range(1, 8))
def test_this_weekend_is_always_ahead(day: int) -> None:
    now = datetime(2026, 11, day, 12, tzinfo=UTC)
    span = quick_spans(now, "UTC")[When.WEEKEND]
    assert span.end > now
    assert span.end.weekday() == 0
    assert span.start is None or (span.start > now and span.start.weekday() == 5)


def test_a_span_is_as_it_is_written() -> None:
    silence = wanted({"when": "span", "from": "2026-12-01T22:00", "until": "2026-12-02T06:00"})
    assert moment_from_proto(silence.start_time) == datetime(2026, 12, 1, 21, tzinfo=UTC)
    assert moment_from_proto(silence.end_time) == datetime(2026, 12, 2, 5, tzinfo=UTC)


def test_a_weekly_one_has_its_window_and_nothing_of_the_other_fields() -> None:
    silence = wanted(
        {
            "when": "weekly",
            "weekly": "sat 22:00-24:00",
            "time_zone": VIENNA,
            "from": "2026-12-01T22:00",
        }
    )
    assert silence == Silence(rule="*", comment="x", weekly="sat 22:00-24:00", time_zone=VIENNA)


def test_fields_of_another_choice_are_not_looked_at() -> None:
    assert not wanted({"when": "hour", "weekly": "nonsense", "until": "nonsense"}).weekly


def test_a_time_that_is_none_is_said_at_its_field() -> None:
    with pytest.raises(InvalidArgument) as caught:
        wanted({"when": "span", "until": "later"})
    assert [each.path for each in caught.value.violations] == ["until"]


def weekly(text: str, zone: str = "") -> Form:
    return Form({"when": ["weekly"], "weekly": [text], "time_zone": [zone]})


@pytest.mark.parametrize(("moment", "is_within"), [
    # 25 October: 02:00 to 03:00 comes twice. 29 March: it is left out.
    (datetime(2026, 10, 24, 23, 59, tzinfo=UTC), False),
    (datetime(2026, 10, 25, 0, 0, tzinfo=UTC), True),
    (datetime(2026, 10, 25, 1, 59, tzinfo=UTC), True),
    (datetime(2026, 10, 25, 2, 0, tzinfo=UTC), False),
    (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), False),
    (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), False),
    (datetime(2026, 3, 22, 1, 0, tzinfo=UTC), True),
])  # fmt: skip
def test_a_weekly_window_goes_by_the_clocks_also_when_they_are_changed(
    moment: datetime, is_within: bool
) -> None:
    assert (moment in windows_of(weekly("sun 02:00-03:00"), VIENNA)) is is_within


def test_a_window_has_the_zone_that_the_form_says() -> None:
    windows = windows_of(weekly("sat 22:00-24:00", "Asia/Tokyo"), VIENNA)
    assert datetime(2026, 11, 28, 13, 30, tzinfo=UTC) in windows
    assert datetime(2026, 11, 28, 21, 30, tzinfo=UTC) not in windows


def test_what_holds_once_leaves_no_time_of_the_past_out() -> None:
    assert FRIDAY in windows_of(Form({"when": ["hour"], "weekly": ["sat 22:00-24:00"]}), VIENNA)


@pytest.mark.parametrize(("form", "field"), [
    (weekly("some day"), "weekly"),
    (weekly(""), "weekly"),
    (weekly("sat 1:00-2:00", "Mars"), "time_zone"),
])  # fmt: skip
def test_a_window_that_cannot_be_read_is_said_by_its_field(form: Form, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        windows_of(form, VIENNA)
    assert [each.path for each in refused.value.violations] == [field]
