"""What Tasks, Queue and Silences show as a command asks for just what their forms do."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tests.support.command_line import Cli

from ibs_notify.console.commands import deliveries, events, queue, silences
from ironcore.notification.v1 import delivery_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.disposition_pb2 import DISPOSITION_STATE_READY
from ironcore.notification.v1.router_service_pb2 import (
    CreateSilenceRequest,
    EventFilter,
    ExpireSilenceRequest,
    GetGroupStatusRequest,
    ListSilencesRequest,
    Silence,
)

ID = "3f9a1c0b52d7" + "0" * 20
AWKWARD = "it's \"$(rm -rf /)\" & 'more'\\"


def moment(text: str) -> Timestamp:
    stamp = Timestamp()
    stamp.FromJsonString(text)
    return stamp


def chosen(**fields: object) -> delivery_pb2.DeliveryFilter:
    everything = {
        "targets": ["chat-ops", AWKWARD],
        "target_uids": ["0123456789abcdef" * 2],
        "groups": ["ops-team"],
        "states": [delivery_pb2.DELIVERY_STATE_DEAD, delivery_pb2.DELIVERY_STATE_RETRY_WAIT],
        "reasons": ["SMTP_5XX"],
        "event_ids": ["evt-2026-05-21-001"],
        "after": moment("2026-05-21T00:00:00Z"),
        "before": moment("2026-05-22T00:00:00Z"),
        "troubled": True,
    }
    return delivery_pb2.DeliveryFilter(**{**everything, **fields})  # type: ignore[arg-type]


def test_the_list_is_the_list(cli: Cli) -> None:
    cli.type_in(deliveries.list_(pb.ListDeliveriesRequest(filter=chosen())))
    assert cli.delivery.received("ListDeliveries")[0].filter == chosen()


def test_a_retry_by_filter_is_the_same_retry(cli: Cli) -> None:
    request = pb.RetryDeliveriesRequest(filter=chosen())
    cli.delivery.answers["RetryDeliveries"] = pb.RetryDeliveriesResponse(count=2)

    cli.type_in(deliveries.retry(request), "--yes")

    counted, done = cli.delivery.received("RetryDeliveries")
    assert counted.dry_run
    assert done == request


def test_a_cancellation_by_filter_is_the_same_cancellation(cli: Cli) -> None:
    request = pb.CancelDeliveriesRequest(filter=chosen())
    cli.delivery.answers["CancelDeliveries"] = pb.CancelDeliveriesResponse(count=2)

    cli.type_in(deliveries.cancel(request), "--yes")

    counted, done = cli.delivery.received("CancelDeliveries")
    assert counted.dry_run
    assert done == request


def test_a_change_of_some_names_them(cli: Cli) -> None:
    cli.delivery.answers["GetDelivery"] = lambda request: pb.GetDeliveryResponse(
        delivery=delivery_pb2.Delivery(delivery_id=request.delivery_id)
    )
    which = delivery_pb2.DeliveryFilter(delivery_ids=[ID, ID[::-1]])
    cli.type_in(deliveries.retry(pb.RetryDeliveriesRequest(filter=which)))
    assert cli.delivery.received("RetryDeliveries")[0].filter == which


def test_one_delivery_is_shown(cli: Cli) -> None:
    request = pb.GetDeliveryRequest(delivery_id=ID)
    cli.type_in(deliveries.show(request))
    assert cli.delivery.received("GetDelivery") == [request]


def test_the_queue_is_held_and_released(cli: Cli) -> None:
    cli.type_in(deliveries.HOLD)
    cli.type_in(deliveries.RELEASE)
    assert len(cli.delivery.received("HoldDeliveries")) == 1
    assert len(cli.delivery.received("ReleaseDeliveries")) == 1


def test_a_groups_queue_is_asked_for(cli: Cli) -> None:
    request = GetGroupStatusRequest(group=AWKWARD)
    cli.type_in(queue.status(request))
    assert cli.router.received("GetGroupStatus") == [request]


def test_what_waits_is_listed(cli: Cli) -> None:
    which = EventFilter(groups=["ops-team"], dispositions=[DISPOSITION_STATE_READY])
    cli.type_in(events.listing(which))
    assert cli.router.received("ListEvents")[0].filter == which


SPAN = Silence(
    rule=f'subject contains "{"x"}" and actor = alice',
    comment=AWKWARD,
    start_time=moment("2126-05-21T22:00:00Z"),
    end_time=moment("2126-05-22T06:00:00Z"),
)
WEEKLY = Silence(
    rule="type starts-with sync.",
    comment="maintenance",
    weekly="sat 22:00-24:00",
    time_zone="Europe/Vienna",
    end_time=moment("2126-05-22T06:00:00Z"),
)


@pytest.mark.parametrize("wanted", [SPAN, WEEKLY], ids=["a span", "weekly"])
def test_a_silence_is_the_same_silence(cli: Cli, wanted: Silence) -> None:
    request = CreateSilenceRequest(silence=wanted)
    cli.type_in(silences.create(request))
    assert cli.router.received("CreateSilence") == [request]


def test_a_silence_from_now_on_is_one_from_now_on(cli: Cli) -> None:
    wanted = Silence(rule="*", comment="x", end_time=moment("2126-05-22T06:00:00Z"))
    cli.type_in(silences.create(CreateSilenceRequest(silence=wanted)))
    sent = cli.router.received("CreateSilence")[0].silence
    sent.ClearField("start_time")  # the command line says what now is
    assert sent == wanted


def test_silences_are_listed_and_ended(cli: Cli) -> None:
    cli.type_in(silences.list_(ListSilencesRequest(include_expired=True)))
    assert cli.router.received("ListSilences")[0].include_expired
    cli.type_in(silences.list_(ListSilencesRequest(text="it's nightly")))
    asked = cli.router.received("ListSilences")[1]
    assert (asked.include_expired, asked.text) == (False, "it's nightly")
    request = ExpireSilenceRequest(silence_id="sil-7")
    cli.type_in(silences.expire(request))
    assert cli.router.received("ExpireSilence") == [request]
