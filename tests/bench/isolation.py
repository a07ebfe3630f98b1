"""One hung and one dead target of twenty: how long the others wait, beside all twenty healthy."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from aiohttp import web

from ibs_notify.delivery.app import DeliveryApp
from ibs_notify.rpc.channel import open_plain_channel
from ibs_notify.settings import Settings
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from ironcore.notification.v1.target_pb2 import Target, WebhookTarget
from tests.bench.lines import Line, middle
from tests.support.delivery import proto_handoff, running_config

if TYPE_CHECKING:
    # Only the type stubs have it.
    from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceAsyncStub

TARGETS, ILL = 20, 2
TICKS, FIRST, TICK_SECONDS = 440, 40, 0.03
"""Each tick brings one delivery for each target; the first ones warm up. So long that the dead
target is probed as well."""
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where there is one, the database is in it: the disk is not what is compared."""
NOBODY_LISTENS = "http://127.0.0.1:1/hook"


def targets(rounds: int) -> list[Line]:
    """p99 from handing a delivery over until a healthy endpoint has it."""
    with_ill, without = [], []
    for _ in range(rounds):
        without.append(uvloop.run(_p99(ill=False)))
        with_ill.append(uvloop.run(_p99(ill=True)))
    ratios = [mine / base for mine, base in zip(with_ill, without, strict=True)]
    return [
        Line(
            "p4",
            "one hung, one dead target: p99 of 18 others",
            f"{middle(with_ill):.1f} ms",
            f"all healthy {middle(without):.1f} ms",
            middle(ratios),
            1.2,
            at_most=True,
        )
    ]


class _Sink:
    """Notes when each delivery came."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        self.url = ""
        self.moved = asyncio.Event()

    async def take(self, request: web.BaseRequest) -> web.Response:
        self.arrived.setdefault(request.headers["webhook-id"], time.perf_counter())
        self.moved.set()
        await request.read()
        return web.Response(status=204)


async def _p99(*, ill: bool) -> float:
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(_running_sink())
        urls = [sink.url] * TARGETS
        if ill:
            urls[-ILL:] = [await stack.enter_async_context(_hung()), NOBODY_LISTENS]
        stub = await stack.enter_async_context(_running_delivery(urls))
        sent: dict[str, float] = {}
        began = time.perf_counter()
        for tick in range(TICKS):
            await asyncio.sleep(max(0.0, began + tick * TICK_SECONDS - time.perf_counter()))
            handoffs = [
                proto_handoff(tick * TARGETS + place, target_uid=f"t{place}", target=f"t{place}")
                for place in range(TARGETS)
            ]
            if tick >= FIRST:
                now = time.perf_counter()
                sent |= {each.delivery_id: now for each in handoffs[:-ILL]}
            await stub.Deliver(pb.DeliverRequest(handoffs=handoffs))
        async with asyncio.timeout(30):
            while not sent.keys() <= sink.arrived.keys():
                sink.moved.clear()
                await sink.moved.wait()
        waits = sorted(sink.arrived[each] - at for each, at in sent.items())
        return waits[int(len(waits) * 0.99)] * 1e3


@asynccontextmanager
async def _running_sink() -> AsyncIterator[_Sink]:
    sink = _Sink()
    runner = web.ServerRunner(web.Server(sink.take))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sink.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield sink
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _hung() -> AsyncIterator[str]:
    """Accepts connections, reads, and never answers."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"


@asynccontextmanager
async def _running_delivery(urls: list[str]) -> AsyncIterator[DeliveryServiceAsyncStub]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as home:
        async with running_config() as (config, address):
            settings = Settings(
                home=Path(home), config_address=address, delivery_address="127.0.0.1:0"
            )
            async with DeliveryApp(settings, grace_seconds=0.1) as app:
                revision = config.publish(
                    *(
                        Target(name=f"t{place}", uid=f"t{place}", webhook=WebhookTarget(url=url))
                        for place, url in enumerate(urls)
                    )
                )
                async with open_plain_channel(f"127.0.0.1:{app.port}") as channel:
                    stub = DeliveryServiceStub(channel)
                    await stub.AwaitConfig(pb.AwaitConfigRequest(revision=revision))
                    yield stub
