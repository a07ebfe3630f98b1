"""Where events wait until the Router has acknowledged them: the port, and the one in memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import NamedTuple, Protocol

from ibs_notify.domain.errors import Reason, ResourceExhausted

MAX_WAITING_EVENTS = 10_000
MAX_WAITING_BYTES = 32 * 1024 * 1024


class Mark(NamedTuple):
    """A place in a queue, after an event. Marks of one queue compare by age."""

    segment: int
    offset: int


START = Mark(0, 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A waiting event: an ``EmitBatchRequest`` that holds it alone, in bytes.

    So a batch is its entries' records one after another: that is how protobuf merges messages.
    ``since`` is when it was appended, on the monotonic clock; 0 where that was an earlier process.
    """

    mark: Mark
    record: bytes
    since: float = 0.0


class Buffer(Protocol):
    """First in, first out. Any thread may append and sync; only the sender does the rest."""

    def append(self, record: bytes, now: float) -> Mark:
        """Add an event at the end. ``ResourceExhausted`` where there is no room for it."""
        ...

    def sync(self, mark: Mark) -> None:
        """Return when everything up to ``mark`` is as safe as this buffer makes it."""
        ...

    def peek(self, most: int, most_bytes: int) -> list[Entry]:
        """The oldest events, at least one where there is one, within both bounds."""
        ...

    def advance(self, mark: Mark) -> None:
        """Everything up to ``mark`` has its answer: forget it."""
        ...

    def set_aside(self, entry: Entry, why: str) -> None:
        """Keep what can never be sent where somebody can look at it, if there is such a place."""
        ...

    @property
    def tail(self) -> Mark:
        """After the newest event."""
        ...

    @property
    def head(self) -> Mark:
        """After the newest event that has its answer, and all before it."""
        ...

    def close(self) -> None:
        """Let go of files."""
        ...


class MemoryBuffer:
    """Bounded by events and by bytes; what it holds ends with the process."""

    def __init__(self, most: int = MAX_WAITING_EVENTS, most_bytes: int = MAX_WAITING_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._lock = Lock()
        self.tail = START
        self.head = START

    def append(self, record: bytes, now: float) -> Mark:
        with self._lock:
            full = len(self._entries) >= self._most
            if full or (self._entries and self._bytes + len(record) > self._most_bytes):
                raise ResourceExhausted(
                    Reason.TOO_MANY_REQUESTS,
                    f"{len(self._entries)} events wait for the Router, as many as are held",
                    advice="is the Router running? A spool holds more",
                )
            self.tail = Mark(0, self.tail.offset + 1)
            self._entries.append(Entry(self.tail, record, now))
            self._bytes += len(record)
            return self.tail

    def sync(self, mark: Mark) -> None:
        """Nothing to do: memory is all there is."""

    def peek(self, most: int, most_bytes: int) -> list[Entry]:
        with self._lock:
            return within(list(islice(self._entries, most)), most_bytes)

    def advance(self, mark: Mark) -> None:
        with self._lock:
            while self._entries and self._entries[0].mark <= mark:
                self._bytes -= len(self._entries.popleft().record)
            self.head = mark

    def set_aside(self, entry: Entry, why: str) -> None:
        """There is no such place; the receipt and the log have the reason."""

    def close(self) -> None:
        """Nothing to let go of."""


def within(entries: list[Entry], most_bytes: int) -> list[Entry]:
    """The first of ``entries`` that have ``most_bytes`` together, at least one."""
    size = 0
    for count, entry in enumerate(entries):
        size += len(entry.record)
        if count and size > most_bytes:
            return entries[:count]
    return entries
