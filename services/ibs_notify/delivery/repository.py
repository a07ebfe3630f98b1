"""The durable queue on a database: the adapter of ``ports.Queue``.

The work is in the folders ``queue`` and ``targets``, as plain functions of a connection; here is
who commits them, and together with whom.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from ibs_notify.audit.journal import append
from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.audited import resume_act
from ibs_notify.delivery.model import Accepted, Handoff, Work
from ibs_notify.delivery.ports import Admit, Asked, Standing, Sweep, Turn, Turned
from ibs_notify.delivery.queue import claims, hold, intake, outcome_journal, parking
from ibs_notify.delivery.tables import AUDIT
from ibs_notify.delivery.targets import breakers
from ibs_notify.delivery.targets.breaker import Breaker
from ibs_notify.domain.clock import Clock
from ibs_notify.store.database import Database
from ibs_notify.store.group_commit import GroupCommit

WINDOW_SECONDS = 0.001
"""Shorter than an Emit's: a lane's few slots stand still meanwhile."""
CHUNK = 1000
"""Deliveries that are changed in one transaction: some milliseconds, in which nothing else runs."""
LEASE_SECONDS = 25.0
"""With a sweep each second, the work of a crashed worker is taken up within 30 s."""


def _nobody() -> None:
    """Nobody wants to know."""


class DeliveryQueue:
    """See ``ports.Queue``. ``holder`` names this process among all that share the database.

    ``on_ended`` is called where deliveries may have died or been cancelled.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        holder: str,
        *,
        lease_seconds: float = LEASE_SECONDS,
        on_ended: Callable[[], None] = _nobody,
    ) -> None:
        self._on_ended = on_ended
        self._database = database
        self._clock = clock
        self._terms = claims.Terms(holder, int(lease_seconds * 1_000_000))
        # A batch is answered with Accepted, a turn with Turned.
        self._commits: GroupCommit[intake.Batch | Turn, Any] = GroupCommit(
            database, self._commit, window=WINDOW_SECONDS, weigh=_size
        )

    async def accept(self, handoffs: Sequence[Handoff], admit: Admit) -> Accepted:
        accepted: Accepted = await self._commits.submit(intake.Batch(handoffs, admit))
        return accepted

    async def turn(self, turn: Turn) -> Turned:
        turned: Turned = await self._commits.submit(turn)
        if any(done.settlement.state.is_undelivered for done in turn.done):
            self._on_ended()
        return turned

    async def heartbeat(self, works: Sequence[Work]) -> int:
        seqs = [work.seq for work in works]
        return await self._database.write(lambda c: claims.prolong(c, seqs, self._terms))

    async def recover(self) -> None:
        # SQLite has one process at a time, held apart by a lock file: whoever else leased is gone.
        if self._database.dialect == "sqlite":
            now = self._clock.now()
            await self._database.write(lambda c: claims.sweep(c, now, every_lease=True))

    async def sweep(self) -> Sweep:
        now = self._clock.now()
        return await self._database.write(lambda c: claims.sweep(c, now))

    async def examine(self, revision: int, standings: Mapping[str, Standing]) -> frozenset[str]:
        now = self._clock.now()
        freed: set[str] = set()
        for uid in await self._database.read(parking.targets_with_open):
            standing = standings.get(uid, Standing(Admission.TARGET_DELETED))
            if await self._make(parking.stand(uid, revision, standing, now)):
                freed.add(uid)
        self._on_ended()
        return frozenset(freed)

    async def is_astray(self, revision: int, standings: Mapping[str, Standing]) -> bool:
        return await self._database.read(lambda c: parking.is_astray(c, revision, standings))

    async def blocked(self) -> Sequence[tuple[str, Admission]]:
        return await self._database.read(parking.blocked)

    async def park(self, target_uid: str, reason: Admission) -> None:
        await self._make(parking.park(target_uid, reason))

    async def unpark(self, target_uid: str, reason: Admission) -> int:
        return await self._make(parking.unpark(target_uid, reason, self._clock.now()))

    async def held_since(self) -> datetime | None:
        return await self._database.read(hold.held_since)

    async def hold(self, actor: str) -> datetime:
        now = self._clock.now()
        return await self._database.write(lambda c: hold.hold(c, actor, now))

    async def release(self, actor: str, *, dry_run: bool) -> int:
        count = await self._database.read(hold.queued)
        if not dry_run:
            now = self._clock.now()
            await self._database.write(lambda c: hold.release(c, actor, count, now))
        return count

    async def troubled(self) -> Mapping[str, Breaker]:
        return await self._database.read(breakers.troubled)

    async def try_again(self, target_uid: str, revision: int, asked: Asked | None = None) -> int:
        now = self._clock.now()

        def work(connection: sa.Connection) -> None:
            breakers.try_again(connection, target_uid, revision, now)
            if asked is not None:
                append(connection, AUDIT, asked.actor, resume_act(asked.target), now)

        await self._database.write(work)
        return await self.unpark(target_uid, Admission.TARGET_PAUSED)

    async def close(self) -> None:
        """Wait for what is being committed."""
        await self._commits.close()

    async def _make(self, changes: Sequence[parking.Change]) -> int:
        """Change so many deliveries at a time that nobody has to wait long; how many were queued.

        What stops it in the middle leaves the rest as it was, to be found again.
        """
        queued = 0
        for change in changes:
            # A read stands in nobody's way, however long it looks.
            seqs = await self._database.read(partial(parking.find, change=change))
            for start in range(0, len(seqs), CHUNK):
                part = seqs[start : start + CHUNK]
                work = partial(parking.make, change=change, seqs=part)
                queued += await self._database.write(work) * change.queues
                # A database in this process does not give way by itself.
                await asyncio.sleep(0)
        return queued

    def _commit(
        self, connection: sa.Connection, items: Sequence[intake.Batch | Turn]
    ) -> Sequence[Accepted | Turned]:
        """Accept first, so that what comes can be claimed at once."""
        now = self._clock.now()
        batches = [each for each in items if isinstance(each, intake.Batch)]
        turns = [each for each in items if isinstance(each, Turn)]
        accepted, cancelled = intake.accept_all(connection, batches, now)
        turned, ended, news = claims.take_turns(connection, turns, self._terms, now)
        outcome_journal.note(connection, {*cancelled, *ended}, news)
        batch_answers, turn_answers = iter(accepted), iter(turned)
        return [
            next(turn_answers) if isinstance(each, Turn) else next(batch_answers) for each in items
        ]


def _size(item: intake.Batch | Turn) -> int:
    if isinstance(item, Turn):
        return item.wanted + len(item.done)
    return len(item.handoffs)
