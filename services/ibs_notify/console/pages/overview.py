"""Overview: what happened lately, and what needs somebody."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from ibs_notify.console.charts import Period, event_chart
from ibs_notify.console.pages.route import Route
from ibs_notify.console.visit import Visit
from ironcore.notification.v1.router_service_pb2 import EventFilter

PATH = "/"
PERIODS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
HOUR = timedelta(hours=1)


async def show(visit: Visit) -> web.StreamResponse:
    """The frame: each part is loaded after it, and fails alone."""
    chosen = visit.request.query.get("period", "")
    name = chosen if chosen in PERIODS else "7d"
    period = Period.up_to(visit.now(), PERIODS[name], HOUR)
    answer = await visit.api.call(visit.api.router.ChartEvents, period.of_events(EventFilter()))
    return visit.render(
        "pages/overview.html", name=name, names=list(PERIODS), chart=event_chart(answer, period)
    )


ROUTES = (Route("GET", PATH, show),)
