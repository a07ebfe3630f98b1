"""Finished deliveries go after a while, open ones never, and the books can tell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from tests.support.delivery import START, FakeClock, completion, handoff, sendable

from ibs_notify.delivery.digests.windows import WindowState
from ibs_notify.delivery.model import Filter, Kind, State
from ibs_notify.delivery.ports import Turn
from ibs_notify.delivery.queue import housekeeping as housekeeping_module
from ibs_notify.delivery.queue import retention
from ibs_notify.delivery.queue.by_request import Requests
from ibs_notify.delivery.queue.housekeeping import Housekeeping
from ibs_notify.delivery.queue.listing import Listing
from ibs_notify.delivery.queue.outcome_journal import page_after
from ibs_notify.delivery.repository import DeliveryQueue
from ibs_notify.delivery.tables import ATTEMPTS, DELIVERIES, WINDOWS
from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict
from ibs_notify.domain.clock import to_micros
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.housekeeping import Bounds
from ibs_notify.store.migrate import upgrade

OK = Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED, 200)
BAD = Outcome(Verdict.REFUSED, OutcomeReason.HTTP_4XX, 422, "no")
KEEP = timedelta(days=90)


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few deliveries are several looks and transactions."""
    monkeypatch.setattr(housekeeping_module, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(retention, "LOOKED_AT", 7)
    monkeypatch.setattr(retention, "REMOVED", 3)


class Desk:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FakeClock()
        self.queue = DeliveryQueue(database, self.clock, "worker-a")
        self.listing = Listing(database)

    async def accept(self, *numbers: int) -> None:
        await self.queue.accept([handoff(n) for n in numbers], sendable)

    async def end(self, count: int, outcome: Outcome = OK) -> None:
        """So many of the oldest."""
        works = (await self.queue.turn(Turn("t1", count))).claimed
        done = tuple(completion(each, outcome, self.clock.now()) for each in works)
        await self.queue.turn(Turn("t1", 0, done=done))

    async def tidy(self, keep: timedelta = KEEP, most: int = 0) -> None:
        await Housekeeping(self.database, self.clock, keep=keep, most=most).tidy()

    async def left(self) -> list[int]:
        found = await self.listing.page(Filter(), size=100, before_seq=None)
        return sorted(int(each.delivery_id[:8], 16) for each in found)

    async def windows(self) -> list[int]:
        query = sa.select(WINDOWS.c.seq).order_by(WINDOWS.c.seq)
        return list(await self.database.read(lambda c: c.execute(query).scalars().all()))

    async def attempts(self) -> int:
        count = sa.select(sa.func.count()).select_from(ATTEMPTS)
        return await self.database.read(lambda c: c.execute(count).scalar_one())


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    database = await open_database(database_url)
    await upgrade(database, "delivery")
    yield Desk(database)
    await database.close()


async def test_what_ended_long_ago_goes_with_its_attempts_and_what_is_open_stays(
    desk: Desk,
) -> None:
    await desk.accept(*range(20))
    await desk.end(15)
    desk.clock.moment = START + KEEP
    await desk.tidy()
    assert await desk.left() == list(range(20))
    assert await desk.listing.retired_before() is None
    desk.clock.pass_time(seconds=1)
    await desk.accept(20)
    await desk.tidy()
    assert await desk.left() == [15, 16, 17, 18, 19, 20]
    assert await desk.attempts() == 0
    assert await desk.listing.retired_before() == START


async def test_the_age_counts_from_the_end_not_from_the_beginning(desk: Desk) -> None:
    await desk.accept(1, 2)
    desk.clock.pass_time(days=80)
    await desk.end(1)
    desk.clock.pass_time(days=80)
    await desk.tidy()
    assert await desk.left() == [1, 2]


async def test_of_too_many_the_oldest_go_and_none_that_is_open(desk: Desk) -> None:
    await desk.accept(*range(30))
    await desk.end(28)
    await desk.tidy(most=10)
    assert await desk.left() == list(range(20, 30))
    await desk.tidy(most=1)
    assert await desk.left() == [28, 29]


async def test_for_ever_is_for_ever(desk: Desk) -> None:
    await desk.accept(1)
    await desk.end(1)
    desk.clock.pass_time(days=36_000)
    await desk.tidy(keep=timedelta())
    assert await desk.left() == [1]


async def test_a_dead_one_that_is_sent_again_while_it_is_looked_at_stays(desk: Desk) -> None:
    await desk.accept(1, 2)
    await desk.end(2, BAD)
    bounds = Bounds(to_micros(START) + 1, 0)
    due = await desk.database.read(lambda c: retention.due_after(c, 0, bounds))
    requests = Requests(desk.database, desk.clock)
    which = Filter(delivery_ids=(handoff(1).delivery_id,))
    await requests.retry(which, sendable, "alice", dry_run=False)
    assert await desk.database.write(lambda c: retention.remove(c, due.seqs)) == 1
    assert await desk.left() == [1]


async def test_the_parts_of_a_digest_stay_until_it_has_ended_and_its_window_goes_last(
    desk: Desk,
) -> None:
    await desk.accept(1, 2, 3, 4)
    first, last = await make_window(desk, handoff(3).delivery_id), await make_window(desk, "")
    parts = [handoff(n).delivery_id for n in (1, 2)]
    digested = sa.update(DELIVERIES).where(DELIVERIES.c.delivery_id.in_(parts))
    values = {"state": State.DIGESTED, "closed_at": to_micros(START), "window_seq": first}
    await desk.database.write(lambda c: c.execute(digested, values))
    desk.clock.pass_time(days=91)
    await desk.tidy()
    assert await desk.left() == [1, 2, 3, 4]
    await desk.end(1)
    await desk.tidy()
    assert await desk.left() == [3, 4]
    assert await desk.windows() == [first, last]
    desk.clock.pass_time(days=91)
    await desk.tidy()
    assert await desk.left() == [4]
    # Where the next one begins is known as long as its group has digests.
    assert await desk.windows() == [last]


async def make_window(desk: Desk, delivery_id: str) -> int:
    """A window of one stream that was closed at once."""
    row = {column.name: "" for column in WINDOWS.columns if column.name != "seq"} | {
        "kind": Kind.DIGEST.value,
        "revision": 1,
        "opened_at": to_micros(START),
        "state": WindowState.CLOSED.value,
        "due_at": None,
        "period": None,
        "name": None,
        "closed_at": to_micros(START),
        "event_count": 2,
        "delivery_id": delivery_id,
    }
    insert = sa.insert(WINDOWS).values(row).returning(WINDOWS.c.seq)
    return await desk.database.write(lambda c: c.execute(insert).scalar_one())


async def test_two_replicas_may_tidy_at_the_same_time(desk: Desk) -> None:
    await desk.accept(1, 2)
    await desk.end(2)
    every = sa.select(DELIVERIES.c.seq)
    seqs = await desk.database.read(lambda c: c.execute(every).scalars().all())
    removed = [
        await desk.database.write(lambda c: retention.remove(c, seqs)),
        await desk.database.write(lambda c: retention.remove(c, seqs)),
    ]
    assert removed == [2, 0]


async def test_the_journal_passes_over_a_death_that_is_kept_no_more(desk: Desk) -> None:
    await desk.accept(1)
    await desk.end(1, BAD)
    desk.clock.pass_time(days=91)
    await desk.accept(2)
    await desk.end(1, BAD)
    await desk.tidy()
    page = await desk.database.read(lambda c: page_after(c, None, 10))
    assert [each.place.number for each in page.entries] == [2]
