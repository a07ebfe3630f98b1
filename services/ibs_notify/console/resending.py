"""A form that failed, to be sent again as it was: where nobody else shows it any more."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from ibs_notify.console.forms import UNANSWERED, Form, read_form
from ibs_notify.console.http.guard import CSRF_FIELD, host_of
from ibs_notify.console.login.paths import local_path
from ibs_notify.console.targets.words import SECRETS
from ibs_notify.domain.errors import Internal, NotificationError

CAME_FROM = "came_from"
"""Where the form is: of one that is sent again, its page is not the one that it is sent from."""
_SECRETS = (*SECRETS, "header_value")


@dataclass(frozen=True, slots=True)
class Resend:
    """``fields`` are all that was sent, ``back`` is where the form is.

    ``is_of_use``: it may work with nothing changed. What had ``secrets`` in it is not sent again:
    no page holds them.
    """

    url: str
    back: str
    fields: tuple[tuple[str, str], ...] = ()
    is_of_use: bool = False
    secrets: bool = False


async def resend_of(request: web.Request, error: NotificationError) -> Resend:
    """Of a POST, which was received, and failed with ``error``."""
    form = await read_form(request)
    back = local_path(form.text(CAME_FROM) or _referer(request))
    secrets = any(form.raw(name) for name in _SECRETS)
    if secrets or not isinstance(error, (*UNANSWERED, Internal)):
        return Resend(request.path_qs, back, secrets=secrets)
    return Resend(request.path_qs, back, (*_fields(form), (CAME_FROM, back)), is_of_use=True)


def _fields(form: Form) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, values in form.values.items()
        if name not in (CSRF_FIELD, CAME_FROM)
        for value in values
    ]


def _referer(request: web.Request) -> str:
    """The page of ours that sent it."""
    there = urlsplit(request.headers.get("Referer", ""))
    if there.netloc.lower() != host_of(request):
        return ""
    return f"{there.path}?{there.query}" if there.query else there.path
