"""What is said after somebody asked for a retry: never more than is known of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.words import delivery_state
from ibs_notify.domain.errors import NotificationError, Unauthenticated
from ibs_notify.domain.reason_words import reason
from ironcore.notification.v1 import delivery_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.config_service_pb2 import ListTargetsRequest

MOST_TARGETS = 1000
MOST_NAMES = 3
MOST_LINES = 4


@dataclass(frozen=True, slots=True)
class Outlook:
    """How a sentence goes on that says how many are queued again.

    ``is_free``: nothing is known that keeps them from being sent.
    """

    words: str
    is_free: bool


async def outlook_of(visit: Visit, counts: Sequence[pb.DeliveryCount]) -> Outlook:
    """When what was queued again is tried."""
    targets = {each.target for each in counts}
    try:
        request = pb.ListTroubledTargetsRequest()
        troubled = await visit.api.call(visit.api.delivery.ListTroubledTargets, request)
        uids = {
            each.target_uid for each in troubled.targets if each.health == pb.TARGET_HEALTH_FAILING
        }
        failing = targets & await _names(visit, uids)
    except Unauthenticated:
        raise
    except NotificationError:
        return Outlook(f"; they go as soon as {_takes(targets)} them.", is_free=True)
    if troubled.HasField("held_since"):
        return Outlook(
            ": all deliveries are held, so nothing is sent until that ends.", is_free=False
        )
    if failing:
        verb = "fails" if len(failing) == 1 else "fail"
        return Outlook(
            f". {_listed(failing)} {verb}: one delivery is tried now, "
            "and the rest follow as soon as it is taken.",
            is_free=False,
        )
    return Outlook(f", and tried as soon as {_takes(targets)} them.", is_free=True)


async def why_none(visit: Visit, none: str, which: delivery_pb2.DeliveryFilter) -> str:
    """``none`` with how what matches stands; that there is nothing, where it has moved on."""
    request = pb.CountDeliveriesRequest(filter=which)
    try:
        found = await visit.api.call(visit.api.delivery.CountDeliveries, request)
    except Unauthenticated:
        raise
    except NotificationError:
        return f"{none}."
    if not found.total:
        return "There is none like that now: what there was has been sent or changed meanwhile."
    parts = [_standing(each) for each in found.counts[:MOST_LINES]]
    if len(found.counts) > MOST_LINES:
        parts.append("and more")
    return f"{none}: {', '.join(parts)}."


def counted_deliveries(number: int) -> str:
    """``1 delivery``, ``1,200 deliveries``."""
    return "1 delivery" if number == 1 else f"{number:,} deliveries"


def _standing(alike: pb.DeliveryCount) -> str:
    text = f"{alike.count:,} {'is' if alike.count == 1 else 'are'} {delivery_state(alike.state)}"
    is_told = alike.reason and alike.state != delivery_pb2.DELIVERY_STATE_DELIVERED
    return f"{text} ({reason(alike.reason)})" if is_told else text


async def _names(visit: Visit, uids: Collection[str]) -> frozenset[str]:
    if not uids:
        return frozenset()
    request = ListTargetsRequest(page_size=MOST_TARGETS)
    found = await visit.api.call(visit.api.config.ListTargets, request)
    return frozenset(each.name for each in found.targets if each.uid in uids)


def _takes(targets: Collection[str]) -> str:
    return f"{_listed(targets)} {'takes' if len(targets) == 1 else 'take'}"


def _listed(names: Collection[str]) -> str:
    if len(names) > MOST_NAMES:
        return f"{len(names)} targets"
    *first, last = sorted(names)
    return f"{', '.join(first)} and {last}" if first else last
