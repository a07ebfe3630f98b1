"""The way to a page: who is it, may this be asked, and what is said where it fails."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from ibs_notify.console.api import Api, Channels, claiming, presenting
from ibs_notify.console.forms import read_form
from ibs_notify.console.guard import refuse_forgery
from ibs_notify.console.rendering import Renderer, query
from ibs_notify.console.sessions import Session, Sessions
from ibs_notify.console.visit import Visit
from ibs_notify.domain import errors
from ibs_notify.domain.principal import Role
from ibs_notify.settings import Settings
from ironcore.notification.v1.config_service_pb2 import GetCallerRequest

log = logging.getLogger(__name__)

Page: TypeAlias = Callable[[Visit], Awaitable[web.StreamResponse]]

SECURE_COOKIE = "__Host-ibs-notify"
PLAIN_COOKIE = "ibs-notify"
LOGIN = "/login"
NOT_READERS = (Role.EMITTER,)


class Entrance:
    """``page`` turns a page into what aiohttp calls."""

    def __init__(
        self, settings: Settings, channels: Channels, sessions: Sessions, renderer: Renderer
    ) -> None:
        self._settings = settings
        self._channels = channels
        self._sessions = sessions
        self._renderer = renderer

    def routes(self) -> list[web.RouteDef]:
        """Login and logout."""
        return [
            web.get(LOGIN, self._show_login),
            web.post(LOGIN, self._log_in),
            web.post("/logout", self._log_out),
        ]

    def page(self, page: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """``page`` for who is logged in, and for nobody else."""

        async def handle(request: web.Request) -> web.StreamResponse:
            session, secret = self._session_of(request)
            if session is None:
                return self._to_login(request)
            await refuse_forgery(request, session)
            visit = self._visit(request, session)
            try:
                response = await page(visit)
            except web.HTTPException as answer:
                self._remember(answer, secret)
                raise
            except errors.NotificationError as error:
                response = self._failed(visit, error)
            if not response.prepared:
                self._remember(response, secret)
            return response

        return handle

    def _visit(self, request: web.Request, session: Session) -> Visit:
        return Visit(request, Api(self._channels, session.metadata), session, self._renderer)

    def _session_of(self, request: web.Request) -> tuple[Session | None, str]:
        """The session, and its secret where it is new: nobody is asked where nothing is secured."""
        secret = request.cookies.get(self._cookie, "")
        session = self._sessions.find(secret) if secret else None
        if session is not None or self._settings.secured:
            return session, ""
        name = self._settings.caller
        secret, session = self._sessions.begin(name, None, claiming(name))
        return session, secret

    def _to_login(self, request: web.Request) -> web.Response:
        if request.headers.get("HX-Request") == "true":
            # A part of a page cannot be a login: the whole page goes there.
            return web.Response(status=401, headers={"HX-Refresh": "true"})
        there = request.path_qs if request.method == "GET" else "/"
        raise web.HTTPSeeOther(query(LOGIN, next="" if there == "/" else there))

    async def _show_login(self, request: web.Request) -> web.StreamResponse:
        if not self._settings.secured:
            raise web.HTTPSeeOther("/")
        return self._login_page(request, local_path(request.query.get("next", "")))

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request)
        there, token = local_path(form.text("next")), form.text("token")
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise web.HTTPForbidden(text="Log in from the console's own page.")
        if not self._settings.secured:
            raise web.HTTPSeeOther(there)
        api = Api(self._channels, presenting(token))
        try:
            if not token.isascii() or not token.isprintable() or not token:
                raise errors.Unauthenticated(errors.Reason.UNAUTHENTICATED, "That is no token.")
            caller = await api.call(api.config.GetCaller, GetCallerRequest())
        except errors.NotificationError as error:
            return self._login_page(request, there, error)
        role = role_of(caller.role)
        if role in NOT_READERS:
            refused = errors.PermissionDenied(
                errors.Reason.PERMISSION_DENIED,
                f"{caller.name} may emit events and look at nothing",
                advice="log in with a token of the role viewer, operator or administrator",
            )
            return self._login_page(request, there, refused)
        secret, _ = self._sessions.begin(caller.name, role, presenting(token))
        response = web.HTTPSeeOther(there)
        self._remember(response, secret)
        raise response

    async def _log_out(self, request: web.Request) -> web.StreamResponse:
        session, _ = self._session_of(request)
        if session is not None:
            await refuse_forgery(request, session)
            self._sessions.end(request.cookies.get(self._cookie, ""))
        response = web.HTTPSeeOther(LOGIN)
        response.headers["Clear-Site-Data"] = '"cache"'
        response.del_cookie(self._cookie, path="/", secure=self._settings.secured)
        raise response

    def _login_page(
        self, request: web.Request, there: str, error: errors.NotificationError | None = None
    ) -> web.Response:
        values = {"request": request, "next": there, "error": error}
        return self._renderer.response(
            "pages/login.html", values, status=200 if error is None else 401
        )

    def _failed(self, visit: Visit, error: errors.NotificationError) -> web.Response:
        if isinstance(error, errors.Unauthenticated):
            self._sessions.end(visit.request.cookies.get(self._cookie, ""))
            return self._to_login(visit.request)
        status = status_of(error)
        if status >= 500:
            log.warning("%s %s: %s", visit.request.method, visit.request.path, error)
        return visit.render("pages/failed.html", error=error, status=status)

    @property
    def _cookie(self) -> str:
        return SECURE_COOKIE if self._settings.secured else PLAIN_COOKIE

    def _remember(self, response: web.StreamResponse, secret: str) -> None:
        """Let the browser keep ``secret``, where it is a new one."""
        if not secret:
            return
        response.set_cookie(
            self._cookie,
            secret,
            path="/",
            httponly=True,
            samesite="Lax",
            secure=self._settings.secured,
        )


def role_of(number: int) -> Role | None:
    """None where the service asks nobody. A role of a newer release may do what a viewer may."""
    names = {1: Role.EMITTER, 2: Role.VIEWER, 3: Role.OPERATOR, 4: Role.ADMINISTRATOR}
    return names.get(number, Role.VIEWER) if number else None


def local_path(there: str) -> str:
    """``there`` where it is a path of this console; ``/`` for anything that may lead elsewhere."""
    is_path = there.startswith("/") and not there.startswith(("//", "/\\"))
    is_plain = there.isascii() and there.isprintable() and "\\" not in there
    return there if is_path and is_plain and not there.startswith((LOGIN, "/logout")) else "/"


def status_of(error: errors.NotificationError) -> int:
    """The HTTP status that says the same."""
    match error:
        case errors.NotFound():
            return 404
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
