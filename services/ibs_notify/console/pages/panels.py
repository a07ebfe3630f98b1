"""Parts of a page that are loaded after it: what may be slow, and what may fail, fails alone.

A part has an address of its own. A script asks for it and is given the part; without scripts it is
a link, and a page with that part on it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from aiohttp import web

from ibs_notify.console.attempts import attempted
from ibs_notify.console.login.sessions import Kept
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import NotificationError

Load = Callable[[Visit], Awaitable[Mapping[str, Any]]]
KEPT_FOR = timedelta(seconds=30)


def kept(name: str, load: Load) -> Load:
    """``load``, whose answer serves the same session again for a while: it looks at everything."""

    async def kept_or_loaded(visit: Visit) -> Mapping[str, Any]:
        now, known = visit.now(), visit.session.kept.get(name)
        if known is not None and now < known.until:
            return known.found
        found = await load(visit)
        visit.session.kept[name] = Kept(found, now + KEPT_FOR)
        return found

    return kept_or_loaded


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
