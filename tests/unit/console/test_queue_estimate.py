"""When a queue is empty, as far as one can say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ibs_notify.console.pages.queue import Waiting, empty_at, in_order_of_going, waiting_in
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1.disposition_pb2 import (
    DISPOSITION_STATE_HANDED_OFF,
    DISPOSITION_STATE_READY,
    Disposition,
)
from ironcore.notification.v1.event_pb2 import (
    SEVERITY_CRITICAL,
    SEVERITY_ERROR,
    SEVERITY_INFO,
    Event,
    Severity,
)
from ironcore.notification.v1.router_service_pb2 import (
    EventRecord,
    GetGroupStatusResponse,
    SeverityCount,
)

NEXT = datetime(2026, 11, 27, 19, 30, tzinfo=UTC)


def status(waiting: int, limit: int) -> GetGroupStatusResponse:
    return GetGroupStatusResponse(
        rate_limit_per_minute=limit,
        waiting=[SeverityCount(severity=SEVERITY_ERROR, count=waiting)],
        next_release_time=moment_to_proto(NEXT),
    )


@pytest.mark.parametrize(
    ("waiting", "minutes"), [(1, 0), (10, 0), (11, 1), (20, 1), (21, 2), (150, 14)]
)
def test_each_minutes_worth_is_a_minute_later(waiting: int, minutes: int) -> None:
    assert empty_at(status(waiting, limit=10)) == NEXT + timedelta(minutes=minutes)


def test_what_waits_is_listed_as_it_goes_each_with_its_time() -> None:
    def waiting(sequence: int, severity: Severity.ValueType) -> Waiting:
        return Waiting(EventRecord(sequence=sequence, event=Event(severity=severity)), ())

    newest_first = [
        waiting(4, SEVERITY_ERROR),
        waiting(3, SEVERITY_CRITICAL),
        waiting(2, SEVERITY_ERROR),
        waiting(1, SEVERITY_INFO),
    ]
    ordered = in_order_of_going(status(4, limit=2), newest_first)
    minute = timedelta(minutes=1)
    assert [(each.record.sequence, each.goes) for each in ordered] == [
        (3, NEXT),
        (2, NEXT),
        (4, NEXT + minute),
        (1, NEXT + minute),
    ]


def test_without_a_limit_all_goes_at_once() -> None:
    assert empty_at(status(1000, limit=0)) == NEXT


def test_where_nothing_waits_there_is_nothing_to_say() -> None:
    assert empty_at(GetGroupStatusResponse()) is None


def test_an_event_that_waits_in_another_group_is_not_of_this_queue() -> None:
    ready, sent = DISPOSITION_STATE_READY, DISPOSITION_STATE_HANDED_OFF
    here = EventRecord(
        sequence=1,
        dispositions=[
            Disposition(group="g", target="a", state=ready),
            Disposition(group="h", target="b", state=ready),
        ],
    )
    elsewhere = EventRecord(
        sequence=2,
        dispositions=[
            Disposition(group="g", target="a", state=sent),
            Disposition(group="h", target="b", state=ready),
        ],
    )
    found = waiting_in("g", [here, elsewhere])
    assert [each.record.sequence for each in found] == [1]
    assert [each.target for each in found[0].dispositions] == ["a"]
