"""A backlog over its bound becomes a summary that accounts for each event, on every database."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from tests.support.core import NOW, Core, DeliveryDouble, TimedOutbox, failed, group

from ibs_notify.domain.catalogue import SUMMARY_TYPE
from ibs_notify.domain.errors import Reason as ErrorReason
from ibs_notify.domain.errors import Unavailable
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router import backlog
from ibs_notify.router import outbox as outbox_module
from ibs_notify.router.books import events_by_id, read_books
from ibs_notify.router.dispositions import Reason
from ibs_notify.router.identity import Kind
from ibs_notify.router.ports import Handoff
from ibs_notify.router.tables import LEASES
from ibs_notify.store.database import Database
from ironcore.notification.v1 import event_pb2

pytestmark = pytest.mark.tables("router")

BOUND = 15
"""Of a group that may tell one event a minute."""
LEFT = BOUND // 2


class TestClock:
    """Its seconds pass by hand."""

    __test__ = False

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Outbox(TimedOutbox):
    """Drains a second later each time: so often a backlog is looked at."""

    def __init__(self, core: Core, delivery: DeliveryDouble, clock: TestClock) -> None:
        super().__init__(core, delivery, clock)
        self.clock = clock

    async def drain(self) -> None:
        self.clock.seconds += 1
        await super().drain()


@pytest.fixture
def delivery() -> DeliveryDouble:
    return DeliveryDouble()


@pytest.fixture
async def core(database: Database) -> Core:
    """With a group that tells chat of one event a minute."""
    core = Core(database)
    await core.configure(group("ops", "chat", rate_limit=1))
    return core


@pytest.fixture
def outbox(core: Core, delivery: DeliveryDouble) -> Outbox:
    return Outbox(core, delivery, TestClock())


def events(prefix: str, count: int, severity: Severity = Severity.INFO) -> list[Event]:
    """No two of them are identical."""
    return [
        failed(
            f"{prefix}{n:02}",
            f"/datastore/{prefix}/{n}",
            type="backup.completed",
            severity=severity,
        )
        for n in range(count)
    ]


async def filled(core: Core, outbox: Outbox) -> None:
    """The group has told what it may in this minute: whatever comes now waits."""
    await core.emit(failed("first", "/first", severity=Severity.CRITICAL))
    await outbox.drain()


async def waiting(core: Core) -> list[str]:
    return [event for event, _, state, _ in await core.states() if state == "ready"]


async def collapsed(core: Core) -> dict[str, str]:
    """The summary of each event that is collapsed."""
    return {event: into for event, _, state, into in await core.states() if state == "collapsed"}


async def let_all_go(core: Core, outbox: Outbox) -> None:
    await core.configure(group("ops", "chat", "pager", rate_limit=0))
    await outbox.drain()


def summaries(delivery: DeliveryDouble) -> list[tuple[Handoff, event_pb2.Event]]:
    return [
        (each, event_pb2.Event.FromString(each.body))
        for each in delivery.taken
        if each.kind is Kind.SUMMARY
    ]


async def test_a_backlog_within_its_bound_waits_as_it_is(core: Core, outbox: Outbox) -> None:
    await filled(core, outbox)
    await core.emit(*events("e", BOUND))
    await outbox.drain()
    assert len(await waiting(core)) == BOUND
    assert await collapsed(core) == {}


async def test_over_its_bound_the_newest_of_the_lowest_severity_are_collapsed(
    core: Core, outbox: Outbox
) -> None:
    await filled(core, outbox)
    await core.emit(*events("info", BOUND + 1), *events("error", 2, Severity.ERROR))
    await outbox.drain()
    # Half the bound is left: both errors, and the oldest of the others.
    kept = [f"info{n:02}" for n in range(LEFT - 2)]
    gone = await collapsed(core)
    assert list(gone) == [f"info{n:02}" for n in range(LEFT - 2, BOUND + 1)]
    (summary,) = set(gone.values())
    assert await waiting(core) == [*kept, "error00", "error01", summary]
    (stored,) = await core.database.read(lambda c: events_by_id(c, ["info15"]))
    assert stored.obligations[0].reason == Reason.BACKLOG_COLLAPSED


async def test_critical_events_are_never_collapsed(core: Core, outbox: Outbox) -> None:
    await filled(core, outbox)
    await core.emit(*events("critical", 2 * BOUND, Severity.CRITICAL))
    await outbox.drain()
    assert await collapsed(core) == {}
    assert len(await waiting(core)) == 2 * BOUND


async def test_a_summary_gathers_until_its_turn_comes_and_is_not_collapsed_itself(
    core: Core, outbox: Outbox, delivery: DeliveryDouble
) -> None:
    await filled(core, outbox)
    for wave in range(4):
        await core.emit(*events(f"wave{wave}-", 2 * BOUND))
        await outbox.drain()
    gone = await collapsed(core)
    (summary,) = set(gone.values())
    assert len(gone) == 8 * BOUND - LEFT
    await let_all_go(core, outbox)
    assert [each.event_id for each, _ in summaries(delivery)] == [summary]
    # The next storm has a summary of its own.
    await core.configure(group("ops", "chat", rate_limit=1))
    await core.emit(*events("later", 2 * BOUND))
    await outbox.drain()
    assert set((await collapsed(core)).values()) > {summary}


async def test_a_summary_says_how_many_it_stands_for_and_how_to_list_them(
    core: Core, outbox: Outbox, delivery: DeliveryDouble
) -> None:
    await filled(core, outbox)
    await core.emit(*events("e", 40))
    await outbox.drain()
    gone = await collapsed(core)
    await let_all_go(core, outbox)
    ((handoff, told),) = summaries(delivery)
    assert (told.event_id, told.type) == (handoff.event_id, SUMMARY_TYPE)
    assert f"{len(gone)}" in told.subject
    assert f"{len(gone)} × backup.completed (info)" in told.summary
    assert f"event list --collapsed-into {told.event_id}" in told.summary
    # The inbox shows what was told.
    (stored,) = await core.database.read(lambda c: events_by_id(c, [told.event_id]))
    assert stored.body == handoff.body


async def test_a_summary_is_as_grave_as_the_gravest_that_it_stands_for(
    core: Core, outbox: Outbox, delivery: DeliveryDouble
) -> None:
    await filled(core, outbox)
    await core.emit(*events("info", 20))
    await outbox.drain()
    await core.emit(*events("error", 20, Severity.ERROR))
    await outbox.drain()
    assert "error19" in await collapsed(core)
    await core.emit(*events("warning", 2, Severity.WARNING))
    await let_all_go(core, outbox)
    ((handoff, told),) = summaries(delivery)
    assert told.severity == event_pb2.SEVERITY_ERROR
    order = [each.event_id for each in delivery.taken]
    assert order.index(handoff.event_id) < order.index("warning00")


async def test_a_long_backlog_is_folded_bit_by_bit_each_event_whole(
    core: Core, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "MOST_FOLDED", 10)
    await core.configure(group("ops", "chat", "pager", "mail", rate_limit=1))
    await filled(core, outbox)
    await core.emit(*events("info", 20), *events("error", 16, Severity.ERROR))
    outbox.clock.seconds += 1
    done, busy = [0], True
    while busy:
        busy = await outbox.work_once()
        done.append(await core.count("collapsed"))
        assert done[-1] - done[-2] <= 10
        assert done[-1] == 3 * len(await collapsed(core))
    assert done[-1] == 3 * (36 - LEFT)
    assert min(await collapsed(core)) == f"error{LEFT:02}"


async def test_an_event_with_more_targets_than_are_folded_at_once_is_folded_whole(
    core: Core, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "MOST_FOLDED", 1)
    await core.configure(group("ops", "chat", "pager", "mail", rate_limit=1))
    await filled(core, outbox)
    await core.emit(*events("e", BOUND + 1))
    await outbox.drain()
    assert await core.count("collapsed") == 3 * (BOUND + 1 - LEFT)


async def test_once_the_limit_is_lifted_no_more_is_folded(
    core: Core, outbox: Outbox, delivery: DeliveryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "MOST_FOLDED", 10)
    await filled(core, outbox)
    await core.emit(*events("e", 40))
    outbox.clock.seconds += 1
    while await core.count("collapsed") == 0:
        await outbox.work_once()
    await let_all_go(core, outbox)
    assert await core.count("collapsed") < 40 - LEFT
    assert await core.count("collapsed") + len(delivery.taken) == 42


async def test_a_replica_that_lost_its_turn_forgets_what_it_was_to_fold(
    core: Core, outbox: Outbox, delivery: DeliveryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "MOST_FOLDED", 5)
    await filled(core, outbox)
    await core.emit(*events("e", BOUND + 5))
    outbox.clock.seconds += 1
    while await core.count("collapsed") == 0:
        await outbox.work_once()
    await core.database.write(lambda c: c.execute(sa.update(LEASES).values(holder="another")))
    await outbox.work_once()
    await core.database.write(lambda c: c.execute(sa.update(LEASES).values(holder="one")))
    await outbox.work_once()
    # What is left is within the bound.
    assert await core.count("collapsed") == 5


async def test_a_summary_that_was_released_but_not_written_is_written_by_the_next_router(
    core: Core, outbox: Outbox, delivery: DeliveryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(core, outbox)
    await core.emit(*events("e", 40))
    await outbox.drain()
    gone = await collapsed(core)
    with monkeypatch.context() as dying:
        dying.setattr(outbox_module, "finish", killed)
        with pytest.raises(Unavailable):
            await let_all_go(core, outbox)
    assert summaries(delivery) == []
    await Outbox(core, delivery, outbox.clock).drain()
    ((_, told),) = summaries(delivery)
    assert told.subject.startswith(f"{len(gone)} events in one")


async def test_a_summary_that_another_router_wrote_meanwhile_is_told_as_it_was_written(
    core: Core, outbox: Outbox, delivery: DeliveryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hesitate(database: Database, handoffs: list[Handoff]) -> list[Handoff]:
        await backlog.finish(database, handoffs)
        return await backlog.finish(database, handoffs)

    await filled(core, outbox)
    await core.emit(*events("e", 40))
    await outbox.drain()
    gone = await collapsed(core)
    monkeypatch.setattr(outbox_module, "finish", hesitate)
    await let_all_go(core, outbox)
    ((_, told),) = summaries(delivery)
    assert told.subject.startswith(f"{len(gone)} events in one")


async def killed(_database: Database, _handoffs: list[Handoff]) -> list[Handoff]:
    raise Unavailable(ErrorReason.STORAGE_UNAVAILABLE, "killed on purpose")


async def test_a_summary_of_more_than_is_read_at_a_time_is_told_whole(
    core: Core, outbox: Outbox, delivery: DeliveryDouble
) -> None:
    await filled(core, outbox)
    for wave in range(12):
        await core.emit(*events(f"wave{wave}-", 100))
    await outbox.drain()
    await let_all_go(core, outbox)
    ((_, told),) = summaries(delivery)
    assert told.subject == f"{1200 - LEFT:,} events in one: {1200 - LEFT:,} info"


async def test_each_target_of_the_group_has_a_summary_of_its_own(
    core: Core, outbox: Outbox, delivery: DeliveryDouble
) -> None:
    await core.configure(group("ops", "chat", "pager: resource = /datastore/e/39", rate_limit=1))
    await filled(core, outbox)
    await core.emit(*events("e", 40))
    await outbox.drain()
    assert len(set((await collapsed(core)).values())) == 2
    await let_all_go(core, outbox)
    told = {each.route.target: event for each, event in summaries(delivery)}
    assert "33 × backup.completed" in told["chat"].summary
    assert "1 × backup.completed" in told["pager"].summary
    assert "e39" in told["pager"].summary


async def test_neither_a_group_without_a_limit_nor_a_metric_server_collapses_anything(
    core: Core, outbox: Outbox, delivery: DeliveryDouble
) -> None:
    await core.configure(
        group("ops", "chat", "influx", rate_limit=1), group("all", "pager", rate_limit=0)
    )
    await filled(core, outbox)
    await core.emit(*events("e", 40))
    await outbox.drain()
    told = [target for event, target in delivery.told if event.startswith("e")]
    assert sorted(told) == ["influx"] * 40 + ["pager"] * 40
    assert len(await collapsed(core)) == 40 - LEFT


async def test_the_books_count_a_summary_as_an_event_with_an_obligation(
    core: Core, outbox: Outbox, delivery: DeliveryDouble
) -> None:
    await filled(core, outbox)
    await core.emit(*events("e", 40))
    await outbox.drain()
    await let_all_go(core, outbox)
    books = await core.database.read(read_books)
    assert (books.accepted, books.unmatched, books.events_astray) == (42, 0, [])
    assert books.states == {"handed_off": 2 + LEFT, "collapsed": 40 - LEFT}
    assert len({each.delivery_id for each in delivery.taken}) == 2 + LEFT


async def test_a_restart_goes_on_with_the_summary_that_gathers(
    core: Core, outbox: Outbox, delivery: DeliveryDouble
) -> None:
    await filled(core, outbox)
    await core.emit(*events("e", 40))
    await outbox.drain()
    await core.emit(*events("f", 40))
    await Outbox(core, delivery, outbox.clock).drain()
    assert len(set((await collapsed(core)).values())) == 1
