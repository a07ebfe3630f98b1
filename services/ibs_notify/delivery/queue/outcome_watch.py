"""The watch of the journal: what is kept, then each death and cancellation, on any replica."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import sqlalchemy as sa

from ibs_notify.delivery.queue import outcome_journal
from ibs_notify.delivery.queue.outcome_journal import Page, Place
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import NotificationError
from ibs_notify.store.database import Database

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
PRUNE_SECONDS = timedelta(hours=1).total_seconds()
PAGE = 500


class OutcomeWatch:
    """Each watcher reads for itself what it has not seen, so a slow one delays nobody."""

    def __init__(
        self, database: Database, clock: Clock, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._database = database
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._newest = 0
        self._closed = False
        self._nudged = asyncio.Event()
        self._moved = asyncio.Event()
        self._next_pruning = clock.monotonic()

    def nudge(self) -> None:
        """Something may have ended here: look at once. Never blocks."""
        self._nudged.set()

    async def run(self) -> None:
        """Notice what is entered, on any replica, and forget what is old, until cancelled."""
        failed = False
        while True:
            self._nudged.clear()
            try:
                await self._look()
                await self._prune()
                failed = False
            except NotificationError as error:
                if not failed:
                    log.warning("the journal of outcomes waits: %s", error.message)
                failed = True
            await self._nap()

    async def follow(self, cursor: str) -> AsyncIterator[Page]:
        """All that ``DeliveryService.WatchOutcomes`` promises, until the service stops."""
        place = outcome_journal.place_of(cursor) if cursor else None
        while True:
            page = await self._page_after(place)
            yield page
            place = page.place
            if page.is_last and not await self._something_after(place):
                return

    def close(self) -> None:
        """End every watch."""
        self._closed = True
        self._wake()

    async def _page_after(self, place: Place | None) -> Page:
        return await self._database.read(
            lambda connection: outcome_journal.page_after(connection, place, PAGE)
        )

    async def _something_after(self, place: Place) -> bool:
        """Wait for an entry after ``place``; false when closed."""
        while not self._closed and self._newest <= place.number:
            await self._moved.wait()
        return not self._closed

    async def _look(self) -> None:
        place = await self._database.read(outcome_journal.newest)
        if place is not None and place.number != self._newest:
            self._newest = place.number
            self._wake()

    async def _prune(self) -> None:
        if self._clock.monotonic() < self._next_pruning:
            return
        now = self._clock.now()

        def work(connection: sa.Connection) -> int:
            return outcome_journal.prune(connection, now)

        if await self._database.write(work) < outcome_journal.MOST_PRUNED:
            self._next_pruning = self._clock.monotonic() + PRUNE_SECONDS

    async def _nap(self) -> None:
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._nudged.wait()
        except TimeoutError:
            pass

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
