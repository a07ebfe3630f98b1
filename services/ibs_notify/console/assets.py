"""The files that browsers are served: read once, compressed once, named by what is in them."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

STATIC = Path(__file__).parent / "static"
PREFIX = "/static/"
STYLE = (
    # First the tokens and what every page is made of,
    "tokens",
    "frame",
    "blocks",
    "badges",
    "forms",
    "lists",
    # then what only some pages have,
    "charts",
    "overview",
    "inbox",
    "tasks",
    "datastores",
    "targets",
    "groups",
    "rules",
    "templates",
    "administration",
    "login",
    # at the end what differs where there is little room, and on paper.
    "small_screens",
    "paper",
)
"""The parts of ``style.css``, one stylesheet for browsers: what comes later has the last word."""
_FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _Asset:
    url: str
    content_type: str
    plain: bytes
    packed: bytes


class Assets:
    """Everything in ``console/static``; a URL changes with the content, so it never grows old."""

    def __init__(self, directory: Path = STATIC) -> None:
        style = directory / "style"
        self._by_name = {
            name: _asset(name, path.read_bytes())
            for path in sorted(directory.rglob("*"))
            if path.suffix in (".css", ".js", ".svg") and path.parent != style
            for name in [path.relative_to(directory).as_posix()]
        }
        whole = b"\n".join((style / f"{part}.css").read_bytes() for part in STYLE)
        self._by_name["style.css"] = _asset("style.css", whole)
        self._by_url = {each.url: each for each in self._by_name.values()}

    def url(self, name: str) -> str:
        """The address of a file; empty where it was not fetched (``make assets``)."""
        found = self._by_name.get(name)
        return "" if found is None else found.url

    async def serve(self, request: web.Request) -> web.Response:
        """Answers ``GET /static/…``."""
        found = self._by_url.get(request.path)
        if found is None:
            raise web.HTTPNotFound
        packed = "gzip" in request.headers.get("Accept-Encoding", "")
        response = web.Response(
            body=found.packed if packed else found.plain, content_type=found.content_type
        )
        response.headers["Cache-Control"] = _FOR_GOOD
        response.headers["Vary"] = "Accept-Encoding"
        if packed:
            response.headers["Content-Encoding"] = "gzip"
        return response


def _asset(name: str, content: bytes) -> _Asset:
    mark = hashlib.sha256(content).hexdigest()[:12]
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return _Asset(f"{PREFIX}{mark}/{name}", kind, content, gzip.compress(content, mtime=0))
