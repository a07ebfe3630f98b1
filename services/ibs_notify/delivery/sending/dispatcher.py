"""Keeps the lanes going: wakes them, prolongs their leases, takes up what others left behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Mapping
from datetime import datetime

from ibs_notify.delivery.admission import Admission, admit_target
from ibs_notify.delivery.model import Completion, State
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.ports import CannotOpen, Queue, Transports
from ibs_notify.delivery.sending.lane import Lane
from ibs_notify.delivery.sending.sender import Sender
from ibs_notify.delivery.targets.breaker import Breaker, Phase
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import ResourceExhausted, Unavailable
from ibs_notify.snapshot.model import Snapshot

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
HEARTBEAT_SECONDS = 8.0
"""A third of a lease, so that one that fails is made good before the lease ends."""
ROUND_SECONDS = 5.0
"""A wake-up that was lost, or is another replica's, costs so much at most."""
SEARCH_SECONDS = 60.0
"""What a replica left waiting that was behind or could not open a transport, or an outcome that was
late, costs so much at most."""
STOP_GRACE_SECONDS = 5.0


class Dispatcher:
    """A lane for each target of the snapshot. The database is the truth; lanes are only told."""

    def __init__(
        self,
        outlook: Outlook,
        queue: Queue,
        transports: Transports,
        sender: Sender,
        clock: Clock,
    ) -> None:
        self._outlook = outlook
        self._queue = queue
        self._transports = transports
        self._sender = sender
        self._clock = clock
        self._lanes: dict[str, Lane] = {}
        self._nudged = asyncio.Event()
        self._next_due_at: datetime | None = None
        self._changes = 0
        self._examined = -1
        self._examination = asyncio.Event()
        self._next_heartbeat = clock.monotonic() + HEARTBEAT_SECONDS
        self._next_round = clock.monotonic()
        self._next_search = clock.monotonic() + SEARCH_SECONDS

    @property
    def changes(self) -> int:
        """Grows with everything that may change how deliveries stand."""
        return self._changes

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """A new configuration is in force from now on."""
        self._outlook.snapshot = snapshot
        self._transports.retire(snapshot)
        self.examine_soon()

    def examine_soon(self) -> None:
        """How targets stand has changed: every open delivery is to be looked at again."""
        self._changes += 1
        self._nudged.set()

    def held(self, *, is_held: bool) -> None:
        """The queue is held from now on, or released. Other replicas learn it within a round."""
        self._outlook.is_held = is_held
        self.examine_soon()

    async def examined(self) -> None:
        """Wait until all changes known by now have taken effect in the queue."""
        wanted = self._changes
        while self._examined < wanted:
            await self._examination.wait()

    def expect(self, targets: Iterable[str]) -> None:
        """Deliveries are about to be accepted: lanes claim them in the same transaction."""
        for uid in targets:
            if lane := self._lane(uid):
                lane.wake()

    def noticed(self, targets: Iterable[str], changes: int) -> None:
        """Deliveries were queued by what was known at ``changes``; wake their lanes."""
        if changes != self._changes:
            self.examine_soon()
        for uid in targets:
            if lane := self._lane(uid):
                lane.wake()

    async def run(self) -> None:
        """Work until cancelled; a storage that is away is waited for."""
        while True:
            try:
                await self.tick()
            except (Unavailable, ResourceExhausted) as error:
                log.warning("the queue waits: %s", error)
                await asyncio.sleep(SWEEP_SECONDS)
            await self._nap()

    async def tick(self) -> None:
        """Do what is due now."""
        self._nudged.clear()
        now = self._clock.monotonic()
        await self._heartbeat()
        if self._examined < self._changes and self._outlook.snapshot is not None:
            await self._with_heartbeats(self._examine(self._outlook.snapshot))
        sweep = await self._queue.sweep()
        self._next_due_at = sweep.next_due_at
        for uid in sweep.targets:
            self._came_back(uid)
        self.noticed(sweep.targets, self._changes)
        if now >= self._next_round:
            self._next_round = now + ROUND_SECONDS
            self._note_pauses(await self._queue.troubled())
            await self._look_whether_held()
            for lane in self._lanes.values():
                lane.wake()

        if now >= self._next_search:
            self._next_search = now + SEARCH_SECONDS
            await self._search()

    async def _look_whether_held(self) -> None:
        """Another replica may have been told. What this one is told meanwhile is newer."""
        changes = self._changes
        is_held = await self._queue.held_since() is not None
        if changes == self._changes:
            self._outlook.is_held = is_held

    def begin_stop(self) -> None:
        """Claim nothing more."""
        for lane in self._lanes.values():
            lane.begin_stop()

    async def stop(self, grace_seconds: float) -> None:
        """Let attempts under way end, then give back what is in hand."""
        await asyncio.gather(*(lane.stop(grace_seconds) for lane in self._lanes.values()))

    async def _nap(self) -> None:
        seconds = SWEEP_SECONDS
        if self._next_due_at is not None:
            until_due = (self._next_due_at - self._clock.now()).total_seconds()
            seconds = min(seconds, max(until_due, 0.0))
        try:
            async with asyncio.timeout(seconds):
                await self._nudged.wait()
        except TimeoutError:
            pass

    async def _heartbeat(self) -> None:
        """Prolong the leases where that is due: else the sweep takes up what is in hand here."""
        now = self._clock.monotonic()
        if now < self._next_heartbeat:
            return
        works = [work for lane in self._lanes.values() for work in lane.works]
        if works and (held := await self._queue.heartbeat(works)) < len(works):
            # Some were settled in between; the others are known when their outcome is refused.
            log.debug("%d of %d leases are still held", held, len(works))
        self._next_heartbeat = now + HEARTBEAT_SECONDS

    async def _with_heartbeats(self, work: Coroutine[None, None, None]) -> None:
        """Do what takes a while of a long queue, so that no sweep, on whatever replica, takes up

        meanwhile what is in hand here.
        """
        task = asyncio.create_task(work)
        try:
            while not task.done():
                await asyncio.wait((task,), timeout=SWEEP_SECONDS)
                await self._heartbeat()
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _search(self) -> None:
        """Take up what nothing else would bring back before the next change."""
        if await self._queue.is_astray(self._outlook.revision, self._outlook.standings()):
            self.examine_soon()
        for uid, reason in await self._queue.blocked():
            if self._opens(uid):
                await self._queue.unpark(uid, reason)
                self.noticed((uid,), self._changes)

    def _opens(self, uid: str) -> bool:
        """Whether something can be sent to a target from here."""
        snapshot, target = self._outlook.snapshot, self._outlook.target(uid)
        if snapshot is None or target is None:
            return False
        if admit_target(target, paused=self._outlook.is_paused(target)) is not Admission.SENDABLE:
            return False
        try:
            self._transports.concurrency(target, snapshot)
        except CannotOpen:
            return False
        return True

    async def _examine(self, snapshot: Snapshot) -> None:
        changes = self._changes
        for uid, breaker in (await self._queue.troubled()).items():
            target = snapshot.targets.get(uid)
            if target is not None and target.revision > breaker.revision:
                await self._queue.try_again(uid, target.revision)
        self._note_pauses(await self._queue.troubled())
        freed = await self._queue.examine(snapshot.revision, self._outlook.standings())
        for uid, lane in list(self._lanes.items()):
            if uid not in snapshot.targets and lane.is_idle:
                del self._lanes[uid]
        self._examined = changes
        self._examination.set()
        self._examination = asyncio.Event()
        self.noticed((*snapshot.targets, *freed), self._changes)

    def _note_pauses(self, troubled: Mapping[str, Breaker]) -> None:
        self._outlook.pauses = {
            uid: each.revision for uid, each in troubled.items() if each.phase is Phase.PAUSED
        }

    def _lane(self, uid: str) -> Lane | None:
        """The lane of a target that the snapshot has."""
        lane = self._lanes.get(uid)
        if lane is None and self._outlook.target(uid) is not None:
            lane = self._lanes[uid] = Lane(
                uid,
                outlook=self._outlook,
                queue=self._queue,
                transports=self._transports,
                sender=self._sender,
                clock=self._clock,
                settled=self._settled,
            )
        return lane

    def _settled(self, done: Completion) -> None:
        settlement = done.settlement
        if settlement.pause:
            pauses = dict(self._outlook.pauses)
            pauses[done.work.target_uid] = done.target_revision
            self._outlook.pauses = pauses
            self.examine_soon()
        elif settlement.state is State.RETRY_WAIT:
            self._came_back(done.work.target_uid)
            self._due_at(settlement.due_at)

    def _came_back(self, uid: str) -> None:
        """A delivery was not sent; its target may have been disabled or deleted meanwhile."""
        target = self._outlook.target(uid)
        paused = self._outlook.is_paused(target)
        if admit_target(target, paused=paused) is not Admission.SENDABLE:
            self.examine_soon()

    def _due_at(self, moment: datetime | None) -> None:
        earlier = self._next_due_at is None or (moment is not None and moment < self._next_due_at)
        if earlier:
            self._next_due_at = moment
            self._nudged.set()
