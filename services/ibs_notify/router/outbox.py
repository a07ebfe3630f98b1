"""Releases obligations and hands them to Delivery until it acknowledges. One holder at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock, to_micros
from ibs_notify.domain.errors import InvalidArgument, NotificationError
from ibs_notify.domain.failpoints import hit
from ibs_notify.router.backlog import Backlog, finish
from ibs_notify.router.handoffs import (
    handoffs_pending,
    has_open,
    mark_handed_off,
    release_from,
    set_aside,
)
from ibs_notify.router.identity import obligation_id
from ibs_notify.router.lanes import record_releases, room_of, waiting_lanes
from ibs_notify.router.match import RoutingTable
from ibs_notify.router.ports import Handoff, Handover
from ibs_notify.router.tables import LEASES
from ibs_notify.store import leases
from ibs_notify.store.database import Database

log = logging.getLogger(__name__)

BATCH = 500
LEASE_SECONDS = 5.0
"""Of the releases: so long, and ``IDLE_SECONDS``, nobody makes any where the holder was killed."""
RENEW_SECONDS = LEASE_SECONDS / 3
"""How often the lease is prolonged while Delivery has not answered."""
MOST_RENEWALS = 6
"""Whoever waits for longer gives another replica the chance: it may reach Delivery."""
IDLE_SECONDS = 1.0
"""How long a nudge that was missed, one of another replica for instance, may go unnoticed."""
NOTE_SECONDS = 0.01
"""How long what Delivery acknowledged waits for company, before a transaction notes just that."""
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
SAY_AGAIN_SECONDS = 60.0
REFUSED_SECONDS = 60.0
"""How long what Delivery refuses as it is rests, until it is tried again."""


class Outbox:
    """The order of releases matters, across groups too, so one replica at a time makes them.

    The database is the truth; ``nudge`` only spares an idle outbox its wait. ``table`` returns what
    is in force: the limits of the groups.
    """

    def __init__(
        self,
        database: Database,
        delivery: Handover,
        table: Callable[[], RoutingTable | None],
        clock: Clock,
        holder: str,
    ) -> None:
        self._database = database
        self._delivery = delivery
        self._table = table
        self._clock = clock
        self._holder = holder
        self._backlog = Backlog(clock)
        self._nudged = asyncio.Event()
        self._lease: leases.Lease | None = None
        self._acknowledged: list[Handoff] = []
        self._refused: list[Handoff] = []
        self._retry_at = float("-inf")
        self._waiting: Sequence[int] = ()
        self._until_room: float | None = None
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
            if busy and not self._has_only_to_note:
                # A transaction on SQLite does not suspend: let others have their turn.
                await asyncio.sleep(0)
            else:
                await self._idle()

    @property
    def _has_only_to_note(self) -> bool:
        """Whether nothing else is known to be left than to note what Delivery acknowledged."""
        return 0 < len(self._acknowledged) < BATCH and not self._backlog.is_folding

    def _log_wait(self, error: NotificationError) -> None:
        """Once when it begins, then now and then as long as it lasts."""
        now = self._clock.monotonic()
        if self._said_at is None or now - self._said_at >= SAY_AGAIN_SECONDS:
            self._said_at = now
            log.warning("handoff waits: %s", error.message)

    async def work_once(self) -> bool:
        """Release and hand off one batch; whether there was one, or there is more to do."""
        self._nudged.clear()
        acknowledged, refused = self._acknowledged, self._refused
        handoffs = await self._database.write(lambda c: self._turn(c, acknowledged, refused))
        self._acknowledged, self._refused = [], []
        if handoffs:
            async with self._holding():
                handoffs = await finish(self._database, handoffs)
                hit("router.before_handoff")
                await self._deliver(handoffs)
            hit("router.after_handoff")
        await self._look()
        return bool(handoffs or acknowledged or self._backlog.is_folding)

    @asynccontextmanager
    async def _holding(self) -> AsyncIterator[None]:
        """Keep the lease meanwhile. Nothing hangs on it but work that would be done twice."""
        renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait((renewing,))

    async def _renew(self) -> None:
        for _ in range(MOST_RENEWALS):
            await asyncio.sleep(RENEW_SECONDS)
            with suppress(NotificationError):
                await self._database.write(self._acquire)

    async def _look(self) -> None:
        table = self._table()
        if table is not None and self._waiting:
            await self._backlog.look(self._database, self._waiting, table)

    async def _deliver(self, handoffs: Sequence[Handoff]) -> None:
        """Hand over. Where Delivery refuses a batch, halve it until the bad one is alone.

        That one is set aside: it must neither be lost nor hold up the others.
        """
        try:
            await self._delivery.deliver(handoffs)
        except InvalidArgument as error:
            if len(handoffs) > 1:
                middle = len(handoffs) // 2
                await self._deliver(handoffs[:middle])
                await self._deliver(handoffs[middle:])
            else:
                self._set_aside(handoffs[0], error)
        else:
            self._acknowledged += handoffs

    def _set_aside(self, handoff: Handoff, error: InvalidArgument) -> None:
        obligation = obligation_id(handoff.event_id, handoff.position)
        target = handoff.route.target
        log.error("Delivery refuses %s for target %s: %s", obligation, target, error.message)
        self._refused.append(handoff)
        self._retry_at = self._clock.monotonic() + REFUSED_SECONDS

    def _turn(
        self,
        connection: sa.Connection,
        acknowledged: Sequence[Handoff],
        refused: Sequence[Handoff],
    ) -> list[Handoff]:
        """Note what Delivery has, and choose what it gets next: one transaction for both."""
        mark_handed_off(connection, acknowledged)
        set_aside(connection, refused)
        self._waiting, self._until_room = (), None
        table = self._table()
        refused_too = self._clock.monotonic() >= self._retry_at
        if table is None or not has_open(connection, refused_too=refused_too):
            # Nothing is written then, so that an idle Router leaves the disk alone.
            return []
        self._lease = self._acquire(connection)
        if self._lease is None:
            self._backlog.forget()
            return []
        pending = handoffs_pending(connection, BATCH, refused_too=refused_too)
        if pending:
            return pending
        now = self._now(connection, self._lease)
        self._waiting = waiting_lanes(connection)
        self._backlog.fold(connection, table, now)
        room = room_of(connection, self._waiting, table.limits, now)
        handoffs, let_go = release_from(connection, room.events, BATCH, now)
        record_releases(connection, room, let_go, now)
        if room.next_at is not None:
            self._until_room = (room.next_at - now) / 1_000_000
        return handoffs

    def _acquire(self, connection: sa.Connection) -> leases.Lease | None:
        return leases.acquire(connection, LEASES, "outbox", self._holder, LEASE_SECONDS)

    def _now(self, connection: sa.Connection, lease: leases.Lease) -> int:
        """Replicas count by the clock that they share, since the limit holds across them."""
        if connection.dialect.name == "postgresql":
            return lease.acquired_at
        return to_micros(self._clock.now())

    async def _give_back(self) -> None:
        """So that the next one, this Router's own after a restart, need not wait for its end."""
        lease, acknowledged, refused = self._lease, self._acknowledged, self._refused

        def work(connection: sa.Connection) -> None:
            mark_handed_off(connection, acknowledged)
            set_aside(connection, refused)
            if lease is not None:
                leases.release(connection, LEASES, lease)

        if lease is not None or acknowledged or refused:
            with suppress(NotificationError):
                await self._database.write(work)

    async def _idle(self) -> None:
        seconds = IDLE_SECONDS
        if self._until_room is not None:
            seconds = min(seconds, self._until_room)
        if self._acknowledged:
            seconds = min(seconds, NOTE_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                await self._nudged.wait()
        except TimeoutError:
            pass
