"""Producers: emit with ids of their own, and log an id as acknowledged only after the answer.

A process: it emits until SIGTERM, then brings what is under way to an end and leaves. An event is
retried with the same id until it has an answer, as the API promises is safe.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from ibs_notify.rpc.channel import open_plain_channel
from ironcore.notification.v1 import config_service_pb2, event_pb2, router_service_pb2
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub
from tests.system.checker import NOBODY

if TYPE_CHECKING:
    from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceAsyncStub
    from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceAsyncStub

ROOT = Path(__file__).parents[2]
CALL_SECONDS = 20.0
LAST_SECONDS = 30.0
"""How long after SIGTERM an event may go on without an answer."""
RETRY_PAUSE_SECONDS = 0.05
UNARY_WORKERS = 8
BATCH_WORKERS = 2
LARGEST_BATCH = 100
EDIT_PAUSE_SECONDS = 0.1
EDITED = "edited"
"""The target whose description is changed all the time; nothing is sent there."""

AGAIN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)
KINDS: Sequence[tuple[str, str, float]] = (
    ("backup.completed", NOBODY, 0.70),
    ("backup.failed", "chat", 0.22),
    ("datastore.status-change", "chat,mail", 0.08),
)
"""Types, the sinks that hear of them (see ``chaos.Rig``) and their shares."""
HOSTILE = (
    'quoted "x","severity":"info" \x00\x0b\r\n.\r\nQUIT\r\nBcc: a@b.c\u2028\u0085{{event.type}}'
)


@dataclass(frozen=True, slots=True)
class Producer:
    """A producer that runs. ``log`` is read with ``checker.ProducerLog``."""

    log: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Wait until every event under way has its answer."""
        self.process.terminate()
        self.process.wait(LAST_SECONDS + CALL_SECONDS)


