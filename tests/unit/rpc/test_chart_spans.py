"""The step of a chart."""

from __future__ import annotations

from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration

from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.rpc.chart_spans import MOST_SPANS, Unit, step_of

MINUTE, HOUR = Unit.MINUTE.value, Unit.HOUR.value


def duration(**given: float) -> Duration:
    found = Duration()
    found.FromTimedelta(timedelta(**given))
    return found


def test_a_span_is_an_hour_unless_something_else_is_asked() -> None:
    assert step_of(None, 0, Unit.MINUTE) == HOUR
    assert step_of(duration(minutes=5), 0, Unit.MINUTE) == 5 * MINUTE


@pytest.mark.parametrize(
    ("given", "length", "unit", "says"),
    [
        (duration(seconds=90), 0, Unit.MINUTE, "whole minutes"),
        (duration(minutes=90), 0, Unit.HOUR, "whole hours"),
        (duration(), 0, Unit.MINUTE, "whole minutes"),
        (duration(hours=-1), 0, Unit.HOUR, "whole hours"),
        (duration(hours=1), MOST_SPANS * HOUR + 1, Unit.HOUR, "more than 1000 spans"),
        (None, MOST_SPANS * HOUR + 1, Unit.MINUTE, "more than 1000 spans"),
    ],
)
def test_a_step_that_is_no_use_is_refused_by_its_name(
    given: Duration | None, length: int, unit: Unit, says: str
) -> None:
    with pytest.raises(InvalidArgument, match=says) as caught:
        step_of(given, length, unit)
    assert [each.path for each in caught.value.violations] == ["step"]


def test_a_thousand_spans_are_not_too_many() -> None:
    assert step_of(None, MOST_SPANS * HOUR, Unit.HOUR) == HOUR
