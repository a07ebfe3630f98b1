"""Releases obligations and hands them to Delivery until it acknowledges. One holder at a time."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import NotificationError
from ibs_notify.domain.failpoints import hit
from ibs_notify.router.handoffs import has_open, mark_handed_off, release_next
from ibs_notify.router.ports import DeliveryPort, Handoff
from ibs_notify.router.tables import LEASES
from ibs_notify.store import leases
from ibs_notify.store.database import Database

log = logging.getLogger(__name__)

BATCH = 500
LEASE_SECONDS = 15.0
IDLE_SECONDS = 1.0
"""How long a nudge that was missed, one of another replica for instance, may go unnoticed."""
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
SAY_AGAIN_SECONDS = 60.0


class Outbox:
    """The order of releases matters, across groups too, so one replica at a time makes them.

    The database is the truth; ``nudge`` only spares an idle outbox its wait.
    """

    def __init__(
        self, database: Database, delivery: DeliveryPort, clock: Clock, holder: str
    ) -> None:
        self._database = database
        self._delivery = delivery
        self._clock = clock
        self._holder = holder
        self._nudged = asyncio.Event()
        self._lease: leases.Lease | None = None
        self._said_at: float | None = None

    def nudge(self) -> None:
        """There may be something to release."""
        self._nudged.set()

    async def run(self) -> None:
        """Work until cancelled; what fails is repeated, more slowly each time."""
        try:
            await self._run()
        finally:
            await self._give_back()

    async def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                busy = await self.work_once()
            except NotificationError as error:
                self._log_wait(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                continue
            pause, self._said_at = FIRST_PAUSE_SECONDS, None
            if not busy:
                await self._idle()

    def _log_wait(self, error: NotificationError) -> None:
        """Once when it begins, then now and then as long as it lasts."""
        now = self._clock.monotonic()
        if self._said_at is None or now - self._said_at >= SAY_AGAIN_SECONDS:
            self._said_at = now
            log.warning("handoff waits: %s", error.message)

    async def work_once(self) -> bool:
        """Release and hand off one batch; whether there was one."""
        self._nudged.clear()
        handoffs = await self._database.write(self._release)
        if not handoffs:
            return False
        hit("router.before_handoff")
        await self._delivery.deliver(handoffs)
        hit("router.after_handoff")
        await self._database.write(lambda connection: mark_handed_off(connection, handoffs))
        return True

    def _release(self, connection: sa.Connection) -> list[Handoff]:
        if not has_open(connection):
            # Nothing is written then, so that an idle Router leaves the disk alone.
            return []
        self._lease = leases.acquire(connection, LEASES, "outbox", self._holder, LEASE_SECONDS)
        if self._lease is None:
            return []
        return release_next(connection, BATCH, self._clock.now())

    async def _give_back(self) -> None:
        """So that the next one, this Router's own after a restart, need not wait for its end."""
        lease = self._lease
        if lease is not None:
            with suppress(NotificationError):
                await self._database.write(lambda c: leases.release(c, LEASES, lease))

    async def _idle(self) -> None:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._nudged.wait()
        except TimeoutError:
            pass
