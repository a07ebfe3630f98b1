"""What is done to deliveries: retried or cancelled, after a look at how many; all of them held.

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
from ibs_notify.console.login.paths import local_path
from ibs_notify.console.pages.retried import counted_deliveries, outlook_of, why_none
from ibs_notify.console.pages.route import Route
from ibs_notify.console.pages.task_filter import PATH, TaskFilter, View, of_address
from ibs_notify.console.rendering import segment
from ibs_notify.console.visit import Visit
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
    """What is done, and what it is called. ``means`` says what follows from it for each delivery,
    ``none`` that nothing is done; the reasons follow.
    """

    name: str
    title: str
    button: str
    done: str
    means: str
    none: str
    request: type[Request]
    method: Callable[[Api], Method]
    command: Callable[[Any], str]
    needs: str


RETRY = Change(
    name="retry",
    title="Retry deliveries",
    button="Retry",
    done="queued again",
    means="each is sent as soon as its target takes it",
    none="Nothing of this can be retried now",
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
    means="none is sent, unless it is retried later",
    none="Nothing of this is open and can be cancelled",
    request=pb.CancelDeliveriesRequest,
    method=lambda api: api.delivery.CancelDeliveries,
    command=command.cancel,
    needs="DeliveryService/CancelDeliveries",
)


async def ask_retry(visit: Visit) -> web.StreamResponse:
    """How many would be queued again."""
    return await _confirm(visit, RETRY, of_address(visit), _back_of(visit))


async def retry(visit: Visit) -> web.StreamResponse:
    """Queue them again, and say when they are tried."""
    return await _apply(visit, RETRY)


async def ask_cancel(visit: Visit) -> web.StreamResponse:
    """How many would be cancelled."""
    return await _confirm(visit, CANCEL, of_address(visit), _back_of(visit))


async def cancel(visit: Visit) -> web.StreamResponse:
    """Cancel them."""
    return await _apply(visit, CANCEL)


def _back_of(visit: Visit) -> str:
    return visit.request.query.get("back", "")


async def _confirm(
    visit: Visit, change: Change, chosen: TaskFilter, back: str, faults: Faults = NO_FAULTS
) -> web.Response:
    counts: Sequence[pb.DeliveryCount] = ()
    total, shown, why = 0, "", ""
    if not faults.any and chosen.is_everything:
        faults = NOTHING_CHOSEN
    if not faults.any:
        try:
            which = chosen.to_proto(visit.time_zone)
            request = change.request(filter=which, dry_run=True)
            answer = await visit.api.call(change.method(visit.api), request, timeout=LONG_SECONDS)
            total, counts, shown = answer.count, answer.counts, change.command(request)
            why = "" if total else await why_none(visit, change.none, which)
        except REFUSALS as error:
            faults = faults_of(error, {})
    return visit.render(
        "pages/task_change.html",
        status=REFUSED if faults.any else 200,
        change=change,
        chosen=chosen,
        back=_way_back(chosen, back),
        why_none=why,
        total=total,
        counts=counts[:SHOWN_LINES],
        faults=faults,
        command=shown,
    )


async def _apply(visit: Visit, change: Change) -> web.StreamResponse:
    form = await read_form(visit.request)
    chosen, back = TaskFilter.of(form), form.text("back")
    if chosen.is_everything:
        return await _confirm(visit, change, chosen, back)
    try:
        which = chosen.to_proto(visit.time_zone)
        request = change.request(filter=which)
        answer = await visit.api.call(change.method(visit.api), request, timeout=LONG_SECONDS)
    except REFUSALS as error:
        return await _confirm(visit, change, chosen, back, faults_of(error, {}))
    said = f"{counted_deliveries(answer.count)} {change.done}"
    if not answer.count:
        visit.notice(await why_none(visit, change.none, which), "warning")
    elif change is RETRY:
        outlook = await outlook_of(visit, answer.counts)
        visit.notice(f"{said}{outlook.words}", "done" if outlook.is_free else "warning")
    else:
        visit.notice(f"{said}.")
    raise web.HTTPSeeOther(_way_back(chosen, back))


def _way_back(chosen: TaskFilter, back: str) -> str:
    """Where it was asked for; else to the one delivery, or to the list that they were chosen in."""
    if back:
        return local_path(back)
    if len(chosen.id) == 1:
        return f"{PATH}/{segment(chosen.id[0])}"
    return replace(chosen, view=View.FAILURES, state=(), id=(), reason=()).url()


async def ask_hold(visit: Visit) -> web.StreamResponse:
    """What holding all deliveries means, and how many are in the queue."""
    answer = await visit.api.call(
        visit.api.delivery.CountDeliveries,
        pb.CountDeliveriesRequest(filter=delivery_pb2.DeliveryFilter(states=_OPEN)),
        timeout=LONG_SECONDS,
    )
    return visit.render("pages/task_hold.html", count=answer.total, command=command.HOLD)


async def hold(visit: Visit) -> web.StreamResponse:
    """Send nothing more."""
    await visit.api.call(visit.api.delivery.HoldDeliveries, pb.HoldDeliveriesRequest())
    visit.notice("All deliveries are held: they are accepted, and nothing is sent.")
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
        visit.notice(f"Released: {counted_deliveries(answer.count)} to be sent.")
    else:
        visit.notice("Nothing was held.", "warning")
    raise web.HTTPSeeOther(PATH)


async def _release(visit: Visit, *, dry_run: bool) -> pb.ReleaseDeliveriesResponse:
    return await visit.api.call(
        visit.api.delivery.ReleaseDeliveries,
        pb.ReleaseDeliveriesRequest(dry_run=dry_run),
        timeout=LONG_SECONDS,
    )


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
