"""Load: events of about 450 bytes, at a given concurrency, and what it cost the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc

from ibs_notify.rpc.channel import open_plain_channel
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub
from tests.bench.processes import Server

Connect = Callable[[str], grpc.aio.Channel]
"""Opens the channel to an address."""


@dataclass(frozen=True, slots=True)
class Figures:
    """``cpu`` is the server's, in µs per event; ``p50`` and ``p99`` in ms per call."""

    rate: float
    cpu: float
    p50: float
    p99: float


def failed_backup(number: int) -> event_pb2.Event:
    """A typical event without an id: the Router gives one."""
    event = event_pb2.Event(
        type="backup.failed",
        severity=event_pb2.SEVERITY_ERROR,
        subject=f"Backup failed for vm/{number}",
        summary="Task failed at chunk upload step: connection refused. " * 4,
        task_id=f"UPID:backup:00C123:{number:06d}:abcdef",
        actor="alice@polystack!backup-job",
        resource=f"ibs-primary:production/vm/{number}",
    )
    event.timestamp.GetCurrentTime()
    return event


async def unary(
    server: Server, count: int, in_flight: int, connect: Connect = open_plain_channel
) -> Figures:
    """``count`` calls of Emit."""
    async with connect(f"127.0.0.1:{server.port}") as channel:
        stub = RouterServiceStub(channel)
        requests = [pb.EmitRequest(event=failed_backup(number)) for number in range(64)]

        async def call(number: int) -> None:
            await stub.Emit(requests[number % 64])

        return await _measure(server, call, count, in_flight, events_per_call=1)


async def batches(
    server: Server, count: int, size: int, in_flight: int = 4, connect: Connect = open_plain_channel
) -> Figures:
    """``count`` calls of EmitBatch."""
    async with connect(f"127.0.0.1:{server.port}") as channel:
        stub = RouterServiceStub(channel)
        request = pb.EmitBatchRequest(events=[failed_backup(number) for number in range(size)])

        async def call(_number: int) -> None:
            await stub.EmitBatch(request)

        return await _measure(server, call, count, in_flight, events_per_call=size)


async def stream(server: Server, count: int, size: int) -> Figures:
    """``count`` messages of ``size`` events in one stream, four messages ahead of the answers."""
    async with open_plain_channel(f"127.0.0.1:{server.port}") as channel:
        message = pb.EmitStreamRequest(events=[failed_backup(number) for number in range(size)])
        call = RouterServiceStub(channel).EmitStream()
        room = asyncio.Semaphore(4)

        async def send() -> None:
            for _ in range(count):
                await room.acquire()
                await call.write(message)
            await call.done_writing()

        cpu, began = server.cpu_seconds(), time.perf_counter()
        sender = asyncio.ensure_future(send())
        async for answer in call:
            # The Router answers all that came together at once; an empty handler each message.
            for _ in range(max(1, len(answer.results) // size)):
                room.release()
        await sender
        elapsed = time.perf_counter() - began
        spent = (server.cpu_seconds() - cpu) / (count * size) * 1e6
        return Figures(rate=count * size / elapsed, cpu=spent, p50=0.0, p99=0.0)


async def _measure(
    server: Server,
    call: Callable[[int], Awaitable[None]],
    count: int,
    in_flight: int,
    *,
    events_per_call: int,
) -> Figures:
    times: list[float] = []

    async def worker(share: int) -> None:
        for number in range(share):
            began = time.perf_counter()
            await call(number)
            times.append(time.perf_counter() - began)

    await asyncio.gather(*(worker(3) for _ in range(in_flight)))
    times.clear()
    cpu, began = server.cpu_seconds(), time.perf_counter()
    await asyncio.gather(*(worker(count // in_flight) for _ in range(in_flight)))
    elapsed = time.perf_counter() - began
    events = len(times) * events_per_call
    times.sort()
    return Figures(
        rate=events / elapsed,
        cpu=(server.cpu_seconds() - cpu) / events * 1e6,
        p50=times[len(times) // 2] * 1e3,
        p99=times[int(len(times) * 0.99)] * 1e3,
    )
