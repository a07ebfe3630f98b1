"""Groups with a text in them: which rules name a job, a datastore or a person."""

from __future__ import annotations

import asyncio

from aiohttp import web

from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.commands import groups as command
from ibs_notify.console.groups.found import found_in, other_spelling
from ibs_notify.console.rendering import query
from ibs_notify.console.visit import Visit
from ironcore.notification.v1.config_service_pb2 import ListGroupsRequest
from ironcore.notification.v1.router_service_pb2 import ListSilencesRequest

PAGE_SIZE = 50
MOST_SILENCES = 100


async def show(visit: Visit, path: str, text: str) -> web.StreamResponse:
    """A page of the groups that have ``text`` in them, and where; and how many silences do."""
    token = visit.request.query.get("page_token", "")
    request = ListGroupsRequest(text=text, page_size=PAGE_SIZE, page_token=token)
    answer, silences = await asyncio.gather(
        visit.api.call(visit.api.config.ListGroups, request), _silences(visit, text)
    )
    more = query(path, text=text, page_token=answer.next_page_token)
    return visit.render(
        "pages/groups_found.html",
        text=text,
        found=[found_in(each, text) for each in answer.groups],
        silences=silences,
        other_spelling=other_spelling(text),
        next_url=more if answer.next_page_token else "",
        first_url=query(path, text=text) if token else "",
        command=command.list_(request),
    )


async def _silences(visit: Visit, text: str) -> str | None:
    """How many that have not ended have it in them; None where that is not known."""
    request = ListSilencesRequest(text=text, page_size=MOST_SILENCES)
    found = await unless_failed(visit.api.call(visit.api.router.ListSilences, request))
    if found is None:
        return None
    count = len(found.silences)
    return f"more than {count}" if found.next_page_token else str(count)
