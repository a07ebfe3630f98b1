"""One delivery: its attempts, its recipients, and what can be done about it."""

from __future__ import annotations

from aiohttp import web

from ibs_notify.console.changes import is_known, mark_of
from ibs_notify.console.commands import deliveries as command
from ibs_notify.console.pages.route import Route
from ibs_notify.console.pages.task_filter import PATH
from ibs_notify.console.visit import Visit
from ironcore.notification.v1 import delivery_pb2 as pb
from ironcore.notification.v1.delivery_service_pb2 import GetDeliveryRequest

CLOSED = (
    pb.DELIVERY_STATE_DELIVERED,
    pb.DELIVERY_STATE_DIGESTED,
    pb.DELIVERY_STATE_DEAD,
    pb.DELIVERY_STATE_CANCELLED,
)
ENDED_UNSENT = (pb.DELIVERY_STATE_DEAD, pb.DELIVERY_STATE_CANCELLED)
KEPT_BACK = (pb.DELIVERY_STATE_RETRY_WAIT, pb.DELIVERY_STATE_WAITING)
CANCELLABLE = (pb.DELIVERY_STATE_QUEUED, *KEPT_BACK, pb.DELIVERY_STATE_DIGEST_OPEN)
TARGET_FAILING = "TARGET_FAILING"


async def show(visit: Visit) -> web.StreamResponse:
    """The delivery, or only what of it changes, where it did."""
    request = GetDeliveryRequest(delivery_id=visit.request.match_info["delivery_id"])
    found = await visit.api.call(visit.api.delivery.GetDelivery, request)
    mark = mark_of(found)
    if is_known(visit, mark):
        return web.Response(status=204)
    delivery = found.delivery
    return visit.render(
        "pages/task.html",
        block="delivery" if visit.is_partial else "",
        delivery=delivery,
        is_open=delivery.state not in CLOSED,
        retry=_retry(delivery),
        can_cancel=delivery.state in CANCELLABLE,
        mark=mark,
        command=command.show(request),
    )


def _retry(delivery: pb.Delivery) -> str:
    """What a retry of it is called; empty where there is none."""
    if delivery.state in ENDED_UNSENT:
        return "Send again now"
    is_kept_back = delivery.state in KEPT_BACK or delivery.reason == TARGET_FAILING
    return "Try now" if is_kept_back else ""


ROUTES = (Route("GET", f"{PATH}/{{delivery_id}}", show),)
