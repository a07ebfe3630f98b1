"""One delivery: its attempts, its recipients, and what can be done about it."""

from __future__ import annotations

import asyncio

from aiohttp import web

from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.bearers import bearers_of_today
from ibs_notify.console.changes import is_known, mark_of
from ibs_notify.console.commands import deliveries as command
from ibs_notify.console.pages.route import Route
from ibs_notify.console.pages.task_filter import PATH
from ibs_notify.console.targets.recipients import Source, default_recipients, recipients_of
from ibs_notify.console.visit import Visit
from ironcore.notification.v1 import delivery_pb2 as pb
from ironcore.notification.v1.config_service_pb2 import GetGroupRequest, GetTargetRequest
from ironcore.notification.v1.delivery_service_pb2 import GetDeliveryRequest

CLOSED = (
    pb.DELIVERY_STATE_DELIVERED,
    pb.DELIVERY_STATE_DIGESTED,
    pb.DELIVERY_STATE_DEAD,
    pb.DELIVERY_STATE_CANCELLED,
)
KEPT_BACK = (pb.DELIVERY_STATE_RETRY_WAIT, pb.DELIVERY_STATE_WAITING)
RETRYABLE = (pb.DELIVERY_STATE_DEAD, pb.DELIVERY_STATE_CANCELLED, *KEPT_BACK)
CANCELLABLE = (pb.DELIVERY_STATE_QUEUED, *KEPT_BACK, pb.DELIVERY_STATE_DIGEST_OPEN)
TARGET_FAILING = "TARGET_FAILING"


async def show(visit: Visit) -> web.StreamResponse:
    """The delivery, or only what of it changes, where it did."""
    request = GetDeliveryRequest(delivery_id=visit.request.match_info["delivery_id"])
    found = await visit.api.call(visit.api.delivery.GetDelivery, request)
    delivery = found.delivery
    source, bearers = await asyncio.gather(
        unless_failed(_source(visit, delivery)), bearers_of_today(visit)
    )
    is_deleted = bearers.has_no_target(delivery.target_uid)
    mark = mark_of(found, source or "", str(is_deleted))
    if is_known(visit, mark):
        return web.Response(status=204)
    return visit.render(
        "pages/task.html",
        block="delivery" if visit.is_partial else "",
        delivery=delivery,
        source=source,
        bearers=bearers,
        is_deleted=is_deleted,
        is_open=delivery.state not in CLOSED,
        can_retry=_can_retry(delivery),
        can_cancel=delivery.state in CANCELLABLE,
        mark=mark,
        command=command.show(request),
    )


async def _source(visit: Visit, delivery: pb.Delivery) -> Source | None:
    """Who names its recipients, as it is configured now; None where that is not known any more."""
    if not delivery.recipients or not delivery.group:
        return None
    config = visit.api.config
    group, target, defaults = await asyncio.gather(
        visit.api.call(config.GetGroup, GetGroupRequest(name=delivery.group)),
        visit.api.call(config.GetTarget, GetTargetRequest(name=delivery.target)),
        default_recipients(visit.api),
    )
    if target.target.uid != delivery.target_uid:
        return None
    for each in group.group.subscriptions:
        if each.target == delivery.target:
            found = recipients_of(each, target.target, defaults)
            # Else somebody has changed it since, and others are meant now.
            is_same = {*found.addresses} == {to.address for to in delivery.recipients}
            return found.source if is_same else None
    return None


def _can_retry(delivery: pb.Delivery) -> bool:
    """Whether it ended unsent, or waits for something that a retry need not wait for."""
    return delivery.state in RETRYABLE or delivery.reason == TARGET_FAILING


ROUTES = (Route("GET", f"{PATH}/{{delivery_id}}", show),)
