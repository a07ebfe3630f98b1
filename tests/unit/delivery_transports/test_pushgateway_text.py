"""What a Pushgateway is sent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ibs_notify.delivery.transports.metric_book import Metric, Series
from ibs_notify.delivery.transports.pushgateway_text import (
    Group,
    delete_request,
    families_of,
    push_request,
)

AT = datetime(2026, 5, 21, 2, 14, 35, 250_000, UTC)
SERIES = [
    Series(Metric.EVENTS, ("backup.failed", "error", "backup", 'a"b\\c\nd'), 3, AT),
    Series(Metric.SUCCESSES, ("backup", "a", "/datastore/a/vm/1"), 2, AT),
]


def test_a_push_is_the_whole_state_in_one_request() -> None:
    request = push_request(
        Group("http://gw:9091/base/", "ibs", {"target": "m"}), families_of(SERIES)
    )
    assert (request.method, request.url) == ("PUT", "http://gw:9091/base/metrics/job/ibs/target/m")
    lines = [line for line in request.body.decode().splitlines() if not line.startswith("#")]
    labels = 'datastore="a\\"b\\\\c\\nd",severity="error",source="backup",type="backup.failed"'
    assert lines == [
        f"ibs_events_total{{{labels}}} 3.0",
        f"ibs_last_event_timestamp_seconds{{{labels}}} 1.77932967525e+09",
        'ibs_last_success_timestamp_seconds{datastore="a",resource="/datastore/a/vm/1",'
        'source="backup"} 1.77932967525e+09',
    ]


@pytest.mark.parametrize(
    ("job", "path"),
    [
        ("ibs", "job/ibs"),
        ("a/b c", "job@base64/YS9iIGM="),
        ("50%", "job/50%25"),
        ("Grüße", "job/Gr%C3%BC%C3%9Fe"),
    ],
)
def test_any_job_is_a_path(job: str, path: str) -> None:
    request = delete_request(Group("http://gw", job, {"target": "m"}))
    assert (request.method, request.url) == ("DELETE", f"http://gw/metrics/{path}/target/m")


def test_of_no_series_there_are_no_metrics() -> None:
    assert families_of([]) == []
