"""Counts by span of time, laid out for the macros of ``templates/parts/chart.html``.

Spans begin at whole multiples of their length in UTC. A chart fills in those in which nothing
happened: the services leave them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from ibs_notify.console.rendering import iso, query
from ibs_notify.console.wording import words
from ibs_notify.rpc.convert import moment_from_proto
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1.delivery_service_pb2 import (
    ChartDeliveriesRequest,
    DeliverySeries,
    DeliverySpan,
)
from ironcore.notification.v1.router_service_pb2 import (
    ChartEventsRequest,
    ChartEventsResponse,
    EventFilter,
)

MOST_BARS = 180
MOST_OF_A_SPARK = 30
_MINUTES = (1, 5, 15, 30, 60, 180, 360, 720, 1440, 10_080)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORST_FIRST = (
    event_pb2.SEVERITY_CRITICAL,
    event_pb2.SEVERITY_ERROR,
    event_pb2.SEVERITY_WARNING,
    event_pb2.SEVERITY_NOTICE,
    event_pb2.SEVERITY_INFO,
)
# The height of a bar in the drawing is a share of this.
HEIGHT = 100
_LEAST_HEIGHT = 1.2


@dataclass(frozen=True, slots=True)
class Period:
    """From ``after`` until before ``before``, in spans of ``step``."""

    after: datetime
    before: datetime
    step: timedelta

    @classmethod
    def of(cls, after: datetime, before: datetime, least: timedelta = timedelta(0)) -> Period:
        """In spans of at least ``least`` that are not too many to be told apart."""
        wanted = max(least, (before - after) / MOST_BARS)
        minutes = next((each for each in _MINUTES if timedelta(minutes=each) >= wanted), None)
        step = timedelta(minutes=minutes) if minutes else timedelta(days=wanted.days + 1)
        return cls(after, before, step)

    @classmethod
    def up_to(cls, now: datetime, length: timedelta, least: timedelta = timedelta(0)) -> Period:
        """The last spans that together are ``length`` long, the one that has begun included."""
        step = cls.of(now - length, now, least).step
        end = _floor(now, step) + step
        return cls(end - length, end, step)

    @property
    def starts(self) -> Sequence[datetime]:
        """When each span begins."""
        first = _floor(self.after, self.step)
        count = -(-(self.before - first) // self.step)
        return [first + number * self.step for number in range(max(count, 1))]

    def of_events(self, chosen: EventFilter) -> ChartEventsRequest:
        """What the Router is asked for; the bounds of ``chosen`` become the period's."""
        request = ChartEventsRequest(filter=chosen)
        request.filter.after.CopyFrom(_stamp(self.after))
        request.filter.before.CopyFrom(_stamp(self.before))
        request.step.FromTimedelta(self.step)
        return request

    def of_deliveries(self, *targets: str) -> ChartDeliveriesRequest:
        """What Delivery is asked for."""
        request = ChartDeliveriesRequest(
            after=_stamp(self.after), before=_stamp(self.before), targets=targets
        )
        request.step.FromTimedelta(self.step)
        return request


@dataclass(frozen=True, slots=True)
class Layer:
    """One colour of the bars. ``key`` names it in the stylesheet (``.series-error``)."""

    key: str
    label: str
    values: Sequence[int]

    @property
    def total(self) -> int:
        return sum(self.values)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar, in shares of ``HEIGHT`` from above."""

    key: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """The things of one span."""

    start: datetime
    end: datetime
    href: str
    counts: Sequence[int]
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars over time, the first layer at the bottom.

    ``path`` and ``filters`` are the address that shows what a bar stands for, to which ``after``
    and ``before`` are added; without a path nothing is a link.
    """

    title: str
    period: Period
    layers: Sequence[Layer]
    path: str = ""
    filters: Mapping[str, Any] = field(default_factory=dict)
    counted_since: datetime | None = None

    @property
    def total(self) -> int:
        return sum(each.total for each in self.layers)

    @property
    def top(self) -> int:
        """The highest bar."""
        return max(map(sum, self._columns), default=0)

    @property
    def bars(self) -> Sequence[Bar]:
        """One for each span."""
        top = max(self.top, 1)
        step = self.period.step
        return [
            Bar(start, start + step, self._href(start), counts, self._parts(counts, top))
            for start, counts in zip(self.period.starts, self._columns, strict=True)
        ]

    @property
    def data(self) -> Mapping[str, Any]:
        """For the script: the same numbers."""
        return {
            "starts": [int(each.timestamp()) for each in self.period.starts],
            "step": int(self.period.step.total_seconds()),
            "layers": [
                {"key": each.key, "label": each.label, "values": list(each.values)}
                for each in self.layers
            ],
            "address": query(self.path, **self.filters) if self.path else "",
        }

    @property
    def _columns(self) -> Sequence[Sequence[int]]:
        return list(zip(*(each.values for each in self.layers), strict=True))

    def _href(self, start: datetime) -> str:
        if not self.path:
            return ""
        after = max(start, self.period.after)
        before = min(start + self.period.step, self.period.before)
        bounds = {"after": iso(after), "before": iso(before)}
        return query(self.path, **self.filters, **bounds)

    def _parts(self, counts: Sequence[int], top: int) -> Sequence[Part]:
        """From the bottom up; what is there at all is to be seen."""
        parts, used = [], 0.0
        for layer, count in zip(self.layers, counts, strict=True):
            if count:
                height = max(HEIGHT * count / top, _LEAST_HEIGHT)
                used += height
                parts.append(Part(layer.key, round(HEIGHT - used, 2), round(height, 2)))
        return parts


def event_chart(
    answer: ChartEventsResponse,
    period: Period,
    title: str = "Events",
    path: str = "/inbox",
    **filters: Any,
) -> Chart:
    """Events by severity, the worst at the bottom: it is seen however many others there are."""
    found = {
        (_moment(span.start_time), each.severity): each.count
        for span in answer.spans
        for each in span.counts
    }
    layers = []
    for severity in _WORST_FIRST:
        name = words.severity(severity)
        values = [found.get((start, severity), 0) for start in period.starts]
        layers.append(Layer(name, name, values))
    since = _moment(answer.counted_since) if answer.HasField("counted_since") else None
    return Chart(title, period, layers, path, filters, since)


def delivery_chart(series: Iterable[DeliverySeries], period: Period, title: str) -> Chart:
    """What became of deliveries, of all that ``series`` are of."""
    spans = [each for one in series for each in one.spans]
    return Chart(
        title,
        period,
        (
            Layer("dead", "given up", spread(spans, "dead", period)),
            Layer("failed", "failed attempts", spread(spans, "failed_attempts", period)),
            Layer("delivered", "delivered", spread(spans, "delivered", period)),
        ),
    )


def spread(spans: Iterable[DeliverySpan], name: str, period: Period) -> Sequence[int]:
    """One count of spans, such as ``delivered``, for each span of the period: for a sparkline."""
    found: dict[datetime, int] = {}
    for span in spans:
        start = _moment(span.start_time)
        found[start] = found.get(start, 0) + getattr(span, name)
    return [found.get(start, 0) for start in period.starts]


def coarse(values: Sequence[int], most: int = MOST_OF_A_SPARK) -> Sequence[int]:
    """The same numbers summed up to at most so many: a sparkline is small."""
    size = -(-len(values) // most)
    return [sum(values[start : start + size]) for start in range(0, len(values), size)]


def _floor(moment: datetime, step: timedelta) -> datetime:
    return moment - (moment - _EPOCH) % step


def _moment(stamp: Timestamp) -> datetime:
    return moment_from_proto(stamp)


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
