"""Waiting for what a database will say, without asking it again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from ibs_notify.store.database import Database, T, Work
from ibs_notify.store.engine import open_database

PATIENCE_SECONDS = 20.0


class Writes:
    """Of all the databases that it watches: ``until`` looks again after each."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    async def open(self, url: str, *, exclusive: bool = False) -> Database:
        """As ``open_database``, and watched."""
        return self.watch(await open_database(url, exclusive=exclusive))

    def watch(self, database: Database) -> Database:
        return _Watched(database, self._wrote)

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                following = self._next
                if await condition():
                    return
                await following.wait()

    def _wrote(self) -> None:
        self._next.set()
        self._next = asyncio.Event()


class _Watched:
    def __init__(self, database: Database, wrote: Callable[[], None]) -> None:
        self.dialect = database.dialect
        self.directory: Path | None = database.directory
        self.broken = database.broken
        self.read, self.close = database.read, database.close
        self._database = database
        self._wrote = wrote

    async def write(self, work: Work[T]) -> T:
        result = await self._database.write(work)
        self._wrote()
        return result
