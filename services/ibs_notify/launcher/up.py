"""``ibs-notify up``: claim, start, wait until all serve, greet, keep running, stop in order.

The console starts once the services serve. Without it nothing is lost, so whatever becomes of it,
the services go on.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click

from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import Reason, Unavailable
from ibs_notify.launcher.claim import check_addresses, claimed_home
from ibs_notify.launcher.supervise import Death, Supervisor
from ibs_notify.settings import SERVICES, Settings

PATIENCE_SECONDS = 10.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(settings: Settings, *, console: bool = True) -> None:
    """Run the installation until SIGINT, SIGTERM or SIGHUP; a second one kills what still stops.

    Raises ``NotificationError`` where it cannot start: the home or an address is taken, a
    certificate cannot be used, or a service ends before all have served once. Later a service that
    dies is started again.
    """
    with claimed_home(settings.home):
        if settings.secured:
            from ibs_notify.launcher import certificates  # noqa: PLC0415  # takes a while

            certificates.require_usable(settings, SystemClock().now())
        check_addresses(settings, console=console)
        asyncio.run(_run(settings, console=console))


async def _run(settings: Settings, *, console: bool) -> None:
    stop, served = asyncio.Event(), asyncio.Event()
    too_early: asyncio.Future[Death] = asyncio.get_running_loop().create_future()

    def on_death(death: Death) -> None:
        if served.is_set():
            _say(f"{death.describe()}\n{death.service} starts again in {death.delay:g} s")
        elif not too_early.done():
            too_early.set_result(death)

    async with Supervisor(on_death, _print_lines, settings.key_variable) as supervisor:
        _on_signals(lambda: supervisor.hurry() if stop.is_set() else stop.set())
        start_console = (lambda: supervisor.keep("console")) if console else None
        started = asyncio.create_task(_started(settings, served, start_console))
        ends: set[asyncio.Future[Any]] = {
            asyncio.create_task(stop.wait()),
            asyncio.create_task(supervisor.failed()),
            too_early,
        }
        await asyncio.wait({*ends, started}, return_when=asyncio.FIRST_COMPLETED)
        if started.done():
            started.result()
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        _say("stopping")
        started.cancel()
        for end in ends:
            if end.done():
                end.result()
    if too_early.done():
        raise Unavailable(Reason.SERVICE_UNREACHABLE, too_early.result().describe())


async def _started(
    settings: Settings, served: asyncio.Event, start_console: Callable[[], None] | None
) -> None:
    # Late, for gRPC takes a while to import: the services, already started, import it meanwhile.
    from ibs_notify.launcher import greeting, readiness  # noqa: PLC0415

    waits = {
        asyncio.create_task(readiness.until_serving(settings, service), name=service)
        for service in SERVICES
    }
    while waits:
        done, waits = await asyncio.wait(waits, timeout=PATIENCE_SECONDS)
        for wait in done:
            wait.result()
        if waits:
            _say(f"still waiting for {', '.join(sorted(wait.get_name() for wait in waits))}")
    served.set()
    if start_console is not None:
        start_console()
        with suppress(TimeoutError):  # what became of it was said, and it is tried again
            async with asyncio.timeout(PATIENCE_SECONDS):
                await readiness.until_console_serves(settings)
    installation = await greeting.installation_settings(settings)
    text = greeting.greeting(
        settings, installation, greeting.cli_command(), console=start_console is not None
    )
    click.echo(text)


def _on_signals(act: Callable[[], None]) -> None:
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, act)


def _say(text: str) -> None:
    with suppress(OSError):
        click.echo(f"ibs-notify: {text}", err=True)


def _print_lines(lines: bytes) -> None:
    # Nobody may read them any more; the services go on all the same.
    with suppress(OSError):
        sys.stderr.buffer.write(lines)
        sys.stderr.buffer.flush()
