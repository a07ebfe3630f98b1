"""The way to a page: who is it, may this be asked, and what is said where it fails."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import TypeAlias

from aiohttp import web

from ibs_notify.console.api import Api, Channels, claiming
from ibs_notify.console.forms import receive
from ibs_notify.console.http.guard import refuse_forgery
from ibs_notify.console.http.mishaps import mark
from ibs_notify.console.login.cookies import SessionCookie
from ibs_notify.console.login.paths import LOGIN
from ibs_notify.console.login.sessions import Session, Sessions
from ibs_notify.console.rendering import Renderer, query
from ibs_notify.console.resending import resend_of
from ibs_notify.console.shared import Shared
from ibs_notify.console.time_zone import TimeZone
from ibs_notify.console.visit import Visit
from ibs_notify.domain import errors
from ibs_notify.settings import Settings

log = logging.getLogger(__name__)

Page: TypeAlias = Callable[[Visit], Awaitable[web.StreamResponse]]


class Entrance:
    """``page`` turns a page into what aiohttp calls."""

    def __init__(
        self,
        settings: Settings,
        channels: Channels,
        sessions: Sessions,
        renderer: Renderer,
        zone: TimeZone,
    ) -> None:
        self._settings = settings
        self._channels = channels
        self._sessions = sessions
        self._renderer = renderer
        self._zone = zone
        self._shared = Shared()
        self._cookie = SessionCookie(settings)

    def page(
        self, page: Page, *, in_turn: bool = True
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """``page`` for who is logged in, and for nobody else.

        ``in_turn``: it waits while the same browser is given others. A stream must not.
        """

        async def handle(request: web.Request) -> web.StreamResponse:
            session, secret = self._session_of(request)
            if session is None:
                return to_login(request)
            if request.method == "POST":
                await receive(request)
            await refuse_forgery(request, session)
            api = Api(self._channels, session.metadata)
            visit = Visit(request, api, session, self._renderer, self._shared)
            await self._zone.refresh(visit.api)
            try:
                async with session.turn if in_turn else nullcontext():
                    response = await page(visit)
            except web.HTTPException as answer:
                if request.method == "POST":
                    # It was done: what was asked for before is not how it is now.
                    self._shared.forget()
                self._remember(answer, secret)
                raise
            except errors.NotificationError as error:
                response = await self._failed(visit, error)
            if not response.prepared:
                self._remember(response, secret)
            return response

        return handle

    def _session_of(self, request: web.Request) -> tuple[Session | None, str]:
        """The session, and its secret where it is new: nobody is asked where nothing is secured."""
        secret = self._cookie.secret(request)
        session = self._sessions.find(secret) if secret else None
        if session is not None or self._settings.secured:
            return session, ""
        name = self._settings.caller
        secret, session = self._sessions.begin(name, None, claiming(name))
        return session, secret

    def _remember(self, response: web.StreamResponse, secret: str) -> None:
        if secret:
            self._cookie.keep(response, secret)

    async def _failed(self, visit: Visit, error: errors.NotificationError) -> web.Response:
        if isinstance(error, errors.Unauthenticated):
            # The token was revoked, or has expired: so the session ends as well.
            self._sessions.end(self._cookie.secret(visit.request))
            return to_login(visit.request)
        status = status_of(error)
        number = mark() if status >= 500 else ""
        if number:
            log.warning("%s: %s %s: %s", number, visit.request.method, visit.request.path, error)
        is_form = visit.request.method == "POST"
        return visit.render(
            "pages/failed.html",
            error=error,
            status=status,
            number=number,
            resend=await resend_of(visit.request, error) if is_form else None,
        )


def to_login(request: web.Request) -> web.Response:
    """To the page where one logs in, and from there back."""
    if request.headers.get("HX-Request") == "true":
        # A part of a page cannot be a login: the whole page goes there.
        return web.Response(status=401, headers={"HX-Refresh": "true"})
    there = request.path_qs if request.method == "GET" else "/"
    raise web.HTTPSeeOther(query(LOGIN, next="" if there == "/" else there))


def status_of(error: errors.NotificationError) -> int:
    """The HTTP status that says the same."""
    match error:
        case errors.NotFound():
            return 404
        case errors.Unauthenticated():
            return 401
        case errors.PermissionDenied():
            return 403
        case errors.InvalidArgument():
            return 400
        case errors.AlreadyExists() | errors.FailedPrecondition() | errors.Aborted():
            return 409
        case errors.OutOfRange():
            return 410
        case errors.Unimplemented():
            return 501
        case errors.ResourceExhausted() | errors.Unavailable():
            return 503
        case _:
            return 500
