"""Entries of digests leave the Router at once, marked, whatever limits and refusals do."""

from __future__ import annotations

from datetime import timedelta

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

from ibs_notify.domain.group import Digest
from ibs_notify.router.account import look_back
from ibs_notify.router.books import events_by_id
from ibs_notify.router.standing import sentence_of
from ibs_notify.router.views import event_record
from ibs_notify.store.database import Database

pytestmark = pytest.mark.tables("router")

ROUTINE = Digest("severity = info")


@pytest.fixture
def core(database: Database) -> Core:
    return Core(database)


@pytest.fixture
def delivery() -> DeliveryDouble:
    return DeliveryDouble()


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def outbox(core: Core, delivery: DeliveryDouble, clock: ShiftedClock) -> TimedOutbox:
    return TimedOutbox(core, delivery, clock)


async def test_a_hundred_entries_go_at_once_where_the_limit_lets_one_event_go(
    core: Core, outbox: TimedOutbox, delivery: DeliveryDouble
) -> None:
    await core.configure(group("ops", "chat", digest=ROUTINE, rate_limit=1))
    await core.emit(failed("f0"), failed("f1", "/datastore/b"))
    # Identical ones, too: a digest says how often.
    await core.emit(*(completed(f"c{n}", "/datastore/c") for n in range(100)))
    await outbox.drain()
    entries = [each for each in delivery.taken if each.digest]
    assert len(entries) == len({each.delivery_id for each in entries}) == 100
    assert [each.event_id for each in delivery.taken if not each.digest] == ["f0"]


async def test_two_digests_and_a_group_that_sends_at_once_each_have_the_event(
    core: Core, outbox: TimedOutbox, delivery: DeliveryDouble
) -> None:
    await core.configure(
        group("audit", "mail", digest=ROUTINE),
        group("boss", "mail", digest=ROUTINE),
        group("ops", "mail"),
        group("pager", "mail"),
    )
    await core.emit(completed("c1"))
    await outbox.drain()
    assert sorted((each.route.group, each.digest) for each in delivery.taken) == [
        ("audit", True),
        ("boss", True),
        ("ops", False),
    ]
    assert len({each.delivery_id for each in delivery.taken}) == 3


async def test_an_entry_that_was_refused_is_still_an_entry_when_it_is_tried_again(
    core: Core, outbox: TimedOutbox, delivery: DeliveryDouble, clock: ShiftedClock
) -> None:
    await core.configure(group("ops", "chat", digest=ROUTINE))
    await core.emit(completed("c1"))
    delivery.refused = {"c1"}
    await outbox.drain()
    delivery.refused = set()
    clock.shift += 61
    await outbox.drain()
    (entry,) = delivery.taken
    assert entry.digest


async def test_an_entry_is_explained_as_one(core: Core, outbox: TimedOutbox) -> None:
    await core.configure(group("ops", "chat", digest=ROUTINE))
    await core.emit(completed("c1"))
    await outbox.drain()
    (stored,) = await core.database.read(lambda c: events_by_id(c, ["c1"]))
    dispositions = event_record(stored).dispositions
    (obliged,) = await core.database.read(
        lambda c: look_back(c, dispositions, stored.seq, {}, NOW + timedelta(minutes=1))
    )
    assert obliged.standing.verdicts == {"silence": "NOT_SILENCED", "digest": "GATHERED"}
    assert sentence_of(obliged.standing) == (
        "the group's digest gathers it: Delivery keeps it until the window closes"
    )
