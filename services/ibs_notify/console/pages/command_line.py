"""What a form will do, as a command: shown below it while it is being filled."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import InvalidArgument


def show(visit: Visit, say: Callable[[], str]) -> web.Response:
    """The part of the page that has the command."""
    return visit.render("parts/command.html", command=text_of(say))


def text_of(say: Callable[[], str]) -> str:
    """The command; of a form that is half written a remark about what it lacks."""
    try:
        return say()
    except InvalidArgument as error:
        faults = [f"{each.path} {each.description}" for each in error.violations]
        return f"# {'; '.join(faults) or error.message}"
