"""Which events did not arrive, or not everywhere: a digest fares for all that it gathered."""

from __future__ import annotations

import pytest

from ibs_notify.console.events.arrival import missed_of
from ironcore.notification.v1 import delivery_pb2 as pb
from ironcore.notification.v1.disposition_pb2 import (
    DISPOSITION_STATE_HANDED_OFF,
    DISPOSITION_STATE_SUPPRESSED,
    Disposition,
)
from ironcore.notification.v1.event_pb2 import Event
from ironcore.notification.v1.router_service_pb2 import EventRecord

DIGESTED = pb.DELIVERY_STATE_DIGESTED


def record(sequence: int, *targets: str) -> EventRecord:
    """An event that was handed off to each of the targets, as ``dSEQUENCE-TARGET``."""
    return EventRecord(
        sequence=sequence,
        event=Event(event_id=f"e{sequence}"),
        dispositions=[
            Disposition(
                state=DISPOSITION_STATE_HANDED_OFF, target=each, delivery_id=f"d{sequence}-{each}"
            )
            for each in targets
        ],
    )


def delivery(
    delivery_id: str,
    state: pb.DeliveryState.ValueType,
    digest: pb.DeliveryState.ValueType = pb.DELIVERY_STATE_UNSPECIFIED,
    reason: str = "",
) -> pb.Delivery:
    belongs = pb.DigestMembership(state=digest)
    return pb.Delivery(delivery_id=delivery_id, state=state, digest=belongs, reason=reason)


def test_only_the_targets_that_were_not_reached_are_told() -> None:
    dead = delivery("d1-chat", pb.DELIVERY_STATE_DEAD)
    (missed,) = missed_of([record(2, "chat"), record(1, "mail", "chat")], [dead], [])
    assert missed.record.event.event_id == "e1"
    assert missed.in_trouble
    assert [(each.word, *each.targets) for each in missed.outcomes] == [("given up", "chat")]


@pytest.mark.parametrize(
    ("closed", "is_missed"),
    [
        (delivery("d1-chat", pb.DELIVERY_STATE_CANCELLED), True),
        (delivery("d1-chat", DIGESTED, pb.DELIVERY_STATE_DEAD), True),
        (delivery("d1-chat", DIGESTED, pb.DELIVERY_STATE_CANCELLED), True),
        (delivery("d1-chat", DIGESTED, pb.DELIVERY_STATE_RETRY_WAIT), True),
        (delivery("d1-chat", DIGESTED, pb.DELIVERY_STATE_DELIVERED), False),
        (delivery("d1-chat", DIGESTED, pb.DELIVERY_STATE_QUEUED), False),
        (delivery("d1-chat", DIGESTED), False),
    ],
)
def test_what_is_closed_did_not_arrive_where_it_or_its_digest_failed(
    closed: pb.Delivery, is_missed: bool
) -> None:
    found = missed_of([record(1, "chat")], [], [closed])
    assert [each.in_trouble for each in found] == ([False] if is_missed else [])


def test_what_is_queued_and_kept_back_did_not_arrive_yet() -> None:
    queued = delivery("d1-chat", pb.DELIVERY_STATE_QUEUED, reason="TARGET_FAILING")
    (missed,) = missed_of([record(1, "chat")], [queued], [])
    assert [each.tone for each in missed.outcomes] == ["warn"]


def test_what_was_never_handed_on_is_not_asked_about() -> None:
    silent = EventRecord(
        sequence=1, dispositions=[Disposition(state=DISPOSITION_STATE_SUPPRESSED, target="chat")]
    )
    dead = delivery("d1-chat", pb.DELIVERY_STATE_DEAD)
    assert missed_of([silent], [dead], []) == []
