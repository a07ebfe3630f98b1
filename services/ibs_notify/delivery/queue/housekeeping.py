"""Removes what is no longer needed of finished deliveries, beside the work.

In small transactions with pauses between them, so that nothing has to wait. Replicas may do it at
the same time: what one has removed the other does not find.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from functools import partial

from ibs_notify.delivery.queue import retention
from ibs_notify.delivery.targets import hours
from ibs_notify.domain.clock import Clock, to_micros
from ibs_notify.store.database import Database
from ibs_notify.store.housekeeping import Bounds, keep_house

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.02
SHORTEST_WINDOW = timedelta(days=35)
"""Windows of digests are kept so long at least: a date that had its digest gets no other."""


class Housekeeping:
    """``keep`` is how long finished deliveries are kept, zero for ever; ``most`` how many in all,

    0 for no bound.
    """

    def __init__(self, database: Database, clock: Clock, *, keep: timedelta, most: int) -> None:
        self._database = database
        self._clock = clock
        self._keep = keep
        self._most = most

    async def run(self) -> None:
        """Keep house now and then, until cancelled."""
        await keep_house(self.tidy, log)

    async def tidy(self) -> None:
        """Remove all that may go now. Nothing is written where there is nothing."""
        now = self._clock.now()
        bounds = Bounds(to_micros(now - self._keep) if self._keep else 0, self._most)
        if bounds == Bounds(0, 0):
            return
        seq, removed, is_last = 0, 0, False
        while not is_last:
            due = await self._database.read(partial(retention.due_after, seq=seq, bounds=bounds))
            for start in range(0, len(due.seqs), retention.REMOVED):
                seqs = due.seqs[start : start + retention.REMOVED]
                removed += await self._database.write(partial(retention.remove, seqs=seqs))
                await asyncio.sleep(PAUSE_SECONDS)
            seq, is_last = due.through, due.is_last
        if removed and self._keep:
            await self._database.write(partial(hours.forget_before, moment=bounds.since))
        await self._remove_windows(to_micros(now - max(self._keep, SHORTEST_WINDOW)))
        if removed:
            log.info("removed %d deliveries that are older than what is kept", removed)

    async def _remove_windows(self, before: int) -> None:
        look = partial(retention.windows_to_remove, before=before)
        while seqs := await self._database.read(look):
            await self._database.write(partial(retention.remove_windows, seqs=seqs))
            await asyncio.sleep(PAUSE_SECONDS)
