"""What stands before every page: where requests may come from, and what browsers are told.

Order: the host is one of ours (DNS rebinding), no other site embeds or reads what is answered, a
change comes from our own pages (CSRF), and every answer has headers that let nothing run but what
we serve (CSP level 3, Fetch Metadata, RFC 9110). What a proxy says of a request (``Forwarded``,
``X-Forwarded-*``) is not looked at.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ibs_notify.console.login.sessions import Session
from ibs_notify.settings import Settings

CSRF_FIELD = "csrf_token"
CSRF_HEADER = "X-CSRF-Token"
REPORTS = "/csp-report"
_SAFE_METHODS = frozenset({"GET", "HEAD"})
NONCE = web.RequestKey("nonce", str)

_COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Hosts:
    """The names that this console is asked under: where it listens, and ``console_origin``."""

    def __init__(self, settings: Settings) -> None:
        self._host = settings.console_address.rpartition(":")[0]
        self._tls = bool(settings.console_certificate)
        origins = [urlsplit(each.lower()) for each in settings.console_origins]
        self._names = {each.netloc for each in origins}
        self._by_tls = {each.netloc for each in origins if each.scheme == "https"}

    def listening_on(self, port: int) -> None:
        """The port that was bound."""
        names = {self._host.lower()}
        if self._host in ("0.0.0.0", "[::]"):
            names = {"127.0.0.1", "localhost", "[::1]"}
        elif self._host in ("127.0.0.1", "localhost", "[::1]"):
            names |= {"127.0.0.1", "localhost", "[::1]"}
        self._names |= {f"{name}:{port}" for name in names}
        if port == (443 if self._tls else 80):
            self._names |= names

    def by_tls(self, host: str) -> bool:
        """Whether browsers come to ``host`` by TLS: ours, or that of a proxy in front."""
        return self._tls or host in self._by_tls

    def __contains__(self, host: object) -> bool:
        return host in self._names


def host_of(request: web.BaseRequest) -> str:
    """What the request says. Where it says nothing aiohttp would ask the DNS, and wait for it."""
    return request.headers.get("Host", "").lower()


def host_check(hosts: Hosts) -> Middleware:
    """Refuses requests whose Host is none of ``hosts``."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if host_of(request) not in hosts:
            raise web.HTTPMisdirectedRequest(
                text="This console does not answer under that name; see the setting console_origin."
            )
        return await handler(request)

    return middleware


@web.middleware
async def embedding_check(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses what the pages of another site ask for, but for a link that is followed."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    followed = request.headers.get("Sec-Fetch-Mode") == "navigate" and (
        request.headers.get("Sec-Fetch-Dest") == "document"
    )
    if site in ("cross-site", "same-site") and request.method in _SAFE_METHODS and not followed:
        raise web.HTTPForbidden(text="This is not for the pages of another site.")
    return await handler(request)


@web.middleware
async def nonce(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Chooses what lets the scripts of this answer run."""
    request[NONCE] = secrets.token_urlsafe(16)
    return await handler(request)


def headers(hosts: Hosts) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Adds the headers to whatever is answered, streams and errors as well: a signal of aiohttp."""

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = "ibs-notify"
        for name, value in _COMMON.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Security-Policy", policy(request.get(NONCE, "")))
        if response.headers["Content-Security-Policy"] not in FRAMED:
            response.headers.setdefault("X-Frame-Options", "DENY")
        response.headers.setdefault("Cache-Control", "no-store")
        if hosts.by_tls(host_of(request)):
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")

    return add


def policy(nonce: str) -> str:
    """The policy of a page: no script but those with the nonce of this answer."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'nonce-{nonce}'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "frame-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            f"report-uri {REPORTS}",
        )
    )


MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
)
"""Of a mail shown in a frame of ours: it has styles of its own, and nothing else."""
PREVIEW_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""Of a page without scripts that shows a message in a frame of ours: a mail inside of it is in a
sandbox of its own, which takes over this policy."""
LEADS_NOWHERE = '<base target="_blank">'
"""Behind the HTML of a mail in a frame: its links would open a window, which the sandbox refuses,
and so they do not lead the frame itself to a page that it may not show."""
FRAMED = (MAIL_POLICY, PREVIEW_POLICY)


def refuse_foreign_form(request: web.Request, hosts: Hosts) -> None:
    """Raises where a form that needs no session does not come from a page of ours.

    Browsers that do not say so by Sec-Fetch-Site name the origin of every form.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = urlsplit(request.headers.get("Origin", "")).netloc.lower()
    if not (site == "same-origin" or (site is None and origin in hosts)):
        raise web.HTTPForbidden(text="This was not asked for by a page of the console.")


async def refuse_forgery(request: web.Request, session: Session) -> None:
    """Raises where a change was not asked for by a page of ours.

    Browsers say where a request comes from (Sec-Fetch-Site); of those that do not, a token is
    asked.
    """
    if request.method in _SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site == "same-origin":
        return
    if site is None:
        given = request.headers.get(CSRF_HEADER)
        if given is None:
            given = str((await request.post()).get(CSRF_FIELD, ""))
        if session.accepts(given):
            return
    raise web.HTTPForbidden(text="This was not asked for by a page of the console.")
