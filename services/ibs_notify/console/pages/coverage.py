"""What coverage looks at: every datastore and job, each with who hears of it."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from ibs_notify.console import freshness
from ibs_notify.console.commands import overview as command
from ibs_notify.console.coverage.hearing import Hearing, looked_at
from ibs_notify.console.pages.route import Route
from ibs_notify.console.rendering import query, segment
from ibs_notify.console.shared import Found
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import NotificationError
from ibs_notify.domain.resource import datastore_of

PATH = "/coverage"


async def show(visit: Visit) -> web.StreamResponse:
    """A page of them by name; or only these, where that changed."""
    keep = freshness.of_page(visit, freshness.PLACES_EVERY)
    answer = await visit.shared.ask(visit, visit.here, _listed, keep)
    if isinstance(answer.found, NotificationError):
        raise answer.found
    return visit.render(
        "pages/coverage.html",
        block="places" if visit.is_partial else "",
        every=freshness.PLACES_EVERY.seconds,
        page_of=page_of,
        command=command.PLACES,
        **answer.found,
    )


async def _listed(visit: Visit) -> Found:
    token = visit.request.query.get("page_token", "")
    page = await looked_at(visit, token)
    return {
        "page": page,
        "as_their_datastores": _as_their_datastores(page.places),
        "next_url": query(PATH, page_token=page.next_token) if page.next_token else "",
        "first_url": PATH if token else "",
    }


def page_of(resource: str) -> str:
    """Where all is said of it: a datastore has a page of its own."""
    name = datastore_of(resource)
    if resource == f"/datastore/{name}":
        return f"/datastores/{segment(name)}"
    return query("/groups", resource=resource)


def _as_their_datastores(places: Sequence[Hearing]) -> frozenset[str]:
    """Of which all is well, and the same is heard as of their datastores, on the same page."""
    by_name = {each.resource: each for each in places}
    found = set()
    for each in places:
        datastore = by_name.get(f"/datastore/{datastore_of(each.resource)}", each)
        is_well = not (each.unheard_problems or each.waiting_problems)
        if datastore is not each and is_well and _heard(each) == _heard(datastore):
            found.add(each.resource)
    return frozenset(found)


def _heard(place: Hearing) -> Sequence[tuple[object, ...]]:
    """By whom each type is. That of a datastore some hear in part is said of the part."""
    return [(each.type, each.told, *each.subscriptions, each.silence_id) for each in place.types]


ROUTES = (Route("GET", PATH, show),)
