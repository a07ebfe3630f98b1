"""What ``emit --stdin`` has read and not yet answered: bounded, and answered in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from ibs_notify.cli.emit_input import MAX_CHUNK_BYTES, Line
from ibs_notify.cli.emit_report import Report
from ibs_notify.domain.bounds import MAX_BATCH
from ibs_notify.domain.errors import Internal, Reason
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

MOST_MESSAGES = 2
"""On the way at once: the Router has the next at hand, and meanwhile another one collects."""
MOST_LINES = 4 * MAX_BATCH
MOST_BYTES = 4 * MAX_CHUNK_BYTES


class Window:
    """Lines leave it in the order of the input, when ``report`` has their answer."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._lines: deque[Line] = deque()
        self._bytes = 0
        self._given = 0
        self._messages: deque[int] = deque()
        self._ended = False
        self._move = asyncio.Event()

    @property
    def first_number(self) -> int:
        """The number of the first line without an answer; 0 where every line has one."""
        return self._lines[0].number if self._lines else 0

    async def add(self, chunk: Sequence[Line]) -> None:
        """Take lines, when there is room for them."""
        await self._until(self._has_room)
        self._lines += chunk
        self._bytes += sum(each.size for each in chunk)
        self._leave_faults()
        self._report.flush()
        self._moved()

    def end(self) -> None:
        """There are no more lines."""
        self._ended = True
        self._moved()

    async def work(self) -> bool:
        """Wait until a line wants an answer; whether one does, or else all is over."""
        await self._until(lambda: bool(self._lines) or self._ended)
        return bool(self._lines)

    def begin(self) -> None:
        """A new stream: what has no answer is given out again, from the first."""
        self._given = 0
        self._messages.clear()

    async def next_events(self) -> list[event_pb2.Event]:
        """The next message of this stream, when there is one to send; empty at the end."""
        while True:
            await self._until(self._may_look)
            if events := self._give():
                self._messages.append(len(events))
                return events
            if self._ended:
                return []

    def answer(self, results: Sequence[pb.EmitResult]) -> None:
        """The next answers of this stream, in the order of its events, however many."""
        for result in results:
            if not self._messages:
                raise Internal(Reason.INTERNAL, "the Router gave more answers than it got events")
            self._messages[0] -= 1
            if not self._messages[0]:
                self._messages.popleft()
            self._leave(result)
            self._leave_faults()
        self._report.flush()
        self._moved()

    def _has_room(self) -> bool:
        return len(self._lines) < MOST_LINES and self._bytes < MOST_BYTES

    def _may_look(self) -> bool:
        if self._given < len(self._lines):
            return len(self._messages) < MOST_MESSAGES
        return self._ended

    def _give(self) -> list[event_pb2.Event]:
        events: list[event_pb2.Event] = []
        size = 0
        while self._given < len(self._lines) and len(events) < MAX_BATCH:
            line = self._lines[self._given]
            size += line.size
            if events and size > MAX_CHUNK_BYTES:
                break
            self._given += 1
            if line.event is not None:
                events.append(line.event)
        return events

    def _leave_faults(self) -> None:
        """A line that is no event needs no Router, only its turn."""
        while self._lines and (fault := self._lines[0].fault) is not None:
            self._leave(pb.EmitResult(error=fault))

    def _leave(self, result: pb.EmitResult) -> None:
        line = self._lines.popleft()
        self._given = max(0, self._given - 1)
        self._bytes -= line.size
        self._report.show(line, result)

    def _moved(self) -> None:
        self._move.set()
        self._move = asyncio.Event()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._move.wait()
