"""What is done to deliveries: sent again or cancelled, after a look at how many; all of them held.

Each is a page that says what would happen, whose form lets it happen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import grpc
from aiohttp import web

from ibs_notify.console.api import Api
from ibs_notify.console.commands import deliveries as command
from ibs_notify.console.forms import NO_FAULTS, REFUSALS, REFUSED, Faults, faults_of, read_form
from ibs_notify.console.pages.route import Route
from ibs_notify.console.pages.task_filter import PATH, TaskFilter, View, of_address
from ibs_notify.console.rendering import segment
from ibs_notify.console.visit import Visit
from ibs_notify.console.words import count
from ironcore.notification.v1 import delivery_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb

LONG_SECONDS = 120.0
"""So long may it take to work through a large queue; what is done by then stays done."""
SHOWN_LINES = 50
NOTHING_CHOSEN = Faults({}, "Nothing is chosen.", "Select some deliveries, or filter the list.")
_OPEN = (delivery_pb2.DELIVERY_STATE_QUEUED, delivery_pb2.DELIVERY_STATE_RETRY_WAIT)

Request: TypeAlias = pb.RetryDeliveriesRequest | pb.CancelDeliveriesRequest
Method: TypeAlias = grpc.aio.UnaryUnaryMultiCallable[Any, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What is done, and what it is called. ``none`` says why nothing may match."""

    name: str
    title: str
    button: str
    done: str
    none: str
    request: type[Request]
    method: Callable[[Api], Method]
    command: Callable[[Any], str]
    needs: str


RETRY = Change(
    name="retry",
    title="Send again",
    button="Send again",
    done="sent again",
    none="Nothing of this can be sent again now: what a disabled or paused target, or mail to "
    "nobody, holds back must have that seen to first.",
    request=pb.RetryDeliveriesRequest,
    method=lambda api: api.delivery.RetryDeliveries,
    command=command.retry,
    needs="DeliveryService/RetryDeliveries",
)
CANCEL = Change(
    name="cancel",
    title="Cancel deliveries",
    button="Cancel them",
    done="cancelled",
    none="Nothing of this is open and can be cancelled.",
    request=pb.CancelDeliveriesRequest,
    method=lambda api: api.delivery.CancelDeliveries,
    command=command.cancel,
    needs="DeliveryService/CancelDeliveries",
)


async def ask_retry(visit: Visit) -> web.StreamResponse:
    """How many would be sent again."""
    return await _confirm(visit, RETRY, of_address(visit))


async def retry(visit: Visit) -> web.StreamResponse:
    """Send them again."""
    return await _apply(visit, RETRY)


async def ask_cancel(visit: Visit) -> web.StreamResponse:
    """How many would be cancelled."""
    return await _confirm(visit, CANCEL, of_address(visit))


async def cancel(visit: Visit) -> web.StreamResponse:
    """Cancel them."""
    return await _apply(visit, CANCEL)


async def _confirm(
    visit: Visit, change: Change, chosen: TaskFilter, faults: Faults = NO_FAULTS
) -> web.Response:
    counts: Sequence[pb.DeliveryCount] = ()
    total, shown = 0, ""
    if not faults.any and chosen.is_everything:
        faults = NOTHING_CHOSEN
    if not faults.any:
        try:
            which = chosen.to_proto(visit.time_zone)
            request = change.request(filter=which, dry_run=True)
            answer = await visit.api.call(change.method(visit.api), request, timeout=LONG_SECONDS)
            total, counts, shown = answer.count, answer.counts, change.command(request)
        except REFUSALS as error:
            faults = faults_of(error, {})
    return visit.render(
        "pages/task_change.html",
        status=REFUSED if faults.any else 200,
        change=change,
        chosen=chosen,
        total=total,
        counts=counts[:SHOWN_LINES],
        faults=faults,
        command=shown,
    )


async def _apply(visit: Visit, change: Change) -> web.StreamResponse:
    chosen = TaskFilter.of(await read_form(visit.request))
    if chosen.is_everything:
        return await _confirm(visit, change, chosen)
    try:
        request = change.request(filter=chosen.to_proto(visit.time_zone))
        answer = await visit.api.call(change.method(visit.api), request, timeout=LONG_SECONDS)
    except REFUSALS as error:
        return await _confirm(visit, change, chosen, faults_of(error, {}))
    if answer.count:
        visit.notice(f"{_deliveries(answer.count)} {change.done}.")
    else:
        visit.notice(change.none, "warning")
    raise web.HTTPSeeOther(_back(chosen))


def _back(chosen: TaskFilter) -> str:
    """To the one delivery; else to the list that they were chosen in."""
    if len(chosen.id) == 1:
        return f"{PATH}/{segment(chosen.id[0])}"
    return replace(chosen, view=View.FAILURES, state=(), id=(), reason=()).url()


async def ask_hold(visit: Visit) -> web.StreamResponse:
    """What holding the queue means, and how much is in it."""
    answer = await visit.api.call(
        visit.api.delivery.CountDeliveries,
        pb.CountDeliveriesRequest(filter=delivery_pb2.DeliveryFilter(states=_OPEN)),
        timeout=LONG_SECONDS,
    )
    return visit.render("pages/task_hold.html", count=answer.total, command=command.HOLD)


async def hold(visit: Visit) -> web.StreamResponse:
    """Send nothing more."""
    await visit.api.call(visit.api.delivery.HoldDeliveries, pb.HoldDeliveriesRequest())
    visit.notice("The queue is held: it is filled, and nothing is sent.")
    raise web.HTTPSeeOther(PATH)


async def ask_release(visit: Visit) -> web.StreamResponse:
    """How many would be sent by it."""
    answer = await _release(visit, dry_run=True)
    return visit.render(
        "pages/task_release.html",
        count=answer.count,
        held_since=answer.held_since,
        command=command.RELEASE,
    )


async def release(visit: Visit) -> web.StreamResponse:
    """Go on sending."""
    answer = await _release(visit, dry_run=False)
    if answer.HasField("held_since"):
        visit.notice(f"The queue is released: {_deliveries(answer.count)} to be sent.")
    else:
        visit.notice("The queue was not held.", "warning")
    raise web.HTTPSeeOther(PATH)


async def _release(visit: Visit, *, dry_run: bool) -> pb.ReleaseDeliveriesResponse:
    return await visit.api.call(
        visit.api.delivery.ReleaseDeliveries,
        pb.ReleaseDeliveriesRequest(dry_run=dry_run),
        timeout=LONG_SECONDS,
    )


def _deliveries(number: int) -> str:
    return "1 delivery" if number == 1 else f"{count(number)} deliveries"


ROUTES = (
    Route("GET", f"{PATH}/retry", ask_retry),
    Route("POST", f"{PATH}/retry", retry),
    Route("GET", f"{PATH}/cancel", ask_cancel),
    Route("POST", f"{PATH}/cancel", cancel),
    Route("GET", f"{PATH}/hold", ask_hold),
    Route("POST", f"{PATH}/hold", hold),
    Route("GET", f"{PATH}/release", ask_release),
    Route("POST", f"{PATH}/release", release),
)
