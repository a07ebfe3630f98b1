"""Group commit: many callers, one durable transaction.

A lone caller of a light item is committed at once. Under load a batch waits for company: until
``ENOUGH`` are there, or none came for a while, and for ``WINDOW_SECONDS`` at most. Answers sent in
bursts save more than the sync costs, and bursts of that size keep both sides of the wire at work. A
batch that fails because of one of its items is bisected, so that the bad one fails alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import sqlalchemy as sa

from ibs_notify.domain.errors import ResourceExhausted, Unavailable
from ibs_notify.store.database import Database

Item = TypeVar("Item")
Result = TypeVar("Result")

WINDOW_SECONDS = 0.02
LOOK_SECONDS = 0.001
"""How often a batch looks around, or five times within a window that is shorter than that many;
it goes when none came since the last look."""
ENOUGH = 128
MAX_BATCH = 1000
"""The most weight that one transaction takes."""


async def company(count: Callable[[], int], window: float = WINDOW_SECONDS) -> None:
    """Wait until ``count`` is enough, or stands still for a while; for ``window`` at most."""
    pause = min(LOOK_SECONDS, window / 5)
    for _ in range(round(window / pause)):
        seen = count()
        if seen >= ENOUGH:
            return
        await asyncio.sleep(pause)
        if count() == seen:
            return


def _one(_item: object) -> int:
    return 1


class GroupCommit(Generic[Item, Result]):
    """Collects items and commits them by ``commit``, which answers one result for each, in order.

    ``submit`` returns after the transaction is durable. What ``commit`` raises for a single item is
    raised to that item's caller; a database that is full or away fails all of a batch alike.
    ``weigh`` tells how many rows an item is, so that a transaction stays bounded.
    """

    def __init__(
        self,
        database: Database,
        commit: Callable[[sa.Connection, Sequence[Item]], Sequence[Result]],
        *,
        window: float = WINDOW_SECONDS,
        weigh: Callable[[Item], int] = _one,
    ) -> None:
        self._database = database
        self._commit = commit
        self._window = window
        self._weigh = weigh
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._last_weight = 0

    async def submit(self, item: Item) -> Result:
        """Commit ``item`` with whoever else is waiting."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        if self._flusher is None:
            self._flusher = loop.create_task(self._flush_all())
        return await future

    async def close(self) -> None:
        """Wait until everything submitted is answered."""
        if self._flusher is not None:
            await self._flusher

    async def _flush_all(self) -> None:
        try:
            while self._waiting:
                # The last batch tells whether there is company to wait for. Of heavy items one is
                # enough: in a transaction of a few they cost less than one by one.
                if self._last_weight > 1:
                    await company(lambda: len(self._waiting), self._window)
                batch = self._next_batch()
                self._last_weight = sum(self._weigh(item) for item, _ in batch)
                await self._flush(batch)
        finally:
            self._flusher = None

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        """As many as weigh ``MAX_BATCH`` together, at least one."""
        weight, count = 0, 0
        for item, _ in self._waiting:
            weight += self._weigh(item)
            if count and weight > MAX_BATCH:
                break
            count += 1
        batch = self._waiting[:count]
        del self._waiting[:count]
        return batch

    async def _flush(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        items = [item for item, _ in batch]
        try:
            results = await self._database.write(lambda connection: self._commit(connection, items))
        except (Unavailable, ResourceExhausted) as error:
            _fail(batch, error)
        except Exception as error:  # noqa: BLE001  # it is handed to the callers
            if len(batch) == 1:
                _fail(batch, error)
            else:
                middle = len(batch) // 2
                await self._flush(batch[:middle])
                await self._flush(batch[middle:])
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)


def _fail(batch: Sequence[tuple[Item, asyncio.Future[Result]]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
