"""Whatever anybody may send to each rpc of the three services, for as long as is wished."""

from __future__ import annotations

import asyncio
import logging
import random
import tempfile
import time
from pathlib import Path

from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub
from tests.support.any_message import AnyMessage
from tests.support.any_request import Rpc, Told, Trio, furnish, send_any, send_bytes, trio
from tests.support.postgres import PostgresServer

_LIFE = 40
"""Rounds after which everything begins anew, with the next seed: much is deleted by then."""
_RARE = 0.1
"""How often rpcs are called that wait, or that take away what the others look for."""


def run(seconds: float, seed: int, *, postgresql: bool) -> int:
    """Send for so long; the number of faults, each of which is printed with its request."""
    # What the services say of nonsense; what should not be is in the answers.
    logging.disable(logging.CRITICAL)
    told, until = Told(), time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as directory:
        server = PostgresServer.start(Path(directory) / "pg", syncs=False) if postgresql else None
        while time.monotonic() < until:
            url = ""
            if server is not None:
                server.execute(f"CREATE DATABASE fuzz{seed}")
                url = server.url(f"fuzz{seed}")
            asyncio.run(_live(Path(directory) / str(seed), url, seed, told))
            seed += 1
        if server is not None:
            server.stop()
    print(f"{told.calls} calls, {len(told.faults)} faults; by status: {told.statuses}")
    for fault in told.faults:
        print(fault)
    return len(told.faults)


async def _live(home: Path, database_url: str, seed: int, told: Told) -> None:
    maker, chance = AnyMessage(seed), random.Random(seed)
    async with trio(home, database_url) as around:
        await furnish(around)
        for turn in range(_LIFE):
            for rpc in around.rpcs():
                if _is_rare(rpc) and chance.random() > _RARE:
                    continue
                if turn % 4 == 0:
                    await send_bytes(rpc, chance, maker, told)
                await send_any(rpc, maker, told)
        await _balance(around, told, seed)


def _is_rare(rpc: Rpc) -> bool:
    return rpc.waits or rpc.method.name.startswith(("Delete", "Remove", "Cancel"))


async def _balance(around: Trio, told: Told, seed: int) -> None:
    """An event is emitted and the books are compared: the services still work."""
    router = RouterServiceStub(around.channels["router"])
    request = pb.EmitRequest()
    request.event.type = "backup.failed"
    await router.Emit(request, timeout=20)
    books = await router.VerifyLedger(pb.VerifyLedgerRequest(), timeout=20)
    if not books.balanced:
        told.faults.append(f"seed {seed}: the ledger does not balance: {books}")
