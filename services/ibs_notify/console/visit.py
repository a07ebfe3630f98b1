"""One request of one visitor: what every page is given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any

from aiohttp import web

from ibs_notify.console import trouble
from ibs_notify.console.api import Api
from ibs_notify.console.changes import KNOWN, is_shown
from ibs_notify.console.http.guard import NONCE
from ibs_notify.console.login.sessions import Notice, Session, Undo, Way
from ibs_notify.console.rendering import Renderer
from ibs_notify.console.shared import Shared
from ibs_notify.console.wording.form_words import sentence
from ibs_notify.domain import errors
from ibs_notify.domain.time_zone import zone_of
from ibs_notify.rpc.access import Access, access, allowed_to, least_role

API_PACKAGE = "ironcore.notification.v1"
MOST_NOTICES = 10
"""Kept for the next page, the latest of them: there may never be one."""


@dataclass(frozen=True, slots=True)
class Visit:
    """``await visit.api.call(...)`` asks a service; ``visit.render(...)`` answers."""

    request: web.Request
    api: Api
    session: Session
    renderer: Renderer
    shared: Shared

    @property
    def is_partial(self) -> bool:
        """Whether a script asked for a part of the page (htmx), and not for all of it."""
        headers = self.request.headers
        return headers.get("HX-Request") == "true" and headers.get("HX-Boosted") != "true"

    @property
    def here(self) -> str:
        """The address that was asked for, but for the mark of what is shown of it already."""
        return str(self.request.rel_url.without_query_params(KNOWN))

    @property
    def nonce(self) -> str:
        """What lets a script of this answer run."""
        return self.request[NONCE]

    def now(self) -> datetime:
        """The moment that the page is of."""
        return self.renderer.now()

    @property
    def time_zone(self) -> str:
        """The name of the installation's, as far as it is known: of times that name none."""
        return self.renderer.time_zone

    def within(self, seconds: float) -> Visit:
        """The same visit, whose calls may take no longer than that."""
        return replace(self, api=replace(self.api, patience=seconds))

    @property
    def zone(self) -> tzinfo:
        """The same, as clocks have it."""
        return zone_of(self.time_zone)

    def may(self, method: str) -> bool:
        """Whether the visitor may make a call, such as ``ConfigService/CreateTarget``."""
        role = self.session.role
        if role is None:
            return True
        return access(allowed_to(f"/{API_PACKAGE}.{method}"), role) is not Access.DENIED

    def require(self, method: str) -> None:
        """Of a page that asks no service, but is for those who may: ``PermissionDenied``."""
        if not self.may(method):
            needed = least_role(allowed_to(f"/{API_PACKAGE}.{method}"))
            raise errors.PermissionDenied(
                errors.Reason.PERMISSION_DENIED,
                f"{self.session.name} may not do this: it needs the role {needed}",
            )

    def render(
        self, template: str, /, *, block: str = "", status: int = 200, **values: Any
    ) -> web.Response:
        """A page, or of it only ``block``. Templates see ``visit`` and ``values``.

        Of a part that keeps itself current and is shown already: nothing.
        """
        values = {"visit": self, "trouble_now": trouble.last(self), **values}
        answer = self.renderer.response(template, values, block=block, status=status)
        return web.Response(status=204) if is_shown(self, answer.text or "") else answer

    def notice(
        self, text: str, kind: str = "done", undo: Undo | None = None, way: Way | None = None
    ) -> None:
        """Say something on the next page. ``kind``: done, info, warning or failed."""
        self.session.notices.append(Notice(kind, text, undo, way))
        del self.session.notices[:-MOST_NOTICES]

    def take_notices(self) -> list[Notice]:
        """What is to be said now, once."""
        taken, self.session.notices = self.session.notices, []
        return taken

    async def applied(self, revision: int, text: str, warnings: Iterable[str]) -> None:
        """Say that a change was made, with the warnings of its answer, once it is in force."""
        self.notice(text)
        for warning in warnings:
            self.notice(sentence(warning), "warning")
        for late in await self.api.await_revision(revision):
            self.notice(late, "warning")
