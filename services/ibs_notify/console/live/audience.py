"""Those who look at the same: an event is held against their filter once, however many they are."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from contextlib import suppress

from ibs_notify.console.live.matching import Match
from ironcore.notification.v1 import router_service_pb2 as pb

MOST_COUNTED = 1000
"""More than so many new events are "1,000 and more" to anybody."""


class Audience:
    """Counts what arrived, for each from where that one began to look.

    Nothing is kept waiting for a viewer: who is slow finds the latest count.
    """

    def __init__(self, chosen: pb.EventFilter) -> None:
        self._matches = Match(chosen)
        self._sequences: list[int] = []
        self._moved = asyncio.Event()
        self.viewers = 0
        self.gaps = 0
        """How often events may have been missed."""

    def tell(self, record: pb.EventRecord) -> None:
        """An event was accepted."""
        if self._matches(record):
            self._sequences.append(record.sequence)
            if len(self._sequences) > 2 * MOST_COUNTED:
                del self._sequences[:MOST_COUNTED]
            self.wake()

    def tell_gap(self) -> None:
        """Events may have been missed."""
        self.gaps += 1
        self.wake()

    def wake(self) -> None:
        """Let everybody look again."""
        self._moved.set()
        self._moved = asyncio.Event()

    def count_after(self, sequence: int) -> int:
        """How many arrived behind ``sequence``, at most ``MOST_COUNTED``."""
        found = len(self._sequences) - bisect_right(self._sequences, sequence)
        return min(found, MOST_COUNTED)

    async def wait(self, seconds: float) -> None:
        """Until something arrives, but no longer."""
        moved = self._moved
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await moved.wait()
