"""Counts by span of time, laid out for the macros of ``templates/parts/chart.html``.

A chart fills in the spans in which nothing happened: the services leave them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from ibs_notify.console.periods import Period
from ibs_notify.console.rendering import iso, query
from ibs_notify.console.wording import words
from ibs_notify.rpc.convert import moment_from_proto
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1.delivery_service_pb2 import DeliverySeries, DeliverySpan
from ironcore.notification.v1.router_service_pb2 import ChartEventsResponse

MOST_OF_A_SPARK = 30
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
    def grave(self) -> int:
        """How many of them are errors or worse, where they are events."""
        return sum(each.total for each in self.layers if each.key in ("critical", "error"))

    @property
    def top(self) -> int:
        """The highest bar."""
        return max(map(sum, self._columns), default=0)

    @property
    def bars(self) -> Sequence[Bar]:
        """One for each span."""
        top = max(self.top, 1)
        edges = self.period.edges
        return [
            Bar(start, end, self._href(start, end), counts, self._parts(counts, top))
            for start, end, counts in zip(edges, edges[1:], self._columns, strict=False)
        ]

    @property
    def data(self) -> Mapping[str, Any]:
        """For the script: the same numbers."""
        return {
            "edges": [int(each.timestamp()) for each in self.period.edges],
            "layers": [
                {"key": each.key, "label": each.label, "values": list(each.values)}
                for each in self.layers
            ],
            "address": query(self.path, **self.filters) if self.path else "",
        }

    @property
    def _columns(self) -> Sequence[Sequence[int]]:
        return list(zip(*(each.values for each in self.layers), strict=True))

    def _href(self, start: datetime, end: datetime) -> str:
        if not self.path:
            return ""
        after = max(start, self.period.after)
        before = min(end, self.period.before)
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
    found = {each: [0] * len(period.starts) for each in _WORST_FIRST}
    for span in answer.spans:
        place = period.place(_moment(span.start_time))
        for each in span.counts:
            if place is not None and each.severity in found:
                found[each.severity][place] += each.count
    layers = [Layer(words.severity(each), words.severity(each), found[each]) for each in found]
    since = _moment(answer.counted_since) if answer.HasField("counted_since") else None
    return Chart(title, period, layers, path, filters, since)


def delivery_chart(series: Iterable[DeliverySeries], period: Period, title: str) -> Chart:
    """What became of deliveries, of all that ``series`` are of."""
    spans = [each for one in series for each in one.spans]
    dead = spread(spans, "dead", period)
    # The last attempt of what is given up is in both counts, and is one result.
    failed = [
        max(attempts - deaths, 0)
        for attempts, deaths in zip(spread(spans, "failed_attempts", period), dead, strict=True)
    ]
    return Chart(
        title,
        period,
        (
            Layer("dead", "given up", dead),
            Layer("failed", "failed, and tried again", failed),
            Layer("delivered", "delivered", spread(spans, "delivered", period)),
        ),
    )


def spread(spans: Iterable[DeliverySpan], name: str, period: Period) -> Sequence[int]:
    """One count of spans, such as ``delivered``, for each span of the period: for a sparkline."""
    found = [0] * len(period.starts)
    for span in spans:
        place = period.place(_moment(span.start_time))
        if place is not None:
            found[place] += getattr(span, name)
    return found


def coarse(values: Sequence[int], most: int = MOST_OF_A_SPARK) -> Sequence[int]:
    """The same numbers summed up to at most so many: a sparkline is small."""
    size = -(-len(values) // most)
    return [sum(values[start : start + size]) for start in range(0, len(values), size)]


def _moment(stamp: Timestamp) -> datetime:
    return moment_from_proto(stamp)
