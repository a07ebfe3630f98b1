"""The days of a chart are those of a time zone, also when its clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from ibs_notify.console.charts import event_chart, spread
from ibs_notify.console.periods import MOST_SPANS, Period
from ibs_notify.rpc.convert import moment_from_proto, moment_to_proto
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1.delivery_service_pb2 import DeliverySpan
from ironcore.notification.v1.router_service_pb2 import (
    ChartEventsResponse,
    EventFilter,
    EventSpan,
    SeverityCount,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
VIENNA = ZoneInfo("Europe/Vienna")
ZONES = ["UTC", "Europe/Vienna", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu",
         "Australia/Lord_Howe", "America/Havana", "Asia/Beirut", "Pacific/Apia"]  # fmt: skip


def events(*moments: datetime) -> ChartEventsResponse:
    """As the Router tells of them, by the hour."""
    count = SeverityCount(severity=event_pb2.SEVERITY_ERROR, count=1)
    return ChartEventsResponse(
        spans=[EventSpan(start_time=moment_to_proto(each), counts=[count]) for each in moments]
    )


@pytest.mark.parametrize(("now", "hours"), [
    (datetime(2026, 3, 30, 10, tzinfo=UTC), [24, 24, 24, 24, 24, 23, 24]),
    (datetime(2026, 10, 26, 10, tzinfo=UTC), [24, 24, 24, 24, 24, 25, 24]),
])  # fmt: skip
def test_a_day_has_23_or_25_hours_when_the_clocks_are_changed(
    now: datetime, hours: list[int]
) -> None:
    period = Period.up_to(now, 7 * DAY, DAY, VIENNA)
    assert [(later - earlier) // HOUR for earlier, later in pairwise(period.edges)] == hours
    assert {each.astimezone(VIENNA).time().isoformat() for each in period.edges} == {"00:00:00"}


def test_what_happens_after_midnight_is_of_the_new_day() -> None:
    now = datetime(2026, 11, 27, 23, 30, tzinfo=UTC)  # the 28th, 00:30 there
    period = Period.up_to(now, 7 * DAY, DAY, VIENNA)
    assert f"{period.starts[-1].astimezone(VIENNA):%d %b %H:%M}" == "28 Nov 00:00"
    late, early = datetime(2026, 11, 27, 22, tzinfo=UTC), datetime(2026, 11, 27, 23, tzinfo=UTC)
    chart = event_chart(events(late, early), period)
    assert [sum(bar.counts) for bar in chart.bars] == [0, 0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("days", [7, 30])
@pytest.mark.parametrize("month", range(1, 13))
def test_no_day_is_cut_by_what_the_router_is_asked_for(zone: str, days: int, month: int) -> None:
    there = ZoneInfo(zone)
    now = datetime(2026, month, 11, 5, 7, tzinfo=UTC)
    period = Period.up_to(now, days * DAY, DAY, there)
    dates = [each.astimezone(there).date() for each in period.starts]
    assert [later - earlier for earlier, later in pairwise(dates)] == [DAY] * (days - 1)
    assert dates[-1] == now.astimezone(there).date()
    asked = period.of_events(EventFilter())
    bounds = [each.filter.after for each in asked] + [asked[-1].filter.before]
    assert [moment_from_proto(bounds[0]), moment_from_proto(bounds[-1])] == [
        period.after,
        period.before,
    ]
    for request, (after, before) in zip(asked, pairwise(bounds), strict=True):
        assert request.filter.before == before
        step = request.step.ToTimedelta()
        length = moment_from_proto(before) - moment_from_proto(after)
        assert length <= MOST_SPANS * step
        assert not any(edge.timestamp() % step.total_seconds() for edge in period.edges)


def test_hours_stay_hours_whatever_the_zone() -> None:
    now = datetime(2026, 10, 25, 10, 20, tzinfo=UTC)
    period = Period.up_to(now, DAY, HOUR, VIENNA)
    assert {later - earlier for earlier, later in pairwise(period.edges)} == {HOUR}
    assert len(period.starts) == 24


def test_where_delivery_counts_by_the_hour_days_of_half_hours_are_those_of_utc() -> None:
    now = datetime(2026, 5, 21, 10, tzinfo=UTC)
    month = Period.up_to(now, 30 * DAY, HOUR, ZoneInfo("Asia/Kolkata"), finest=HOUR)
    assert month.of_deliveries().step.ToTimedelta() == month.step == 6 * HOUR
    vienna = Period.up_to(now, 30 * DAY, HOUR, VIENNA, finest=HOUR)
    assert vienna.of_deliveries().step.ToTimedelta() == HOUR
    spans = [DeliverySpan(start_time=moment_to_proto(now - 3 * HOUR), delivered=2)]
    assert sum(spread(spans, "delivered", vienna)) == 2


def test_years_are_cut_at_the_days_of_utc_for_want_of_answers() -> None:
    end = datetime(2026, 5, 21, 10, tzinfo=UTC)
    assert len(Period.of(end - 4000 * DAY, end, zone=VIENNA).of_events(EventFilter())) == 1
