"""The tour of the product: a backup night, replayed through the real services to two sinks.

``python deploy/demo/demo.py [--home DIR]`` makes certificates, starts Config, Router and Delivery
in the production profile on free ports with a home of their own (wiped first), makes tokens, types
what an administrator would type, tries what must be refused, emits the 300 events of a night and a
storm of 109, and compares what arrived with what had to arrive. Exit code 0: all of it did, once,
and the ledger balances. 1: not so. 130: stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import report
from installation import LOG, DemoFailed, Installation, installation
from plan import (
    ADMINISTRATOR,
    AUDIT,
    CHAT_AUTHORIZATION,
    DEFAULT_LIMIT,
    INVENTED,
    JOBS,
    LEFT,
    OPERATOR,
    REFUSED,
    REVOKE,
    SILENCE,
    STATUS,
    STRANGER,
    TARGET_TEST,
    TOKENS,
    UNLIMITED,
    VIEWER,
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

HERE = Path(__file__).parent
NIGHT = HERE / "night.jsonl"
ARRIVE_SECONDS = 40.0
GREYLISTED_MAILS = 2
CHAT_OUTAGE = 4

T = TypeVar("T")


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
    output = await running.cli(JOBS, "emit", "--stdin", "-o", "json", stdin=lines)
    answers = [json.loads(line)["accepted"] for line in output.splitlines()]
    duplicates = sum(bool(each["duplicate"]) for each in answers)
    report.emitted(running.console, name, len(answers), duplicates, time.monotonic() - began)
    if len(answers) != len(events):
        raise DemoFailed(f"{len(events)} events were emitted, {len(answers)} acknowledged")
    return duplicates


async def weather(running: Installation, wind: Storm, web: WebhookSink) -> None:
    """A storm: what is silenced, what repeats, what the limit holds, and how to let it go."""
    before = len(web.sms)
    await running.type(OPERATOR, SILENCE)
    await emit(running, "storm.jsonl", wind.events)
    deadline = time.monotonic() + ARRIVE_SECONDS
    while time.monotonic() < deadline:
        held = await full(running)
        if held:
            break
        await asyncio.sleep(0.2)
    else:
        raise DemoFailed("the limit of on-call held nothing")
    report.status(running.console, await running.type(VIEWER, STATUS))
    if len(web.sms) - before > DEFAULT_LIMIT:
        raise DemoFailed(f"{len(web.sms) - before} messages passed a limit of {DEFAULT_LIMIT}")
    report.held(running.console, wind, held)
    await running.type(ADMINISTRATOR, UNLIMITED)


async def full(running: Installation) -> int:
    """How many events wait for on-call once it has told as many as it may; until then 0."""
    status = json.loads(await running.cli(VIEWER, *STATUS, "-o", "json"))
    if int(status.get("released_count", 0)) < DEFAULT_LIMIT:
        return 0
    return sum(int(each["count"]) for each in status.get("waiting", []))


async def arrived(
    running: Installation, mail: MailSink, web: WebhookSink, events: Sequence[Event], wind: Storm
) -> tuple[dict[str, Any], Expected]:
    """Wait until nothing is under way any more; the ledger then, and what had to come of it.

    What the services tell of themselves, such as a change of the configuration, is told as any
    other event is, whenever it comes.
    """
    known = frozenset(each["event_id"] for each in events)
    deadline = time.monotonic() + ARRIVE_SECONDS
    while True:
        expected = Expected.of(events, wind.untold, await running.notices(known))
        ledger = await running.ledger()
        there = len(mail.received) + len(web.chat) + len(web.sms) + len(web.points)
        done = min(there, count(ledger, "delivery", "delivered")) >= expected.delivered
        settled = int(ledger.get("accepted_events", 0)) == expected.events
        if (done and settled) or time.monotonic() > deadline:
            return ledger, expected
        await asyncio.sleep(0.2)


def count(ledger: dict[str, Any], service: str, state: str) -> int:
    """A line of the ledger."""
    lines = ledger.get("lines", [])
    return sum(
        int(each["count"]) for each in lines if (each["service"], each["state"]) == (service, state)
    )


def differences(
    ledger: dict[str, Any], mail: MailSink, web: WebhookSink, expected: Expected
) -> list[str]:
    """What is not as it must be; nothing where all is well."""
    mails = Counter((each.recipient, each.event_id) for each in mail.received)
    chat = Counter(chat_key(each.fields) for each in web.chat)
    sms = Counter(str(each.fields.get("text")) for each in web.sms)
    books = {
        "events accepted": (int(ledger.get("accepted_events", 0)), expected.events),
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
    (home / LOG).touch()
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
    async with AsyncExitStack() as stack:
        report.title(console, "Three services, a mail server and a web server")
        mail = await stack.enter_async_context(MailSink(GREYLISTED_MAILS))
        web = await stack.enter_async_context(WebhookSink(CHAT_OUTAGE))
        running = await stack.enter_async_context(installation(home, console))

        report.title(console, "A token for everybody, typed after ironcore-backup notification")
        await running.make_tokens(TOKENS)
        await tour_of_refusals(running)

        report.title(console, "The recommended groups and one more")
        for arguments in commands(mail.port, web.url, Files.write(home / "files")):
            await running.type(ADMINISTRATOR, arguments)
        report.limits(console)
        report.tested(console, await running.type(ADMINISTRATOR, TARGET_TEST), web.sms.pop())

        report.title(console, "A backup night, 22:00 to 06:00")
        report.night(console, night)
        await replay(running, night)
        await arrived(running, mail, web, night, wind)

        report.title(console, "A storm at 06:30, and what tames it")
        report.storm(console, wind)
        await weather(running, wind, web)
        ledger, expected = await arrived(running, mail, web, events, wind)
        wrong = differences(ledger, mail, web, expected)

        report.title(console, "What arrived")
        report.arrivals(console, mail, web, expected)
        report.harmless(console, web)
        report.title(console, "What was counted")
        report.counted(console, web, expected)
        report.title(console, "The books")
        report.books(console, await running.cli(VIEWER, "ledger", "verify"))
        report.title(console, "Who changed what")
        report.books(console, await running.type(ADMINISTRATOR, AUDIT))
    report.verdict(console, wrong, time.monotonic() - began)
    return 1 if wrong else 0


async def tour_of_refusals(running: Installation) -> None:
    """What a wrong token gets, one that may do less, and one that was revoked."""
    running.token(STRANGER).write_text(INVENTED)
    for who, arguments, reason in REFUSED:
        await running.refused(who, arguments, reason)
    await running.type(ADMINISTRATOR, REVOKE)
    await running.refused(*LEFT)


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
