"""The lane of one target: so many attempts at a time and no more, so that it delays no other.

Slots make attempts with what is in hand; their outcomes gather. One turn after another settles what
has gathered and claims as much again, in one transaction: a fast target has a few deliveries ahead
in hand, so that its slots need not wait for the disk.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from ibs_notify.delivery.admission import Admission, admit_target, default_recipients
from ibs_notify.delivery.model import Completion, Work
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.ports import CannotOpen, Queue, Transports, Turn, Turned
from ibs_notify.delivery.sending.batching import LONGEST_WAIT, most_together, wait_for_company
from ibs_notify.delivery.sending.pace import most_ahead, smoothed
from ibs_notify.delivery.sending.sender import Sender, interrupted, not_begun
from ibs_notify.delivery.targets.breaker import Hold
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import ResourceExhausted, Unavailable
from ibs_notify.domain.failpoints import hit

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
MOST_UNSETTLED = 32
"""So many outcomes are written down at once; they may be sent again if the process dies before."""
UNSETTLED_SECONDS = 0.01
"""No outcome waits longer for others."""
LONGEST_AHEAD_SECONDS = 1.0
"""What was claimed ahead and is not begun by then goes back to the queue."""


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
        self._ahead: deque[Work] = deque()
        self._done: list[Completion] = []
        self._more = False
        self._claimed_at = 0.0
        self._attempt_seconds = math.inf
        self._concurrency = 0
        self._together = 1
        self._gathered = asyncio.Event()
        self._slots: set[asyncio.Task[None]] = set()
        self._turning: asyncio.Task[None] | None = None
        self._turn_timer: asyncio.TimerHandle | None = None
        self._hold_timer: asyncio.TimerHandle | None = None
        self._blocked: Admission | None = None
        self._woken = False
        self._stopping = False

    @property
    def works(self) -> Sequence[Work]:
        """What is in hand: leased, and waiting for a slot, being sent or being settled."""
        return list(self._works.values())

    @property
    def is_idle(self) -> bool:
        return not self._works and self._turning is None

    def wake(self) -> None:
        """There may be something to send."""
        too_long = self._clock.monotonic() - self._claimed_at > LONGEST_AHEAD_SECONDS
        if self._ahead and self._together == 1 and too_long:
            # The target has become slow: something more urgent may be in the queue by now.
            self._attempt_seconds = math.inf
            self._give_back()
        self._woken = True
        self._turn()

    def begin_stop(self) -> None:
        """Claim nothing more, and give back what was not begun."""
        self._stopping = True
        if self._hold_timer is not None:
            self._hold_timer.cancel()
        self._give_back()
        if self._done:
            self._turn()

    async def stop(self, grace_seconds: float) -> None:
        """Give attempts under way some time, then give back what is still in hand."""
        self.begin_stop()
        deadline = asyncio.get_running_loop().time() + grace_seconds
        await _end_by(deadline, set(self._slots))
        await _end_by(deadline, {self._turning} if self._turning is not None else set())
        if self._turn_timer is not None:
            self._turn_timer.cancel()
        ended = {done.work.seq for done in self._done}
        now = self._clock.now()
        self._done += [interrupted(each, now) for each in self.works if each.seq not in ended]
        if self._done:
            try:
                self._take(self._done, await self._settle(self._done, 0))
            except (Unavailable, ResourceExhausted) as error:
                log.warning(
                    "%d deliveries wait for their leases to end: %s", len(self._done), error
                )

    def _give_back(self) -> None:
        """What was claimed ahead goes back to the queue as if it had never been claimed."""
        now = self._clock.now()
        self._done += [not_begun(work, Admission.SENDABLE, now) for work in self._ahead]
        self._ahead.clear()
        self._gathered.set()

    # Turns: one at a time.

    def _turn(self) -> None:
        if self._turn_timer is not None:
            self._turn_timer.cancel()
            self._turn_timer = None
        if self._turning is None:
            self._turning = asyncio.get_running_loop().create_task(self._take_turns())

    def _turn_when_due(self) -> None:
        """Now, where a slot would stand still or enough has gathered; else after a moment."""
        if self._is_due():
            self._turn()
        elif self._done and self._turn_timer is None:
            self._turn_in(UNSETTLED_SECONDS)

    def _turn_in(self, seconds: float) -> None:
        self._turn_timer = asyncio.get_running_loop().call_later(seconds, self._turn)

    def _is_due(self) -> bool:
        if self._woken or len(self._done) >= MOST_UNSETTLED:
            return True
        nothing_ahead = not self._ahead and self._more
        nothing_else = len(self._works) == len(self._done)
        return bool(self._done) and (nothing_ahead or nothing_else)

    async def _take_turns(self) -> None:
        """Settle what is done and claim what there is room for, as long as that is due."""
        pause = FIRST_PAUSE_SECONDS
        try:
            while True:
                done = self._done[:]
                try:
                    wanted = await self._room(len(done))
                    if not done and not wanted:
                        return
                    self._woken = self._woken and not wanted
                    turned = await self._settle(done, wanted)
                except (Unavailable, ResourceExhausted) as error:
                    log.warning("the queue of target %s waits: %s", self._uid, error)
                    if not done:
                        return
                    # However long it takes: were they given up, they would be sent again.
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                    continue
                pause = FIRST_PAUSE_SECONDS
                self._more = len(turned.claimed) == wanted
                self._take(done, turned)
                if not self._is_due():
                    return
        except Exception:
            log.exception("the turn of target %s failed", self._uid)
            self._turn_in(LONGEST_PAUSE_SECONDS)
        finally:
            self._turning = None
            if self._done and self._turn_timer is None and not self._stopping:
                self._turn_when_due()

    async def _room(self, done: int) -> int:
        """How many more the lane may have in hand without those done; 0 where none may be sent."""
        snapshot, target = self._outlook.snapshot, self._outlook.target(self._uid)
        if self._stopping or self._outlook.is_held or snapshot is None or target is None:
            return 0
        if admit_target(target, paused=self._outlook.is_paused(target)) is not Admission.SENDABLE:
            return 0
        try:
            self._concurrency = self._transports.concurrency(target, snapshot)
        except CannotOpen as error:
            await self._block(error)
            return 0
        if self._blocked is not None:
            await self._queue.unpark(self._uid, self._blocked)
            self._blocked = None
        self._together = most_together(target)
        in_hand = len(self._works) - done
        if in_hand == 1 and any(work.is_suspect for work in self._works.values()):
            return 0
        # Of a bounded rate nothing is claimed ahead: what is claimed counts as sent.
        ahead = 0 if target.max_rate else most_ahead(self._attempt_seconds, self._concurrency)
        room = self._concurrency + ahead if self._together == 1 else self._together
        return max(0, room - in_hand)

    async def _block(self, error: CannotOpen) -> None:
        if self._blocked is not error.reason:
            log.warning("target %s waits: %s: %s", self._uid, error.reason, error.detail)
        self._woken = False
        await self._queue.park(self._uid, error.reason)
        self._blocked = error.reason

    async def _settle(self, done: Sequence[Completion], wanted: int) -> Turned:
        """Write outcomes down, and claim; one that cannot be written costs no other."""
        try:
            return await self._queue.turn(self._turn_of(done, wanted))
        except (Unavailable, ResourceExhausted):
            raise
        except Exception:
            if not done:
                raise
            log.exception("the outcomes of target %s are written one by one", self._uid)
        lost: set[int] = set()
        for each in done:
            try:
                lost |= (await self._queue.turn(self._turn_of((each,), 0))).lost
            except (Unavailable, ResourceExhausted):
                raise
            except Exception:  # its lease ends, and it is taken up again
                log.exception("delivery %s: its outcome was lost", each.work.delivery_id)
                lost.add(each.work.seq)
        return Turned((), frozenset(lost))

    def _turn_of(self, done: Sequence[Completion], wanted: int) -> Turn:
        snapshot, target = self._outlook.snapshot, self._outlook.target(self._uid)
        if snapshot is None or target is None:
            return Turn(self._uid, 0, done=tuple(done))
        in_hand = len(self._works) - len(done)
        fallback = default_recipients(target, snapshot)
        return Turn(self._uid, wanted, fallback, target.max_rate, in_hand, tuple(done))

    def _take(self, done: Sequence[Completion], turned: Turned) -> None:
        """What a turn brought: outcomes that are on disk, and deliveries to be sent."""
        for each in done:
            hit("delivery.after_mark")
            del self._works[each.work.seq]
            if each.work.seq not in turned.lost:
                self._settled(each)
        del self._done[: len(done)]
        if turned.hold not in (Hold.NONE, Hold.RAMP):
            self._give_back()
        for work in turned.claimed:
            self._works[work.seq] = work
            hit("delivery.after_claim")
        self._ahead += turned.claimed
        self._gathered.set()
        self._claimed_at = self._clock.monotonic()
        self._wake_at(turned.next_at)
        if self._stopping:
            self._give_back()
            self._woken = bool(self._done)
        for _ in range(min(len(self._ahead), self._concurrency - len(self._slots))):
            self._slots.add(asyncio.get_running_loop().create_task(self._send_all()))

    def _wake_at(self, next_at: datetime | None) -> None:
        """When the rate or the breaker lets more through."""
        if next_at is None or self._stopping:
            return
        if self._hold_timer is not None:
            self._hold_timer.cancel()
        seconds = max(0.0, (next_at - self._clock.now()).total_seconds())
        self._hold_timer = asyncio.get_running_loop().call_later(seconds, self.wake)

    # Slots.

    async def _send_all(self) -> None:
        """A slot: one attempt after another, as long as there is something in hand."""
        try:
            while self._ahead and len(self._slots) <= self._concurrency:
                if self._together > 1:
                    await self._gather()
                count = min(self._together, len(self._ahead))
                if works := [self._ahead.popleft() for _ in range(count)]:
                    await self._send(works)
        finally:
            self._slots.discard(asyncio.current_task())

    async def _gather(self) -> None:
        """Wait for more deliveries that go together with those ahead; see ``batching``."""
        # The clock may be set back meanwhile, and then what is ahead never seems old enough.
        latest = self._clock.monotonic() + LONGEST_WAIT.total_seconds()
        while not self._stopping:
            now = self._clock.now()
            wait = wait_for_company(self._ahead, self._together, now)
            seconds = min(wait.total_seconds(), latest - self._clock.monotonic())
            if seconds <= 0:
                return
            self._gathered.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._gathered.wait()
            except TimeoutError:
                return

    async def _send(self, works: Sequence[Work]) -> None:
        began = self._clock.monotonic()
        try:
            done = await self._sender.send(works)
        except Exception:  # their leases end, and they are taken up again; three times is poison
            ids = ", ".join(work.delivery_id for work in works)
            log.exception("delivery %s: its worker failed", ids)
            for work in works:
                del self._works[work.seq]
        else:
            self._done += done
            if any(each.end is not None for each in done):
                seconds = self._clock.monotonic() - began
                self._attempt_seconds = smoothed(self._attempt_seconds, seconds)
        self._turn_when_due()


async def _end_by(deadline: float, tasks: set[asyncio.Task[None]]) -> None:
    """Wait for ``tasks`` until ``deadline`` of the loop's clock, then cancel what is left."""
    if not tasks:
        return
    seconds = max(0.0, deadline - asyncio.get_running_loop().time())
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
