"""Target 11: one event at a time, from Emit to the webhook, beside Alertmanager and an echo."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from ibs_notify.rpc.channel import open_plain_channel
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub
from tests.bench.alertmanager import PEER, alert, running_alertmanager
from tests.bench.lines import Line, Note, middle
from tests.bench.load import failed_backup
from tests.bench.processes import started
from tests.system.installation import running_installation

EVENTS, FIRST = 100, 10
PAUSE_SECONDS = 0.01
"""Between two events: everything is idle again."""


def webhook(rounds: int) -> list[Line | Note]:
    """Milliseconds from the call until the sink, in this process for both, has the request."""
    if not shutil.which(PEER):
        return [Note(f"target 11 needs {PEER}", "")]
    ours, floors, ratios = [], [], []
    for _ in range(rounds):
        mine, theirs, echo = (asyncio.run(each()) for each in (_ours, _alertmanager, _echo))
        ours.append(mine)
        floors.append(theirs + 2 * echo)
        ratios.append(mine / (theirs + 2 * echo))
    return [
        Line(
            "11",
            "idle Emit to webhook: p50",
            f"{middle(ours):.2f} ms",
            f"theirs + 2 echoes {middle(floors):.2f} ms",
            middle(ratios),
            2.0,
            at_most=True,
        )
    ]


class Sink:
    """Says when each request came."""

    def __init__(self) -> None:
        self.arrivals: asyncio.Queue[float] = asyncio.Queue()
        self.port = 0

    async def take(self, request: web.BaseRequest) -> web.Response:
        self.arrivals.put_nowait(time.perf_counter())
        await request.read()
        return web.Response(status=204)


@asynccontextmanager
async def _running_sink() -> AsyncIterator[Sink]:
    sink = Sink()
    runner = web.ServerRunner(web.Server(sink.take))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sink.port = runner.addresses[0][1]
    try:
        yield sink
    finally:
        await runner.cleanup()


async def _ours() -> float:
    async with _running_sink() as sink:
        with (
            tempfile.TemporaryDirectory() as home,
            running_installation(Path(home)) as installation,
        ):
            installation.create_webhook("chat", f"http://127.0.0.1:{sink.port}/hook")
            installation.create_group("ops", {"chat": "*"})
            async with open_plain_channel(installation.services["router"].address) as channel:
                stub = RouterServiceStub(channel)

                async def emit(number: int) -> None:
                    await stub.Emit(pb.EmitRequest(event=failed_backup(number)))

                return await _p50(emit, sink)


async def _alertmanager() -> float:
    async with _running_sink() as sink, aiohttp.ClientSession() as session:
        with tempfile.TemporaryDirectory() as home, running_alertmanager(home, sink.port) as peer:

            async def post(number: int) -> None:
                async with session.post(
                    f"http://127.0.0.1:{peer.port}/api/v2/alerts",
                    data=json.dumps([alert(number)]),
                    headers={"Content-Type": "application/json"},
                ) as response:
                    response.raise_for_status()

            return await _p50(post, sink)


async def _p50(send: Callable[[int], Awaitable[None]], sink: Sink) -> float:
    times: list[float] = []
    for number in range(FIRST + EVENTS):
        await asyncio.sleep(PAUSE_SECONDS)
        began = time.perf_counter()
        sent = asyncio.ensure_future(send(number))
        times.append(await asyncio.wait_for(sink.arrivals.get(), 10) - began)
        await sent
    return middle(times[FIRST:]) * 1e3


async def _echo() -> float:
    with started("tests.bench.echo", core=None) as server:
        async with open_plain_channel(f"127.0.0.1:{server.port}") as channel:
            stub = RouterServiceStub(channel)
            times: list[float] = []
            for number in range(FIRST + EVENTS):
                await asyncio.sleep(PAUSE_SECONDS)
                began = time.perf_counter()
                await stub.Emit(pb.EmitRequest(event=failed_backup(number)))
                times.append(time.perf_counter() - began)
            return middle(times[FIRST:]) * 1e3
