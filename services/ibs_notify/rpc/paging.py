"""Page tokens: opaque to clients, and only good for the list that gave them (AIP-158)."""

from __future__ import annotations

import base64
import json

from ibs_notify.domain.errors import FieldViolation, InvalidArgument, Reason

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


def page_size(requested: int, default: int = DEFAULT_PAGE_SIZE, most: int = MAX_PAGE_SIZE) -> int:
    """The size to use: the default for 0, at most ``most``; negative is refused."""
    if requested < 0:
        raise InvalidArgument.of([FieldViolation("page_size", "is negative")])
    return min(requested or default, most)


def page_token(listing: str, *position: str | int) -> str:
    """The token of the page after ``position`` of the list named ``listing``."""
    return base64.urlsafe_b64encode(json.dumps([listing, *position]).encode()).decode().rstrip("=")


def read_page_token(listing: str, token: str) -> tuple[str | int, ...] | None:
    """The position in a token; ``None`` for the first page, an error for anybody else's token."""
    if not token:
        return None
    try:
        name, *position = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, TypeError, RecursionError):
        name, position = "", []
    if name != listing or not position or not all(isinstance(x, str | int) for x in position):
        raise bad_page_token()
    return tuple(position)


def read_page_number(listing: str, token: str) -> int | None:
    """As ``read_page_token``, of a list that goes by a row's number."""
    position = read_page_token(listing, token)
    if position is None:
        return None
    number = position[0]
    if not isinstance(number, int) or not 0 <= number < 2**63:
        raise bad_page_token()
    return number


def read_page_name(listing: str, token: str) -> str:
    """As ``read_page_token``, of a list in order of a name; empty for the first page."""
    position = read_page_token(listing, token)
    if position is None:
        return ""
    name = position[0]
    if not isinstance(name, str):
        raise bad_page_token()
    return name


def bad_page_token() -> InvalidArgument:
    """The error for a token that the list did not give."""
    return InvalidArgument(
        Reason.PAGE_TOKEN_INVALID, "the page token is not one that this list gave"
    )
