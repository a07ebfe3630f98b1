"""``emit --stdin``: one stream to the Router, begun again where it breaks.

Every event has its id before it is first sent, so what a broken stream left without an answer is
given to the next one as it is: the Router knows what it has already, and nothing is stored twice.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, BinaryIO

import click
import grpc

from ibs_notify.cli.emit_input import Line, chunks
from ibs_notify.cli.emit_report import Report
from ibs_notify.cli.emit_window import Window
from ibs_notify.cli.session import Session
from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import (
    Internal,
    NotificationError,
    Reason,
    ResourceExhausted,
    Unavailable,
)
from ibs_notify.domain.harmless import harmless
from ibs_notify.domain.uuid7 import Uuid7
from ibs_notify.rpc.backoff import pause
from ibs_notify.rpc.channel import open_channel
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub

if TYPE_CHECKING:
    # Only the type stubs have it.
    from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceAsyncStub

    Stream = grpc.aio.StreamStreamCall[pb.EmitStreamRequest, pb.EmitStreamResponse]


def emit_lines(session: Session, stream: BinaryIO, output: str, patience: timedelta) -> int:
    """Emit every line and print its answer, in order; returns how many were refused.

    A Router that goes away is waited for, ``patience`` at most; before the first answer it is an
    error. Where the command ends early it says what has no answer.
    """
    report = Report(output)
    window = Window(report)
    try:
        with report:
            asyncio.run(_Emission(session, window, report, patience).run(stream))
    except BaseException:
        first = window.first_number
        missing = f"; line {first} and what comes after it have no answer" if first else ""
        click.echo(f"{report.tally}{missing}", err=True)
        raise
    click.echo(str(report.tally), err=True)
    return report.tally.refused


class _Emission:
    def __init__(
        self, session: Session, window: Window, report: Report, patience: timedelta
    ) -> None:
        self._session = session
        self._window = window
        self._report = report
        self._patience = patience.total_seconds()
        self._failures = 0
        self._failing_since = 0.0
        self._answered = False

    async def run(self, stream: BinaryIO) -> None:
        """Until every line has its answer."""
        try:
            async with asyncio.TaskGroup() as group:
                feeding = group.create_task(self._feed(stream))
                await self._emit()
                await feeding
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _feed(self, stream: BinaryIO) -> None:
        """Reading may wait for ever, so a thread does it; the window bounds how far it is ahead."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[list[Line] | Exception | None] = asyncio.Queue()
        room = Semaphore(1)

        def put(item: list[Line] | Exception | None) -> None:
            room.acquire()
            loop.call_soon_threadsafe(queue.put_nowait, item)

        Thread(target=_read, args=(stream, put), name="stdin", daemon=True).start()
        while (item := await queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            await self._window.add(item)
            room.release()
        self._window.end()

    async def _emit(self) -> None:
        async with open_channel(self._session.settings, "router") as channel:
            stub: RouterServiceAsyncStub = RouterServiceStub(channel)
            while await self._window.work():
                try:
                    await self._stream(stub)
                except (Unavailable, ResourceExhausted, Internal) as error:
                    await self._wait_after(error)

    async def _stream(self, stub: RouterServiceAsyncStub) -> None:
        """One stream, until it ends or breaks."""
        call = stub.EmitStream(metadata=self._session.metadata)
        self._window.begin()
        writing = asyncio.create_task(self._write(call))
        try:
            async for response in call:
                self._window.answer(response.results)
                self._note_answer()
        except grpc.aio.AioRpcError as error:
            raise self._session.failure("router", error) from None
        finally:
            writing.cancel()
            call.cancel()
        if self._window.first_number:
            raise Unavailable(Reason.SERVICE_UNREACHABLE, "the Router ended the stream")

    async def _write(self, call: Stream) -> None:
        # Whoever reads the answers learns why a stream is broken.
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            while events := await self._window.next_events():
                await call.write(pb.EmitStreamRequest(events=events))
            await call.done_writing()

    def _note_answer(self) -> None:
        if self._failures:
            self._report.note("the Router answers again")
        self._failures = 0
        self._answered = True

    async def _wait_after(self, error: NotificationError) -> None:
        """Before the next try; raises ``error`` where there is none."""
        if not self._window.first_number:
            # It went away while there was nothing to do.
            return
        now = asyncio.get_running_loop().time()
        if not self._failures:
            self._failing_since = now
        if not self._answered or now - self._failing_since >= self._patience:
            raise error
        self._failures += 1
        if self._failures == 1:
            self._report.note(f"{harmless(error.message)}; trying again")
        await asyncio.sleep(pause(self._failures, error, random.random()))  # noqa: S311  # no secret


def _read(stream: BinaryIO, put: Callable[[list[Line] | Exception | None], None]) -> None:
    ids, clock = Uuid7(), SystemClock()
    # The loop is gone where the command ended before its input.
    with suppress(RuntimeError):
        try:
            for chunk in chunks(stream, lambda: ids.next(clock.now())):
                put(chunk)
            put(None)
        except Exception as error:  # noqa: BLE001  # the command must not wait for a thread that died
            put(error)
