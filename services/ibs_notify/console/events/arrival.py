"""Which events did not arrive, or not everywhere, as Delivery knows it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ibs_notify.console.events.told import Outcome, outcomes, sent_of, state_of
from ironcore.notification.v1 import delivery_pb2 as pb
from ironcore.notification.v1.router_service_pb2 import EventRecord

CLOSED: Sequence[pb.DeliveryState.ValueType] = (
    pb.DELIVERY_STATE_CANCELLED,
    pb.DELIVERY_STATE_DIGESTED,
)
"""What is no trouble of the queue any more, and may not have arrived all the same."""
_FAILED = frozenset(
    {
        pb.DELIVERY_STATE_DEAD,
        pb.DELIVERY_STATE_CANCELLED,
        pb.DELIVERY_STATE_WAITING,
        pb.DELIVERY_STATE_RETRY_WAIT,
    }
)


@dataclass(frozen=True, slots=True)
class Missed:
    """An event, and the targets that it did not reach. ``in_trouble``: some of it is in the queue
    or given up, where it can be retried.
    """

    record: EventRecord
    outcomes: Sequence[Outcome]
    in_trouble: bool


def missed_of(
    records: Iterable[EventRecord], troubled: Iterable[pb.Delivery], closed: Iterable[pb.Delivery]
) -> list[Missed]:
    """Those that have a delivery among ``troubled``, or among the ``CLOSED`` one that failed.

    An entry of a digest fared as its digest did.
    """
    stuck = {each.delivery_id: each for each in troubled}
    failed = {each.delivery_id: each for each in closed if state_of(each) in _FAILED} | stuck
    found = (_missed(each, failed, stuck) for each in records)
    return [each for each in found if each is not None]


def _missed(
    record: EventRecord, failed: Mapping[str, pb.Delivery], stuck: Mapping[str, pb.Delivery]
) -> Missed | None:
    sent = [each for each in sent_of(record) if each.delivery_id in failed]
    if not sent:
        return None
    deliveries = [failed[each.delivery_id] for each in sent]
    told = outcomes(sent, deliveries)[record.sequence]
    return Missed(record, told, any(each.delivery_id in stuck for each in sent))
