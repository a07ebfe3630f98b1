"""Targets 12 and 13: an attempt of ours beside the bare library doing the same."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage

import aiohttp
import aiosmtplib
import uvloop

from ibs_notify.delivery.transports.base import Message, Transport, Verdict
from ibs_notify.delivery.transports.build import build_transport
from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.event import Event
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.severity import Severity
from ibs_notify.domain.target import SmtpSpec, Target, TargetSpec, TlsMode, WebhookSpec
from tests.bench.lines import Line, middle
from tests.bench.processes import started
from tests.support.metric_book import MemoryBook
from tests.support.transports import ANYWHERE

WEBHOOKS, MAILS = 3000, 600
_SETTINGS = InstallationSettings(sender="ibs@example.com")
_RECIPIENT = "admin@example.com"


def webhook(rounds: int) -> list[Line]:
    """CPU of an attempt beside a bare ``session.post`` of a body of the same size."""
    ours, floors = [], []
    with started("tests.bench.sinks", "webhook") as sink:
        url = f"http://127.0.0.1:{sink.port}/hook"
        for _ in range(rounds):
            ours.append(uvloop.run(_attempts(WebhookSpec(url), WEBHOOKS)))
            floors.append(uvloop.run(_bare_posts(url)))
    return [_line("12", "webhook attempt: CPU", ours, floors, "bare aiohttp POST", 1.8)]


def mail(rounds: int) -> list[Line]:
    """CPU of an attempt beside building an ``EmailMessage`` and a connection for each mail."""
    ours, floors = [], []
    with started("tests.bench.sinks", "mail") as sink:
        spec = SmtpSpec("127.0.0.1", sink.port, TlsMode.NONE)
        for _ in range(rounds):
            ours.append(uvloop.run(_attempts(spec, MAILS)))
            floors.append(uvloop.run(_bare_mails(sink.port)))
    line = Line(
        "13",
        "mail attempt: CPU",
        f"{middle(ours):.0f} µs",
        f"library, fresh {middle(floors):.0f} µs",
        middle([floor / mine for mine, floor in zip(ours, floors, strict=True)]),
        3.0,
    )
    return [line]


def _line(
    target: str, what: str, ours: list[float], floors: list[float], floor: str, bar: float
) -> Line:
    ratio = middle([mine / bare for mine, bare in zip(ours, floors, strict=True)])
    return Line(
        target,
        what,
        f"{middle(ours):.0f} µs",
        f"{floor} {middle(floors):.0f} µs",
        ratio,
        bar,
        at_most=True,
    )


def message_of(number: int) -> Message:
    """A message of the size of most."""
    event = Event(
        event_id=f"evt-{number}",
        type="backup.failed",
        severity=Severity.ERROR,
        timestamp=datetime.now(UTC),
        subject=f"Backup failed for vm/{number}",
        summary="Task failed at chunk upload step: connection refused. " * 4,
        task_id=f"UPID:backup:00C123:{number}",
        actor="alice@polystack!backup-job",
        resource=f"ibs-primary:production/vm/{number}",
    )
    return Message(
        delivery_id=f"{number:032x}",
        event=event,
        recipients=(_RECIPIENT,),
        all_recipients=(_RECIPIENT,),
        settings=_SETTINGS,
        created_at=datetime.now(UTC),
    )


async def _attempts(spec: TargetSpec, count: int) -> float:
    target = Target(name="bench", uid="bench", spec=spec)
    transport = build_transport(target, {}, _SETTINGS, SystemClock(), MemoryBook(), ANYWHERE)
    try:
        return await _cpu(count, transport.concurrency, _attempt_with(transport))
    finally:
        await transport.close()


def _attempt_with(transport: Transport) -> Callable[[int], Awaitable[None]]:
    async def attempt(number: int) -> None:
        outcome = await transport.attempt(message_of(number))
        assert outcome.verdict is Verdict.DELIVERED, outcome

    return attempt


async def _bare_posts(url: str) -> float:
    body = json.dumps({"summary": "x" * 600}).encode()
    async with aiohttp.ClientSession() as session:

        async def post(_number: int) -> None:
            async with session.post(
                url, data=body, headers={"Content-Type": "application/json"}
            ) as response:
                await response.read()

        return await _cpu(WEBHOOKS, 16, post)


async def _bare_mails(port: int) -> float:
    async def send(number: int) -> None:
        message = EmailMessage(policy=policy.SMTP)
        message["From"], message["To"] = "ibs@example.com", _RECIPIENT
        message["Subject"] = f"Backup failed for vm/{number}"
        message["Message-ID"] = f"<{number}@example.com>"
        message.set_content("Task failed at chunk upload step: connection refused.\n" * 12)
        message.add_alternative("<p>Task failed: connection refused.</p>\n" * 40, subtype="html")
        async with aiosmtplib.SMTP(
            hostname="127.0.0.1", port=port, use_tls=False, start_tls=False
        ) as client:
            await client.sendmail("ibs@example.com", [_RECIPIENT], message.as_bytes())

    return await _cpu(MAILS, 4, send)


async def _cpu(count: int, in_flight: int, work: Callable[[int], Awaitable[None]]) -> float:
    """CPU of this process, in µs for each piece of work."""

    async def worker(share: int) -> None:
        for number in range(share):
            await work(number)

    await asyncio.gather(*(worker(2) for _ in range(in_flight)))
    began = time.process_time()
    await asyncio.gather(*(worker(count // in_flight) for _ in range(in_flight)))
    return (time.process_time() - began) / (count // in_flight * in_flight) * 1e6
