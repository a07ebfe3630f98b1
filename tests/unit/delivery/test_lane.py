"""The lane of a target."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.support.delivery import START, FakeClock, work

from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.model import MAX_UNFINISHED, Completion, State, Work
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.ports import CannotOpen, Turn, Turned
from ibs_notify.delivery.sending import lane as lanes
from ibs_notify.delivery.sending.batching import LONGEST_WAIT, MOST_TOGETHER
from ibs_notify.delivery.sending.lane import LONGEST_AHEAD_SECONDS, Lane
from ibs_notify.delivery.sending.pace import MOST_AHEAD
from ibs_notify.delivery.sending.sender import Sender
from ibs_notify.delivery.targets.breaker import Hold
from ibs_notify.delivery.transports.base import Message, Outcome, OutcomeReason, Verdict
from ibs_notify.domain.errors import Reason, Unavailable
from ibs_notify.domain.target import InfluxDbSpec, Target, WebhookSpec
from ibs_notify.snapshot.model import Snapshot

TARGET = Target("chat", "t1", WebhookSpec("http://127.0.0.1/"))
METRICS = Target("metrics", "t1", InfluxDbSpec("http://127.0.0.1/", "org", "bucket"))
OK = Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED, 200)


class FakeQueue:
    """Gives out ``waiting``, most at a time; fails as often as told."""

    def __init__(self) -> None:
        self.waiting: deque[Work] = deque()
        self.done: list[Completion] = []
        self.failures = 0
        self.unwritable: set[int] = set()
        self.parked: list[Admission] = []
        self.unparked: list[Admission] = []
        self.turns: list[Turn] = []
        self.kept = True
        self.moved = asyncio.Event()

    async def turn(self, turn: Turn) -> Turned:
        self.turns.append(turn)
        if self.failures:
            self.failures -= 1
            raise Unavailable(Reason.STORAGE_UNAVAILABLE, "locked")
        if self.unwritable & {each.work.seq for each in turn.done}:
            raise ValueError("a text that the database does not take")
        if turn.done:
            self.done += turn.done
            self.moved.set()
        count = min(turn.wanted, len(self.waiting))
        claimed = tuple(self.waiting.popleft() for _ in range(count))
        lost = frozenset[int]() if self.kept else frozenset(each.work.seq for each in turn.done)
        return Turned(claimed, lost)

    async def park(self, _uid: str, reason: Admission) -> None:
        self.parked.append(reason)
        self.moved.set()

    async def unpark(self, _uid: str, reason: Admission) -> int:
        self.unparked.append(reason)
        return 1


class FakeTransports:
    """A transport that answers when it is let, and tells how many it has at a time."""

    certificate_until: datetime | None = None

    def __init__(self) -> None:
        self.error: CannotOpen | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.running = 0
        self.most = 0
        self.outcome: Outcome | Exception = OK
        self.batches: list[int] = []

    def concurrency(self, target: Target, _snapshot: Snapshot) -> int:
        if self.error is not None:
            raise self.error
        return 1 if target.is_metric_server else 2

    @contextmanager
    def use(self, _target: Target, _snapshot: Snapshot) -> Iterator[Any]:
        yield self

    async def attempt(self, _message: Message) -> Outcome:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.open.wait()
        finally:
            self.running -= 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def attempt_all(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        self.batches.append(len(messages))
        return [await self.attempt(messages[0])] * len(messages)

    test = close = attempt


class Rig:
    def __init__(self) -> None:
        self.outlook = Outlook()
        self.outlook.snapshot = Snapshot(revision=1, targets={"t1": TARGET})
        self.queue = FakeQueue()
        self.transports = FakeTransports()
        self.settled: list[Completion] = []
        self.enqueued = 0
        clock = self.clock = FakeClock()
        self.lane = Lane(
            "t1",
            outlook=self.outlook,
            queue=self.queue,  # type: ignore[arg-type]  # a lane uses these calls only
            transports=self.transports,  # type: ignore[arg-type]  # as above
            sender=Sender(self.outlook, self.transports, clock, lambda: 0.5),  # type: ignore[arg-type]  # as above
            clock=clock,
            settled=self.settled.append,
        )

    def enqueue(self, count: int, **changes: Any) -> None:
        first, self.enqueued = self.enqueued, self.enqueued + count
        self.queue.waiting.extend(
            replace(work(**changes), seq=n, delivery_id=f"d-{n}")
            for n in range(first, self.enqueued)
        )

    async def until_idle(self) -> None:
        async with asyncio.timeout(10):
            while not self.lane.is_idle:  # noqa: ASYNC110  # turns of the loop, no time
                await asyncio.sleep(0)

    async def until_in_hand(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.lane.works) != count:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0)

    async def turns_of_the_loop(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def fill_ahead(self) -> None:
        """Two attempts that do not end, after others that took no time."""
        self.enqueue(200)
        self.lane.wake()
        async with asyncio.timeout(10):
            while len(self.queue.done) < 10:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0)
        self.transports.open.clear()
        await self.until_running(2)
        await self.turns_of_the_loop()

    async def until_running(self, count: int) -> None:
        async with asyncio.timeout(10):
            while self.transports.running < count:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0)


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(lanes, "FIRST_PAUSE_SECONDS", 0.0)
    rig = Rig()
    yield rig
    await rig.lane.stop(0.0)


async def test_a_lane_sends_all_there_is_and_never_more_at_a_time_than_its_transport_takes(
    rig: Rig,
) -> None:
    rig.transports.open.clear()
    rig.enqueue(9)
    rig.lane.wake()
    await rig.until_running(2)
    rig.transports.open.set()
    await rig.until_idle()
    assert [each.settlement.state for each in rig.queue.done] == [State.DELIVERED] * 9
    assert rig.transports.most == 2
    assert rig.lane.works == []
    assert len(rig.settled) == 9


async def test_a_fast_target_has_a_few_ahead_in_hand_and_settles_many_at_once(rig: Rig) -> None:
    rig.enqueue(500)
    rig.lane.wake()
    await rig.until_idle()
    assert len(rig.queue.done) == 500
    assert rig.transports.most <= 2
    assert max(turn.wanted + turn.in_hand for turn in rig.queue.turns) == 2 + MOST_AHEAD
    assert len(rig.queue.turns) < 500 / 10


async def test_a_target_with_a_rate_has_nothing_ahead(rig: Rig) -> None:
    limited = replace(TARGET, max_rate=600)
    rig.outlook.snapshot = Snapshot(revision=2, targets={"t1": limited})
    rig.enqueue(20)
    rig.lane.wake()
    await rig.until_idle()
    assert len(rig.queue.done) == 20
    assert max(turn.wanted + turn.in_hand for turn in rig.queue.turns) == 2


async def test_what_is_ahead_of_a_target_that_became_slow_goes_back_to_the_queue(rig: Rig) -> None:
    await rig.fill_ahead()
    ahead = len(rig.lane.works) - 2
    assert ahead == MOST_AHEAD
    rig.clock.pass_time(seconds=LONGEST_AHEAD_SECONDS + 1)
    rig.lane.wake()
    await rig.until_in_hand(2)
    back = rig.queue.done[-ahead:]
    assert {each.settlement.state for each in back} == {State.QUEUED}
    assert {each.end for each in back} == {None}
    assert {each.settlement.due_at for each in back} == {START}


async def test_what_is_ahead_of_a_target_that_began_to_fail_goes_back_to_the_queue(
    rig: Rig,
) -> None:
    await rig.fill_ahead()
    ahead = len(rig.lane.works) - 2
    rig.queue.waiting.clear()
    # What another replica's failures make a turn of this one say.
    rig.lane._take((), Turned((), hold=Hold.TARGET_FAILING))
    rig.lane.wake()
    await rig.until_in_hand(2)
    back = rig.queue.done[-ahead:]
    assert {each.settlement.state for each in back} == {State.QUEUED}
    assert {each.end for each in back} == {None}


async def test_nothing_is_claimed_of_a_queue_that_is_held(rig: Rig) -> None:
    rig.outlook.is_held = True
    rig.enqueue(3)
    rig.lane.wake()
    await rig.turns_of_the_loop()
    assert rig.queue.turns == []
    rig.outlook.is_held = False
    rig.lane.wake()
    await rig.until_idle()
    assert len(rig.queue.done) == 3


async def test_a_stop_gives_back_at_once_what_is_ahead(rig: Rig) -> None:
    await rig.fill_ahead()
    waiting = len(rig.queue.waiting)
    rig.lane.begin_stop()
    await rig.until_in_hand(2)
    rig.transports.open.set()
    await rig.lane.stop(10.0)
    assert rig.lane.works == []
    assert len(rig.queue.waiting) == waiting
    not_begun = [each for each in rig.queue.done if each.end is None]
    assert len(not_begun) == MOST_AHEAD


async def test_an_outcome_that_cannot_be_written_costs_no_other(rig: Rig) -> None:
    rig.enqueue(30)
    rig.queue.unwritable = {7}
    rig.lane.wake()
    await rig.until_idle()
    assert sorted(each.work.seq for each in rig.queue.done) == [n for n in range(30) if n != 7]
    assert 7 not in {each.work.seq for each in rig.settled}


async def test_nothing_is_claimed_beside_what_two_workers_died_with(rig: Rig) -> None:
    rig.transports.open.clear()
    rig.queue.waiting.append(replace(work(), seq=100, unfinished=MAX_UNFINISHED))
    rig.lane.wake()
    await rig.until_running(1)
    rig.enqueue(3)
    rig.lane.wake()
    await rig.turns_of_the_loop()
    assert [work.seq for work in rig.lane.works] == [100]
    rig.transports.open.set()
    await rig.until_idle()
    assert len(rig.queue.done) == 4


async def test_an_outcome_is_written_down_however_often_the_storage_is_busy(rig: Rig) -> None:
    rig.transports.open.clear()
    rig.enqueue(1)
    rig.lane.wake()
    await rig.until_running(1)
    rig.queue.failures = 7
    rig.transports.open.set()
    await rig.until_idle()
    assert len(rig.queue.done) == 1


async def test_a_claim_that_fails_is_made_at_the_next_wake_up(rig: Rig) -> None:
    rig.enqueue(1)
    rig.queue.failures = 1
    rig.lane.wake()
    await rig.until_idle()
    assert rig.queue.done == []
    rig.lane.wake()
    await rig.until_idle()
    assert len(rig.queue.done) == 1


async def test_an_outcome_that_came_too_late_is_not_reported(rig: Rig) -> None:
    rig.queue.kept = False
    rig.enqueue(1)
    rig.lane.wake()
    await rig.until_idle()
    assert rig.settled == []


async def test_a_transport_that_raises_costs_an_attempt_and_nothing_else(rig: Rig) -> None:
    rig.transports.outcome = RuntimeError("a bug")
    rig.enqueue(3)
    rig.lane.wake()
    await rig.until_idle()
    assert [each.settlement.reason for each in rig.queue.done] == ["INTERNAL"] * 3
    assert {each.settlement.state for each in rig.queue.done} == {State.RETRY_WAIT}


async def test_a_target_without_a_transport_is_parked_and_sends_once_it_has_one(
    rig: Rig,
) -> None:
    rig.transports.error = CannotOpen(Admission.SECRET_UNREADABLE, "no key file")
    rig.enqueue(1)
    rig.lane.wake()
    await rig.until_idle()
    assert rig.queue.parked == [Admission.SECRET_UNREADABLE]
    assert rig.queue.turns == []
    rig.transports.error = None
    rig.lane.wake()
    await rig.until_idle()
    assert rig.queue.unparked == [Admission.SECRET_UNREADABLE]
    assert len(rig.queue.done) == 1


async def test_a_lane_of_a_disabled_target_claims_nothing(rig: Rig) -> None:
    disabled = replace(TARGET, disabled=True)
    rig.outlook.snapshot = Snapshot(revision=2, targets={"t1": disabled})
    rig.enqueue(1)
    rig.lane.wake()
    await rig.until_idle()
    assert rig.queue.turns == []


async def test_work_whose_target_was_disabled_after_the_claim_is_not_sent(rig: Rig) -> None:
    rig.transports.open.clear()
    rig.enqueue(2)
    rig.lane.wake()
    await rig.until_running(2)
    disabled = replace(TARGET, disabled=True)
    rig.outlook.snapshot = Snapshot(revision=2, targets={"t1": disabled})
    rig.enqueue(1)
    rig.transports.open.set()
    await rig.until_idle()
    assert len(rig.queue.done) == 2
    assert len(rig.queue.waiting) == 1


async def test_work_of_a_configuration_not_seen_yet_waits_for_it(rig: Rig) -> None:
    newer = replace(work(), revision=9)
    rig.queue.waiting.append(newer)
    rig.lane.wake()
    await rig.until_idle()
    (done,) = rig.queue.done
    assert (done.settlement.state, done.settlement.reason) == (State.WAITING, "CONFIG_BEHIND")
    assert done.end is None
    assert rig.transports.most == 0


async def test_a_stop_lets_attempts_end_and_claims_nothing_more(rig: Rig) -> None:
    rig.transports.open.clear()
    rig.enqueue(5)
    rig.lane.wake()
    await rig.until_running(2)
    stopping = asyncio.ensure_future(rig.lane.stop(10.0))
    await asyncio.sleep(0)
    rig.transports.open.set()
    await stopping
    assert [each.settlement.state for each in rig.queue.done] == [State.DELIVERED] * 2
    assert len(rig.queue.waiting) == 3


async def test_a_stop_gives_back_what_does_not_end_as_perhaps_arrived(rig: Rig) -> None:
    rig.transports.open.clear()
    rig.enqueue(1)
    rig.lane.wake()
    await rig.until_running(1)
    await rig.lane.stop(0.0)
    (done,) = rig.queue.done
    assert done.settlement.state is State.QUEUED
    assert done.settlement.maybe_duplicate
    assert done.end is not None
    assert done.end.outcome == "unknown"


async def test_the_rate_wakes_the_lane_when_it_allows_more(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Turned] = [Turned((), next_at=START - timedelta(seconds=1))]
    turn = rig.queue.turn

    async def limited(wanted: Turn) -> Turned:
        return held.pop() if held else await turn(wanted)

    monkeypatch.setattr(rig.queue, "turn", limited)
    rig.enqueue(1)
    rig.lane.wake()
    async with asyncio.timeout(10):
        await rig.queue.moved.wait()
    await rig.until_idle()
    assert len(rig.queue.done) == 1


@pytest.fixture
def metrics(rig: Rig) -> Rig:
    """The lane of a metric server."""
    rig.outlook.snapshot = Snapshot(revision=2, targets={"t1": METRICS})
    return rig


async def test_what_goes_to_a_metric_server_goes_together(metrics: Rig) -> None:
    metrics.enqueue(MOST_TOGETHER + 200, now=START - LONGEST_WAIT)
    metrics.lane.wake()
    await metrics.until_idle()
    assert metrics.transports.batches == [MOST_TOGETHER, 200]
    assert len(metrics.settled) == MOST_TOGETHER + 200
    assert len({each.settlement.state for each in metrics.settled}) == 1


async def test_a_few_wait_for_company_and_enough_of_them_go_at_once(metrics: Rig) -> None:
    metrics.enqueue(3)
    metrics.lane.wake()
    await metrics.turns_of_the_loop()
    assert metrics.transports.batches == []
    metrics.enqueue(MOST_TOGETHER - 3)
    metrics.lane.wake()
    await metrics.until_idle()
    assert metrics.transports.batches == [MOST_TOGETHER]


async def test_a_clock_that_was_set_back_lets_nobody_wait_longer_for_company(
    metrics: Rig,
) -> None:
    metrics.enqueue(3, now=START + timedelta(hours=1))
    metrics.lane.wake()
    await metrics.turns_of_the_loop()
    metrics.clock.pass_time(seconds=LONGEST_WAIT.total_seconds())
    metrics.lane.wake()
    await metrics.turns_of_the_loop()
    assert metrics.transports.batches == [3]


async def test_what_waits_for_company_goes_back_at_a_stop(metrics: Rig) -> None:
    metrics.enqueue(3)
    metrics.lane.wake()
    await metrics.until_in_hand(3)
    await metrics.lane.stop(10.0)
    assert metrics.transports.batches == []
    assert [each.settlement.state for each in metrics.queue.done] == [State.QUEUED] * 3
    assert {each.end for each in metrics.queue.done} == {None}


async def test_beside_a_batch_that_is_being_sent_no_more_than_one_is_in_hand(metrics: Rig) -> None:
    metrics.transports.open.clear()
    metrics.enqueue(100, now=START - LONGEST_WAIT)
    metrics.lane.wake()
    await metrics.until_running(1)
    metrics.enqueue(2 * MOST_TOGETHER, now=START - LONGEST_WAIT)
    metrics.clock.pass_time(seconds=LONGEST_AHEAD_SECONDS + 1)
    for _ in range(3):
        metrics.lane.wake()
        await metrics.turns_of_the_loop()
    assert len(metrics.lane.works) == MOST_TOGETHER
    assert metrics.queue.done == []
    metrics.transports.open.set()
    await metrics.until_idle()
    assert sum(metrics.transports.batches) == 100 + 2 * MOST_TOGETHER


async def test_those_that_failed_together_come_back_together(metrics: Rig) -> None:
    metrics.transports.outcome = Outcome(Verdict.RETRY, OutcomeReason.HTTP_5XX, 503)
    metrics.enqueue(5, now=START - LONGEST_WAIT)
    metrics.lane.wake()
    await metrics.until_idle()
    assert len({each.settlement.due_at for each in metrics.queue.done}) == 1
