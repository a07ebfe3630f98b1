"""The tour of the product: a backup night, replayed through the real services to two sinks.

``python deploy/demo/demo.py [--home DIR]`` starts Config, Router and Delivery on free ports with
a home of their own (wiped first), types what an administrator would type, emits the 300 events of
a night and a storm of 109, and compares what arrived with what had to arrive. Exit code 0: all of
it did, once, and the ledger balances. 1: not so. 130: stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import shutil
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import report
from plan import (
    CHAT_AUTHORIZATION,
    DEFAULT_LIMIT,
    SILENCE,
    STATUS,
    TARGET_TEST,
    UNLIMITED,
    Event,
    Expected,
    Files,
    Storm,
    chat_key,
    commands,
    storm,
)
from rich.console import Console
from sinks import MailSink, WebhookSink

from ibs_notify.launcher.readiness import until_serving

HERE = Path(__file__).parent
NIGHT = HERE / "night.jsonl"
START_SECONDS = 30.0
ARRIVE_SECONDS = 40.0
GREYLISTED_MAILS = 2
CHAT_OUTAGE = 4
LOG = "launcher.log"

T = TypeVar("T")


class DemoFailed(Exception):
    """Something did not go as it must; the message says what."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Three running services, and the command line that talks to them."""

    environment: dict[str, str]
    console: Console

    async def cli(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run ``ironcore-backup notification …``; its output. ``DemoFailed`` where it fails."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "ibs_notify.cli", "notification", *arguments),
            env=self.environment,
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
        if process.returncode:
            told = f"{output.decode()}{complaints.decode()}".strip()
            raise DemoFailed(f"{shlex.join(arguments)} ended with {process.returncode}:\n{told}")
        return output.decode()

    async def type(self, arguments: Sequence[str]) -> str:
        """Run a command as a user would, and show it; its output."""
        report.command(self.console, arguments, f"{self.environment['IBS_NOTIFY_HOME']}/files/")
        return await self.cli(*arguments)

    async def ledger(self) -> dict[str, Any]:
        """What ``ledger verify`` says, for programs."""
        document: dict[str, Any] = json.loads(await self.cli("ledger", "verify", "-o", "json"))
        return document


@asynccontextmanager
async def installation(home: Path, console: Console) -> AsyncIterator[Installation]:
    """The services, started by the launcher; stopped when left."""
    addresses = {
        name: f"127.0.0.1:{port}"
        for name, port in zip(("Config", "Router", "Delivery"), free_ports(3), strict=True)
    }
    environment = {k: v for k, v in os.environ.items() if not k.startswith("IBS_NOTIFY_")}
    environment |= {f"IBS_NOTIFY_{name.upper()}_ADDRESS": at for name, at in addresses.items()}
    environment |= {"IBS_NOTIFY_HOME": str(home), "IBS_NOTIFY_LOG_LEVEL": "warning"}
    environment |= {"IBS_NOTIFY_USER": "demo", "COLUMNS": str(console.width)}
    with (home / LOG).open("wb") as log:
        launcher = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ibs_notify.launcher", "up"),
            env=environment,
            stdout=log,
            stderr=log,
            # Ctrl-C reaches this process alone, which then stops the services in order.
            start_new_session=True,
        )
    began = time.monotonic()
    try:
        await serving(list(addresses.values()), launcher)
        report.started(console, addresses, time.monotonic() - began)
        yield Installation(environment, console)
    finally:
        if launcher.returncode is None:
            launcher.send_signal(signal.SIGTERM)
            await launcher.wait()


