"""What the dispatcher does when, and what it does again after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import pytest
from tests.support.delivery import FakeClock, work

from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.model import Work
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.ports import CannotOpen, Queue, Standing, Sweep
from ibs_notify.delivery.repository import LEASE_SECONDS
from ibs_notify.delivery.sending import dispatcher as dispatcher_module
from ibs_notify.delivery.sending.dispatcher import HEARTBEAT_SECONDS, SEARCH_SECONDS, Dispatcher
from ibs_notify.delivery.sending.lane import Lane
from ibs_notify.delivery.targets.breaker import Breaker
from ibs_notify.domain.errors import Reason, Unavailable
from ibs_notify.domain.target import Target, WebhookSpec
from ibs_notify.snapshot.model import Snapshot


class FakeQueue:
    """Notes what it is asked, and fails a heartbeat where told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.is_away = False
        self.astray = False
        self.waiting: list[tuple[str, Admission]] = []

    async def heartbeat(self, works: Sequence[Work]) -> int:
        self.calls.append("heartbeat")
        if self.is_away:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE, "away")
        return len(works)

    async def sweep(self) -> Sweep:
        self.calls.append("sweep")
        return Sweep(frozenset(), None)

    async def held_since(self) -> datetime | None:
        return None

    async def troubled(self) -> Mapping[str, Breaker]:
        return {}

    async def is_astray(self, _revision: int, _standings: Mapping[str, Standing]) -> bool:
        self.calls.append("search")
        return self.astray

    async def examine(self, _revision: int, _standings: Mapping[str, Standing]) -> frozenset[str]:
        self.calls.append("examine")
        return frozenset()

    async def blocked(self) -> Sequence[tuple[str, Admission]]:
        return self.waiting

    async def unpark(self, uid: str, reason: Admission) -> int:
        self.waiting.remove((uid, reason))
        return 1


class BusyLane:
    """Has one delivery in hand."""

    works = (work(),)
    is_idle = False

    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


class Transports:
    """Those of a replica; ``cannot`` are the targets that it has no key for."""

    def __init__(self) -> None:
        self.cannot: set[str] = set()

    def concurrency(self, target: Target, _snapshot: Snapshot) -> int:
        if target.uid in self.cannot:
            raise CannotOpen(Admission.SECRET_UNREADABLE, "no key")
        return 1


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def dispatcher(clock: FakeClock, queue: FakeQueue) -> Dispatcher:
    nothing = cast("Any", None)
    made = Dispatcher(Outlook(), cast("Queue", queue), nothing, nothing, clock)
    made._lanes["t1"] = cast("Lane", BusyLane())
    return made


async def test_a_heartbeat_that_failed_is_made_good_before_the_next_sweep(
    dispatcher: Dispatcher, queue: FakeQueue, clock: FakeClock
) -> None:
    # Else the sweep takes up what this very process has in hand, and it is sent twice.
    queue.is_away = True
    clock.pass_time(seconds=HEARTBEAT_SECONDS + 1)
    with pytest.raises(Unavailable):
        await dispatcher.tick()
    queue.is_away = False
    clock.pass_time(seconds=1)
    await dispatcher.tick()
    assert queue.calls == ["heartbeat", "heartbeat", "sweep"]


async def test_after_a_long_look_at_the_queue_leases_are_prolonged_before_the_sweep(
    dispatcher: Dispatcher, queue: FakeQueue, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def examine(_revision: int, _standings: Mapping[str, Standing]) -> frozenset[str]:
        queue.calls.append("examine")
        clock.pass_time(seconds=LEASE_SECONDS)
        return frozenset()

    monkeypatch.setattr(queue, "examine", examine)
    dispatcher._outlook.snapshot = Snapshot(1)
    dispatcher.examine_soon()
    await dispatcher.tick()
    assert queue.calls == ["examine", "heartbeat", "sweep"]


async def test_leases_are_prolonged_during_a_long_look_at_the_queue(
    dispatcher: Dispatcher, queue: FakeQueue, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Replicas sweep, too.
    prolonged = asyncio.Event()

    async def examine(_revision: int, _standings: Mapping[str, Standing]) -> frozenset[str]:
        clock.pass_time(seconds=HEARTBEAT_SECONDS)
        await prolonged.wait()
        return frozenset()

    async def heartbeat(works: Sequence[Work]) -> int:
        prolonged.set()
        return len(works)

    monkeypatch.setattr(queue, "examine", examine)
    monkeypatch.setattr(queue, "heartbeat", heartbeat)
    monkeypatch.setattr(dispatcher_module, "SWEEP_SECONDS", 0.001)
    dispatcher._outlook.snapshot = Snapshot(1)
    dispatcher.examine_soon()
    async with asyncio.timeout(5):
        await dispatcher.tick()
    assert queue.calls == ["sweep"]


async def test_what_stands_otherwise_than_its_target_is_looked_for_and_examined_again(
    dispatcher: Dispatcher, queue: FakeQueue, clock: FakeClock
) -> None:
    await dispatcher.tick()
    before = dispatcher.changes
    queue.astray = True
    clock.pass_time(seconds=SEARCH_SECONDS)
    await dispatcher.tick()
    assert queue.calls.count("search") == 1
    assert dispatcher.changes == before + 1


async def test_a_hold_that_comes_during_a_look_is_not_forgotten(
    dispatcher: Dispatcher, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def held_since() -> datetime | None:
        dispatcher.held(is_held=True)
        return None

    monkeypatch.setattr(queue, "held_since", held_since)
    await dispatcher.tick()
    assert dispatcher._outlook.is_held


async def test_what_another_replica_had_no_key_for_is_sent_by_one_that_has(
    clock: FakeClock, queue: FakeQueue
) -> None:
    outlook, transports, lane = Outlook(), Transports(), BusyLane()
    targets = {uid: Target(uid, uid, WebhookSpec("http://127.0.0.1/")) for uid in ("t1", "t2")}
    outlook.snapshot = Snapshot(revision=1, targets=targets)
    transports.cannot = {"t2"}
    made = Dispatcher(
        outlook, cast("Queue", queue), cast("Any", transports), cast("Any", None), clock
    )
    made._lanes |= {"t1": cast("Lane", lane), "t2": cast("Lane", BusyLane())}
    await made.tick()
    # All of it was left by a replica that is gone: nothing here has ever been blocked.
    queue.waiting = [(uid, Admission.SECRET_UNREADABLE) for uid in ("gone", "t1", "t2")]
    clock.pass_time(seconds=SEARCH_SECONDS - 1)
    await made.tick()
    woken = lane.woken
    assert len(queue.waiting) == 3
    clock.pass_time(seconds=1)
    await made.tick()
    assert queue.waiting == [(uid, Admission.SECRET_UNREADABLE) for uid in ("gone", "t2")]
    assert lane.woken == woken + 1
