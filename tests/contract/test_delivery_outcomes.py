"""The journal of deaths and cancellations keeps its promises on every database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa
from tests.support.delivery import FakeClock, completion, handoff, sendable
from tests.support.writes import Writes

from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.model import LIFETIME, MAX_UNFINISHED, DeliveryRecord, Filter, State, Work
from ibs_notify.delivery.ports import Standing, Turn
from ibs_notify.delivery.queue import outcome_journal
from ibs_notify.delivery.queue.by_request import Requests
from ibs_notify.delivery.queue.outcome_journal import (
    KEPT,
    Entry,
    Page,
    Place,
    note_ended,
    page_after,
    prune,
)
from ibs_notify.delivery.queue.outcome_watch import OutcomeWatch
from ibs_notify.delivery.repository import DeliveryQueue
from ibs_notify.delivery.sending.sender import not_begun
from ibs_notify.delivery.tables import DELIVERIES, OUTCOMES, SEQUENCE
from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict
from ibs_notify.domain.errors import OutOfRange, Reason
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade

pytestmark = pytest.mark.tables("delivery")

NEVER = Outcome(Verdict.REFUSED, OutcomeReason.HTTP_4XX, 422, "no such hook")
LATER = Outcome(Verdict.RETRY, OutcomeReason.HTTP_5XX, 503, "busy")
OK = Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED, 200, "ok")
OVER = -1.0
"""The seconds of a lease that is over when it begins."""
Told = tuple[str, str, str]


def ended(entry: Entry) -> DeliveryRecord:
    assert isinstance(entry.what, DeliveryRecord)
    return entry.what


class Desk:
    """A worker that ends deliveries, and what the journal says of them."""

    def __init__(self, database: Database, clock: FakeClock, lease: float = 60.0) -> None:
        self.database = database
        self.clock = clock
        self.queue = DeliveryQueue(database, clock, "worker", lease_seconds=lease)
        self.requests = Requests(database, clock)

    async def accept(self, *numbers: int, uid: str = "t1") -> None:
        await self.queue.accept([handoff(n, target_uid=uid) for n in numbers], sendable)

    async def claim(self, wanted: int = 1) -> Sequence[Work]:
        return (await self.queue.turn(Turn("t1", wanted))).claimed

    async def end(self, done: Work, outcome: Outcome) -> None:
        made = completion(done, outcome, self.clock.now())
        await self.queue.turn(Turn("t1", 0, done=(made,)))

    async def die(self, *numbers: int) -> None:
        """In this order."""
        for number in numbers:
            await self.accept(number)
            (mine,) = await self.claim()
            await self.end(mine, NEVER)

    async def page(self, place: Place | None = None, most: int = 100) -> Page:
        return await self.database.read(lambda c: page_after(c, place, most))

    async def prune(self) -> int:
        return await self.database.write(lambda c: prune(c, self.clock.now()))

    async def told(self, place: Place | None = None) -> list[Told]:
        """Event, state and reason of what is behind ``place``."""
        page = await self.page(place)
        return [
            (ended(each).event_id, ended(each).state.name, ended(each).reason)
            for each in page.entries
        ]


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database, FakeClock())


async def test_a_death_is_entered_as_it_is_settled(desk: Desk) -> None:
    await desk.accept(1, 2)
    first, second = await desk.claim(2)
    await desk.end(first, OK)
    await desk.end(second, NEVER)
    (entry,) = (await desk.page()).entries
    assert entry.place == Place(1, 1_779_329_700_000_000)
    assert ended(entry).event_id == "evt-2"
    assert (ended(entry).state, ended(entry).reason) == (State.DEAD, "HTTP_4XX")
    assert (ended(entry).detail, ended(entry).closed_at) == ("no such hook", desk.clock.now())
    assert ended(entry).attempts == ()


async def test_a_delivery_that_is_tried_for_its_whole_life_is_entered_once_it_expires(
    desk: Desk,
) -> None:
    await desk.accept(1)
    (mine,) = await desk.claim()
    await desk.end(mine, LATER)
    assert await desk.told() == []
    desk.clock.moment += LIFETIME
    await desk.queue.sweep()
    (mine,) = await desk.claim()
    await desk.end(mine, LATER)
    assert await desk.told() == [("evt-1", "DEAD", "EXPIRED")]


async def test_a_delivery_that_workers_die_of_is_entered(database: Database) -> None:
    doomed = Desk(database, FakeClock(), lease=OVER)
    await doomed.accept(1)
    for _ in range(MAX_UNFINISHED):
        assert await doomed.told() == []
        doomed.clock.pass_time(seconds=60)
        await doomed.queue.sweep()
        await doomed.claim()
        await doomed.queue.sweep()
    assert await doomed.told() == [("evt-1", "DEAD", "POISON")]


async def test_the_queue_of_a_deleted_target_is_entered(desk: Desk) -> None:
    await desk.accept(1, 2)
    await desk.accept(3, uid="t2")
    await desk.queue.examine(1, {"t2": Standing(Admission.SENDABLE)})
    assert await desk.told() == [
        ("evt-1", "CANCELLED", "TARGET_DELETED"),
        ("evt-2", "CANCELLED", "TARGET_DELETED"),
    ]


async def test_what_is_accepted_for_a_deleted_target_is_entered_once(desk: Desk) -> None:
    for _ in range(2):
        await desk.queue.accept([handoff(1), handoff(2)], lambda *_: Admission.TARGET_DELETED)
    assert await desk.told() == [
        ("evt-1", "CANCELLED", "TARGET_DELETED"),
        ("evt-2", "CANCELLED", "TARGET_DELETED"),
    ]


async def test_what_was_in_hand_when_its_target_was_deleted_is_entered(desk: Desk) -> None:
    await desk.accept(1)
    (mine,) = await desk.claim()
    done = not_begun(mine, Admission.TARGET_DELETED, desk.clock.now())
    await desk.queue.turn(Turn("t1", 0, done=(done,)))
    assert await desk.told() == [("evt-1", "CANCELLED", "TARGET_DELETED")]


async def test_what_somebody_cancels_is_entered(desk: Desk) -> None:
    await desk.accept(1, 2)
    which = Filter(event_ids=["evt-2"])
    assert (await desk.requests.cancel(which, "alice", dry_run=True)).total() == 1
    assert await desk.told() == []
    assert (await desk.requests.cancel(which, "alice", dry_run=False)).total() == 1
    assert await desk.told() == [("evt-2", "CANCELLED", "BY_REQUEST")]


async def test_the_outcome_of_a_lost_lease_is_not_entered(database: Database) -> None:
    doomed = Desk(database, FakeClock(), lease=OVER)
    await doomed.accept(1)
    (mine,) = await doomed.claim()
    await doomed.queue.sweep()
    await doomed.end(mine, NEVER)
    assert await doomed.told() == []


async def test_a_delivery_that_is_sent_again_keeps_each_of_its_ends(desk: Desk) -> None:
    await desk.die(1)
    before = await desk.page()
    desk.clock.pass_time(hours=1)
    await desk.requests.retry(Filter(states=[State.DEAD]), sendable, "alice", dry_run=False)
    assert await desk.told() == [("evt-1", "DEAD", "HTTP_4XX")]
    await desk.requests.cancel(Filter(event_ids=["evt-1"]), "alice", dry_run=False)
    first, second = (await desk.page()).entries
    assert first == before.entries[0]
    assert ended(second).state is State.CANCELLED
    assert ended(second).closed_at == desk.clock.now()
    assert await desk.told(before.place) == [("evt-1", "CANCELLED", "BY_REQUEST")]


async def test_pages_follow_each_other_without_a_gap_or_a_repeat(desk: Desk) -> None:
    await desk.die(*range(7))
    seen: list[str] = []
    place, is_last, pages = None, False, 0
    while not is_last:
        page = await desk.page(place, most=3)
        seen += [ended(each).event_id for each in page.entries]
        place, is_last, pages = page.place, page.is_last, pages + 1
    assert seen == [f"evt-{n}" for n in range(7)]
    assert pages == 3


async def test_more_than_a_statement_takes_are_entered_in_order(desk: Desk) -> None:
    await desk.accept(*range(1200))
    await desk.queue.examine(1, {})
    page = await desk.page(most=2000)
    assert [each.place.number for each in page.entries] == list(range(1, 1201))
    assert [ended(each).event_id for each in page.entries] == [f"evt-{n}" for n in range(1200)]


async def test_numbers_are_in_the_order_of_commits(postgres_url: str) -> None:
    """Whoever reads a number can read all before it: the later one waits for the former."""
    database = await open_database(postgres_url)
    await upgrade(database, "delivery")
    desk = Desk(database, FakeClock())
    await desk.accept(1, 2)
    seqs = await database.read(
        lambda c: c.execute(sa.select(DELIVERIES.c.seq).order_by(DELIVERIES.c.seq)).scalars().all()
    )
    close = sa.update(DELIVERIES).values(state=State.DEAD.value, closed_at=1)

    async def enter(seq: int) -> None:
        def work(connection: sa.Connection) -> None:
            connection.execute(close.where(DELIVERIES.c.seq == seq))
            note_ended(connection, [seq])

        await database.write(work)

    holder = await open_database(postgres_url)
    waiting: list[asyncio.Task[None]] = []

    def first(connection: sa.Connection) -> None:
        connection.execute(close.where(DELIVERIES.c.seq == seqs[0]))
        note_ended(connection, [seqs[0]])
        waiting.append(asyncio.get_running_loop().create_task(enter(seqs[1])))
        blocked = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not connection.execute(blocked).scalar():
            pass
        assert not waiting[0].done()

    async with asyncio.timeout(20):
        await holder.write(first)
        await waiting[0]
    endings = (await desk.page()).entries
    assert [(each.place.number, ended(each).event_id) for each in endings] == [
        (1, "evt-1"),
        (2, "evt-2"),
    ]
    await holder.close()
    await database.close()


async def test_a_transaction_that_fails_leaves_no_number_behind(desk: Desk) -> None:
    await desk.accept(1)

    def work(connection: sa.Connection) -> None:
        connection.execute(sa.update(DELIVERIES).values(state=State.DEAD.value, closed_at=1))
        note_ended(connection, connection.execute(sa.select(DELIVERIES.c.seq)).scalars().all())
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        await desk.database.write(work)
    assert await desk.told() == []
    await desk.die(1)
    assert [each.place.number for each in (await desk.page()).entries] == [1]


async def test_old_entries_are_forgotten_but_for_the_last(desk: Desk) -> None:
    await desk.die(1, 2)
    desk.clock.pass_time(days=20)
    await desk.die(3)
    seen = await desk.page()
    desk.clock.moment += KEPT - timedelta(days=20) + timedelta(seconds=1)
    assert await desk.prune() == 2
    assert await desk.told() == [("evt-3", "DEAD", "HTTP_4XX")]
    desk.clock.moment += KEPT
    assert await desk.prune() == 0
    # Whoever has seen everything goes on from there, however long nothing died.
    assert await desk.told(seen.place) == []


async def test_so_many_entries_at_most_are_forgotten_in_one_transaction(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome_journal, "MOST_PRUNED", 2)
    await desk.die(1, 2, 3, 4)
    desk.clock.moment += KEPT + timedelta(seconds=1)
    assert [await desk.prune() for _ in range(3)] == [2, 1, 0]


async def test_a_place_whose_followers_are_forgotten_is_expired(desk: Desk) -> None:
    await desk.die(1)
    place = (await desk.page()).place
    await desk.die(2, 3)
    desk.clock.moment += KEPT + timedelta(seconds=1)
    await desk.prune()
    for each in (place, outcome_journal.BEGINNING):
        with pytest.raises(OutOfRange) as caught:
            await desk.page(each)
        assert caught.value.reason is Reason.RESUME_TOKEN_EXPIRED


async def test_the_beginning_is_a_place_as_long_as_nothing_is_forgotten(desk: Desk) -> None:
    empty = await desk.page()
    assert (empty.entries, empty.place.cursor, empty.is_last) == ((), "0-0", True)
    await desk.die(1)
    assert len(await desk.told(empty.place)) == 1


async def test_a_place_of_a_database_that_was_restored_is_expired(desk: Desk) -> None:
    await desk.die(1, 2)
    place = (await desk.page()).place

    def restore(connection: sa.Connection) -> None:
        connection.execute(sa.delete(OUTCOMES).where(OUTCOMES.c.number == 2))
        connection.execute(sa.update(SEQUENCE).values(value=1))

    await desk.database.write(restore)
    with pytest.raises(OutOfRange):
        await desk.page(place)
    desk.clock.pass_time(seconds=1)
    await desk.die(3, 4)
    # By the number alone the watcher would be told of evt-4, and never of evt-3.
    with pytest.raises(OutOfRange):
        await desk.page(place)


@pytest.mark.parametrize("cursor", ["", "x", "1", "1-", "-1-2", "1-2-3", f"{10**20}-1", "١-١"])
def test_what_is_no_cursor_is_expired(cursor: str) -> None:
    with pytest.raises(OutOfRange):
        outcome_journal.place_of(cursor)


async def test_a_delivery_that_is_kept_no_more_is_passed_over(desk: Desk) -> None:
    await desk.die(1, 2)
    gone = sa.delete(DELIVERIES).where(DELIVERIES.c.event_id == "evt-2")
    await desk.database.write(lambda c: c.execute(gone))
    page = await desk.page()
    assert [ended(each).event_id for each in page.entries] == ["evt-1"]
    assert (page.place.number, page.is_last) == (2, True)


async def test_a_watch_notices_what_another_replica_enters(desk: Desk) -> None:
    """Nobody nudges here: it polls."""
    watch = OutcomeWatch(desk.database, desk.clock, poll_seconds=0.01)
    polling = asyncio.create_task(watch.run())
    pages = watch.follow("")
    assert (await anext(pages)).entries == ()
    await desk.die(1)
    async with asyncio.timeout(20):
        (entry,) = (await anext(pages)).entries
    assert ended(entry).event_id == "evt-1"
    watch.close()
    assert [page async for page in pages] == []
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)


async def test_a_watch_is_told_at_once_of_what_ends_in_its_own_process(database: Database) -> None:
    clock = FakeClock()
    watch = OutcomeWatch(database, clock, poll_seconds=3600)
    polling = asyncio.create_task(watch.run())
    desk = Desk(database, clock)
    desk.queue = DeliveryQueue(database, clock, "worker", on_ended=watch.nudge)
    pages = watch.follow("")
    assert (await anext(pages)).entries == ()
    async with asyncio.timeout(20):
        await desk.die(1)
        assert len((await anext(pages)).entries) == 1
        await desk.accept(2)
        await desk.queue.examine(1, {})
        assert len((await anext(pages)).entries) == 1
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)


async def test_a_watch_forgets_what_is_old_each_hour(desk: Desk) -> None:
    await desk.die(1, 2)
    desk.clock.moment += KEPT + timedelta(seconds=1)
    writes = Writes()
    watch = OutcomeWatch(writes.watch(desk.database), desk.clock, poll_seconds=0.01)
    running = asyncio.create_task(watch.run())

    async def only_one_is_left() -> bool:
        return len(await desk.told()) == 1

    await writes.until(only_one_is_left)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await desk.told() == [("evt-2", "DEAD", "HTTP_4XX")]
