"""Removes what is no longer needed, beside the Router's work: old events, ids, windows and marks.

In small transactions with pauses between them, so that an event that comes meanwhile does not wait.
Of several replicas one does it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock, to_micros
from ibs_notify.domain.errors import NotificationError
from ibs_notify.router import retention
from ibs_notify.router.blocks import Blocks
from ibs_notify.router.marks import remove_orphans
from ibs_notify.router.match import RoutingTable
from ibs_notify.router.revisions import prune_revisions
from ibs_notify.router.tables import LEASES
from ibs_notify.router.windows import prune_windows, windows_to_prune
from ibs_notify.store import leases
from ibs_notify.store.database import Database, T, Work
from ibs_notify.store.housekeeping import Bounds, keep_house

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.02
LEASE_SECONDS = 60.0
SHORTEST_WINDOW = timedelta(minutes=5)
"""A window of deduplication is kept so long at least: its group's may just have been changed."""


class Elsewhere(Exception):  # it is no error
    """Another replica keeps house now."""


class Housekeeping:
    """``keep`` is how long events are kept, zero for ever; ``most`` how many, 0 for all."""

    def __init__(
        self,
        database: Database,
        blocks: Blocks,
        table: Callable[[], RoutingTable | None],
        clock: Clock,
        holder: str,
        *,
        keep: timedelta,
        most: int,
    ) -> None:
        self._database = database
        self._blocks = blocks
        self._table = table
        self._clock = clock
        self._holder = holder
        self._keep = keep
        self._most = most
        self._lease: leases.Lease | None = None

    async def run(self) -> None:
        """Keep house now and then, until cancelled."""
        try:
            await keep_house(self.tidy, log)
        finally:
            await self._give_back()

    async def tidy(self) -> None:
        """Remove all that may go now. Nothing is written where there is nothing."""
        with suppress(Elsewhere):
            await self._retire()
            await self._forget_ids()
            await self._prune_windows()

    async def _retire(self) -> None:
        now = self._clock.now()
        bounds = Bounds(to_micros(now - self._keep) if self._keep else 0, self._most)
        seq, removed, is_last = 0, 0, False
        while not is_last:
            look = partial(retention.due_after, seq=seq, bounds=bounds, blocks=self._blocks)
            due = await self._database.read(look)
            for start in range(0, len(due.seqs), retention.REMOVED):
                seqs = due.seqs[start : start + retention.REMOVED]
                await self._write(partial(retention.remove, seqs=seqs, now=now))
            removed += len(due.seqs)
            seq, is_last = due.through, due.is_last
        if removed:
            log.info("removed %d events that are older than what is kept", removed)
            await self._remove_orphans()
            await self._write(prune_revisions)

    async def _remove_orphans(self) -> None:
        through = await self._database.read(retention.retired_through)
        while await self._write(partial(remove_orphans, through=through)):
            pass

    async def _forget_ids(self) -> None:
        now = self._clock.now()
        while ids := await self._database.read(partial(retention.ids_to_forget, now=now)):
            await self._write(partial(retention.forget_ids, event_ids=ids))

    async def _prune_windows(self) -> None:
        table = self._table()
        if table is None:
            return
        lengths = (each.dedup_window for each in table.routes)
        longest = max((SHORTEST_WINDOW, *lengths))
        now = self._clock.now()
        look = partial(windows_to_prune, now=now, longest=longest, most=retention.REMOVED)
        while keys := await self._database.read(look):
            await self._write(partial(prune_windows, keys=keys, now=now, longest=longest))

    async def _write(self, work: Work[T]) -> T:
        """Write as the replica that keeps house, then leave the others some time."""

        def run(connection: sa.Connection) -> T:
            self._lease = leases.acquire(
                connection, LEASES, "housekeeping", self._holder, LEASE_SECONDS
            )
            if self._lease is None:
                raise Elsewhere
            return work(connection)

        result = await self._database.write(run)
        await asyncio.sleep(PAUSE_SECONDS)
        return result

    async def _give_back(self) -> None:
        lease = self._lease
        if lease is not None:
            with suppress(NotificationError):
                await self._database.write(lambda c: leases.release(c, LEASES, lease))
