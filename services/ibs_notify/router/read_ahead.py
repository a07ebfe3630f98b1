"""Reads a stream ahead while what came before is committed: load makes its own batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

from ibs_notify.store.group_commit import company

Message = TypeVar("Message")
Item = TypeVar("Item")


class ReadAhead(Generic[Message, Item]):
    """``async with ReadAhead(messages, items_of, most, stopping)``: iterate over batches of items.

    In order. A batch is all that arrived while the one before was worked on: one item of a lone
    message, and up to ``most`` under load, when it waits a little for company. Reading stops while
    so many wait, which the sender feels. What the stream raises is raised after the last batch
    before it. Once ``stopping`` is done nothing more is read, and what was read is given out.
    """

    def __init__(
        self,
        messages: AsyncIterator[Message],
        items_of: Callable[[Message], Sequence[Item]],
        most: int,
        stopping: asyncio.Future[None],
    ) -> None:
        self._messages = messages
        self._items_of = items_of
        self._most = most
        self._stopping = stopping
        self._waiting: list[Item] = []
        self._moved = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> ReadAhead[Message, Item]:
        self._reader = asyncio.create_task(self._read())
        self._stopping.add_done_callback(self._cut)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.remove_done_callback(self._cut)
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._reader

    @property
    def is_cut(self) -> bool:
        """Whether the iteration ended before the stream did."""
        return self._reader is not None and self._reader.cancelled()

    async def __aiter__(self) -> AsyncIterator[Sequence[Item]]:
        reader = self._reader
        if reader is None:
            raise RuntimeError("iterate within the block")
        last = 0
        while True:
            while not self._waiting and not reader.done():
                self._moved.clear()
                await self._moved.wait()
            if not self._waiting:
                if not reader.cancelled():
                    reader.result()
                return
            if last > 1:
                await company(lambda: len(self._waiting))
            batch = self._waiting[: self._most]
            last = len(batch)
            del self._waiting[: self._most]
            self._moved.set()
            yield batch

    def _cut(self, _: asyncio.Future[None]) -> None:
        if self._reader is not None:
            self._reader.cancel()

    async def _read(self) -> None:
        try:
            async for message in self._messages:
                self._waiting.extend(self._items_of(message))
                self._moved.set()
                while len(self._waiting) >= self._most:
                    self._moved.clear()
                    await self._moved.wait()
        finally:
            self._moved.set()
