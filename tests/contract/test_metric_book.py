"""The durable book of metric servers keeps its promises on every database."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest
from tests.support.delivery import START, FakeClock, handoff, sendable
from tests.support.transports import event

from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.metrics.book import DurableMetricBook
from ibs_notify.delivery.ports import Standing
from ibs_notify.delivery.repository import DeliveryQueue
from ibs_notify.delivery.transports.metric_book import Metric, Sample, Series
from ibs_notify.delivery.transports.metric_labels import Label, labels_of, wanted
from ibs_notify.domain.event import Event
from ibs_notify.store.database import Database

pytestmark = pytest.mark.tables("delivery")

LABELS = ("backup.failed", "error", "backup", "ibs-primary")


@pytest.fixture
async def deliveries(database: Database) -> list[int]:
    """The sequences of a hundred deliveries of the target."""
    queue = DeliveryQueue(database, FakeClock(), "worker")
    await queue.accept([handoff(number) for number in range(1, 101)], sendable)
    await queue.close()
    return list(range(1, 101))


@pytest.fixture
def book(database: Database) -> DurableMetricBook:
    return DurableMetricBook(database)


def total(series: object) -> int:
    assert isinstance(series, list)
    return sum(each.total for each in series if each.metric is Metric.EVENTS)


async def test_a_sample_is_counted_once_however_often_it_comes(
    book: DurableMetricBook, deliveries: list[int]
) -> None:
    samples = [Sample(number, event()) for number in deliveries]
    for start, end in ((0, 10), (5, 20), (0, 100), (0, 100)):
        series = await book.count("t1", "me", samples[start:end])
        assert series == [Series(Metric.EVENTS, LABELS, end, event().timestamp)]


async def test_totals_are_kept_over_restarts(
    book: DurableMetricBook, database: Database, deliveries: list[int]
) -> None:
    before = await book.count("t1", "me", [Sample(each, event()) for each in deliveries])
    assert await DurableMetricBook(database).count("t1", "me", ()) == before


async def test_the_last_event_is_the_one_that_happened_last(
    book: DurableMetricBook, deliveries: list[int]
) -> None:
    later, earlier = START + timedelta(hours=1), START - timedelta(hours=1)
    await book.count("t1", "me", [Sample(1, event(timestamp=later))])
    series = await book.count("t1", "me", [Sample(2, event(timestamp=earlier))])
    assert series == [Series(Metric.EVENTS, LABELS, 2, later)]


async def test_good_news_are_kept_for_each_resource(
    book: DurableMetricBook, deliveries: list[int]
) -> None:
    done = event(type="backup.completed", timestamp=START)
    series = await book.count("t1", "me", [Sample(1, done), Sample(2, event())])
    assert series is not None
    where = ("backup", "ibs-primary", "/datastore/ibs-primary/production/vm/12345")
    assert Series(Metric.SUCCESSES, where, 1, START) in series
    assert len(series) == 3


async def test_one_pusher_at_a_time_has_the_turn(
    book: DurableMetricBook, deliveries: list[int]
) -> None:
    assert await book.count("t1", "me", [Sample(1, event())]) is not None
    assert await book.count("t1", "you", [Sample(2, event())]) is None
    assert await book.count("t2", "you", ()) == []  # the turn is of the target
    await book.end_turn("t1", "you")  # it is not yours to end
    assert await book.count("t1", "you", ()) is None
    assert total(await book.count("t1", "me", ())) == 1  # nothing of yours was counted
    await book.end_turn("t1", "me")
    assert total(await book.count("t1", "you", [Sample(2, event())])) == 2


async def test_the_turn_of_a_pusher_that_died_ends_by_itself(
    database: Database, deliveries: list[int]
) -> None:
    doomed = DurableMetricBook(database, turn_seconds=-1.0)
    assert await doomed.count("t1", "doomed", ()) is not None
    assert await DurableMetricBook(database).count("t1", "me", ()) is not None


async def test_a_new_process_of_sqlite_has_the_turn_at_once(
    book: DurableMetricBook, database: Database
) -> None:
    await book.count("t1", "former", ())
    await book.recover()
    has_it = await book.count("t1", "me", ()) is not None
    # Elsewhere there may be another replica, whose turn lasts.
    assert has_it == (database.dialect == "sqlite")


async def test_replicas_that_count_at_once_count_everything_once(
    book: DurableMetricBook, database: Database, deliveries: list[int]
) -> None:
    types = ("backup.failed", "backup.completed", "sync.failed")
    samples = [Sample(each, event(type=types[each % 3])) for each in deliveries]

    async def replica(name: str) -> None:
        mine, own = samples[:], DurableMetricBook(database)
        random.Random(name).shuffle(mine)
        for start in range(0, len(mine), 10):
            while await own.count("t1", name, mine[start : start + 10]) is None:  # noqa: ASYNC110  # no event goes between replicas
                await asyncio.sleep(0)
            await own.end_turn("t1", name)

    await asyncio.gather(replica("a"), replica("b"), replica("c"))
    assert total(await book.count("t1", "me", ())) == len(deliveries)


async def test_the_first_values_keep_their_names_and_later_ones_are_other(
    book: DurableMetricBook,
) -> None:
    def of(number: int) -> Event:
        return event(canonical_resource=f"/datastore/d{number:03}/vm/1")

    first = [of(number) for number in range(Label.DATASTORE.most - 1)]
    await book.admit("t1", wanted(first))
    names = await book.admit("t1", wanted([of(998), of(997)]))
    assert len(names[Label.DATASTORE]) == Label.DATASTORE.most
    assert labels_of(of(997), names).datastore == "d997"
    assert labels_of(of(998), names).datastore == "other"
    # For good: whatever comes, the same event has the same labels.
    again = await book.admit("t1", wanted([of(998), of(1)]))
    assert again == names
    assert await book.admit("t2", wanted([of(998)])) != names


async def test_replicas_that_admit_at_once_agree(database: Database) -> None:
    def of(name: str, number: int) -> Event:
        return event(canonical_resource=f"/datastore/{name}{number}/vm/1")

    async def replica(name: str) -> None:
        for start in range(0, 90, 10):
            events = [of(name, number) for number in range(start, start + 10)]
            await DurableMetricBook(database).admit("t1", wanted(events))

    await asyncio.gather(replica("a"), replica("b"))
    names = await DurableMetricBook(database).admit("t1", wanted([]))
    assert len(names[Label.DATASTORE]) == Label.DATASTORE.most


async def test_of_a_target_that_is_gone_nothing_is_kept(
    book: DurableMetricBook, deliveries: list[int]
) -> None:
    await book.count("t1", "me", [Sample(1, event())])
    await book.forget("t1")
    assert await book.count("t1", "you", ()) == []


async def test_what_waited_for_a_release_with_metric_servers_is_sent(database: Database) -> None:
    queue = DeliveryQueue(database, FakeClock(), "worker")
    await queue.accept([handoff(1)], lambda *_: Admission.TRANSPORT_NOT_AVAILABLE)
    standings = {"t1": Standing(Admission.SENDABLE)}
    assert await queue.is_astray(1, standings)
    assert await queue.examine(1, standings) == {"t1"}
    await queue.close()
