"""Queue: what the rate limits of groups hold back, and when it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aiohttp import web

from ibs_notify.console.attempts import attempted
from ibs_notify.console.changes import is_known, mark_of
from ibs_notify.console.commands import events as events_command
from ibs_notify.console.commands import queue as command
from ibs_notify.console.forms import Form
from ibs_notify.console.pages.route import Route
from ibs_notify.console.rendering import moment_of
from ibs_notify.console.trouble import MOST_GROUPS, Held, with_held
from ibs_notify.console.visit import Visit
from ibs_notify.domain.catalogue import SUMMARY_TYPE
from ibs_notify.domain.errors import NotificationError
from ironcore.notification.v1.disposition_pb2 import DISPOSITION_STATE_READY, Disposition
from ironcore.notification.v1.router_service_pb2 import (
    EventFilter,
    EventRecord,
    GetGroupStatusRequest,
    GetGroupStatusResponse,
    ListEventsRequest,
    ListEventsResponse,
    ListGroupStatusesRequest,
)

PATH = "/queue"
PAGE_SIZE = 50
MOST_ORDERED = 1000
"""So many waiting events are put in the order of going; of more it is not known which go first."""
_AT_ONCE = 500
MOST_SUMMARIES = 20


@dataclass(frozen=True, slots=True)
class GroupQueue:
    """A group and what waits in it."""

    name: str
    status: GetGroupStatusResponse

    @property
    def waiting(self) -> int:
        """Events."""
        return sum(each.count for each in self.status.waiting)

    @property
    def empty_at(self) -> datetime | None:
        """When the last is let go, if nothing more comes; None where nothing waits."""
        return empty_at(self.status)

    @property
    def fill(self) -> float:
        """Of the bound from which on the least severe are collapsed: 1 where it is reached."""
        bound = self.status.backlog_bound
        return min(self.waiting / bound, 1.0) if bound else 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event and the notifications of it that wait in the group."""

    record: EventRecord
    dispositions: Sequence[Disposition]
    goes: datetime | None = None
    """About when, if nothing more severe comes; None where that is not known."""


def empty_at(status: GetGroupStatusResponse) -> datetime | None:
    """The limit lets so many go in any 60 seconds, so each full minute's worth is a minute later.

    An estimate: what still comes goes first where it is more severe.
    """
    waiting = sum(each.count for each in status.waiting)
    return goes_at(status, waiting - 1) if waiting else None


def goes_at(status: GetGroupStatusResponse, place: int) -> datetime | None:
    """About when the event goes that ``place`` others go before."""
    first = moment_of(status.next_release_time)
    if first is None:
        return None
    limit = status.rate_limit_per_minute
    return first + timedelta(minutes=place // limit) if limit else first


async def show(visit: Visit) -> web.StreamResponse:
    """All groups, those with a queue first, or only their list where it changed."""
    request = ListGroupStatusesRequest(page_size=MOST_GROUPS)
    found = await visit.api.call(visit.api.router.ListGroupStatuses, request)
    queues = [GroupQueue(each.group, each.status) for each in found.group_statuses]
    mark = mark_of(*(part for each in queues for part in (each.name, each.status)))
    if is_known(visit, mark):
        return web.Response(status=204)
    return visit.render(
        "pages/queues.html",
        block="queues" if visit.is_partial else "",
        queues=sorted(queues, key=lambda each: (-each.waiting, each.name)),
        are_more=bool(found.next_page_token),
        every=max(3, len(queues) // 20),
        trouble_now=with_held(visit, Held.of(found)),
        mark=mark,
        command=command.status(GetGroupStatusRequest()),
    )


async def show_group(visit: Visit) -> web.StreamResponse:
    """What waits in one group, and what was collapsed; or only that, where it changed."""
    group = visit.request.match_info["group"]
    first = Form({"first": [visit.request.query.get("first", "")]}).number("first")
    waiting = ListEventsRequest(
        filter=EventFilter(groups=[group], dispositions=[DISPOSITION_STATE_READY]),
        page_size=_AT_ONCE,
    )
    summaries = ListEventsRequest(
        filter=EventFilter(groups=[group], types=[SUMMARY_TYPE]), page_size=MOST_SUMMARIES
    )
    request = GetGroupStatusRequest(group=group)
    status = await visit.api.call(visit.api.router.GetGroupStatus, request)
    # Looking for events takes a while, and where the status says that there are none nobody looks.
    queue = GroupQueue(group, status)
    (events, failure), (collapsed, _) = await asyncio.gather(
        _events(visit, waiting, is_empty=not status.waiting, most=MOST_ORDERED),
        _events(visit, summaries, is_empty=not status.collapsed_count),
    )
    in_order = in_order_of_going(status, waiting_in(group, events.events))
    shown = in_order[first : first + PAGE_SIZE]
    mark = mark_of(status, *(each.record for each in shown), failure, collapsed)
    if is_known(visit, mark):
        return web.Response(status=204)
    return visit.render(
        "pages/queue.html",
        block="queue" if visit.is_partial else "",
        queue=queue,
        events=shown,
        are_more=bool(events.next_page_token),
        events_ordered=MOST_ORDERED,
        failure=failure,
        first=first,
        next_first=first + PAGE_SIZE if first + PAGE_SIZE < len(in_order) else 0,
        every=5 + queue.waiting // 100,
        summaries=collapsed.events,
        mark=mark,
        commands=(command.status(request), events_command.listing(waiting.filter)),
    )


def waiting_in(group: str, records: Sequence[EventRecord]) -> list[Waiting]:
    """Those that wait in ``group``: others were routed to it, and wait elsewhere."""
    found = []
    for record in records:
        ready = [
            each
            for each in record.dispositions
            if each.group == group and each.state == DISPOSITION_STATE_READY
        ]
        if ready:
            found.append(Waiting(record, ready))
    return found


def in_order_of_going(status: GetGroupStatusResponse, waiting: Sequence[Waiting]) -> list[Waiting]:
    """The most severe first, then the oldest, as the Router lets them go; each with its time."""
    ordered = sorted(waiting, key=lambda each: (-each.record.event.severity, each.record.sequence))
    return [replace(each, goes=goes_at(status, place)) for place, each in enumerate(ordered)]


async def _events(
    visit: Visit, request: ListEventsRequest, *, is_empty: bool, most: int = 0
) -> tuple[ListEventsResponse, str]:
    """The events, at most a page or about ``most``; or why they cannot be shown."""
    whole = ListEventsResponse()
    asked = ListEventsRequest()
    asked.CopyFrom(request)
    while not is_empty:
        found = await attempted(visit.api.call(visit.api.router.ListEvents, asked))
        if isinstance(found, NotificationError):
            return ListEventsResponse(), found.message
        whole.events.extend(found.events)
        asked.page_token = whole.next_page_token = found.next_page_token
        is_empty = not found.next_page_token or len(whole.events) >= most
    return whole, ""


ROUTES = (
    Route("GET", PATH, show),
    Route("GET", f"{PATH}/{{group}}", show_group),
)
