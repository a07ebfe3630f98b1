"""Groups release within their limits, and what Delivery refuses holds nothing up."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from tests.support.core import (
    NOW,
    Core,
    DeliveryDouble,
    ShiftedClock,
    TimedOutbox,
    completed,
    failed,
    group,
)

from ibs_notify.domain.clock import SystemClock, to_micros
from ibs_notify.domain.errors import Reason as ErrorReason
from ibs_notify.domain.errors import Unavailable
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router import outbox as outbox_module
from ibs_notify.router.books import events_by_id
from ibs_notify.router.handoffs import release_from
from ibs_notify.router.lanes import waiting_lanes
from ibs_notify.router.outbox import Outbox
from ibs_notify.router.ports import Handoff
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade

pytestmark = pytest.mark.tables("router")

MINUTE = 60.0


class TestClock:
    """Its seconds pass by hand."""

    __test__ = False

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def core(database: Database) -> Core:
    return Core(database)


@pytest.fixture
def delivery() -> DeliveryDouble:
    return DeliveryDouble()


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def outbox(core: Core, delivery: DeliveryDouble, clock: TestClock) -> TimedOutbox:
    return TimedOutbox(core, delivery, clock)


def events(prefix: str, count: int, severity: Severity = Severity.ERROR) -> list[Event]:
    """No two of them are identical."""
    return [failed(f"{prefix}{n}", f"/{prefix}/{n}", severity=severity) for n in range(count)]


@asynccontextmanager
async def running(outbox: Outbox) -> AsyncIterator[None]:
    task = asyncio.create_task(outbox.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# The limit


class Timed(DeliveryDouble):
    """Writes down when it was handed each event of each group."""

    def __init__(self, clock: TestClock) -> None:
        super().__init__()
        self._clock = clock
        self.first: dict[tuple[str, str], int] = {}

    async def deliver(self, handoffs: Sequence[Handoff]) -> None:
        await super().deliver(handoffs)
        for each in handoffs:
            now = to_micros(self._clock.now())
            self.first.setdefault((each.route.group, each.event_id), now)

    def most_in_a_minute(self, name: str) -> int:
        times = sorted(at for (group_name, _), at in self.first.items() if group_name == name)
        return max(sum(end - 60_000_000 < at <= end for at in times) for end in times)


@pytest.mark.parametrize("seed", range(4))
async def test_no_group_tells_more_than_its_limit_in_any_minute_whatever_comes(
    core: Core, clock: TestClock, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random bursts at random moments, restarts, and a second replica that takes over."""
    # Whoever comes next need not wait for the other's lease.
    monkeypatch.setattr(outbox_module, "LEASE_SECONDS", -1.0)
    chance, delivery = random.Random(seed), Timed(clock)
    limits = {"small": chance.randint(1, 5), "large": chance.randint(10, 30)}
    await core.configure(
        group("small", "chat", rate_limit=limits["small"]),
        group("large", "pager", "mail", rate_limit=limits["large"]),
    )
    box, total = TimedOutbox(core, delivery, clock), 0
    for number in range(60):
        clock.seconds += chance.choice((0.0, 0.001, 1.0, 7.3, 20.0, 59.999, 60.0))
        burst = events(f"b{number}-", chance.choice((0, 1, 3, 15)))
        total += len(burst)
        if burst:
            await core.emit(*burst)
        if chance.random() < 0.3:
            box = TimedOutbox(core, delivery, clock, chance.choice(("one", "two")))
        await box.drain()
    assert {name: delivery.most_in_a_minute(name) for name in limits} == limits
    clock.seconds += 1
    await core.configure(group("small", "chat", rate_limit=0), group("large", rate_limit=0))
    await box.drain()
    assert await core.count("ready") == 0
    assert len({event for name, event in delivery.first if name == "large"}) == total


async def test_two_replicas_share_one_limit_by_the_clock_of_their_database(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "LEASE_SECONDS", -1.0)
    one, other = await open_database(postgres_url), await open_database(postgres_url)
    await upgrade(one, "router")
    core, delivery = Core(one), DeliveryDouble()
    await core.configure(group("ops", "chat", rate_limit=20))
    await core.emit(*events("e", 100))
    boxes = [
        Outbox(each, delivery, lambda: core.table, SystemClock(), holder)
        for each, holder in ((one, "one"), (other, "two"))
    ]

    async def work(box: Outbox) -> None:
        for _ in range(20):
            await box.work_once()

    await asyncio.gather(*map(work, boxes))
    assert len(set(delivery.told)) == 20
    await one.close()
    await other.close()


async def test_an_event_counts_once_whatever_the_targets_of_its_group(
    core: Core, outbox: TimedOutbox, delivery: DeliveryDouble
) -> None:
    await core.configure(group("ops", "chat", "pager", "mail", rate_limit=2))
    await core.emit(*events("e", 3))
    await outbox.drain()
    told = [(f"e{n}", target) for n in (0, 1) for target in ("chat", "pager", "mail")]
    assert delivery.told == told


