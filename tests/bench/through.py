"""Target 10: from Emit to the webhook through all services, beside Alertmanager."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
import urllib.request
from pathlib import Path

import aiohttp

from ibs_notify.rpc.channel import open_channel
from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub
from tests.bench.alertmanager import PEER, alert, running_alertmanager
from tests.bench.lines import Line, Note, middle
from tests.bench.load import failed_backup
from tests.bench.processes import Server, cpu_seconds, started
from tests.system.installation import Installation, running_installation

EVENTS, BATCH = 10_000, 100


def webhooks(rounds: int) -> list[Line | Note]:
    """Delivered a second, both cores shared by servers, sink and load alike."""
    ours, theirs, spent = [], [], []
    for _ in range(rounds):
        rate, cpu = _ours()
        ours.append(rate)
        spent.append(cpu)
        if shutil.which(PEER):
            theirs.append(_alertmanager())
    costs = "   ".join(
        f"{service} {middle([cpu[service] for cpu in spent]):.0f} µs" for service in SERVICES
    )
    note = Note("CPU an event, Emit to webhook", f"{costs}   {middle(ours):,.0f} delivered/s")
    if not theirs:
        return [note, Note(f"target 10 needs {PEER}", "")]
    return [
        note,
        Line(
            "10",
            "Emit to webhook through all services",
            f"{middle(ours):,.0f}/s",
            f"Alertmanager {middle(theirs):,.0f}/s",
            middle([mine / other for mine, other in zip(ours, theirs, strict=True)]),
            1.0,
        ),
    ]


def _ours() -> tuple[float, dict[ServiceName, float]]:
    with (
        tempfile.TemporaryDirectory() as home,
        started("tests.bench.sinks", "webhook", core=None) as sink,
        running_installation(Path(home)) as installation,
    ):
        installation.create_webhook("chat", f"http://127.0.0.1:{sink.port}/hook")
        group = installation.create_group("ops", {"chat": "*"})
        installation.await_config(group.revision)
        before = _cpu(installation)
        began = time.perf_counter()
        asyncio.run(_emit(installation.services["router"].address))
        _until_received(sink, EVENTS)
        elapsed = time.perf_counter() - began
        after = _cpu(installation)
        return EVENTS / elapsed, {
            service: (after[service] - before[service]) / EVENTS * 1e6 for service in SERVICES
        }


def _cpu(installation: Installation) -> dict[ServiceName, float]:
    return {
        name: cpu_seconds(service.process.pid)
        for name, service in installation.services.items()
        if service.process is not None
    }


async def _emit(address: str) -> None:
    async with open_channel(address) as channel:
        stub = RouterServiceStub(channel)
        for start in range(0, EVENTS, BATCH):
            events = [failed_backup(start + number) for number in range(BATCH)]
            await stub.EmitBatch(pb.EmitBatchRequest(events=events))


def _until_received(sink: Server, count: int, seconds: float = 120.0) -> None:
    deadline = time.perf_counter() + seconds
    while _received(sink) < count:
        if time.perf_counter() > deadline:
            raise TimeoutError(f"{_received(sink)} of {count} were delivered")
        time.sleep(0.02)


def _received(sink: Server) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{sink.port}/count", timeout=5) as reply:
        return int(reply.read())


def _alertmanager() -> float:
    with (
        tempfile.TemporaryDirectory() as home,
        started("tests.bench.sinks", "webhook", core=None) as sink,
        running_alertmanager(home, sink.port) as port,
    ):
        began = time.perf_counter()
        asyncio.run(_post_alerts(port))
        _until_received(sink, EVENTS)
        return EVENTS / (time.perf_counter() - began)


async def _post_alerts(port: int) -> None:
    async with aiohttp.ClientSession() as session:
        for start in range(0, EVENTS, BATCH):
            alerts = [alert(start + number) for number in range(BATCH)]
            async with session.post(
                f"http://127.0.0.1:{port}/api/v2/alerts",
                data=json.dumps(alerts),
                headers={"Content-Type": "application/json"},
            ) as response:
                await response.read()
                response.raise_for_status()
