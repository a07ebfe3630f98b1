"""What arrives is matched as the Router matches it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ibs_notify.console.live.audience import MOST_COUNTED, Audience
from ibs_notify.console.live.matching import Match
from ibs_notify.domain.clock import to_micros
from ibs_notify.router.event_filter import query_of
from ibs_notify.router.event_query import holds
from ibs_notify.router.views import routes_of
from ibs_notify.rpc.convert import event_from_proto
from ironcore.notification.v1 import disposition_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

NOW = datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC)


def moment(ahead: timedelta = timedelta(0)) -> Any:
    record = pb.EventRecord()
    record.receive_time.FromDatetime(NOW + ahead)
    return record.receive_time


def record(
    sequence: int = 1, *routes: disposition_pb2.Disposition, **fields: Any
) -> pb.EventRecord:
    event = event_pb2.Event(
        event_id="evt-1",
        type="backup.failed",
        severity=event_pb2.SEVERITY_ERROR,
        subject="Größe überschritten",
        resource="tank:vm/12345",
        actor="alice",
        task_id="UPID:1",
        labels={"env": "Prod"},
    )
    event.MergeFrom(event_pb2.Event(**fields))
    return pb.EventRecord(
        event=event, sequence=sequence, receive_time=moment(), dispositions=routes
    )


ROUTE = disposition_pb2.Disposition(
    obligation_id="evt-1/0", group="ops", state=disposition_pb2.DISPOSITION_STATE_HANDED_OFF
)
FOLDED = disposition_pb2.Disposition(
    obligation_id="evt-1/0",
    group="night",
    state=disposition_pb2.DISPOSITION_STATE_COLLAPSED,
    pointer="evt-0",
)
RECORDS = [
    record(1),
    record(2, ROUTE),
    record(3, FOLDED),
    record(4, ROUTE, FOLDED, severity=event_pb2.SEVERITY_CRITICAL, type="sync.failed"),
    record(5, resource="/datastore/tank2/vm", actor="bob", subject="other", task_id="2"),
]
FILTERS: list[dict[str, Any]] = [
    {},
    {"sources": ["backup"]},
    {"types": ["sync.failed", "backup.started"]},
    {"min_severity": event_pb2.SEVERITY_CRITICAL},
    {"resource": "/datastore/tank"},
    {"resource": "tank:vm/"},
    {"resource": "tank:vm/1"},
    {"task_id": "UPID:1"},
    {"actor": "bob"},
    {"after": moment()},
    {"after": moment(timedelta(microseconds=1))},
    {"before": moment()},
    {"before": moment(timedelta(seconds=1))},
    {"groups": ["night", "other"]},
    {"dispositions": [disposition_pb2.DISPOSITION_STATE_HANDED_OFF]},
    {"unmatched": True},
    {"text": "GRÖSSE"},
    {"text": "prod"},
    {"collapsed_into": "evt-0"},
    {"collapsed_into": "evt-1"},
    {"resource": "tank:vm", "groups": ["ops"], "text": "12345"},
]


@pytest.mark.parametrize("fields", FILTERS)
def test_the_console_says_of_an_event_what_the_router_would(fields: dict[str, Any]) -> None:
    chosen = pb.EventFilter(**fields)
    query, matches = query_of(chosen, "alice"), Match(chosen)
    for each in RECORDS:
        event, _ = event_from_proto(each.event, NOW)
        expected = holds(query, event, to_micros(NOW), routes_of(each))
        assert matches(each) is expected, each


def test_each_viewer_counts_from_where_it_began_to_look() -> None:
    audience = Audience(pb.EventFilter(min_severity=event_pb2.SEVERITY_ERROR))
    for sequence in (3, 5, 8):
        audience.tell(record(sequence))
    assert [audience.count_after(each) for each in (0, 3, 4, 8)] == [3, 2, 2, 0]


def test_a_storm_takes_no_more_room_than_the_most_that_is_counted() -> None:
    audience = Audience(pb.EventFilter())
    told = record(1)
    for sequence in range(5 * MOST_COUNTED):
        told.sequence = sequence
        audience.tell(told)
    assert audience.count_after(0) == MOST_COUNTED
    assert audience.count_after(5 * MOST_COUNTED - 3) == 2
