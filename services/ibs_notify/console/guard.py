"""What stands before every page: where requests may come from, and what browsers are told.

Order: the host is one of ours (DNS rebinding), a change comes from our own pages (CSRF), and every
answer has headers that let nothing run but what we serve (CSP level 3, Fetch Metadata, RFC 9110).
"""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ibs_notify.console.sessions import Session
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
        origins = [urlsplit(each.strip()) for each in settings.console_origin.split(",")]
        self._names = {each.netloc.lower() for each in origins if each.netloc}

    def listening_on(self, port: int) -> None:
        """The port that was bound."""
        names = {self._host}
        if self._host in ("127.0.0.1", "localhost", "[::1]"):
            names |= {"127.0.0.1", "localhost", "[::1]"}
        self._names |= {f"{name}:{port}" for name in names}

    def __contains__(self, host: object) -> bool:
        return host in self._names


def host_check(hosts: Hosts) -> Middleware:
    """Refuses requests whose Host is none of ``hosts``."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.host.lower() not in hosts:
            raise web.HTTPMisdirectedRequest(
                text="This console does not answer under that name; see the setting console_origin."
            )
        return await handler(request)

    return middleware


@web.middleware
async def headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Adds the headers to what is answered, errors included."""
    nonce = request[NONCE] = secrets.token_urlsafe(16)
    try:
        response = await handler(request)
    except web.HTTPException as error:
        add_headers(error, nonce)
        raise
    if not response.prepared:
        add_headers(response, nonce)
    return response


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


def add_headers(response: web.StreamResponse, nonce: str) -> None:
    """The headers of every answer; one that is a stream adds them before it begins."""
    for name, value in _COMMON.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", policy(nonce))
    if response.headers["Content-Security-Policy"] != MAIL_POLICY:
        response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Cache-Control", "no-store")


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
