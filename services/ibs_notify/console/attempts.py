"""What a page can do without: asked for without failing with it, and many at once only by a few."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from ibs_notify.domain.errors import NotificationError, Unauthenticated

AT_ONCE = 8

Answer = TypeVar("Answer")
Subject = TypeVar("Subject")


async def attempted(call: Awaitable[Answer]) -> Answer | NotificationError:
    """The answer, or why there is none. Who is not known any more still has to log in."""
    try:
        return await call
    except Unauthenticated:
        raise
    except NotificationError as error:
        return error


async def unless_failed(call: Awaitable[Answer]) -> Answer | None:
    """The answer; None where there is none, which the page then says."""
    answer = await attempted(call)
    return None if isinstance(answer, NotificationError) else answer


async def few_at_once(
    ask: Callable[[Subject], Awaitable[Answer]], subjects: Iterable[Subject]
) -> list[Answer]:
    """What ``ask`` answers for each, with at most ``AT_ONCE`` under way. A failure is raised."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def in_turn(subject: Subject) -> Answer:
        async with turn:
            return await ask(subject)

    return await asyncio.gather(*map(in_turn, subjects))
