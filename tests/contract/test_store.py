"""The store keeps its promises on every database."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from ibs_notify.domain.errors import Unavailable
from ibs_notify.store import leases, sqlite
from ibs_notify.store.bulk import Bulk, bulk_insert
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.group_commit import GroupCommit
from ibs_notify.store.upsert import insert_or_ignore, insert_or_replace
from ibs_notify.store.value_list import is_among, listed

METADATA = sa.MetaData()
NUMBERS = sa.Table(
    "numbers",
    METADATA,
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("word", sa.Text, nullable=False, default=""),
)
LEASES = leases.lease_table(METADATA, "leases")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await open_database(database_url)
    await database.write(METADATA.create_all)
    yield database
    await database.close()


def insert(connection: sa.Connection, numbers: Sequence[int]) -> list[int]:
    connection.execute(sa.insert(NUMBERS), [{"number": number} for number in numbers])
    return [number * 10 for number in numbers]


async def stored(database: Database) -> list[int]:
    return list(
        await database.read(
            lambda c: (
                c.execute(sa.select(NUMBERS.c.number).order_by(NUMBERS.c.number)).scalars().all()
            )
        )
    )


async def test_what_write_returned_is_there_for_a_new_connection(
    database: Database, database_url: str
) -> None:
    await database.write(lambda c: insert(c, [1, 2]))
    other = await open_database(database_url)
    assert await stored(other) == [1, 2]
    await other.close()


async def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    def half(connection: sa.Connection) -> None:
        insert(connection, [1])
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        await database.write(half)
    assert await stored(database) == []


async def test_writes_at_the_same_time_all_arrive(database: Database) -> None:
    await asyncio.gather(
        *(database.write(lambda c, n=n: insert(c, [n])) for n in range(50))  # type: ignore[misc]  # a loop variable as default
    )
    assert await stored(database) == list(range(50))


@pytest.mark.parametrize("count", [0, 1, 3, 40_000])
async def test_a_list_of_any_length_is_one_parameter(database: Database, count: int) -> None:
    await database.write(lambda c: insert(c, [1, 2, 3, 50_000]))
    condition = is_among(NUMBERS.c.number, "wanted", database.dialect)
    found = Bulk(sa.select(NUMBERS.c.number).where(condition), ("wanted",))
    wanted = listed(range(1, count + 1), database.dialect)
    rows = await database.read(lambda c: found.fetch(c, (wanted,)))
    assert sorted(number for (number,) in rows) == [1, 2, 3][:count]


async def test_a_list_of_texts_is_one_parameter_whatever_they_hold(database: Database) -> None:
    words = ["a", "b,c", 'd"', "é\\", "{f}"]
    rows = [(number, word) for number, word in enumerate(words)]
    await database.write(lambda c: bulk_insert(NUMBERS).run(c, rows))
    condition = is_among(NUMBERS.c.word, "wanted", database.dialect)
    found = Bulk(sa.select(NUMBERS.c.word).where(condition), ("wanted",))
    wanted = listed([*words, "g"], database.dialect)
    seen = await database.read(lambda c: found.fetch(c, (wanted,)))
    assert sorted(word for (word,) in seen) == sorted(words)


async def test_a_single_change_says_how_many_rows_it_changed(database: Database) -> None:
    await database.write(lambda c: insert(c, [1, 2, 3]))
    change = Bulk(
        sa.update(NUMBERS)
        .ordered_values((NUMBERS.c.word, sa.bindparam("new_word")))
        .where(NUMBERS.c.number > sa.bindparam("least", type_=sa.BigInteger)),
        ("new_word", "least"),
    )
    for least, changed in ((1, 2), (7, 0)):
        parameters = ("x", least)
        assert await database.write(lambda c, p=parameters: change.change(c, p)) == changed  # type: ignore[misc]  # a loop variable as default


async def test_rows_whose_key_is_there_are_ignored_or_replaced_as_asked(database: Database) -> None:
    def work(connection: sa.Connection) -> list[tuple[int, str]]:
        dialect = connection.dialect.name
        rows = [{"number": 1, "word": "first"}]
        connection.execute(insert_or_ignore(NUMBERS, dialect), rows)
        connection.execute(insert_or_ignore(NUMBERS, dialect), [{"number": 1, "word": "second"}])
        kept = connection.execute(sa.select(NUMBERS)).one()
        connection.execute(
            insert_or_replace(NUMBERS, dialect, key=("number",), columns=("word",)),
            [{"number": 1, "word": "third"}],
        )
        replaced = connection.execute(sa.select(NUMBERS)).one()
        return [tuple(kept), tuple(replaced)]

    assert await database.write(work) == [(1, "first"), (1, "third")]


async def test_group_commit_answers_everybody_in_few_transactions(database: Database) -> None:
    batches: list[int] = []

    def commit(connection: sa.Connection, items: Sequence[int]) -> list[int]:
        batches.append(len(items))
        return insert(connection, items)

    group = GroupCommit(database, commit)
    answers = await asyncio.gather(*(group.submit(number) for number in range(200)))
    assert answers == [number * 10 for number in range(200)]
    assert await stored(database) == list(range(200))
    assert len(batches) < 20


async def test_batches_that_come_one_after_the_other_share_a_transaction(
    database: Database,
) -> None:
    transactions: list[Sequence[Sequence[int]]] = []

    def commit(connection: sa.Connection, batches: Sequence[Sequence[int]]) -> list[list[int]]:
        transactions.append(batches)
        return [insert(connection, batch) for batch in batches]

    group = GroupCommit(database, commit, weigh=len)

    async def a_turn_later() -> Sequence[int]:
        await asyncio.sleep(0)
        return await group.submit([5, 6])

    await group.submit([1, 2])
    answers = tuple(await asyncio.gather(group.submit([3, 4]), a_turn_later()))
    assert answers == ([30, 40], [50, 60])
    assert transactions == [[[1, 2]], [[3, 4], [5, 6]]]


async def test_group_commit_bisects_so_that_one_bad_item_fails_alone(database: Database) -> None:
    def commit(connection: sa.Connection, items: Sequence[int]) -> list[int]:
        if 7 in items:
            raise ValueError("seven is bad")
        return insert(connection, items)

    group = GroupCommit(database, commit)
    answers = await asyncio.gather(
        *(group.submit(number) for number in range(16)), return_exceptions=True
    )
    bad = [number for number, answer in enumerate(answers) if isinstance(answer, ValueError)]
    assert bad == [7]
    assert await stored(database) == [number for number in range(16) if number != 7]


async def test_group_commit_lets_a_caller_go_without_losing_the_others(database: Database) -> None:
    group: GroupCommit[int, int] = GroupCommit(database, insert)
    gone = asyncio.ensure_future(group.submit(1))
    stays = asyncio.ensure_future(group.submit(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == 20
    assert await stored(database) == [1, 2]


async def test_a_lease_has_one_holder_and_its_fence_grows_with_each_change(
    database: Database,
) -> None:
    def work(c: sa.Connection) -> None:
        def take(holder: str, seconds: float = 60.0) -> leases.Lease | None:
            return leases.acquire(c, LEASES, "release", holder, seconds)

        first = take("a")
        assert first is not None
        assert take("b") is None
        again = take("a")
        assert again is not None
        assert again.fence == first.fence
        assert again.acquired_at >= first.acquired_at
        leases.release(c, LEASES, first)
        second = take("b", seconds=-1.0)
        assert second is not None
        assert second.fence == first.fence + 1
        third = take("a")
        assert third is not None
        assert third.fence == second.fence + 1

    await database.write(work)


async def test_the_databases_clock_agrees_with_ours_to_the_second(database: Database) -> None:
    micros = await database.read(
        lambda c: c.execute(sa.select(leases.database_now(c.dialect.name))).scalar_one()
    )
    assert abs(micros / 1e6 - time.time()) < 1.0


async def test_sqlite_locked_by_another_process_is_unavailable_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_RETRY_SECONDS", 0.05)
    path = tmp_path / "locked.db"
    database = await open_database(f"sqlite:///{path}")
    await database.write(METADATA.create_all)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        await database.write(lambda c: insert(c, [1]))
    other.execute("ROLLBACK")
    other.close()
    await database.write(lambda c: insert(c, [2]))
    assert await stored(database) == [2]
    await database.close()


async def test_a_database_that_is_not_there_is_said_so() -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        await open_database("postgresql://nobody@127.0.0.1:1/none")


async def test_an_error_names_no_value_that_was_to_be_stored(database: Database) -> None:
    row = {"number": 1, "word": "https://chat.example.com/secret"}
    await database.write(lambda c: c.execute(sa.insert(NUMBERS), row))
    with pytest.raises(exc.IntegrityError) as caught:
        await database.write(lambda c: c.execute(sa.insert(NUMBERS), row))
    assert "secret" not in str(caught.value)


async def test_a_directory_that_is_made_for_a_database_is_its_owners_alone(tmp_path: Path) -> None:
    made = tmp_path / "new"
    await (await open_database(f"sqlite:///{made / 'router.db'}")).close()
    assert made.stat().st_mode & 0o777 == 0o700


@pytest.fixture
def open_to_all(tmp_path: Path) -> Iterator[Path]:
    """A directory that everybody may enter, and a umask that lets everybody read."""
    tmp_path.chmod(0o755)
    before = os.umask(0o022)
    yield tmp_path
    os.umask(before)


def modes(directory: Path) -> dict[str, int]:
    return {each.name: each.stat().st_mode & 0o777 for each in directory.glob("router.db*")}


async def test_a_database_of_sqlite_is_its_owners_alone_wherever_it_is(open_to_all: Path) -> None:
    database = await open_database(f"sqlite:///{open_to_all / 'router.db'}")
    await database.write(METADATA.create_all)
    assert modes(open_to_all) == dict.fromkeys(
        ("router.db", "router.db-wal", "router.db-shm"), 0o600
    )
    await database.close()


async def test_what_a_former_release_left_open_to_all_is_closed(open_to_all: Path) -> None:
    sqlite3.connect(open_to_all / "router.db").execute("PRAGMA journal_mode = WAL")
    assert modes(open_to_all)["router.db"] == 0o644
    database = await open_database(f"sqlite:///{open_to_all / 'router.db'}")
    await database.write(METADATA.create_all)
    assert all(mode & 0o007 == 0 for mode in modes(open_to_all).values())
    await database.close()
