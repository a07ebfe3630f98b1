"""Servers of asyncio for tests that are not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

PATIENCE_SECONDS = 20.0


@contextmanager
def in_thread(serve: Callable[[], AbstractAsyncContextManager[None]]) -> Iterator[None]:
    """Within the block ``serve`` is entered, in an event loop of a thread of its own."""
    ready, ends = threading.Event(), list[Callable[[], object]]()

    async def until_the_end() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        ends.append(lambda: loop.call_soon_threadsafe(stop.set))
        async with serve():
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(until_the_end()))
    thread.start()
    try:
        assert ready.wait(PATIENCE_SECONDS)
        yield
    finally:
        for end in ends:
            end()
        thread.join(PATIENCE_SECONDS)
