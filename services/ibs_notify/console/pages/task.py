"""One delivery: its attempts, its recipients, and what can be done about it."""

from __future__ import annotations

from aiohttp import web

from ibs_notify.console.changes import is_known, mark_of
from ibs_notify.console.commands import deliveries as command
from ibs_notify.console.pages.route import Route
from ibs_notify.console.pages.task_filter import PATH
from ibs_notify.console.visit import Visit
from ironcore.notification.v1.delivery_service_pb2 import GetDeliveryRequest


async def show(visit: Visit) -> web.StreamResponse:
    """The delivery, or only what of it changes, where it did."""
    request = GetDeliveryRequest(delivery_id=visit.request.match_info["delivery_id"])
    found = await visit.api.call(visit.api.delivery.GetDelivery, request)
    mark = mark_of(found)
    if is_known(visit, mark):
        return web.Response(status=204)
    return visit.render(
        "pages/task.html",
        block="delivery" if visit.is_partial else "",
        delivery=found.delivery,
        mark=mark,
        command=command.show(request),
    )


ROUTES = (Route("GET", f"{PATH}/{{delivery_id}}", show),)
