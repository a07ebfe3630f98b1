"""The lane of one target: so many attempts at a time and no more, so that it delays no other.

Each slot of a lane goes round: make an attempt, then settle it and claim the next delivery in one
transaction. A slot that finds nothing ends; whoever has something new wakes the lane.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from ibs_notify.delivery.admission import Admission, admit_target, default_recipients
from ibs_notify.delivery.model import Completion, Work
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.ports import CannotOpen, Queue, Transports, Turn, Turned
from ibs_notify.delivery.sender import Sender, interrupted, not_begun
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import ResourceExhausted, Unavailable
from ibs_notify.domain.failpoints import hit

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
_NOTHING = Turned(())


class Lane:
    """``settled`` is told of each completion that counted."""

    def __init__(
        self,
        target_uid: str,
        *,
        outlook: Outlook,
        queue: Queue,
        transports: Transports,
        sender: Sender,
        clock: Clock,
        settled: Callable[[Completion], None],
    ) -> None:
        self._uid = target_uid
        self._outlook = outlook
        self._queue = queue
        self._transports = transports
        self._sender = sender
        self._clock = clock
        self._settled = settled
        self._works: dict[int, Work] = {}
        self._slots: set[asyncio.Task[None]] = set()
        self._polling: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._blocked: Admission | None = None
        self._woken = False
        self._stopping = False

    @property
    def works(self) -> Sequence[Work]:
        """What is in hand: leased, and being sent or settled."""
        return list(self._works.values())

    @property
    def is_idle(self) -> bool:
        return not self._slots and self._polling is None

    def wake(self) -> None:
        """There may be something to send."""
        self._woken = True
        self._poll_if_needed()

    def begin_stop(self) -> None:
        """Claim nothing more."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()

    async def stop(self, grace_seconds: float) -> None:
        """Give attempts under way some time, then give back what is still in hand."""
        self.begin_stop()
        deadline = asyncio.get_running_loop().time() + grace_seconds
        # The claim first: what it brings becomes slots, which give it back.
        await _end_by(deadline, {self._polling} if self._polling is not None else set())
        await _end_by(deadline, set(self._slots))
        for work in self.works:
            done = interrupted(work, self._clock.now())
            try:
                await self._queue.turn(Turn(self._uid, 0, done=done))
            except (Unavailable, ResourceExhausted) as error:
                log.warning("delivery %s waits for its lease to end: %s", work.delivery_id, error)

    def _poll_if_needed(self) -> None:
        if self._woken and not self._stopping and self._polling is None:
            self._polling = asyncio.get_running_loop().create_task(self._poll())

    async def _poll(self) -> None:
        """Fill the free slots as long as somebody says that there is more."""
        try:
            while self._woken and not self._stopping:
                room = await self._room()
                if room <= 0:
                    return
                self._woken = False
                turned = await self._queue.turn(self._turn(room))
                self._note_rate(turned.next_at)
                for work in turned.claimed:
                    self._start(work)
        except (Unavailable, ResourceExhausted) as error:
            log.warning("claims for target %s wait: %s", self._uid, error)
        except Exception:  # the dispatcher wakes every lane again after a while
            log.exception("claims for target %s failed", self._uid)
        finally:
            self._polling = None

    async def _room(self) -> int:
        """How many more attempts the target takes; 0 where nothing may be sent to it."""
        snapshot, target = self._outlook.snapshot, self._outlook.target(self._uid)
        if snapshot is None or target is None:
            return 0
        if admit_target(target, paused=self._outlook.is_paused(target)) is not Admission.SENDABLE:
            return 0
        try:
            concurrency = self._transports.concurrency(target, snapshot)
        except CannotOpen as error:
            await self._block(error)
            return 0
        if self._blocked is not None:
            await self._queue.unpark(self._uid, self._blocked)
            self._blocked = None
        return concurrency - len(self._slots)

    async def _block(self, error: CannotOpen) -> None:
        if self._blocked is not error.reason:
            log.warning("target %s waits: %s: %s", self._uid, error.reason, error.detail)
        self._woken = False
        await self._queue.park(self._uid, error.reason)
        self._blocked = error.reason

    def _start(self, work: Work) -> None:
        self._works[work.seq] = work
        hit("delivery.after_claim")
        slot = asyncio.get_running_loop().create_task(self._run(work))
        self._slots.add(slot)
        slot.add_done_callback(self._end)

    def _end(self, slot: asyncio.Task[None]) -> None:
        self._slots.discard(slot)
        if not slot.cancelled() and (error := slot.exception()) is not None:
            log.error("a slot of target %s failed", self._uid, exc_info=error)
        self._poll_if_needed()

    async def _run(self, work: Work | None) -> None:
        """A slot: send, settle, and go on with what was claimed along with it."""
        while work is not None:
            try:
                done = await self._outcome(work)
            except Exception:  # its lease ends, and it is taken up again; three times is poison
                log.exception("delivery %s: its worker failed", work.delivery_id)
                del self._works[work.seq]
                return
            turned = await self._settle(done)
            work = turned.claimed[0] if turned.claimed else None

    async def _outcome(self, work: Work) -> Completion:
        if self._stopping:
            return not_begun(work, Admission.SENDABLE, self._clock.now())
        return await self._sender.send(work)

    async def _settle(self, done: Completion) -> Turned:
        """Write the outcome down, however long that takes, and claim one more.

        Were it given up, the lease would end and the message be sent again, with the same id.
        """
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                turned = await self._queue.turn(self._turn(0 if self._stopping else 1, done))
            except (Unavailable, ResourceExhausted) as error:
                log.warning("delivery %s: its outcome waits: %s", done.work.delivery_id, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                continue
            except Exception:  # its lease ends, and it is taken up again
                log.exception("delivery %s: its outcome was lost", done.work.delivery_id)
                turned = _NOTHING
            else:
                hit("delivery.after_mark")
            break
        del self._works[done.work.seq]
        for claimed in turned.claimed:
            self._works[claimed.seq] = claimed
            hit("delivery.after_claim")
        self._note_rate(turned.next_at)
        if turned.kept:
            self._settled(done)
        return turned

    def _turn(self, wanted: int, done: Completion | None = None) -> Turn:
        snapshot, target = self._outlook.snapshot, self._outlook.target(self._uid)
        if snapshot is None or target is None or self._blocked is not None:
            return Turn(self._uid, 0, done=done)
        if admit_target(target, paused=self._outlook.is_paused(target)) is not Admission.SENDABLE:
            wanted = 0
        fallback = default_recipients(target, snapshot)
        return Turn(self._uid, wanted, fallback, target.max_rate, done)

    def _note_rate(self, next_at: datetime | None) -> None:
        if next_at is None or self._stopping:
            return
        if self._timer is not None:
            self._timer.cancel()
        seconds = max(0.0, (next_at - self._clock.now()).total_seconds())
        self._timer = asyncio.get_running_loop().call_later(seconds, self.wake)


async def _end_by(deadline: float, tasks: set[asyncio.Task[None]]) -> None:
    """Wait for ``tasks`` until ``deadline`` of the loop's clock, then cancel what is left."""
    if not tasks:
        return
    seconds = max(0.0, deadline - asyncio.get_running_loop().time())
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
