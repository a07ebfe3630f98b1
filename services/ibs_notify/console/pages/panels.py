"""Parts of a page that are loaded after it: what may be slow, and what may fail, fails alone.

A part has an address of its own. A script asks for it and is given the part; without scripts it is
a link, and a page with that part on it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from ibs_notify.console.attempts import attempted
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import NotificationError

Load = Callable[[Visit], Awaitable[Mapping[str, Any]]]


async def panel(visit: Visit, template: str, title: str, load: Load, section: str) -> web.Response:
    """The part of ``template`` with what ``load`` found, or with why it found nothing.

    ``section`` is the entry of the sidebar that the page belongs to.
    """
    found = await attempted(load(visit))
    error = found if isinstance(found, NotificationError) else None
    whole = "" if visit.is_partial else "pages/panel.html"
    return visit.render(
        whole or "parts/panel.html",
        panel_template=template,
        panel_title=title,
        section_path=section,
        error=error,
        **({} if isinstance(found, NotificationError) else found),
    )
