"""Logging in and out, and light or dark: what needs no session to be asked for.

A token has 256 random bits, so trying does not lead in. What trying costs is bounded, and in a way
that keeps nobody else out: so many are judged at a time, each in its turn, and who was refused
waits for the answer while others are judged.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from ibs_notify.console.api import Api, Channels, presenting
from ibs_notify.console.forms import Form, read_form, receive
from ibs_notify.console.http.guard import Hosts, refuse_foreign_form, refuse_forgery
from ibs_notify.console.login.cookies import SessionCookie, keep_theme
from ibs_notify.console.login.entrance import status_of
from ibs_notify.console.login.paths import LOGIN, local_path
from ibs_notify.console.login.sessions import Sessions
from ibs_notify.console.rendering import Renderer
from ibs_notify.domain import errors
from ibs_notify.domain.principal import Role
from ibs_notify.domain.token import parse
from ibs_notify.settings import Settings
from ironcore.notification.v1.config_service_pb2 import GetCallerRequest, GetCallerResponse

MOST_BODY = 16 * 1024
"""Of who is not known yet."""
JUDGED_AT_ONCE = 8
REFUSED_SECONDS = 1.0
NOT_READERS = (Role.EMITTER,)
_NO_TOKEN = errors.Unauthenticated(
    errors.Reason.UNAUTHENTICATED,
    "That is no token.",
    advice="a token begins with ibsn_ and is 86 characters long",
)


class Login:
    """``routes`` are its pages."""

    def __init__(
        self,
        settings: Settings,
        channels: Channels,
        sessions: Sessions,
        renderer: Renderer,
        hosts: Hosts,
    ) -> None:
        self._settings = settings
        self._channels = channels
        self._sessions = sessions
        self._renderer = renderer
        self._hosts = hosts
        self._cookie = SessionCookie(settings)
        self._turn = asyncio.Semaphore(JUDGED_AT_ONCE)

    def routes(self) -> list[web.RouteDef]:
        """What of it is where."""
        return [
            web.get(LOGIN, self._show),
            web.post(LOGIN, self._log_in),
            web.post("/logout", self._log_out),
            web.post("/theme", self._choose_theme),
        ]

    async def _show(self, request: web.Request) -> web.StreamResponse:
        there = local_path(request.query.get("next", ""))
        if not self._settings.secured:
            raise web.HTTPSeeOther(there)
        return self._page(request, there)

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        refuse_foreign_form(request, self._hosts)
        form = await _small_form(request)
        there, token = local_path(form.text("next")), form.text("token")
        if not self._settings.secured:
            raise web.HTTPSeeOther(there)
        try:
            caller = await self._judged(token)
        except errors.NotificationError as error:
            await asyncio.sleep(REFUSED_SECONDS)
            return self._page(request, there, error)
        role = role_of(caller.role)
        if role in NOT_READERS:
            refused = errors.PermissionDenied(
                errors.Reason.PERMISSION_DENIED,
                f"{caller.name} may emit events and look at nothing",
                advice="log in with a token of the role viewer, operator or administrator",
            )
            return self._page(request, there, refused)
        # Never a session of before: whoever planted its cookie would be in it as well.
        self._sessions.end(self._cookie.secret(request))
        secret, _ = self._sessions.begin(caller.name, role, presenting(token))
        response = web.HTTPSeeOther(there)
        self._cookie.keep(response, secret)
        raise response

    async def _judged(self, token: str) -> GetCallerResponse:
        """Who presents ``token``, as Config says; Config also tells of those that it refuses."""
        if parse(token) is None:
            raise _NO_TOKEN
        api = Api(self._channels, presenting(token))
        async with self._turn:
            return await api.call(api.config.GetCaller, GetCallerRequest())

    async def _log_out(self, request: web.Request) -> web.StreamResponse:
        secret = self._cookie.secret(request)
        session = self._sessions.find(secret)
        if session is not None:
            form = await _small_form(request)
            await refuse_forgery(request, session)
            if form.is_on("everywhere"):
                self._sessions.end_all_of(session.name)
            self._sessions.end(secret)
        response = web.HTTPSeeOther(LOGIN)
        response.headers["Clear-Site-Data"] = '"cache"'
        self._cookie.forget(response)
        raise response

    async def _choose_theme(self, request: web.Request) -> web.StreamResponse:
        refuse_foreign_form(request, self._hosts)
        form = await _small_form(request)
        response = web.HTTPSeeOther(local_path(form.text("next")))
        keep_theme(response, form.text("theme"), secure=self._settings.secured)
        raise response

    def _page(
        self, request: web.Request, there: str, error: errors.NotificationError | None = None
    ) -> web.Response:
        values = {"request": request, "next": there, "error": error}
        status = 200 if error is None else status_of(error)
        return self._renderer.response("pages/login.html", values, status=status)


async def _small_form(request: web.Request) -> Form:
    request = request.clone(client_max_size=MOST_BODY)
    await receive(request)
    return await read_form(request)


def role_of(number: int) -> Role | None:
    """None where the service asks nobody. A role of a newer release may do what a viewer may."""
    names = {1: Role.EMITTER, 2: Role.VIEWER, 3: Role.OPERATOR, 4: Role.ADMINISTRATOR}
    return names.get(number, Role.VIEWER) if number else None
