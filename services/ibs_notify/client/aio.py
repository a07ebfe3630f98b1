"""The client for asyncio."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict, Unpack

from ibs_notify.client.buffer import Mark
from ibs_notify.client.message import EventFields, event_message
from ibs_notify.client.notifier import Notifier
from ibs_notify.client.receipt import Receipt
from ibs_notify.client.sender import Tally
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import ResourceExhausted
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb


class Options(TypedDict, total=False):
    """What ``Notifier`` takes beside the address."""

    spool: Path | str | None
    spool_bytes: int
    patience: float
    wait_for_room: float | None
    user: str | None
    token: str
    ca_file: Path | str | None
    clock: Clock | None


class AsyncNotifier:
    """As ``Notifier``, whose options it takes; ``emit`` waits for the answer.

    Events are sent by a thread, so a busy event loop does not hold them up, and none is lost where
    the loop ends first. Emit from many tasks at once: their events share batches.
    """

    def __init__(self, address: str | None = None, **options: Unpack[Options]) -> None:
        self._wait_for_room = options.get("wait_for_room")
        self._notifier = Notifier(address, **options)
        # One thread: whoever waits does so in order, and one sync serves all who came before it.
        self._hand = ThreadPoolExecutor(1, "ibs-notify-hand")

    async def emit(self, type: str, **fields: Unpack[EventFields]) -> pb.EmitResponse:
        """Say that something happened, and wait until the Router has acknowledged it.

        Raises as ``Notifier.emit`` and ``Receipt.result``. Cancelling the wait does not cancel the
        event.
        """
        return await self.emit_message(event_message(type, fields))

    async def emit_message(self, message: event_pb2.Event) -> pb.EmitResponse:
        """The same for a message; it is copied, and its ``event_id`` kept where it has one."""
        receipt = await self.submit(message)
        return await asyncio.wrap_future(receipt.answer)

    async def submit(self, message: event_pb2.Event) -> Receipt:
        """Without waiting for the answer: returns where ``Notifier.emit_message`` does."""
        receipt, mark = await self._take(message)
        if self._notifier.spooled:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._hand, self._notifier.store, mark)
        return receipt

    async def flush(self, timeout: float | None = None) -> None:
        """As ``Notifier.flush``."""
        await asyncio.to_thread(self._notifier.flush, timeout)

    async def close(self, timeout: float | None = None) -> None:
        """As ``Notifier.close``."""
        await asyncio.to_thread(self._notifier.close, timeout)
        self._hand.shutdown(wait=False)

    @property
    def tally(self) -> Tally:
        """How many events of this process have which answer."""
        return self._notifier.tally

    async def _take(self, message: event_pb2.Event) -> tuple[Receipt, Mark]:
        try:
            return self._notifier.take(message, 0)
        except ResourceExhausted:
            if self._notifier.spooled or self._wait_for_room == 0:
                raise
        loop = asyncio.get_running_loop()
        wait = self._wait_for_room
        return await loop.run_in_executor(self._hand, self._notifier.take, message, wait)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