async def test_the_worst_goes_first_and_then_the_oldest(
    core: Core, outbox: TimedOutbox, delivery: DeliveryDouble, clock: TestClock
) -> None:
    await core.configure(group("ops", "chat", rate_limit=2))
    await core.emit(*events("info", 2, Severity.INFO), *events("error", 2))
    await core.emit(*events("critical", 1, Severity.CRITICAL))
    order = ["critical0", "error0", "error1", "info0", "info1"]
    for told in (2, 4, 5):
        await outbox.drain()
        assert [event for event, _ in delivery.told] == order[:told]
        clock.seconds += MINUTE


async def test_what_another_group_told_is_closed_at_once_and_costs_nothing(
    core: Core, outbox: TimedOutbox, delivery: DeliveryDouble
) -> None:
    only = "chat: resource under /own"
    await core.configure(
        group("many", "chat: resource under /e", rate_limit=0),
        group("few", "chat", rate_limit=1),
        group("own", only, rate_limit=1),
    )
    await core.emit(*events("e", 5))
    await outbox.drain()
    assert [event for event, _ in delivery.told] == ["e0", "e1", "e2", "e3", "e4"]
    assert await core.count("coalesced") == 5
    # Nothing of that counts for "few", whose own turn is still to come.
    await core.configure(group("few", "chat", rate_limit=1))
    await core.emit(*events("f", 2))
    await outbox.drain()
    assert [event for event, _ in delivery.told][5:] == ["f0"]


async def test_metric_servers_are_held_by_no_limit(
    core: Core, outbox: TimedOutbox, delivery: DeliveryDouble
) -> None:
    await core.configure(group("ops", "influx", "chat", rate_limit=1))
    await core.emit(*events("e", 5))
    await outbox.drain()
    assert sorted(delivery.told, key=lambda each: each[::-1]) == [
        ("e0", "chat"),
        *((f"e{n}", "influx") for n in range(5)),
    ]


async def test_what_a_group_that_is_gone_still_holds_goes_by_the_default(
    core: Core, outbox: TimedOutbox, delivery: DeliveryDouble, clock: TestClock
) -> None:
    await core.configure(group("ops", "chat", rate_limit=1))
    await core.emit(*events("e", 70))
    await core.configure()
    await outbox.drain()
    assert len(delivery.told) == 60
    clock.seconds += MINUTE
    await outbox.drain()
    assert len(delivery.told) == 70


async def test_another_limit_holds_from_the_next_turn(
    core: Core, outbox: TimedOutbox, delivery: DeliveryDouble, clock: TestClock
) -> None:
    await core.configure(group("ops", "chat", rate_limit=3))
    await core.emit(*events("e", 20))
    told = []
    for limit, seconds in ((3, 0.0), (5, 1.0), (2, 1.0), (2, 58.0), (2, 2.0), (0, 0.0)):
        clock.seconds += seconds
        await core.configure(group("ops", "chat", rate_limit=limit))
        await outbox.drain()
        told.append(len(delivery.told))
    # A lower limit also counts what went under the higher one: 2 of it are younger than a minute.
    assert told == [3, 5, 5, 5, 7, 20]


async def test_an_outbox_wakes_by_itself_when_there_is_room_again(
    core: Core, delivery: DeliveryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "IDLE_SECONDS", 3600.0)
    clock = ShiftedClock()
    outbox = TimedOutbox(core, delivery, clock)
    await core.configure(group("ops", "chat", rate_limit=1))
    await core.emit(*events("e", 3))
    async with asyncio.timeout(20), running(outbox):
        await delivery.called.wait()
        for count in (2, 3):
            delivery.called.clear()
            # Almost a minute passes, and somebody emits what nobody hears of.
            clock.shift += MINUTE - 0.1
            outbox.nudge()
            await delivery.called.wait()
            assert len(delivery.calls) == count


async def test_a_turn_takes_about_as_much_however_many_groups_have_a_backlog(core: Core) -> None:
    """A statement has a bound of some 32,000 parameters, which 100 groups would soon pass."""
    await core.configure(
        *(group(f"g{n}", f"chat: resource under /r{n}", rate_limit=0) for n in range(40))
    )
    await core.emit(*(event for n in range(40) for event in events(f"r{n}", 10)))
    lanes = await core.database.read(waiting_lanes)
    room = dict.fromkeys(lanes)
    handoffs, let_go = await core.database.write(lambda c: release_from(c, room, 100, 1))
    assert len(handoffs) == 80
    assert set(let_go.values()) == {2}
    handoffs, _ = await core.database.write(lambda c: release_from(c, {lanes[0]: None}, 100, 1))
    assert len(handoffs) == 8


# What Delivery refuses


async def reasons(core: Core, *event_ids: str) -> list[tuple[str, str]]:
    found = await core.database.read(lambda c: events_by_id(c, event_ids))
    return [(each.obligations[0].state.value, each.obligations[0].reason) for each in found]


