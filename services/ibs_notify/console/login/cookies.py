"""The cookies of the console: one that finds the session, one that says light or dark."""

from __future__ import annotations

from aiohttp import web

from ibs_notify.settings import Settings

SECURE_COOKIE = "__Host-ibs-notify"
"""By its name a browser takes it from this very host alone, by TLS, for all paths."""
PLAIN_COOKIE = "ibs-notify"
THEME_COOKIE = "theme"
THEMES = ("auto", "light", "dark")
_THEME_SECONDS = 365 * 86_400


class SessionCookie:
    """Of a secured installation it goes by TLS only; on loopback browsers take that for safe."""

    def __init__(self, settings: Settings) -> None:
        self._secure = settings.secured
        self._name = SECURE_COOKIE if settings.secured else PLAIN_COOKIE

    def secret(self, request: web.Request) -> str:
        """What the browser sent; empty where it sent none."""
        return request.cookies.get(self._name, "")

    def keep(self, response: web.StreamResponse, secret: str) -> None:
        """Let the browser keep ``secret`` until it is closed."""
        response.set_cookie(
            self._name, secret, path="/", httponly=True, samesite="Lax", secure=self._secure
        )

    def forget(self, response: web.StreamResponse) -> None:
        """Let the browser forget it."""
        response.del_cookie(
            self._name, path="/", httponly=True, samesite="Lax", secure=self._secure
        )


def theme_of(request: web.Request) -> str:
    """``auto``, ``light`` or ``dark``."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else "auto"


def keep_theme(response: web.StreamResponse, theme: str, *, secure: bool) -> None:
    """Let the browser keep one of ``THEMES``."""
    response.set_cookie(
        THEME_COOKIE,
        theme if theme in THEMES else "auto",
        path="/",
        max_age=_THEME_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=secure,
    )
