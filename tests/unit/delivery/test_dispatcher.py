"""What the dispatcher does when, and what it does again after a failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from tests.support.delivery import FakeClock, work

from ibs_notify.delivery.dispatcher import HEARTBEAT_SECONDS, SEARCH_SECONDS, Dispatcher
from ibs_notify.delivery.lane import Lane
from ibs_notify.delivery.model import Work
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.ports import Queue, Standing, Sweep
from ibs_notify.domain.errors import Reason, Unavailable


class FakeQueue:
    """Notes what it is asked, and fails a heartbeat where told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.is_away = False
        self.astray = False

    async def heartbeat(self, works: Sequence[Work]) -> int:
        self.calls.append("heartbeat")
        if self.is_away:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE, "away")
        return len(works)

    async def sweep(self) -> Sweep:
        self.calls.append("sweep")
        return Sweep(frozenset(), None)

    async def pauses(self) -> Mapping[str, int]:
        return {}

    async def is_astray(self, _revision: int, _standings: Mapping[str, Standing]) -> bool:
        self.calls.append("search")
        return self.astray


class BusyLane:
    """Has one delivery in hand."""

    works = (work(),)

    def wake(self) -> None:
        pass


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
