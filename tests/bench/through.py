"""Target 10: from Emit to the webhook through all services, beside Alertmanager."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
import urllib.request
from pathlib import Path

from ibs_notify.rpc.channel import open_plain_channel
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub
from tests.bench.alertmanager import PEER, post_alerts, running_alertmanager
from tests.bench.lines import Line, Note, middle
from tests.bench.load import failed_backup
from tests.bench.processes import Server, cpu_seconds, started
from tests.system.installation import Installation, running_installation

WARM_UP, EVENTS, BATCH = 1_000, 20_000, 100
"""The same for both, in the same batches; connections are open when the clock starts."""


def webhooks(rounds: int) -> list[Line | Note]:
    """Delivered a second, both cores shared by servers, sink and load alike."""
    ours, theirs, spent = [], [], []
    for _ in range(rounds):
        rate, cpu = _ours()
        ours.append(rate)
        spent.append(cpu)
        if shutil.which(PEER):
            theirs.append(_alertmanager())
    costs = "   ".join(f"{name} {middle([cpu[name] for cpu in spent]):.0f} µs" for name in spent[0])
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


def _ours() -> tuple[float, dict[str, float]]:
    with (
        tempfile.TemporaryDirectory() as home,
        started("tests.bench.sinks", "webhook", core=None) as sink,
        running_installation(Path(home)) as installation,
    ):
        installation.create_webhook("chat", f"http://127.0.0.1:{sink.port}/hook")
        group = installation.create_group("ops", {"chat": "*"})
        installation.await_config(group.revision)
        address = installation.services["router"].address
        asyncio.run(_emit(address, WARM_UP))
        _until_received(sink, WARM_UP)
        before = _cpu(installation, sink)
        began = time.perf_counter()
        asyncio.run(_emit(address, EVENTS))
        _until_received(sink, WARM_UP + EVENTS)
        elapsed = time.perf_counter() - began
        after = _cpu(installation, sink)
        return EVENTS / elapsed, {
            name: (after[name] - before[name]) / EVENTS * 1e6 for name in after
        }


def _cpu(installation: Installation, sink: Server) -> dict[str, float]:
    spent = {
        str(name): cpu_seconds(service.process.pid)
        for name, service in installation.services.items()
        if service.process is not None
    }
    return {**spent, "sink": sink.cpu_seconds(), "load": time.process_time()}


async def _emit(address: str, count: int) -> None:
    async with open_plain_channel(address) as channel:
        stub = RouterServiceStub(channel)
        for start in range(0, count, BATCH):
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
        running_alertmanager(home, sink.port) as peer,
    ):
        asyncio.run(post_alerts(peer.port, 0, WARM_UP))
        _until_received(sink, WARM_UP)
        began = time.perf_counter()
        asyncio.run(post_alerts(peer.port, WARM_UP, EVENTS))
        _until_received(sink, WARM_UP + EVENTS)
        return EVENTS / (time.perf_counter() - began)
