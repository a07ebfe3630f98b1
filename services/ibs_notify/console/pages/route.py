"""A line of the list of pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from ibs_notify.console.visit import Visit


@dataclass(frozen=True, slots=True)
class Route:
    """``path`` is aiohttp's: ``/targets/{name}``."""

    method: str
    path: str
    handler: Callable[[Visit], Awaitable[web.StreamResponse]]
