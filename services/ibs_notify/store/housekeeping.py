"""Removing what is old beside the work: what Router and Delivery have in common."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ibs_notify.domain.errors import NotificationError

PERIOD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is kept: all since ``since``, and of it the newest ``most``, 0 for all.

    ``since`` is in microseconds, 0 for all.
    """

    since: int
    most: int


@dataclass(frozen=True, slots=True)
class Due:
    """Numbers of what may go, oldest first, and up to which number was looked.

    ``is_last``: there are no more.
    """

    seqs: Sequence[int]
    through: int
    is_last: bool


async def keep_house(tidy: Callable[[], Awaitable[None]], log: logging.Logger) -> None:
    """Call ``tidy`` now and then, until cancelled; of failures in a row ``log`` has the first."""
    failed = False
    while True:
        try:
            await tidy()
            failed = False
        except NotificationError as error:
            if not failed:
                log.warning("what is old is not removed: %s", error.message)
            failed = True
        await asyncio.sleep(PERIOD_SECONDS)
