"""A batch that a server refuses because of what is in it: halved until the bad one is alone. Pure.

Whoever sends is passed in. What was sent twice on the way must be the same to the server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ibs_notify.delivery.transports.base import Outcome, Verdict

Item = TypeVar("Item")


async def send_split(
    items: Sequence[Item],
    send: Callable[[Sequence[Item]], Awaitable[Outcome]],
    is_content: Callable[[Outcome], bool],
) -> list[Outcome]:
    """Send ``items`` in as few requests as their content allows; an Outcome for each, in order.

    ``is_content`` says whether a refusal is because of something in the batch. One that is not,
    or is of a single item, holds for all that were sent with it. What the server wants later, or
    not at all from us, is not asked of it again for the rest.
    """
    outcomes: list[Outcome] = []
    ahead = [items] if items else []
    while ahead:
        batch = ahead.pop()
        outcome = await send(batch)
        if len(batch) > 1 and is_content(outcome):
            middle = len(batch) // 2
            ahead += [batch[middle:], batch[:middle]]
            continue
        outcomes += [outcome] * len(batch)
        if outcome.verdict is not Verdict.DELIVERED and not is_content(outcome):
            break
    return outcomes + outcomes[-1:] * (len(items) - len(outcomes))
