"""Keep the services running: start them, say when one dies and start it again, stop them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self

from ibs_notify.settings import SERVICES, TOKEN_VARIABLE, ProgramName

STOP_SECONDS = 10.0
STEADY_SECONDS = 60.0
MOST_DELAY_SECONDS = 30.0
TAIL_LINES = 12


def back_off(deaths: int) -> float:
    """Seconds to wait after ``deaths`` in a row, 1 or more: 1, 2, 4, 8, 16, 30, 30 …"""
    return min(2.0 ** min(deaths - 1, 10), MOST_DELAY_SECONDS)


@dataclass(frozen=True, slots=True)
class Death:
    """A program ended that was not told to. ``code`` is as ``subprocess`` gives it."""

    service: ProgramName
    code: int
    tail: tuple[str, ...]
    delay: float

    def describe(self) -> str:
        """How it ended, and the last lines of its log."""
        if self.code < 0:
            how = f"was killed by {signal.Signals(-self.code).name}"
        else:
            how = f"ended with exit code {self.code}"
        return "\n    ".join((f"{self.service} {how}; its last lines:", *self.tail))


class Supervisor:
    """``async with Supervisor(...)``: the services run while it is entered; ``keep`` adds another.

    ``on_death`` hears of each unexpected end; the service starts again ``Death.delay`` later.
    ``on_output`` gets whole lines as a service prints them. Leaving stops the services one by one,
    the last started first: SIGTERM, and SIGKILL where that takes longer than ``STOP_SECONDS``.
    ``key_variable`` is kept from those that open no secret.
    """

    def __init__(
        self,
        on_death: Callable[[Death], None],
        on_output: Callable[[bytes], None],
        key_variable: str = "",
    ) -> None:
        self._on_death = on_death
        self._on_output = on_output
        self._key_variable = key_variable
        self._keeping: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        for service in SERVICES:
            self.keep(service)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in reversed(self._keeping):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def keep(self, program: ProgramName) -> None:
        """Start ``program``, and start it again whenever it dies."""
        self._keeping.append(asyncio.create_task(self._keep(program)))

    def hurry(self) -> None:
        """Kill what is still stopping."""
        for task in self._keeping:
            task.cancel()

    async def failed(self) -> None:
        """Wait until a service cannot even be started; raises what prevents it."""
        await asyncio.gather(*self._keeping)

    async def _keep(self, service: ProgramName) -> None:
        deaths = 0
        while True:
            began = time.monotonic()
            tail: deque[str] = deque(maxlen=TAIL_LINES)
            async with self._running(service, tail) as process:
                code = await process.wait()
            deaths = 1 if time.monotonic() - began > STEADY_SECONDS else deaths + 1
            death = Death(service, code, tuple(tail), back_off(deaths))
            self._on_death(death)
            await asyncio.sleep(death.delay)

    @asynccontextmanager
    async def _running(
        self, service: ProgramName, tail: deque[str]
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ibs_notify.launcher.child", service),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self.environment(service),
            # Ctrl-C goes to the whole group of the terminal; the order of stopping is ours.
            start_new_session=True,
        )
        output = asyncio.create_task(self._pass_on(process.stdout, tail))
        try:
            yield process
        finally:
            await stop(process)
            await output

    def environment(self, service: ProgramName) -> dict[str, str]:
        """What a program inherits: the keys only where it opens secrets, and nobody's token."""
        withheld = {TOKEN_VARIABLE}
        if service in ("router", "console"):
            withheld.add(self._key_variable)
        return {name: value for name, value in os.environ.items() if name not in withheld}

    async def _pass_on(self, output: asyncio.StreamReader | None, tail: deque[str]) -> None:
        """What a service prints, by whole lines so that those of two services do not mix."""
        rest = b""
        while output and (chunk := await output.read(65536)):
            lines, newline, rest = (rest + chunk).rpartition(b"\n")
            if newline:
                tail.extend(lines.decode(errors="replace").split("\n"))
                self._on_output(lines + newline)
        if rest:
            tail.append(rest.decode(errors="replace"))
            self._on_output(rest + b"\n")


async def stop(process: asyncio.subprocess.Process) -> None:
    """Ask ``process`` to end; kill it after ``STOP_SECONDS``, or at once when cancelled."""
    if process.returncode is not None:
        return
    try:
        process.terminate()
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
