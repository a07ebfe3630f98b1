"""How deliveries fared is counted the same on every database, in turns of bounded cost."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from tests.support.delivery import START, FakeClock, completion, handoff, sendable

from ibs_notify.delivery.model import LIFETIME, Filter
from ibs_notify.delivery.ports import Turn
from ibs_notify.delivery.queue.by_request import Requests
from ibs_notify.delivery.reports import delivery_health
from ibs_notify.delivery.reports.delivery_health import DeliveryHealths
from ibs_notify.delivery.reports.weekly_report import DeliveryHealth, FailingTarget
from ibs_notify.delivery.repository import DeliveryQueue
from ibs_notify.delivery.tables import BREAKERS, TARGETS
from ibs_notify.delivery.targets.breaker import Phase
from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict
from ibs_notify.domain.target import PushgatewaySpec, Target, WebhookSpec
from ibs_notify.store.database import Database

pytestmark = pytest.mark.tables("delivery")

OK = Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED, 200, "ok")
NEVER = Outcome(Verdict.REFUSED, OutcomeReason.HTTP_4XX, 404, "no such hook")
LATER = Outcome(Verdict.RETRY, OutcomeReason.HTTP_5XX, 503, "busy")
WEEK = timedelta(days=7)
CHAT = Target("chat", "t1", WebhookSpec("https://chat.example.com"))


class Week:
    """Deliveries that end as they are told to, when they are told to."""

    def __init__(self, database: Database) -> None:
        self.clock = FakeClock()
        self._queue = DeliveryQueue(database, self.clock, "worker")
        self._requests = Requests(database, self.clock)
        self._healths = DeliveryHealths(database)
        self._number = 0

    async def deliver(self, *outcomes: Outcome, seconds: float = 0) -> None:
        """One delivery, of which each attempt takes ``seconds``."""
        self._number += 1
        await self._queue.accept([handoff(self._number)], sendable)
        for outcome in outcomes:
            (mine,) = (await self._queue.turn(Turn("t1", 1))).claimed
            self.clock.pass_time(seconds=seconds)
            done = completion(mine, outcome, self.clock.now())
            await self._queue.turn(Turn("t1", 0, done=(done,)))
            if done.settlement.due_at is not None:
                self.clock.moment = done.settlement.due_at
                await self._queue.sweep()

    async def cancel(self) -> None:
        """One delivery that somebody cancels."""
        self._number += 1
        await self._queue.accept([handoff(self._number)], sendable)
        await self._requests.cancel(
            Filter(event_ids=(f"evt-{self._number}",)), "alice", dry_run=False
        )

    async def health(self, after: float = 0, before: float = 7, *targets: Target) -> DeliveryHealth:
        """Of the days ``after`` to ``before``."""
        began, ended = (START + timedelta(days=each) for each in (after, before))
        by_uid = {each.uid: each for each in targets}
        return await self._healths.health(began, ended, by_uid)


@pytest.fixture
def week(database: Database) -> Week:
    return Week(database)


async def test_deliveries_are_counted_by_how_they_ended(week: Week) -> None:
    for _ in range(3):
        await week.deliver(OK)
    await week.deliver(NEVER)
    await week.deliver(LATER, OK)
    await week.cancel()
    found = await week.health()
    assert (found.delivered, found.retried, found.dead, found.cancelled) == (4, 1, 1, 1)


async def test_the_median_and_the_slowest_are_told(week: Week) -> None:
    for seconds in (*[0.25] * 9, *[2.5] * 10, 90):
        await week.deliver(OK, seconds=seconds)
    found = await week.health()
    assert found.median == timedelta(seconds=2.5)
    assert found.p95 == timedelta(seconds=2.5)
    await week.deliver(OK, seconds=7200)
    assert (await week.health()).p95 == timedelta(seconds=90)


async def test_what_ended_before_or_after_the_week_is_of_another(week: Week) -> None:
    await week.deliver(OK)
    week.clock.moment = START + WEEK
    await week.deliver(NEVER)
    assert (await week.health()).delivered == 1
    assert (await week.health()).dead == 0
    assert (await week.health(7, 14)).dead == 1


async def test_what_was_accepted_in_the_week_before_counts_where_it_ended(week: Week) -> None:
    await week.deliver(OK, seconds=LIFETIME.total_seconds())
    found = await week.health(1, 8)
    assert (found.delivered, found.median) == (1, LIFETIME)


async def test_what_a_metric_server_recorded_is_no_notification(week: Week) -> None:
    await week.deliver(OK)
    assert (await week.health(0, 7, CHAT)).delivered == 1
    metrics = Target("metrics", "t1", PushgatewaySpec("https://push.example.com"))
    assert await week.health(0, 7, metrics) == DeliveryHealth()


async def test_without_deliveries_there_is_nothing_to_tell(week: Week) -> None:
    assert await week.health() == DeliveryHealth()


async def test_the_sums_are_the_same_however_few_are_looked_at_in_a_turn(
    week: Week, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(25):
        await week.deliver(NEVER if number % 5 == 0 else OK, seconds=number / 10)
    whole = await week.health()
    monkeypatch.setattr(delivery_health, "PIECE", 4)
    assert await week.health() == whole
    assert (whole.delivered, whole.dead) == (20, 5)


async def test_it_looks_no_further_back_than_anything_could_have_been_accepted(
    week: Week, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_health, "PIECE", 2)
    for _ in range(20):
        await week.deliver(OK)
    week.clock.moment = START + 4 * WEEK
    await week.deliver(OK)
    turns = []
    read = database.read

    async def counted(work: object) -> object:
        turns.append(work)
        return await read(work)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(database, "read", counted)
    assert (await week.health(27, 35)).delivered == 1
    # The newest piece, one older one that ends it, and the targets.
    assert len(turns) == 3


async def test_targets_that_fail_or_are_paused_are_named(week: Week, database: Database) -> None:
    await week.deliver(LATER)
    state = {"delivered_count": 0, "last_failure": "", "last_code": 410, "rate_window": "[]"}
    breaker = {
        "phase": Phase.PAUSED,
        "failures": 0,
        "openings": 0,
        "ramp_limit": 0,
        "successes": 0,
        "epoch": 1,
        "since": 1_000_000,
        "reason": "HTTP_GONE",
        "revision": 1,
    }
    for uid in ("t2", "gone"):
        insert = sa.insert(TARGETS).values(target_uid=uid, **state)
        pause = sa.insert(BREAKERS).values(target_uid=uid, **breaker)
        await database.write(partial(sa.Connection.execute, statement=insert))
        await database.write(partial(sa.Connection.execute, statement=pause))
    found = await week.health(0, 7, CHAT, Target("hook", "t2", CHAT.spec))
    assert [(each.name, each.reason) for each in found.failing] == [
        ("hook", "410 HTTP_GONE"),
        ("chat", "503 busy"),
    ]
    assert isinstance(found.failing[1], FailingTarget)
    assert found.failing[1].since == START
