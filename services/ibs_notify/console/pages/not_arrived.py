"""What of a view of the inbox did not arrive: the Router's events, as Delivery tells of each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from ibs_notify.console.commands import deliveries as command
from ibs_notify.console.events.arrival import CLOSED, Missed, missed_of
from ibs_notify.console.events.told import sent_of
from ibs_notify.console.events.view import PATH as INBOX
from ibs_notify.console.events.view import View
from ibs_notify.console.forms import REFUSALS
from ibs_notify.console.pages.route import Route
from ibs_notify.console.pages.task_filter import TaskFilter
from ibs_notify.console.pages.task_filter import View as Tab
from ibs_notify.console.visit import Visit
from ironcore.notification.v1.delivery_pb2 import Delivery, DeliveryFilter
from ironcore.notification.v1.delivery_service_pb2 import ListDeliveriesRequest
from ironcore.notification.v1.router_service_pb2 import (
    EventFilter,
    EventRecord,
    ListEventsRequest,
)

PATH = f"{INBOX}/not-arrived"
AT_ONCE = 100
MOST_BATCHES = 20
"""So much is looked through for one page: 2,000 events, whether any of them failed or none."""
MOST_SECONDS = 2.0
"""Of filters for which each event has to be opened the Router looks through fewer."""
ENOUGH = 50
MOST_IN_TASKS = 30
"""So many events can an address name."""
PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class Looked:
    """``count`` events were looked at; those before ``next_token`` were not."""

    count: int
    missed: Sequence[Missed]
    next_token: str


async def show(visit: Visit) -> web.StreamResponse:
    """The events of the view that the address says that did not reach all who were to be told."""
    given = visit.request.query
    now, token = visit.now(), given.get("page_token", "")
    view = View.of(given.items())
    try:
        looked = await _look(visit, view.filter(now, visit.time_zone), token)
    except REFUSALS:
        # The inbox says what is wrong, in the form where it can be mended.
        raise web.HTTPSeeOther(view.address()) from None
    stuck = [each.record.event.event_id for each in looked.missed if each.in_trouble]
    in_tasks = stuck[:MOST_IN_TASKS]
    # "Today" is of the moment in which the first page was made.
    later = view.at(now, visit.time_zone)
    request = ListDeliveriesRequest(filter=DeliveryFilter(event_ids=in_tasks, troubled=True))
    return visit.render(
        "pages/not_arrived.html",
        view=view,
        looked=looked,
        in_tasks=len(in_tasks),
        has_more_stuck=len(stuck) > len(in_tasks),
        tasks_url=TaskFilter(Tab.FAILURES, event=tuple(in_tasks)).url(),
        next_url=later.address(PATH, page_token=looked.next_token) if looked.next_token else "",
        first_url=view.address(PATH) if token else "",
        command=command.list_(request) if in_tasks else "",
    )


async def _look(visit: Visit, chosen: EventFilter, token: str) -> Looked:
    """From ``token`` on, until there is enough to show or it takes too long."""
    count, missed, clock = 0, list[Missed](), asyncio.get_running_loop().time
    end = clock() + MOST_SECONDS
    for _ in range(MOST_BATCHES):
        request = ListEventsRequest(filter=chosen, page_size=AT_ONCE, page_token=token)
        found = await visit.api.call(visit.api.router.ListEvents, request)
        missed += await _missed(visit, found.events)
        count, token = count + len(found.events), found.next_page_token
        if not token or len(missed) >= ENOUGH or clock() >= end:
            break
    return Looked(count, missed, token)


async def _missed(visit: Visit, records: Sequence[EventRecord]) -> list[Missed]:
    ids = [each.event.event_id for each in records if sent_of(each)]
    if not ids:
        return []
    troubled, closed = await asyncio.gather(
        _deliveries(visit, DeliveryFilter(event_ids=ids, troubled=True)),
        _deliveries(visit, DeliveryFilter(event_ids=ids, states=CLOSED)),
    )
    return missed_of(records, troubled, closed)


async def _deliveries(visit: Visit, which: DeliveryFilter) -> list[Delivery]:
    request = ListDeliveriesRequest(filter=which, page_size=PAGE_SIZE)
    pages = visit.api.pages(visit.api.delivery.ListDeliveries, request)
    return [each async for page in pages for each in page.deliveries]


ROUTES = (Route("GET", PATH, show),)
