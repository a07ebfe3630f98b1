"""What stands beside every page: how many things need somebody; and whether anybody answers."""

from __future__ import annotations

from aiohttp import web

from ibs_notify.console import freshness
from ibs_notify.console.pages.route import Route
from ibs_notify.console.trouble import now_or_lately
from ibs_notify.console.visit import Visit


async def show_alarms(visit: Visit) -> web.StreamResponse:
    """The numbers at the entries of the sidebar, each into its place, where they changed."""
    found = await now_or_lately(visit, freshness.of_page(visit))
    return visit.render("parts/alarms.html", trouble=found)


async def say_here(_: Visit) -> web.StreamResponse:
    """That this process answers, and that the visitor is logged in. Asks no service."""
    return web.Response(status=204)


ROUTES = (
    Route("GET", "/alarms", show_alarms),
    Route("GET", "/here", say_here),
)
