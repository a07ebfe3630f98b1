"""What is said where there is no page: not found, not allowed, refused, broken."""

from __future__ import annotations

import logging
import secrets
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ibs_notify.console.rendering import Renderer

log = logging.getLogger(__name__)

_TEXTS = {
    403: "This is not allowed.",
    404: "There is no such page.",
    405: "This page is not asked for in that way.",
    408: "What the form sent took too long to arrive.",
    413: "What the form sent is too large.",
}


def mishaps(renderer: Renderer) -> Middleware:
    """Answers what a page did not: as a page of ours, without a word of how it came about.

    What is ours to mend is in the log, under a number that the page names.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as answer:
            if answer.status < 400:
                raise
            return _page(renderer, request, answer)
        except Exception:
            number = mark()
            log.exception("%s: %s %s failed", number, request.method, request.path)
            return _page(renderer, request, web.HTTPInternalServerError(), number)

    return middleware


def mark() -> str:
    """What a page and the log say of the same fault."""
    return secrets.token_hex(4)


def _page(
    renderer: Renderer, request: web.Request, answer: web.HTTPException, number: str = ""
) -> web.Response:
    title = HTTPStatus(answer.status).phrase
    own = answer.text != f"{answer.status}: {answer.reason}"
    text = (answer.text if own else _TEXTS.get(answer.status)) or "That did not work."
    if number:
        text = "This is a fault of the console. What happened is in its log."
    response = renderer.response(
        "pages/mishap.html",
        {"request": request, "title": title, "text": text, "number": number},
        status=answer.status,
    )
    for name in ("Allow", "Retry-After"):
        if name in answer.headers:
            response.headers[name] = answer.headers[name]
    return response
