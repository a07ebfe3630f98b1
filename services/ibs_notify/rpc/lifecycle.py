"""How a service lives: tasks beside the server, a signal to stop, a storage that may break."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from typing import Any, NoReturn, Self

import uvloop

from ibs_notify.domain.errors import NotificationError
from ibs_notify.rpc.file_descriptors import raise_limit
from ibs_notify.rpc.logs import configure_logging
from ibs_notify.settings import Settings, load

log = logging.getLogger(__name__)

_YOUNG_OBJECTS = 10_000
"""As many as some hundred events in one transaction hold: the collector would find them alive."""


def run_beside(stack: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` until ``stack`` closes. A task that dies takes the service with it."""
    task = asyncio.create_task(work)
    task.add_done_callback(_die_of)
    stack.push_async_callback(_end, task)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _die_of(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("a part of the service failed; stopping", exc_info=error)
        signal.raise_signal(signal.SIGTERM)


def spare_the_collector() -> None:
    """Keep the garbage collector from what a service that has started is made of, for good.

    What an event leaves behind has no cycles, so looking for them is worth little: a twentieth of
    the work with the usual settings.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)


def silence_grpc() -> None:
    """Before gRPC is imported: strangers whose handshakes fail must not fill the log.

    Its own lines are for those who debug it, who set the variable themselves.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def leave(code: int) -> NoReturn:
    """End the process of a service that has stopped.

    At once, for everything is closed; what gRPC does at an exit takes seconds where there is TLS.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class App(ABC):
    """A service that runs while it is entered; what ``_start`` pushed ends in reverse order."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self.port = 0
        self.peer_port = 0
        self.broken = asyncio.Event()
        """Set when the storage failed in a way that only a restart can judge."""

    @abstractmethod
    async def _start(self, stack: AsyncExitStack) -> None:
        """Build everything, push what ends it, and listen."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


def keep_no_core() -> None:
    """Let no crash write what is in memory, keys and secrets among it, to a file."""
    with suppress(OSError, ValueError):  # a sandbox may forbid it; its own limit holds then
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run_service(service: str, build: Callable[[Settings], App]) -> int:
    """The process of a service, from settings to exit code: 0 stopped by a signal, 1 failed."""
    keep_no_core()
    try:
        settings = load()
        configure_logging(service, settings.log_level)
        raise_limit()
        return uvloop.run(_serve(build, settings))
    except (NotificationError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  # there may be no log yet
        return 1


async def _serve(build: Callable[[Settings], App], settings: Settings) -> int:
    app = build(settings)  # in the loop: a server belongs to the loop that made it
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with app:
        spare_the_collector()
        waits = [asyncio.ensure_future(event.wait()) for event in (stop, app.broken)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return 1 if app.broken.is_set() else 0
