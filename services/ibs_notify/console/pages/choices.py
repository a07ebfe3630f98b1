"""The names that filters offer, of groups and targets: asked for once somebody opens them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from aiohttp import web

from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.configured import every_group_name, every_target
from ibs_notify.console.pages.route import Route
from ibs_notify.console.visit import Visit
from ibs_notify.domain.reason_words import WORDS
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1.router_service_pb2 import EventFilter, SummarizeEventsRequest

PATH = "/choices"
SEEN = timedelta(days=30)


async def show(visit: Visit) -> web.StreamResponse:
    """Lists for the fields of a filter; of what is not known now there is none."""
    groups, targets = await asyncio.gather(
        unless_failed(every_group_name(visit.api)), unless_failed(every_target(visit.api))
    )
    return visit.render(
        "parts/choices.html",
        groups=groups or (),
        targets=[each.name for each in targets or ()],
        reasons=WORDS,
    )


async def show_datastores(visit: Visit) -> web.StreamResponse:
    """The datastores that events were about in the last days."""
    after = moment_to_proto(visit.now() - SEEN)
    request = SummarizeEventsRequest(filter=EventFilter(after=after))
    router = visit.api.router
    summary = await unless_failed(visit.api.call(router.SummarizeEvents, request))
    names = {each.datastore for each in summary.counts} - {""} if summary else set()
    return visit.render("parts/known_datastores.html", names=sorted(names))


ROUTES = (Route("GET", PATH, show), Route("GET", f"{PATH}/datastores", show_datastores))
