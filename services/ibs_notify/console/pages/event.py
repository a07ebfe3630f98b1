"""Event: what happened, what became of it for each target, and why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from ibs_notify.console.attempts import attempted, unless_failed
from ibs_notify.console.bearers import bearers_of_today
from ibs_notify.console.commands import events as command
from ibs_notify.console.events.alike import Breadth, alike
from ibs_notify.console.events.rule_tree import tree_of
from ibs_notify.console.events.story import Share, Story, shares_of, stories_of, told_stories_of
from ibs_notify.console.pages.route import Route
from ibs_notify.console.rendering import named, query
from ibs_notify.console.visit import Visit
from ibs_notify.domain.catalogue import SUMMARY_TYPE
from ibs_notify.domain.errors import NotificationError
from ibs_notify.rpc.event_json import event_to_document
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.delivery_service_pb2 import ListDeliveriesRequest

PATH = "/events/{event_id}"
MOST_SHOWN = 10
MOST_STORIES = 50
"""Of an event that a thousand groups hear of, those that need somebody are among the first."""
MOST_REASONS = 50
"""Of a thousand groups that hear of an event, or do not, each has a reason of its own."""
MOST_DELIVERIES = 1000


@dataclass(frozen=True, slots=True)
class Explained:
    """``error`` where the Router could not say; the record's own dispositions are shown then."""

    answer: pb.ExplainResponse
    stories: Sequence[Story]
    error: NotificationError | None = None
    shows_all: bool = False

    @property
    def shown(self) -> Sequence[Story]:
        """The first of the stories; all of them where that is asked for."""
        return self.stories if self.shows_all else self.stories[:MOST_STORIES]

    @property
    def shares(self) -> Sequence[Share]:
        return shares_of(self.stories)

    @property
    def is_moving(self) -> bool:
        return any(each.is_moving for each in self.stories)

    @property
    def has_dead(self) -> bool:
        return any(each.state == "dead" for each in self.stories)


async def show(visit: Visit) -> web.StreamResponse:
    """All of an event. Who opens it has read it."""
    event_id, target = _id(visit), visit.request.query.get("target", "").strip()
    found = await visit.api.call(visit.api.router.GetEvent, pb.GetEventRequest(event_id=event_id))
    record = found.event
    explained, asked, bearers, folded = await asyncio.gather(
        _explained(visit, record),
        _asked(visit, event_id, target),
        bearers_of_today(visit),
        _folded(visit, record),
    )
    await _mark_read(visit, record)
    return visit.render(
        "pages/event.html",
        record=record,
        event=record.event,
        explained=explained,
        target=target,
        asked=asked,
        bearers=bearers,
        targets=list(bearers.targets or ())
        or sorted({each.target for each in explained.answer.subscriptions}),
        folded=folded,
        tree_of=tree_of,
        most_reasons=MOST_REASONS,
        document=json.dumps(event_to_document(record.event), indent=2, ensure_ascii=False),
        silence_url=query("/new-silence", rule=alike(record.event, Breadth.RESOURCE)),
        command=command.explaining(event_id, target),
    )


async def show_outcome(visit: Visit) -> web.StreamResponse:
    """What became of it, anew: asked for as long as something is under way."""
    request = pb.GetEventRequest(event_id=_id(visit))
    record = (await visit.api.call(visit.api.router.GetEvent, request)).event
    explained, bearers = await asyncio.gather(_explained(visit, record), bearers_of_today(visit))
    return visit.render(
        "parts/event_outcome.html",
        record=record,
        event=record.event,
        explained=explained,
        bearers=bearers,
    )


def _id(visit: Visit) -> str:
    return named(visit.request.match_info["event_id"])


async def _explained(visit: Visit, record: pb.EventRecord) -> Explained:
    request = pb.ExplainRequest(event_id=record.event.event_id)
    answer = await attempted(visit.api.call(visit.api.router.Explain, request))
    shows_all = bool(visit.request.query.get("all"))
    if isinstance(answer, NotificationError):
        told = told_stories_of(record.dispositions)
        return Explained(pb.ExplainResponse(), told, answer, shows_all)
    await _add_deliveries(visit, record.event.event_id, answer)
    return Explained(answer, stories_of(answer.subscriptions), shows_all=shows_all)


async def _add_deliveries(visit: Visit, event_id: str, answer: pb.ExplainResponse) -> None:
    """Of very many deliveries the Router explains some: how far the others are Delivery says."""
    others = {
        each.disposition.delivery_id: each
        for each in answer.subscriptions
        if each.disposition.delivery_id and not each.HasField("delivery")
    }
    if not others:
        return
    request = ListDeliveriesRequest(page_size=MOST_DELIVERIES)
    request.filter.event_ids.append(event_id)
    found = await unless_failed(visit.api.call(visit.api.delivery.ListDeliveries, request))
    for each in found.deliveries if found is not None else ():
        if each.delivery_id in others:
            others[each.delivery_id].delivery.CopyFrom(each)


async def _asked(visit: Visit, event_id: str, target: str) -> pb.ExplainResponse | None:
    if not target:
        return None
    request = pb.ExplainRequest(event_id=event_id, target=target)
    answer = await attempted(visit.api.call(visit.api.router.Explain, request))
    if isinstance(answer, NotificationError):
        return pb.ExplainResponse(warnings=[answer.message])
    return answer


async def _folded(visit: Visit, record: pb.EventRecord) -> pb.ListEventsResponse | None:
    """Of a summary the first of the events that it stands for; nothing of any other event."""
    if record.event.type != SUMMARY_TYPE:
        return None
    chosen = pb.EventFilter(collapsed_into=record.event.event_id)
    request = pb.ListEventsRequest(filter=chosen, page_size=MOST_SHOWN)
    found = await unless_failed(visit.api.call(visit.api.router.ListEvents, request))
    return found or pb.ListEventsResponse()


async def _mark_read(visit: Visit, record: pb.EventRecord) -> None:
    """Unless the visitor may not mark."""
    unread = record.inbox_state == pb.INBOX_STATE_UNREAD
    if not unread or not visit.may("RouterService/MarkEvents"):
        return
    request = pb.MarkEventsRequest(event_ids=[record.event.event_id], state=pb.INBOX_STATE_READ)
    marked = await attempted(visit.api.call(visit.api.router.MarkEvents, request))
    if isinstance(marked, NotificationError):
        visit.notice(f"The event could not be marked read: {marked.message}", "warning")


ROUTES = (
    Route("GET", PATH, show),
    Route("GET", f"{PATH}/outcome", show_outcome),
)
