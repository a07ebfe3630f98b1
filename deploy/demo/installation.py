"""A whole installation in the production profile, in a directory of its own, on loopback.

Certificates, the three services, a token for everybody who does something, and the command line.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import report
from plan import VIEWER, Holder, Notice
from rich.console import Console

from ibs_notify.launcher.readiness import until_serving
from ibs_notify.settings import SERVICES, Settings, load

START_SECONDS = 30.0
LOG = "launcher.log"
_KINDS = ("address", "peer_address")


class DemoFailed(Exception):
    """Something did not go as it must; the message says what."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Running services, and the command line that talks to them.

    Who calls is a token in ``home/tokens``; people and jobs have no certificate, only the CA's.
    """

    home: Path
    environment: Mapping[str, str]
    console: Console

    def as_(self, who: str) -> dict[str, str]:
        """The environment of ``who``."""
        files = {"TLS_DIRECTORY": self.home / "people", "TOKEN_FILE": self.token(who)}
        return {**self.environment, **{f"IBS_NOTIFY_{k}": str(v) for k, v in files.items()}}

    def token(self, who: str) -> Path:
        """The file with the token of ``who``."""
        return self.home / "tokens" / who

    async def cli(self, who: str, *arguments: str, stdin: bytes | None = None) -> str:
        """Run ``ironcore-backup notification …``; its output. ``DemoFailed`` where it fails."""
        code, output = await run(self.as_(who), *_cli(arguments), stdin=stdin)
        if code:
            raise DemoFailed(f"{shlex.join(arguments)} ended with {code}:\n{output.strip()}")
        return output

    async def type(self, who: str, arguments: Sequence[str]) -> str:
        """Run a command as ``who`` would, and show it; its output."""
        report.command(self.console, who, arguments, f"{self.home}/")
        return await self.cli(who, *arguments)

    async def make_tokens(self, holders: Sequence[Holder]) -> None:
        """Each into a file. Whoever makes them has only the administrator's certificate yet."""
        for holder in holders:
            arguments = [*holder.command(), "--out", str(self.token(holder.name))]
            report.command(self.console, "root", arguments, f"{self.home}/")
            code, output = await run(self.environment, *_cli(arguments))
            if code:
                raise DemoFailed(f"no token for {holder.name}: {output}")

    async def refused(self, who: str, arguments: Sequence[str], reason: str) -> None:
        """Run a command that must be refused by ``reason``, and show what ``who`` is told."""
        report.command(self.console, who, arguments, f"{self.home}/")
        code, output = await run(self.as_(who), *_cli(arguments))
        if code == 0 or reason not in " ".join(output.split()):
            raise DemoFailed(f"{who} was not refused by {reason!r}, but: {output.strip()}")
        report.refused(self.console, output)

    async def ledger(self) -> dict[str, Any]:
        """What ``ledger verify`` says, for programs."""
        document: dict[str, Any] = json.loads(
            await self.cli(VIEWER, "ledger", "verify", "-o", "json")
        )
        return document

    async def notices(self, known: Collection[str]) -> list[Notice]:
        """The events that nobody here emitted: what the services tell of themselves."""
        output = await self.cli(VIEWER, "event", "list", "--limit", "100000", "-o", "json")
        return [
            Notice(
                each["event"],
                frozenset((to["group"], to["target"]) for to in each.get("dispositions", ())),
            )
            for each in json.loads(output)
            if each["event"]["event_id"] not in known
        ]


@asynccontextmanager
async def installation(home: Path, console: Console) -> AsyncIterator[Installation]:
    """The services, started by the launcher; stopped when left."""
    addresses = {
        f"{name}_{kind}": f"127.0.0.1:{port}"
        for (name, kind), port in zip(
            ((name, kind) for kind in _KINDS for name in SERVICES), free_ports(6), strict=True
        )
    }
    settings = {
        **addresses,
        "home": str(home),
        "profile": "production",
        "tls_directory": str(home / "tls"),
        # The sinks are here; in production no target may reach loopback unless it is allowed.
        "egress_allow": "loopback",
        "log_level": "warning",
    }
    environment = {k: v for k, v in os.environ.items() if not k.startswith("IBS_NOTIFY_")}
    environment |= {f"IBS_NOTIFY_{name.upper()}": value for name, value in settings.items()}
    environment |= {"COLUMNS": str(console.width)}
    await certify(home, environment, console)
    with (home / LOG).open("ab") as log:
        launcher = await asyncio.create_subprocess_exec(
            *_launcher("up", "--no-console"),
            env=environment,
            stdout=log,
            stderr=log,
            # Ctrl-C reaches this process alone, which then stops the services in order.
            start_new_session=True,
        )
    began = time.monotonic()
    try:
        known = load(environment)
        await serving(known, launcher)
        report.started(console, known, time.monotonic() - began)
        yield Installation(home, environment, console)
    finally:
        if launcher.returncode is None:
            launcher.send_signal(signal.SIGTERM)
            await launcher.wait()


async def certify(home: Path, environment: Mapping[str, str], console: Console) -> None:
    """All certificates, and what people are given of them: the CA's."""
    report.ran(console, "ibs-notify certs init")
    code, output = await run(environment, *_launcher("certs", "init"))
    if code:
        raise DemoFailed(f"no certificates: {output}")
    for directory in ("people", "tokens"):
        (home / directory).mkdir(mode=0o700)
    (home / "people" / "ca.pem").write_bytes((home / "tls" / "ca.pem").read_bytes())


async def serving(settings: Settings, launcher: asyncio.subprocess.Process) -> None:
    """Wait until all services say that they serve; ``DemoFailed`` where the launcher ends."""
    ready = asyncio.create_task(_all_serve(settings))
    ended = asyncio.create_task(launcher.wait())
    try:
        async with asyncio.timeout(START_SECONDS):
            await asyncio.wait((ready, ended), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            raise DemoFailed(f"the services did not start; see {LOG} in the demo's home")
    finally:
        ready.cancel()
        ended.cancel()


async def _all_serve(settings: Settings) -> None:
    await asyncio.gather(*(until_serving(settings, service) for service in SERVICES))


async def run(
    environment: Mapping[str, str], *command: str, stdin: bytes | None = None
) -> tuple[int, str]:
    """The exit code of a command that ends by itself, and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, complaints = await process.communicate(stdin)
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    code = process.returncode or 0
    return code, output.decode() + (complaints.decode() if code else "")


def _cli(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "ibs_notify.cli", "notification", *arguments]


def _launcher(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ibs_notify.launcher", *arguments]


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports
