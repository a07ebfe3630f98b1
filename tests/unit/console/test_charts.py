"""Charts are laid out so that nothing is missing and each bar leads to what it counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from ibs_notify.console.charts import (
    HEIGHT,
    Chart,
    Layer,
    coarse,
    delivery_chart,
    event_chart,
    spread,
)
from ibs_notify.console.periods import Period
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1.delivery_service_pb2 import DeliverySeries, DeliverySpan
from ironcore.notification.v1.router_service_pb2 import (
    ChartEventsResponse,
    EventFilter,
    EventSpan,
    SeverityCount,
)

NOW = datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def span(start: datetime, **counts: int) -> EventSpan:
    return EventSpan(
        start_time=moment_to_proto(start),
        counts=[
            SeverityCount(
                severity=event_pb2.Severity.Value(f"SEVERITY_{name.upper()}"), count=count
            )
            for name, count in counts.items()
        ],
    )


@pytest.mark.parametrize("length", [HOUR, DAY, 7 * DAY, 30 * DAY, 80 * DAY, 4000 * DAY])
def test_any_length_of_time_is_cut_into_spans_that_can_be_told_apart(length: timedelta) -> None:
    period = Period.of(NOW - length, NOW)
    assert 20 <= len(period.starts) <= 182
    assert period.starts[0] <= period.after
    assert period.before <= period.starts[-1] + period.step
    gaps = {
        later - earlier for earlier, later in zip(period.starts, period.starts[1:], strict=False)
    }
    assert gaps == {period.step}


def test_the_last_day_has_whole_hours_and_the_one_that_has_begun() -> None:
    period = Period.up_to(NOW, DAY, HOUR)
    assert period.before == NOW.replace(hour=3, minute=0, second=0)
    assert len(period.starts) == 24


def test_a_span_of_no_time_has_a_bar_all_the_same() -> None:
    assert len(Period.of(NOW, NOW).starts) == 1


def test_the_request_is_bounded_by_the_period_and_keeps_its_filter() -> None:
    period = Period.up_to(NOW, DAY, HOUR)
    (request,) = period.of_events(EventFilter(sources=["backup"]))
    assert request.filter.sources == ["backup"]
    assert request.filter.before.ToDatetime(UTC) == period.before
    assert request.step.ToTimedelta() == HOUR


def test_spans_without_events_are_filled_in_and_the_worst_is_at_the_bottom() -> None:
    period = Period.up_to(NOW, DAY, HOUR)
    first = period.starts[0]
    answer = ChartEventsResponse(
        spans=[span(first, critical=1, info=3), span(first + 5 * HOUR, info=4)]
    )
    chart = event_chart(answer, period)
    assert chart.layers[0].key == "critical"
    assert (chart.total, chart.top, len(chart.bars)) == (8, 4, 24)
    assert [sum(bar.counts) for bar in chart.bars] == [4, 0, 0, 0, 0, 4, *[0] * 18]
    bottom, above = chart.bars[0].parts
    assert (bottom.key, above.key) == ("critical", "info")
    assert bottom.y + bottom.height == HEIGHT
    assert above.y + above.height == bottom.y


def test_one_of_a_million_is_still_to_be_seen() -> None:
    layers = [Layer("critical", "critical", [1]), Layer("info", "info", [1_000_000])]
    chart = Chart("", Period.of(NOW, NOW), layers)
    assert min(part.height for part in chart.bars[0].parts) > 1


def test_a_bar_leads_to_what_it_counts_with_the_filters_of_the_page() -> None:
    period = Period(NOW, NOW + 90 * timedelta(minutes=1), HOUR)
    chart = event_chart(ChartEventsResponse(), period, path="/inbox", source=["backup", "sync"])
    queries = [parse_qs(urlsplit(bar.href).query) for bar in chart.bars]
    assert [each["source"] for each in queries] == [["backup", "sync"]] * 2
    # No further than the period, and without gaps.
    assert queries[0]["after"] == ["2026-05-21T02:14:35Z"]
    assert queries[0]["before"] == queries[1]["after"] == ["2026-05-21T03:00:00Z"]
    assert queries[1]["before"] == ["2026-05-21T03:44:35Z"]


def test_without_a_path_nothing_is_a_link() -> None:
    period = Period.up_to(NOW, DAY, HOUR)
    spans = [DeliverySpan(start_time=moment_to_proto(period.starts[1]), delivered=2, dead=1)]
    chart = delivery_chart([DeliverySeries(spans=spans), DeliverySeries(spans=spans)], period, "")
    assert {bar.href for bar in chart.bars} == {""}
    assert chart.data["address"] == ""
    assert [layer.total for layer in chart.layers] == [2, 0, 4]
    assert sum(spread(spans, "delivered", period)) == 2


@pytest.mark.parametrize("length", [1, 24, 168, 181])
def test_a_sparkline_is_short_and_sums_up_to_the_same(length: int) -> None:
    values = list(range(length))
    assert len(coarse(values)) <= 30
    assert sum(coarse(values)) == sum(values)
