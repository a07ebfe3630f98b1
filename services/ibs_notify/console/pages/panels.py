"""Parts of a page that are loaded after it: what may be slow, and what may fail, fails alone.

A part has an address of its own. A script asks for it and is given the part, which then keeps
itself current; without scripts it is a link, and a page with that part on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from ibs_notify.console import freshness, trouble
from ibs_notify.console.api import QUICK_SECONDS
from ibs_notify.console.changes import mark_of
from ibs_notify.console.shared import Load
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import NotificationError


@dataclass(frozen=True, slots=True)
class Part:
    """``load`` finds what ``template`` shows, anew every ``seconds`` while somebody looks.

    Of 0 seconds: the template itself says when it is to be asked for again.
    """

    title: str
    template: str
    load: Load
    seconds: int
    is_costly: bool = False
    """Who opens a page is told what others asked for, too, and when that was."""
    turns_with_targets: bool = False
    """What was found is no more shown once other targets fail or are paused."""


async def show_part(visit: Visit, part: Part, section: str) -> web.Response:
    """The part with what was found, or with why nothing was.

    ``section`` is the entry of the sidebar that the page belongs to.
    """
    every = timedelta(seconds=part.seconds)
    keep = freshness.COSTLY if part.is_costly else freshness.of_page(visit, every)
    name = f"{visit.here} {_in_trouble(visit)}" if part.turns_with_targets else visit.here
    answer = await visit.shared.ask(visit.within(QUICK_SECONDS), name, part.load, keep)
    error = answer.found if isinstance(answer.found, NotificationError) else None
    return visit.render(
        "parts/panel.html" if visit.is_partial else "pages/panel.html",
        part=part,
        as_of=answer.asked_at,
        section_path=section,
        error=error,
        **({} if isinstance(answer.found, NotificationError) else answer.found),
    )


def _in_trouble(visit: Visit) -> str:
    """Which targets take nothing now, as far as that is known."""
    now = trouble.last(visit)
    taking_nothing = now.taking_nothing if now is not None else None
    return mark_of(*sorted(taking_nothing or ()))
