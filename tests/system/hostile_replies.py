"""What replies that are meant to harm cost: the time of an attempt, and memory.

    python -m tests.system.hostile_replies

Each way of ``hostile_peer`` meets each transport that can: a delivery and a test. The peer is
another process; the memory is this one's, at its peak during the attempt, beside what it was
before. The exit code is 1 where an attempt was late, grew by too much, left a socket open or
claimed a delivery.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import uvloop

from ibs_notify.delivery.transports.base import Verdict
from ibs_notify.delivery.transports.build import build_transport
from ibs_notify.delivery.transports.smtp import SmtpTransport
from ibs_notify.delivery.transports.webhook import WebhookTransport
from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.target import (
    INFLUXDB_TOKEN,
    InfluxDbSpec,
    PushgatewaySpec,
    SmtpSpec,
    Target,
    TargetSpec,
    TlsMode,
    WebhookSpec,
)
from tests.support.http_server import HttpServer
from tests.support.metric_book import MemoryBook
from tests.support.smtp_server import SmtpServer
from tests.support.transports import ANYWHERE, message

DEADLINE = 0.4
"""Seconds for what a transport waits for, instead of ten and more."""
PHASES = 3
"""Waits in a row that a test has on a peer that stops at the last: connection, TLS, request."""
SLACK_SECONDS = 3.0
MOST_GROWTH_MB = 5.0
_ROOMS = "ibs_notify.delivery.transports"
_CONSTANTS = (
    f"{_ROOMS}.influxdb.TOTAL_SECONDS",
    f"{_ROOMS}.pushgateway.TOTAL_SECONDS",
    f"{_ROOMS}.dial.CONNECT_SECONDS",
    f"{_ROOMS}.smtp_connection.FINAL_DOT_SECONDS",
)
_DELIVERED_ALL_THE_SAME = ("body", "chunk", "gzip", "trailers", "answers", "before")
"""A status that came counts, whatever comes after it."""


@dataclass(frozen=True, slots=True)
class Met:
    """What one attempt with a hostile peer came to."""

    transport: str
    way: str
    action: str
    end: str
    seconds: float
    growth_mb: float
    sockets: int

    @property
    def fault(self) -> str:
        """What is wrong; empty where nothing is."""
        if self.seconds > PHASES * DEADLINE + SLACK_SECONDS:
            return "late"
        if self.growth_mb > MOST_GROWTH_MB:
            return "grew"
        if self.sockets:
            return "left a socket open"
        delivered = self.end.startswith("ACCEPTED")
        if delivered and not self.way.startswith(_DELIVERED_ALL_THE_SAME):
            return "claimed a delivery"
        return ""

    def __str__(self) -> str:
        return (
            f"{self.transport:<12}{self.way:<30}{self.action:<9}{self.seconds:>6.2f}s"
            f"{self.growth_mb:>7.2f} MB  {self.end[:44]:<44}  {self.fault}"
        )


def specs_of(kind: str, port: int) -> dict[str, TargetSpec]:
    """The transports that a peer of ``kind`` can meet."""
    url = f"http://127.0.0.1:{port}"
    match kind:
        case "http":
            return {
                "webhook": WebhookSpec(url),
                "influxdb": InfluxDbSpec(url, "org", "bucket"),
                "pushgateway": PushgatewaySpec(url),
            }
        case "tls":
            return {
                "webhook": WebhookSpec(f"https://127.0.0.1:{port}"),
                "smtp": SmtpSpec("127.0.0.1", port, TlsMode.IMPLICIT),
            }
        case "smtp":
            return {"smtp": SmtpSpec("127.0.0.1", port, TlsMode.NONE)}
        case _:
            return {"smtp": SmtpSpec("127.0.0.1", port, TlsMode.STARTTLS)}


@contextmanager
def hurried() -> Iterator[None]:
    """With short waits instead of those of the product."""
    with ExitStack() as stack:
        for constant in _CONSTANTS:
            stack.enter_context(patch(constant, DEADLINE))
        for transport, name in (
            (WebhookTransport, "total_seconds"),
            (SmtpTransport, "command_seconds"),
        ):
            defaults = vars(transport)["__init__"].__kwdefaults__
            stack.enter_context(patch.dict(defaults, {name: DEADLINE}))
        yield


async def meet(transport: str, way: str, spec: TargetSpec, action: str) -> Met:
    """One attempt or test; the peak of memory is reset before."""
    built = build_transport(
        Target("t", "u", spec),
        {INFLUXDB_TOKEN: "t0ken"},
        InstallationSettings(),
        SystemClock(),
        MemoryBook(),
        ANYWHERE,
    )
    news = message("ops@example.org", type="notification.test")
    before = _memory("VmRSS")
    _forget_peak()
    began = time.monotonic()
    if action == "deliver":
        outcome = await built.attempt(news)
        end = outcome.reason if outcome.verdict is not Verdict.RETRY else f"RETRY {outcome.reason}"
    else:
        last = (await built.test(news))[-1]
        end = f"{last.name} {'ok' if last.ok else 'failed'}: {last.detail}"
    seconds = time.monotonic() - began
    growth = (_memory("VmHWM") - before) / 1024
    await built.close()
    await asyncio.sleep(0)
    return Met(transport, way, action, end, seconds, growth, _open_to(spec))


def _memory(field: str) -> int:
    """KiB of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1])


def _forget_peak() -> None:
    """See proc(5): VmHWM begins anew."""
    Path("/proc/self/clear_refs").write_text("5")


def _open_to(spec: TargetSpec) -> int:
    """How many connections this process has to the target."""
    port = spec.port if isinstance(spec, SmtpSpec) else int(spec.url.rpartition(":")[2])
    links = [each for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return sum(_peer_port(int(each.name)) == port for each in links if _is_socket(each))


def _is_socket(link: Path) -> bool:
    return str(link.readlink()).startswith("socket:")


def _peer_port(descriptor: int) -> int:
    with socket.socket(fileno=os.dup(descriptor)) as sock:
        try:
            return int(sock.getpeername()[1]) if sock.family == socket.AF_INET else 0
        except OSError:
            return 0


async def run(ports: Mapping[str, Mapping[str, int]]) -> list[Met]:
    """Every way with every transport, after each transport has met a peer that means well."""
    async with HttpServer() as http, SmtpServer() as smtp:
        for kind, port in (("http", http.port), ("smtp", smtp.port)):
            for name, spec in specs_of(kind, port).items():
                for _ in range(3):
                    await meet(name, "", spec, "deliver")
                    await meet(name, "", spec, "test")
    return [
        await meet(name, way, spec, action)
        for kind, ways in ports.items()
        for way, port in ways.items()
        for name, spec in specs_of(kind, port).items()
        for action in ("deliver", "test")
    ]


def main() -> int:
    command = [sys.executable, "-m", "tests.system.hostile_peer"]
    with (
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as peer,
        hurried(),
    ):
        try:
            assert peer.stdout is not None
            met = uvloop.run(run(json.loads(peer.stdout.readline())))
        finally:
            peer.kill()
    print(*met, sep="\n")
    worst = max(met, key=lambda each: each.growth_mb)
    slowest = max(met, key=lambda each: each.seconds)
    faults = [each for each in met if each.fault]
    print(
        f"{len({(each.transport, each.way) for each in met})} hostile replies in {len(met)} "
        f"attempts: at most {slowest.seconds:.2f} s with a deadline of {DEADLINE} s, at most "
        f"{worst.growth_mb:.2f} MB more ({worst.transport}, {worst.way}), {len(faults)} faults"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
