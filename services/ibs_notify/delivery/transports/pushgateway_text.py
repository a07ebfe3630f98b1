"""What a Pushgateway is sent: requests as prometheus-client makes them. Pure.

Everything of a target is one group of the gateway, told by the labels ``job`` and ``target``. A
push replaces the whole group by its present state, so that repeating one changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import delete_from_gateway, push_to_gateway
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from ibs_notify.delivery.transports.metric_book import Metric, Series

_EVENT_LABELS: Final = ("type", "severity", "source", "datastore")
_SUCCESS_LABELS: Final = ("source", "datastore", "resource")


@dataclass(frozen=True, slots=True)
class Group:
    """A group of a gateway, by its address, its job and the rest of its grouping key."""

    url: str
    job: str
    key: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """``url`` is percent-encoded."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def push_request(group: Group, families: Sequence[Family]) -> Request:
    """Replaces everything that ``group`` has by ``families``."""
    made: list[Request] = []
    push_to_gateway(group.url, group.job, _Families(families), dict(group.key), handler=_into(made))
    return made[0]


def delete_request(group: Group) -> Request:
    """Ends ``group``; one that is not there is no failure."""
    made: list[Request] = []
    delete_from_gateway(group.url, group.job, dict(group.key), handler=_into(made))
    return made[0]


def families_of(series: Iterable[Series]) -> list[Family]:
    """The metrics of a target, as docs/concepts.md names them."""
    events = CounterMetricFamily(
        "ibs_events", "Events, since the target is there.", None, _EVENT_LABELS
    )
    last = GaugeMetricFamily(
        "ibs_last_event_timestamp_seconds", "When the last event happened.", None, _EVENT_LABELS
    )
    success = GaugeMetricFamily(
        "ibs_last_success_timestamp_seconds",
        "When something last went well with a resource.",
        None,
        _SUCCESS_LABELS,
    )
    for each in series:
        if each.metric is Metric.EVENTS:
            events.add_metric(each.labels, each.total)
            last.add_metric(each.labels, each.last_at.timestamp())
        else:
            success.add_metric(each.labels, each.last_at.timestamp())
    return [family for family in (events, last, success) if family.samples]


def test_families(now: datetime) -> list[Family]:
    """What a test pushes, into a group of its own."""
    return [
        GaugeMetricFamily(
            "ibs_test_timestamp_seconds", "When the target was tested.", now.timestamp()
        )
    ]


class _Families(Collector):
    """What the client takes for a registry."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


def _into(made: list[Request]) -> Callable[..., Callable[[], None]]:
    """A handler of the client's that keeps the request instead of sending it."""

    def handle(
        *,
        url: str,
        method: str,
        headers: Sequence[tuple[str, str]],
        data: bytes,
        **_options: object,
    ) -> Callable[[], None]:
        return lambda: made.append(Request(method, url, dict(headers), data))

    return handle
