"""The Router takes each outcome once, on every database, whatever breaks in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
import sqlalchemy as sa
from tests.support.writes import PATIENCE_SECONDS, Writes

from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import OutOfRange, Unavailable
from ibs_notify.domain.errors import Reason as ErrorReason
from ibs_notify.router import end_counts
from ibs_notify.router import outcomes as outcomes_module
from ibs_notify.router.aftermath import take_ends
from ibs_notify.router.notices import Hour
from ibs_notify.router.outcomes import Outcomes, move_cursor, read_cursor
from ibs_notify.router.ports import DeliveryPort, End, Ended, Outcome
from ibs_notify.router.tables import END_COUNTS
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade

AT = datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC)
APPLIED = sa.Table(
    "router_applied",
    sa.MetaData(),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("event_id", sa.String(128), nullable=False),
)


def ended(event_id: str) -> Ended:
    return Ended(
        "d", f"{event_id}/0", event_id, "backup.failed", "chat", "t1", "ops", End.DEAD, "", "", AT
    )


class Journal:
    """Delivery's journal in this process: a cursor is the number of entries before it."""

    def __init__(self, *event_ids: str) -> None:
        self.entries = list(event_ids)
        self.expired: set[str] = set()
        self.away = False
        self.cuts = 0
        self.asked: list[str] = []
        self.writes = Writes()
        """Of the Routers that follow it."""
        self._moved = asyncio.Event()

    def add(self, *event_ids: str) -> None:
        self.entries += event_ids
        self._move()

    def cut(self) -> None:
        """The connection breaks."""
        self.cuts += 1
        self._move()

    async def until_asked(self, times: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.asked) < times:
                await self._moved.wait()

    def _move(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def outcomes(self, cursor: str) -> AsyncGenerator[tuple[str, Sequence[Ended]], None]:
        self.asked.append(cursor)
        self._move()
        if self.away:
            raise Unavailable(ErrorReason.SERVICE_UNREACHABLE, "away on purpose")
        if cursor in self.expired:
            raise OutOfRange(ErrorReason.RESUME_TOKEN_EXPIRED, "expired on purpose")
        seen, cuts = int(cursor or 0), self.cuts
        while True:
            new = [ended(each) for each in self.entries[seen:]]
            seen = len(self.entries)
            yield str(seen), new
            while self.cuts == cuts and len(self.entries) == seen:
                await self._moved.wait()
            if self.cuts != cuts:
                raise Unavailable(ErrorReason.SERVICE_UNREACHABLE, "cut on purpose")


class Follower:
    """A Router that writes down what it applies."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self.database = journal.writes.watch(database)
        self.writes = journal.writes
        self.fail = 0
        delivery = cast("DeliveryPort", journal)
        self.outcomes = Outcomes(
            self.database, delivery, SystemClock(), self.apply, end_counts.clear
        )

    def apply(self, connection: sa.Connection, batch: Sequence[Outcome]) -> None:
        rows = [{"event_id": each.event_id} for each in batch if isinstance(each, Ended)]
        connection.execute(sa.insert(APPLIED), rows)
        if self.fail:
            self.fail -= 1
            raise Unavailable(ErrorReason.STORAGE_UNAVAILABLE, "failed on purpose")

    async def told(self) -> list[str]:
        query = sa.select(APPLIED.c.event_id).order_by(APPLIED.c.number)
        return list(await self.database.read(lambda c: c.execute(query).scalars().all()))

    async def cursor(self) -> str:
        return await self.database.read(read_cursor)

    async def until_told(self, count: int) -> list[str]:
        async def enough() -> bool:
            return len(await self.told()) >= count

        await self.writes.until(enough)
        return await self.told()

    async def until_cursor(self, cursor: str) -> None:
        async def there() -> bool:
            return await self.cursor() == cursor

        await self.writes.until(there)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes_module, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(outcomes_module, "LONGEST_PAUSE_SECONDS", 0.01)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await open_database(database_url)
    await upgrade(database, "router")
    await database.write(APPLIED.create)
    yield database
    await database.close()


@pytest.fixture
async def running() -> AsyncIterator[set[asyncio.Task[None]]]:
    """Tasks that end with the test."""
    tasks: set[asyncio.Task[None]] = set()
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


Running = set[asyncio.Task[None]]


def start(running: Running, follower: Follower) -> None:
    running.add(asyncio.create_task(follower.outcomes.run()))


async def test_what_is_kept_is_applied_in_order_and_then_what_is_new(
    database: Database, running: Running
) -> None:
    journal = Journal("e1", "e2")
    follower = Follower(database, journal)
    start(running, follower)
    assert await follower.until_told(2) == ["e1", "e2"]
    journal.add("e3")
    assert await follower.until_told(3) == ["e1", "e2", "e3"]
    assert await follower.cursor() == "3"


async def test_a_broken_stream_goes_on_where_it_was_without_a_gap_or_a_repeat(
    database: Database, running: Running
) -> None:
    journal = Journal("e1")
    follower = Follower(database, journal)
    start(running, follower)
    await follower.until_told(1)
    for number in range(2, 6):
        journal.cut()
        journal.add(f"e{number}")
        await follower.until_told(number)
    assert await follower.told() == ["e1", "e2", "e3", "e4", "e5"]
    assert {"1", "2", "3", "4"} <= set(journal.asked)


async def test_a_restart_goes_on_from_the_stored_cursor(
    database: Database, running: Running
) -> None:
    journal = Journal("e1")
    former = Follower(database, journal)
    start(running, former)
    await former.until_told(1)
    for task in running:
        task.cancel()
    journal.add("e2")
    follower = Follower(database, journal)
    start(running, follower)
    assert await follower.until_told(2) == ["e1", "e2"]
    assert journal.asked == ["", "1"]


async def test_what_cannot_be_applied_leaves_the_cursor_and_comes_again(
    database: Database, running: Running
) -> None:
    journal = Journal("e1", "e2")
    follower = Follower(database, journal)
    follower.fail = 2
    start(running, follower)
    assert await follower.until_told(2) == ["e1", "e2"]
    assert journal.asked == ["", "", ""]


async def test_of_several_replicas_one_applies_each(
    database: Database, database_url: str, running: Running
) -> None:
    other = await open_database(database_url)
    journal = Journal()
    followers = [Follower(each, journal) for each in (database, database, other)]
    for each in followers:
        start(running, each)
    for number in range(20):
        journal.add(f"e{number}")
        await asyncio.sleep(0)
    await followers[0].until_cursor("20")
    assert await followers[0].told() == [f"e{n}" for n in range(20)]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await other.close()


async def test_an_expired_cursor_starts_again_from_what_is_kept_and_says_so(
    database: Database, running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    await database.write(lambda c: move_cursor(c, "", "7"))
    journal = Journal("e1")
    journal.expired.add("7")
    follower = Follower(database, journal)
    with caplog.at_level(logging.ERROR):
        start(running, follower)
        assert await follower.until_told(1) == ["e1"]
    assert journal.asked == ["7", ""]
    (record,) = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert "may have died" in record.message
    assert await follower.cursor() == "1"


async def test_an_expired_cursor_is_told_once_also_where_nothing_is_kept(
    database: Database,
) -> None:
    await database.write(lambda c: move_cursor(c, "", "7"))
    journal = Journal()
    journal.expired.add("7")
    follower = Follower(database, journal)
    for _ in range(2):
        following = asyncio.create_task(follower.outcomes.follow())
        await follower.until_cursor("0")
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert journal.asked[:2] == ["7", ""]
    assert "7" not in journal.asked[2:]


async def test_what_comes_again_after_an_expired_cursor_is_not_counted_twice(
    database: Database, running: Running
) -> None:
    class Counting(Follower):
        def apply(self, connection: sa.Connection, batch: Sequence[Outcome]) -> None:
            super().apply(connection, batch)
            take_ends(connection, [each for each in batch if isinstance(each, Ended)], AT)

    journal = Journal(*(f"e{number}" for number in range(9)))
    follower = Counting(database, journal)
    start(running, follower)
    await follower.until_told(9)
    journal.expired.add("9")
    journal.cut()
    journal.add("e9")
    await follower.until_told(19)
    count = sa.select(END_COUNTS.c.count)
    assert await database.read(lambda c: c.execute(count).scalars().all()) == [10]


class TestClock:
    """Its seconds pass by hand."""

    __test__ = False

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return AT + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


async def test_a_delivery_that_is_away_is_told_once_and_then_each_minute(
    sqlite_url: str, running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    database = await open_database(sqlite_url)
    await upgrade(database, "router")
    await database.write(APPLIED.create)
    journal, clock = Journal(), TestClock()
    journal.away = True
    outcomes = Outcomes(
        database,
        cast("DeliveryPort", journal),
        clock,
        lambda _connection, _ended: None,
        end_counts.clear,
    )
    running.add(asyncio.create_task(outcomes.run()))

    async def warnings_after(seconds: float) -> int:
        clock.seconds += seconds
        await journal.until_asked(len(journal.asked) + 3)
        return sum("outcomes of deliveries wait" in each.message for each in caplog.records)

    # Services start in any order: at first nobody is told.
    assert [await warnings_after(s) for s in (0, 4, 10, 60, 10)] == [0, 1, 1, 2, 2]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await database.close()


async def test_a_cursor_moves_only_from_where_it_is(database: Database) -> None:
    async def move(before: str, after: str) -> bool:
        return await database.write(lambda c: move_cursor(c, before, after))

    assert await database.read(read_cursor) == ""
    assert not await move("5", "6")
    assert await move("", "1")
    assert not await move("", "1")
    assert await move("1", "2")
    assert await database.read(read_cursor) == "2"


async def test_ends_are_counted_by_target_kind_and_hour_and_old_ones_are_forgotten(
    database: Database,
) -> None:
    hour = Hour("t1", End.DEAD, AT.replace(minute=0, second=0))
    other, cancelled = replace(hour, target_uid="t2"), replace(hour, state=End.CANCELLED)
    later = replace(hour, start=hour.start + end_counts.KEPT + timedelta(hours=1))

    async def add(**counts: int) -> dict[Hour, int]:
        hours = {"hour": hour, "other": other, "cancelled": cancelled, "later": later}
        given = {hours[name]: count for name, count in counts.items()}
        return dict(await database.write(lambda c: end_counts.add(c, given)))

    assert await add(hour=3, other=1) == {hour: 0, other: 0}
    assert await add(hour=4, cancelled=1) == {hour: 3, cancelled: 0}
    assert await add(hour=1) == {hour: 7}
    assert await add(later=1) == {later: 0}
    assert await add(hour=1) == {hour: 0}
    assert await add() == {}