async def serving(addresses: Sequence[str], launcher: asyncio.subprocess.Process) -> None:
    """Wait until all services say that they serve; ``DemoFailed`` where the launcher ends."""
    ready = asyncio.create_task(_all_serve(addresses))
    ended = asyncio.create_task(launcher.wait())
    try:
        async with asyncio.timeout(START_SECONDS):
            await asyncio.wait((ready, ended), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            raise DemoFailed(f"the services did not start; see {LOG} in the demo's home")
    finally:
        ready.cancel()
        ended.cancel()


async def _all_serve(addresses: Sequence[str]) -> None:
    await asyncio.gather(*(until_serving(address) for address in addresses))


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


async def replay(running: Installation, night: Sequence[Event]) -> None:
    """Emit the whole night, then once more, as a producer does that never saw the answers."""
    for again in (False, True):
        duplicates = await emit(running, NIGHT.name, night)
        if duplicates != (len(night) if again else 0):
            raise DemoFailed(f"{len(night)} events were emitted, {duplicates} known before")


async def emit(running: Installation, name: str, events: Sequence[Event]) -> int:
    """``events`` as a file of that name; how many of them were known before."""
    began = time.monotonic()
    lines = "".join(f"{json.dumps(each)}\n" for each in events).encode()
    output = await running.cli("emit", "--stdin", "-o", "json", stdin=lines)
    answers = [json.loads(line)["accepted"] for line in output.splitlines()]
    duplicates = sum(bool(each["duplicate"]) for each in answers)
    report.emitted(running.console, name, len(answers), duplicates, time.monotonic() - began)
    if len(answers) != len(events):
        raise DemoFailed(f"{len(events)} events were emitted, {len(answers)} acknowledged")
    return duplicates


async def weather(running: Installation, wind: Storm, web: WebhookSink) -> None:
    """A storm: what is silenced, what repeats, what the limit holds, and how to let it go."""
    before = len(web.sms)
    await running.type(SILENCE)
    await emit(running, "storm.jsonl", wind.events)
    deadline = time.monotonic() + ARRIVE_SECONDS
    while time.monotonic() < deadline:
        held = await full(running)
        if held:
            break
        await asyncio.sleep(0.2)
    else:
        raise DemoFailed("the limit of on-call held nothing")
    report.status(running.console, await running.type(STATUS))
    if len(web.sms) - before > DEFAULT_LIMIT:
        raise DemoFailed(f"{len(web.sms) - before} messages passed a limit of {DEFAULT_LIMIT}")
    report.held(running.console, wind, held)
    await running.type(UNLIMITED)


async def full(running: Installation) -> int:
    """How many events wait for on-call once it has told as many as it may; until then 0."""
    status = json.loads(await running.cli(*STATUS, "-o", "json"))
    if int(status.get("released_count", 0)) < DEFAULT_LIMIT:
        return 0
    return sum(int(each["count"]) for each in status.get("waiting", []))


async def arrived(
    running: Installation, mail: MailSink, web: WebhookSink, expected: Expected
) -> dict[str, Any]:
    """Wait until nothing is under way any more; the ledger then."""
    deadline = time.monotonic() + ARRIVE_SECONDS
    while time.monotonic() < deadline:
        there = len(mail.received) + len(web.chat) + len(web.sms) + len(web.points)
        if there >= expected.delivered:
            ledger = await running.ledger()
            if count(ledger, "delivery", "delivered") >= expected.delivered:
                return ledger
        await asyncio.sleep(0.2)
    return await running.ledger()


def count(ledger: dict[str, Any], service: str, state: str) -> int:
    """A line of the ledger."""
    lines = ledger.get("lines", [])
    return sum(
        int(each["count"]) for each in lines if (each["service"], each["state"]) == (service, state)
    )


def differences(
    ledger: dict[str, Any], mail: MailSink, web: WebhookSink, expected: Expected, events: int
) -> list[str]:
    """What is not as it must be; nothing where all is well."""
    mails = Counter((each.recipient, each.event_id) for each in mail.received)
    chat = Counter(chat_key(each.fields) for each in web.chat)
    sms = Counter(str(each.fields.get("text")) for each in web.sms)
    books = {
        "events accepted": (int(ledger.get("accepted_events", 0)), events),
        "delivered": (count(ledger, "delivery", "delivered"), expected.delivered),
        "points of the metric server": (len(web.points), expected.recorded),
        "coalesced": (count(ledger, "router", "coalesced"), expected.coalesced),
        "not told": (count(ledger, "router", "closed at once"), expected.closed),
    }
    wrong = [f"{what}: {is_} and not {must}" for what, (is_, must) in books.items() if is_ != must]
    if not ledger.get("balanced"):
        wrong.append(f"the ledger does not balance: {ledger.get('unaccounted_ids')}")
    posts = [*web.chat, *web.sms]
    if len({each.webhook_id for each in posts}) != len(posts):
        wrong.append("two requests have the same webhook-id")
    if {each.authorization for each in web.chat} != {CHAT_AUTHORIZATION}:
        wrong.append("chat was called without its secret header")
    wrong += _difference("mail", expected.mails, mails)
    wrong += _difference("chat", expected.chat, chat)
    wrong += _difference("SMS", expected.sms, sms)
    return wrong


def prepare(home: Path) -> list[Event]:
    """An empty home, and the night."""
    if home.exists():
        if not (home / LOG).exists():
            raise DemoFailed(f"{home} is not a demo's home, and would be wiped")
        shutil.rmtree(home)
    home.mkdir(parents=True)
    return [json.loads(line) for line in NIGHT.read_text().splitlines()]


def _difference(name: str, due: Counter[T], got: Counter[T]) -> list[str]:
    if got == due:
        return []
    return [f"{name}: {(due - got).total()} missing, {(got - due).total()} too many"]


async def demo(home: Path, console: Console) -> int:
    """The whole tour; the exit code."""
    began = time.monotonic()
    night, wind = prepare(home), storm()
    events = [*night, *wind.events]
    expected = Expected.of(events, wind.untold)
    async with AsyncExitStack() as stack:
        report.title(console, "Three services, a mail server and a web server")
        mail = await stack.enter_async_context(MailSink(GREYLISTED_MAILS))
        web = await stack.enter_async_context(WebhookSink(CHAT_OUTAGE))
        running = await stack.enter_async_context(installation(home, console))

        report.title(
            console, "The recommended groups and one more, typed after ironcore-backup notification"
        )
        for arguments in commands(mail.port, web.url, Files.write(home / "files")):
            await running.type(arguments)
        report.limits(console)
        report.tested(console, await running.type(TARGET_TEST), web.sms.pop())

        report.title(console, "A backup night, 22:00 to 06:00")
        report.night(console, night)
        await replay(running, night)
        await arrived(running, mail, web, Expected.of(night))

        report.title(console, "A storm at 06:30, and what tames it")
        report.storm(console, wind)
        await weather(running, wind, web)
        ledger = await arrived(running, mail, web, expected)

        report.title(console, "What arrived")
        report.arrivals(console, mail, web, expected)
        report.harmless(console, web)
        report.title(console, "What was counted")
        report.counted(console, web, expected)
        report.title(console, "The books")
        report.books(console, await running.cli("ledger", "verify"))
        wrong = differences(ledger, mail, web, expected, len(events))
    report.verdict(console, wrong, time.monotonic() - began)
    return 1 if wrong else 0


async def main(home: Path) -> int:
    """``demo``, stopped in order by SIGINT and SIGTERM."""
    console = Console(highlight=False)
    task = asyncio.create_task(demo(home, console))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        console.print("\nstopped")
        return 130
    except (DemoFailed, TimeoutError) as error:
        console.print(f"[bold red]The demo failed.[/] {error or 'It took too long.'}")
        return 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A backup night, replayed through the services.")
    parser.add_argument("--home", type=Path, default=Path("var/demo"), help="wiped first")
    sys.exit(asyncio.run(main(parser.parse_args().home.absolute())))
