"""One breaker for each target, for all replicas and over restarts, on every database."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from tests.support.delivery import FakeClock, completion, given_back, handoff, sendable

from ibs_notify.delivery.model import Alike, Completion, Filter, State, TargetTurn, Work
from ibs_notify.delivery.ports import Turn, Turned
from ibs_notify.delivery.queue.by_request import Requests
from ibs_notify.delivery.queue.listing import Listing
from ibs_notify.delivery.queue.outcome_journal import page_after
from ibs_notify.delivery.repository import DeliveryQueue
from ibs_notify.delivery.targets.breaker import (
    FAILURES_TO_OPEN,
    FIRST_DELAY,
    Breaker,
    Hold,
    Phase,
    Turning,
)
from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict
from ibs_notify.domain.severity import Severity
from ibs_notify.store.database import Database

pytestmark = pytest.mark.tables("delivery")

OK = Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED, 200, "ok")
AWAY = Outcome(Verdict.RETRY, OutcomeReason.CONNECT_FAILED, reply="connection refused")
GONE = Outcome(Verdict.RETRY, OutcomeReason.HTTP_GONE, 410, "gone for good", pause=True)
LOCKED_OUT = Outcome(Verdict.REFUSED, OutcomeReason.HTTP_4XX, 401, "who are you?")
BAD_MESSAGE = Outcome(Verdict.REFUSED, OutcomeReason.HTTP_4XX, 422, "not like this")


class Desk:
    """A replica at the queue; ``t1`` has as many deliveries as it is given."""

    def __init__(self, database: Database, clock: FakeClock, holder: str, lease: float = 60.0):
        self.database = database
        self.clock = clock
        self.queue = DeliveryQueue(database, clock, holder, lease_seconds=lease)
        self.listing = Listing(database)

    async def accept(self, *numbers: int, **changes: object) -> None:
        await self.queue.accept([handoff(n, **changes) for n in numbers], sendable)

    async def turn(self, wanted: int = 0, *done: tuple[Work, Outcome], max_rate: int = 0) -> Turned:
        ends = tuple(completion(work, outcome, self.clock.now()) for work, outcome in done)
        return await self.queue.turn(Turn("t1", wanted, max_rate=max_rate, done=ends))

    async def claim(self, wanted: int) -> Sequence[Work]:
        return (await self.turn(wanted)).claimed

    async def open_it(self) -> None:
        """Let so many attempts fail as it takes."""
        for work in await self.claim(FAILURES_TO_OPEN):
            await self.turn(0, (work, AWAY))
        assert (await self.breaker()).phase is Phase.OPEN

    async def breaker(self) -> Breaker:
        return (await self.listing.target_status("t1")).breaker

    async def news(self) -> list[TargetTurn]:
        page = await self.database.read(lambda c: page_after(c, None, 1000))
        return [each.what for each in page.entries if isinstance(each.what, TargetTurn)]


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database, FakeClock(), "worker-a")


@pytest.fixture
def rival(database: Database, desk: Desk) -> Desk:
    return Desk(database, desk.clock, "worker-b")


async def test_what_waits_for_a_failing_target_says_so_and_loses_no_attempt(desk: Desk) -> None:
    await desk.accept(*range(20))
    await desk.open_it()
    turned = await desk.turn(9)
    assert (turned.claimed, turned.hold) == ((), Hold.TARGET_FAILING)
    assert turned.next_at == desk.clock.now() + FIRST_DELAY
    waiting = await desk.listing.page(
        Filter(reasons=("TARGET_FAILING",)), size=100, before_seq=None
    )
    assert {(each.state, each.reason, each.attempt_count) for each in waiting} == {
        (State.QUEUED, "TARGET_FAILING", 0)
    }
    assert len(waiting) == 15
    troubled = await desk.listing.page(Filter(troubled=True), size=100, before_seq=None)
    assert {each.delivery_id for each in waiting} < {each.delivery_id for each in troubled}
    assert len(troubled) == 20


async def test_there_is_one_probe_among_all_replicas_and_the_most_severe_makes_it(
    desk: Desk, rival: Desk
) -> None:
    await desk.accept(*range(20))
    await desk.open_it()
    await desk.accept(77, severity=Severity.CRITICAL.value)
    desk.clock.pass_time(seconds=10)
    both = await asyncio.gather(desk.turn(9), rival.turn(9))
    claimed = [work for each in both for work in each.claimed]
    assert [work.delivery_id for work in claimed] == [handoff(77).delivery_id]
    assert claimed[0].is_trial
    assert {each.hold for each in both} == {Hold.PROBE}
    assert await rival.claim(9) == ()


async def test_the_state_of_a_breaker_outlasts_a_restart(desk: Desk, database: Database) -> None:
    await desk.accept(*range(20))
    await desk.open_it()
    fresh = Desk(database, desk.clock, "worker-c")
    assert await fresh.breaker() == await desk.breaker()
    assert await fresh.claim(9) == ()


async def test_the_work_of_a_probe_whose_worker_died_is_probed_with_again(
    desk: Desk, database: Database
) -> None:
    await desk.accept(*range(20))
    await desk.open_it()
    desk.clock.pass_time(seconds=10)
    doomed = Desk(database, desk.clock, "worker-d", lease=-1.0)
    assert len(await doomed.claim(9)) == 1
    assert await desk.claim(9) == ()
    await desk.queue.sweep()
    assert len(await desk.claim(9)) == 1


async def test_a_success_begins_a_ramp_that_all_replicas_share(desk: Desk, rival: Desk) -> None:
    await desk.accept(*range(60))
    await desk.open_it()
    desk.clock.pass_time(seconds=10)
    (probe,) = await desk.claim(9)
    await desk.turn(0, (probe, OK))
    mine, theirs = await desk.claim(1), await rival.claim(9)
    assert (len(mine), len(theirs)) == (1, 1)
    await desk.turn(0, (mine[0], OK))
    await rival.turn(0, (theirs[0], OK))
    at_a_time = []
    while (await desk.breaker()).phase is Phase.RAMPING:
        works = await desk.claim(50)
        at_a_time.append(len(works))
        await desk.turn(0, *((work, OK) for work in works))
    assert at_a_time == [4, 8]
    assert len(await desk.claim(50)) == 40


async def test_a_ramp_is_over_when_nothing_is_left_and_the_end_is_news(desk: Desk) -> None:
    await desk.accept(*range(FAILURES_TO_OPEN + 1))
    began = desk.clock.now()
    await desk.open_it()
    desk.clock.pass_time(seconds=10)
    (probe,) = await desk.claim(9)
    await desk.turn(9, (probe, OK))
    assert (await desk.breaker()).phase is Phase.CLOSED
    ended = desk.clock.now()
    assert await desk.news() == [
        TargetTurn("t1", Turning.FAILING, began, began, "CONNECT_FAILED", "connection refused"),
        TargetTurn("t1", Turning.RECOVERED, ended, began, "CONNECT_FAILED", ""),
    ]


async def test_a_token_that_became_invalid_kills_five_and_lets_all_others_wait(desk: Desk) -> None:
    await desk.accept(*range(50))
    for _ in range(40):
        desk.clock.pass_time(minutes=5)
        await desk.queue.sweep()
        works = await desk.claim(1)
        await desk.turn(0, *((work, LOCKED_OUT) for work in works))
    records = await desk.listing.page(Filter(), size=100, before_seq=None)
    counts = Counter(each.state for each in records)
    assert counts[State.DEAD] == FAILURES_TO_OPEN
    assert counts[State.QUEUED] + counts[State.RETRY_WAIT] == 45


async def test_bad_messages_do_not_open_it(desk: Desk) -> None:
    await desk.accept(*range(50))
    for work in await desk.claim(40):
        await desk.turn(0, (work, BAD_MESSAGE))
    assert await desk.breaker() == Breaker()
    assert len(await desk.claim(10)) == 10


async def test_what_is_given_back_says_nothing_of_the_target(desk: Desk) -> None:
    await desk.accept(*range(20))
    await desk.open_it()
    desk.clock.pass_time(seconds=10)
    before = await desk.breaker()
    (probe,) = await desk.claim(1)
    await desk.queue.turn(Turn("t1", 0, done=(given_back(probe, desk.clock.now()),)))
    assert await desk.breaker() == before
    assert len(await desk.claim(1)) == 1


async def test_to_resume_or_to_change_a_failing_target_probes_it_at_once(desk: Desk) -> None:
    await desk.accept(*range(20))
    await desk.open_it()
    await desk.queue.try_again("t1", revision=2)
    assert (await desk.breaker()).revision == 2
    assert len(await desk.claim(9)) == 1


async def test_to_retry_by_hand_probes_a_target_that_fails_at_once(desk: Desk) -> None:
    requests, everything = Requests(desk.database, desk.clock), Filter(targets=("chat",))
    await desk.accept(*range(20))
    await desk.open_it()
    await desk.queue.sweep()
    counted = await requests.retry(everything, sendable, "alice", dry_run=True)
    assert not await desk.claim(9)
    # One that is in the queue already will do.
    one = Filter(targets=("chat",), event_ids=("evt-19",))
    retried = await requests.retry(one, sendable, "alice", dry_run=False)
    assert retried.counts == {Alike("chat", "t1", State.QUEUED, "TARGET_FAILING"): 1}
    (probe,) = await desk.claim(9)
    await desk.turn(0, (probe, AWAY))
    retried = await requests.retry(everything, sendable, "alice", dry_run=False)
    assert retried.counts.total() == counted.counts.total() == 20
    assert len(await desk.claim(9)) == 1


async def test_to_retry_by_hand_leaves_a_target_that_is_gone_alone(desk: Desk) -> None:
    await desk.accept(*range(3))
    (work,) = await desk.claim(1)
    await desk.turn(0, (work, GONE))
    which = Filter(targets=("chat",))
    await Requests(desk.database, desk.clock).retry(which, sendable, "alice", dry_run=False)
    assert (await desk.breaker()).phase is Phase.PAUSED
    assert not await desk.claim(9)


COUNT = 10_000
MAX_RATE = 600


class Peer:
    """A target that is away for an hour; notes when it was asked and how many were open."""

    def __init__(self, clock: FakeClock, back_at: datetime) -> None:
        self.clock = clock
        self.back_at = back_at
        self.asked: list[datetime] = []

    def answer(self) -> Outcome:
        self.asked.append(self.clock.now())
        return OK if self.clock.now() >= self.back_at else AWAY

    def most_in_a_minute(self) -> int:
        window: deque[datetime] = deque()
        most = 0
        for moment in self.asked:
            window.append(moment)
            while window[0] <= moment - timedelta(seconds=60):
                window.popleft()
            most = max(most, len(window))
        return most


async def test_after_an_outage_of_an_hour_the_peer_sees_no_more_than_its_rate(desk: Desk) -> None:
    clock = desk.clock
    for start in range(0, COUNT, 1000):
        await desk.accept(*range(start, start + 1000))
    peer = Peer(clock, clock.now() + timedelta(hours=1))
    done: list[Completion] = []
    delivered = 0
    next_sweep = clock.now()
    while delivered < COUNT:
        if clock.now() >= next_sweep:
            next_sweep = clock.now() + timedelta(seconds=1)
            await desk.queue.sweep()
        turned = await desk.queue.turn(Turn("t1", 16, max_rate=MAX_RATE, done=tuple(done)))
        done = [completion(work, peer.answer(), clock.now()) for work in turned.claimed]
        delivered += sum(each.settlement.state is State.DELIVERED for each in done)
        if not done:
            away = clock.now() < peer.back_at
            step = timedelta(seconds=1)
            if turned.next_at is not None and turned.next_at > clock.now():
                step = min(turned.next_at - clock.now(), timedelta(minutes=5 if away else 1))
            clock.moment += step
        else:
            clock.pass_time(milliseconds=50)
    during = [each for each in peer.asked if each < peer.back_at]
    assert len(during) < FAILURES_TO_OPEN + 16 + 25
    assert peer.most_in_a_minute() <= MAX_RATE
    assert peer.asked[-1] < peer.back_at + timedelta(minutes=5) + timedelta(seconds=61) * (
        COUNT / MAX_RATE + 1
    )
