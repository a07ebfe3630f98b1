"""Where notifications go in a test: a webhook endpoint and a mail server, as processes.

Each logs a receipt durably before it answers, and may be slow, fail or hang up at given rates.
``SIGUSR1`` heals it. It prints its port when it serves.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from pathlib import Path

import aiosmtpd.smtp
from aiohttp import web

ROOT = Path(__file__).parents[2]
MAX_MAIL_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Faults:
    """``delay`` in seconds is the longest, and twice the shortest.

    The rest are probabilities of 0 to 1. ``fail``: a temporary refusal, nothing was received.
    ``hang_up``: the connection breaks, half of the times after the message was received.
    """

    delay: float = 0.0
    fail: float = 0.0
    hang_up: float = 0.0


HEALTHY = Faults()


@dataclass(frozen=True, slots=True)
class Sink:
    """A sink that runs. ``log`` is read with ``checker.read_receipts``."""

    name: str
    port: int
    log: Path
    process: subprocess.Popen[str]

    def heal(self) -> None:
        """From now on it takes everything at once."""
        self.process.send_signal(signal.SIGUSR1)


@contextmanager
def running_sink(
    kind: str, name: str, directory: Path, faults: Faults = HEALTHY, seed: int = 0
) -> Iterator[Sink]:
    """A ``webhook`` or ``mail`` sink until the block ends."""
    log = directory / f"sink-{name}.log"
    arguments = [
        *(sys.executable, "-m", "tests.system.sinks", kind, name, str(log)),
        *(f"--delay={faults.delay}", f"--fail={faults.fail}"),
        *(f"--hang-up={faults.hang_up}", f"--seed={seed}"),
    ]
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        try:
            line = process.stdout.readline()
            if not line.strip().isdigit():
                raise RuntimeError(f"the {kind} sink did not start")
            yield Sink(name, int(line), log, process)
        finally:
            process.terminate()
            process.wait(20)


class HungUp(Exception):
    """The sink breaks the connection."""


class Refused(Exception):
    """The sink refuses for now."""


class Till:
    """Decides by chance what goes wrong, and logs what was received."""

    def __init__(self, name: str, log: Path, faults: Faults, seed: int) -> None:
        self._name = name
        self._faults = faults
        self._chance = random.Random(seed)
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_DSYNC, 0o644)

    def heal(self) -> None:
        self._faults = HEALTHY

    async def receive(self, event_id: str, message_id: str) -> None:
        """Return where it is to be confirmed; raises ``Refused`` or ``HungUp``."""
        faults, chance = self._faults, self._chance
        if faults.delay:
            await asyncio.sleep(chance.uniform(faults.delay / 2, faults.delay))
        if chance.random() < faults.fail:
            raise Refused
        if chance.random() < faults.hang_up:
            if chance.random() < 0.5:
                self._write("unanswered", event_id, message_id)
            raise HungUp
        self._write("received", event_id, message_id)

    def _write(self, what: str, event_id: str, message_id: str) -> None:
        os.write(self._log, f"{what} {self._name} {event_id} {message_id}\n".encode())


class MailHandler:
    """Takes mails; the event is named by the header that the product's mails carry."""

    def __init__(self, till: Till) -> None:
        self._till = till

    async def handle_DATA(  # the name that aiosmtpd calls
        self,
        server: aiosmtpd.smtp.SMTP,
        session: aiosmtpd.smtp.Session,
        envelope: aiosmtpd.smtp.Envelope,
    ) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        try:
            await self._till.receive(str(mail["X-IBS-Event-Id"]), str(mail["Message-ID"]))
        except Refused:
            return "451 4.3.0 try again later"
        except HungUp:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 2.0.0 kept"


async def serve_mail(till: Till) -> int:
    """Serve on a free port; returns it."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: aiosmtpd.smtp.SMTP(
            MailHandler(till), hostname="sink.test", loop=loop, data_size_limit=MAX_MAIL_BYTES
        ),
        host="127.0.0.1",
        port=0,
    )
    return int(server.sockets[0].getsockname()[1])


async def serve_webhook(till: Till) -> int:
    """Serve on a free port; returns it."""

    async def take(request: web.Request) -> web.Response:
        body = await request.json()
        try:
            await till.receive(body["event_id"], request.headers["webhook-id"])
        except Refused:
            return web.Response(status=503)
        except HungUp:
            if request.transport is not None:
                request.transport.abort()
        return web.Response(status=204)

    application = web.Application(client_max_size=MAX_MAIL_BYTES)
    application.router.add_post("/", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return int(runner.addresses[0][1])


async def serve(kind: str, till: Till) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, till.heal)
    port = await (serve_mail(till) if kind == "mail" else serve_webhook(till))
    print(port, flush=True)
    await stop.wait()


def main() -> None:
    """The process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("webhook", "mail"))
    parser.add_argument("name")
    parser.add_argument("log", type=Path)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--fail", type=float, default=0.0)
    parser.add_argument("--hang-up", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    faults = replace(HEALTHY, delay=given.delay, fail=given.fail, hang_up=given.hang_up)
    asyncio.run(serve(given.kind, Till(given.name, given.log, faults, given.seed)))


if __name__ == "__main__":
    main()