@contextmanager
def running_producer(
    router: str, config: str, directory: Path, *, name: str, rate: int, seed: int
) -> Iterator[Producer]:
    """A producer process until the block ends. ``rate`` in events a second, 0: no bound."""
    log = directory / f"producer-{name}.log"
    arguments = [
        *(sys.executable, "-m", "tests.system.producers", router, config, str(log)),
        *(f"--name={name}", f"--rate={rate}", f"--seed={seed}"),
    ]
    process = subprocess.Popen(arguments, cwd=ROOT)
    try:
        yield Producer(log, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(20)


class Log:
    """Lines of whole records; acknowledgements are synced."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, *records: str, durable: bool = False) -> None:
        if records:
            os.write(self._file, "".join(f"{each}\n" for each in records).encode())
        if durable:
            os.fsync(self._file)


class Pace:
    """Hands out ``rate`` events each second, all at once: full speed in bursts. 0: no bound."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._left = 0
        self._refilled = asyncio.Event()

    async def take(self, count: int) -> None:
        while self._rate and self._left <= 0:
            await self._refilled.wait()
        self._left -= count

    async def run(self) -> None:
        while True:
            self._left = min(self._rate, self._left + self._rate)
            self._refilled.set()
            self._refilled = asyncio.Event()
            await asyncio.sleep(1.0)


class Emitter:
    """Makes events and sees each of them through."""

    def __init__(
        self, stub: RouterServiceAsyncStub, log: Log, pace: Pace, name: str, seed: int
    ) -> None:
        self._stub = stub
        self._log = log
        self._pace = pace
        self._name = name
        self._chance = random.Random(seed)
        self._count = 0
        self._stopping = False
        self._deadline = float("inf")

    def stop(self) -> None:
        """No new events; those under way have ``LAST_SECONDS``."""
        self._stopping = True
        self._deadline = asyncio.get_running_loop().time() + LAST_SECONDS

    async def emit_one_by_one(self) -> None:
        """Until stopped."""
        while not self._stopping:
            await self._pace.take(1)
            event = self._new_event()
            await self._until_answered(lambda event=event: self._emit(event))  # type: ignore[misc]

    async def emit_batches(self) -> None:
        """Until stopped."""
        while not self._stopping:
            size = self._chance.randint(1, LARGEST_BATCH)
            await self._pace.take(size)
            events = [self._new_event() for _ in range(size)]
            await self._until_answered(lambda events=events: self._emit_batch(events))  # type: ignore[misc]

    def _new_event(self) -> event_pb2.Event:
        self._count += 1
        event_id = f"{self._name}-{self._count:07d}"
        kind, sinks, _ = self._chance.choices(KINDS, [share for _, _, share in KINDS])[0]
        self._log.write(f"attempted {event_id} {sinks}")
        return event_pb2.Event(
            event_id=event_id,
            type=kind,
            severity=event_pb2.SEVERITY_CRITICAL
            if "mail" in sinks
            else event_pb2.SEVERITY_UNSPECIFIED,
            subject=f"Backup of vm/{self._count}: {HOSTILE}",
            summary=HOSTILE * 3,
            task_id=f"UPID:backup:{self._count:06d}",
            actor="alice@polystack!backup-job",
            resource=f"ibs-primary:production/vm/{self._count}",
        )

    async def _emit(self, event: event_pb2.Event) -> bool:
        request = router_service_pb2.EmitRequest(event=event)
        try:
            answer = await self._stub.Emit(request, timeout=CALL_SECONDS, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            if error.code() in AGAIN:
                return False
            self._log.write(f"refused {event.event_id} {error.code().name}", durable=True)
            return True
        self._log.write(f"acked {answer.event_id}", durable=True)
        return True

    async def _emit_batch(self, events: Sequence[event_pb2.Event]) -> bool:
        request = router_service_pb2.EmitBatchRequest(events=events)
        try:
            answer = await self._stub.EmitBatch(request, timeout=CALL_SECONDS, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            if error.code() in AGAIN:
                return False
            self._log.write(
                *(f"refused {each.event_id} {error.code().name}" for each in events), durable=True
            )
            return True
        self._log.write(
            *(
                f"acked {result.accepted.event_id}"
                if result.HasField("accepted")
                else f"refused {event.event_id} {result.error.reason}"
                for event, result in zip(events, answer.results, strict=True)
            ),
            durable=True,
        )
        return True

    async def _until_answered(self, call: Callable[[], Awaitable[bool]]) -> None:
        while not await call():
            if asyncio.get_running_loop().time() > self._deadline:
                return
            await asyncio.sleep(RETRY_PAUSE_SECONDS)


async def edit(stub: ConfigServiceAsyncStub, log: Log) -> None:
    """Change a target again and again, and log each change after its answer."""
    number = 0
    while True:
        number += 1
        request = config_service_pb2.UpdateTargetRequest()
        request.target.name = EDITED
        request.target.description = str(number)
        request.update_mask.paths.append("description")
        try:
            await stub.UpdateTarget(request, timeout=CALL_SECONDS, wait_for_ready=True)
            log.write(f"configured {number}", durable=True)
        except grpc.aio.AioRpcError as error:
            if error.code() not in AGAIN:
                log.write(f"refused configured-{number} {error.code().name}", durable=True)
        await asyncio.sleep(EDIT_PAUSE_SECONDS)


async def produce(given: argparse.Namespace) -> None:
    """Emit until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with (
        open_plain_channel(given.router) as router,
        open_plain_channel(given.config) as config,
    ):
        log, pace = Log(given.log), Pace(given.rate)
        emitter = Emitter(RouterServiceStub(router), log, pace, given.name, given.seed)
        workers = [
            *(asyncio.create_task(emitter.emit_one_by_one()) for _ in range(UNARY_WORKERS)),
            *(asyncio.create_task(emitter.emit_batches()) for _ in range(BATCH_WORKERS)),
        ]
        beside = [
            asyncio.create_task(pace.run()),
            asyncio.create_task(edit(ConfigServiceStub(config), log)),
        ]
        await stop.wait()
        emitter.stop()
        await asyncio.gather(*workers)
        for task in beside:
            task.cancel()


def main() -> None:
    """The process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("router")
    parser.add_argument("config")
    parser.add_argument("log", type=Path)
    parser.add_argument("--name", default="p")
    parser.add_argument("--rate", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    asyncio.run(produce(parser.parse_args()))


if __name__ == "__main__":
    main()