HANDED_OFF = ("handed_off", "RULE_MATCHED")
SET_ASIDE = ("ready", "HANDOFF_REFUSED")


async def test_what_delivery_refuses_is_set_aside_and_said_and_the_rest_is_handed_off(
    core: Core, outbox: TimedOutbox, delivery: DeliveryDouble, caplog: pytest.LogCaptureFixture
) -> None:
    await core.configure(group("ops", "chat", rate_limit=0))
    await core.emit(*events("e", 100))
    delivery.refused = {"e17", "e80"}
    with caplog.at_level(logging.ERROR):
        await outbox.drain()
    assert await core.count("handed_off") == 98
    assert await reasons(core, "e16", "e17", "e80") == [HANDED_OFF, SET_ASIDE, SET_ASIDE]
    assert [each.message for each in caplog.records] == [
        f"Delivery refuses {each}/0 for target chat: handoffs: refused on purpose"
        for each in ("e17", "e80")
    ]
    assert len(delivery.told) == len(set(delivery.told)) == 98
    assert len(delivery.calls) < 30
    await core.emit(*events("later", 5))
    await outbox.drain()
    assert await core.count("handed_off") == 103


async def test_what_was_refused_is_tried_again_each_minute_until_it_is_taken(
    core: Core, outbox: TimedOutbox, delivery: DeliveryDouble, clock: TestClock
) -> None:
    await core.configure(group("ops", "chat", rate_limit=0))
    await core.emit(*events("e", 2))
    delivery.refused = {"e0"}
    await outbox.drain()
    tries = delivery.calls.count(["e0"])
    clock.seconds += MINUTE - 1
    await outbox.drain()
    assert delivery.calls.count(["e0"]) == tries
    clock.seconds += 1
    await outbox.drain()
    assert delivery.calls.count(["e0"]) == tries + 1
    delivery.refused = set()
    clock.seconds += MINUTE
    await outbox.drain()
    assert [state for _, _, state, _ in await core.states()] == ["handed_off", "handed_off"]
    assert delivery.told.count(("e0", "chat")) == 1


async def test_a_restart_tries_again_at_once_what_was_refused(
    core: Core, outbox: TimedOutbox, delivery: DeliveryDouble, clock: TestClock
) -> None:
    await core.configure(group("ops", "chat", rate_limit=0))
    await core.emit(*events("e", 1))
    delivery.refused = {"e0"}
    await outbox.drain()
    delivery.refused = set()
    await TimedOutbox(core, delivery, clock).drain()
    assert await core.count("handed_off") == 1


async def test_what_delivery_took_before_it_went_away_is_not_handed_to_it_again(
    core: Core, clock: TestClock
) -> None:
    class Fragile(DeliveryDouble):
        """Goes away at its fifth call."""

        async def deliver(self, handoffs: Sequence[Handoff]) -> None:
            if len(self.calls) == 4:
                self.calls.append([])
                raise Unavailable(ErrorReason.SERVICE_UNREACHABLE, "away on purpose")
            await super().deliver(handoffs)

    delivery = Fragile()
    await core.configure(group("ops", "chat", rate_limit=0))
    await core.emit(*events("e", 16))
    delivery.refused = {"e3"}
    outbox = TimedOutbox(core, delivery, clock)
    with pytest.raises(Unavailable):
        await outbox.drain()
    await outbox.drain()
    assert sorted(delivery.told) == sorted((f"e{n}", "chat") for n in range(16) if n != 3)
    assert len(delivery.told) == len(set(delivery.told))
    assert await reasons(core, "e3") == [SET_ASIDE]


async def test_an_outbox_that_stops_marks_what_was_taken_and_what_was_refused(
    core: Core, clock: TestClock
) -> None:
    class Last(DeliveryDouble):
        """Its answer is the last thing that happens."""

        async def deliver(self, handoffs: Sequence[Handoff]) -> None:
            try:
                await super().deliver(handoffs)
            finally:
                if len(handoffs) == 1 and handoffs[0].event_id == "e1":
                    task.cancel()

    delivery = Last()
    delivery.refused = {"e1"}
    await core.configure(group("ops", "chat", rate_limit=0))
    await core.emit(*events("e", 2))
    task = asyncio.create_task(TimedOutbox(core, delivery, clock).run())
    async with asyncio.timeout(20):
        await asyncio.gather(task, return_exceptions=True)
    assert await reasons(core, "e0", "e1") == [HANDED_OFF, SET_ASIDE]


async def test_an_all_clear_goes_out_although_the_failure_before_it_was_refused(
    core: Core, outbox: TimedOutbox, delivery: DeliveryDouble
) -> None:
    await core.configure(group("ops", "chat", rate_limit=0))
    delivery.refused = {"e1"}
    await core.emit(failed("e1"))
    await outbox.drain()
    await core.emit(completed("e2"))
    await outbox.drain()
    assert delivery.told == [("e2", "chat")]
