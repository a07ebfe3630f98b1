"""The names that filters offer, of groups and targets: asked for once somebody opens them."""

from __future__ import annotations

import asyncio

from aiohttp import web

from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.configured import every_group_name, every_target
from ibs_notify.console.pages.route import Route
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.reasons import WORDS

PATH = "/choices"


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


ROUTES = (Route("GET", PATH, show),)
