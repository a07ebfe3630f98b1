"""The audit log on every database: one chain, that nobody can change unnoticed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from ibs_notify.audit import reading
from ibs_notify.audit.entry import Act, Entry, Flaw, Head, seal
from ibs_notify.audit.journal import append, head_of
from ibs_notify.audit.reading import CHUNK, Query, page, verify
from ibs_notify.config.tables import AUDIT
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database

pytestmark = pytest.mark.tables("config")

NOON = datetime(2026, 5, 21, 12, tzinfo=UTC)
COUNT = 5
TABLE = AUDIT.entries
sequence: sa.Column[int] = TABLE.c.sequence


def act(number: int) -> Act:
    return Act("group.update", f"group/g{number}", f'{{"a":{number}}}', f'{{"a":{number + 1}}}')


async def write(database: Database, *numbers: int, actor: str = "alice") -> None:
    for number in numbers:
        moment = NOON + timedelta(minutes=number)
        work = partial(append, log=AUDIT, actor=actor, act=act(number), now=moment)
        await database.write(work)


async def read(database: Database, query: Query = Query(), limit: int = 100) -> list[Entry]:  # noqa: B008  # it is frozen
    return [*(await database.read(lambda c: page(c, AUDIT, query, limit))).entries]


@pytest.fixture
async def log(database: Database) -> Database:
    """One with five entries."""
    await write(database, *range(1, COUNT + 1))
    return database


async def attack(database: Database, *statements: sa.Executable) -> None:
    """As somebody with the rights of the database's owner."""

    def work(connection: sa.Connection) -> None:
        if connection.dialect.name == "sqlite":
            for name in ("no_update", "no_delete", "no_replace"):
                connection.exec_driver_sql(f"DROP TRIGGER {TABLE.name}_{name}")
        else:
            connection.exec_driver_sql(f"ALTER TABLE {TABLE.name} DISABLE TRIGGER ALL")
        for statement in statements:
            connection.execute(statement)

    await database.write(work)


async def test_an_untouched_log_is_intact(log: Database) -> None:
    newest, *_ = await read(log)
    verdict = await verify(log, AUDIT)
    assert (verdict.flaw, verdict.end) == (None, Head(COUNT, newest.hash))


async def test_an_empty_log_is_intact(database: Database) -> None:
    verdict = await verify(database, AUDIT)
    assert (verdict.flaw, verdict.end) == (None, Head())


async def test_a_log_of_several_chunks_is_intact(database: Database) -> None:
    def many(connection: sa.Connection) -> None:
        for number in range(CHUNK + 7):
            append(connection, AUDIT, "alice", act(number), NOON)

    await database.write(many)
    verdict = await verify(database, AUDIT)
    assert (verdict.flaw, verdict.end.sequence) == (None, CHUNK + 7)


async def test_entries_are_read_as_they_were_written_newest_first(log: Database) -> None:
    entries = await read(log)
    assert [each.sequence for each in entries] == [5, 4, 3, 2, 1]
    assert [each.act for each in entries] == [act(number) for number in (5, 4, 3, 2, 1)]
    assert {each.actor for each in entries} == {"alice"}
    assert entries[-1].moment == NOON + timedelta(minutes=1)


async def test_entries_are_found_by_each_of_their_fields(log: Database) -> None:
    await log.write(lambda c: append(c, AUDIT, "bob", Act("token.create", "token/ci"), NOON))

    async def numbers(query: Query, limit: int = 100) -> list[int]:
        return [each.sequence for each in await read(log, query, limit)]

    assert await numbers(Query(actor="bob")) == [6]
    assert await numbers(Query(action_prefix="token.")) == [6]
    assert await numbers(Query(action_prefix="group.update")) == [5, 4, 3, 2, 1]
    assert await numbers(Query(subject="group/g2")) == [2]
    assert await numbers(Query(since=NOON + timedelta(minutes=4))) == [5, 4]
    assert await numbers(Query(until=NOON + timedelta(minutes=2))) == [6, 1]
    assert await numbers(Query(before=4), limit=2) == [3, 2]
    assert await numbers(Query(actor="%")) == []


async def test_a_page_ends_where_it_is_full_or_too_long(
    log: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await log.read(lambda c: page(c, AUDIT, Query(), COUNT))
    assert (len(whole.entries), whole.more) == (COUNT, False)
    some = await log.read(lambda c: page(c, AUDIT, Query(), COUNT - 1))
    assert (len(some.entries), some.more) == (COUNT - 1, True)
    monkeypatch.setattr(reading, "MOST_TEXT", 20)
    long = await log.read(lambda c: page(c, AUDIT, Query(), COUNT))
    assert (len(long.entries), long.more) == (2, True)


@pytest.mark.parametrize("number", range(1, COUNT + 1))
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", 1),
        ("actor", "mallory"),
        ("action", "group.delete"),
        ("subject", "group/other"),
        ("before", "{}"),
        ("after", "{}"),
        ("previous_hash", b"\1" * 32),
        ("hash", b"\1" * 32),
    ],
)
async def test_a_change_of_any_column_of_any_row_is_found(
    log: Database, number: int, column: str, value: object
) -> None:
    await attack(log, sa.update(TABLE).where(sequence == number).values({column: value}))
    verdict = await verify(log, AUDIT)
    assert (verdict.broken, verdict.flaw) == (number, Flaw.CHANGED)


async def test_an_entry_that_cannot_even_be_read_is_found(log: Database) -> None:
    await attack(log, sa.update(TABLE).where(sequence == 3).values(at=10**18))
    verdict = await verify(log, AUDIT)
    assert (verdict.broken, verdict.flaw) == (3, Flaw.CHANGED)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("column", ["at", "actor", "before", "hash"])
async def test_a_value_of_another_kind_is_found(log: Database, column: str) -> None:
    """SQLite keeps whatever it is given."""
    other = "'text'" if column in ("at", "hash") else "x'ff00'"
    await attack(log, sa.text(f"UPDATE config_audit SET {column} = {other} WHERE sequence = 3"))
    verdict = await verify(log, AUDIT)
    assert (verdict.broken, verdict.flaw) == (3, Flaw.CHANGED)


@pytest.mark.parametrize("number", range(1, COUNT + 1))
async def test_a_deleted_entry_is_found_wherever_it_was(log: Database, number: int) -> None:
    await attack(log, sa.delete(TABLE).where(sequence == number))
    verdict = await verify(log, AUDIT)
    assert (verdict.broken, verdict.flaw) == (number, Flaw.MISSING)


async def test_two_entries_that_were_swapped_are_found(log: Database) -> None:
    await attack(
        log,
        sa.update(TABLE).where(sequence == 2).values(sequence=-1),
        sa.update(TABLE).where(sequence == 3).values(sequence=2),
        sa.update(TABLE).where(sequence == -1).values(sequence=3),
    )
    assert (await verify(log, AUDIT)).broken == 2


def forged(service: str, head: Head, actor: str, number: int) -> sa.Insert:
    entry = seal(service, head, actor, act(number), NOON)
    return sa.insert(TABLE).values(
        sequence=entry.sequence,
        at=0,
        actor=entry.actor,
        action=entry.act.action,
        subject=entry.act.subject,
        before=entry.act.before,
        after=entry.act.after,
        previous_hash=entry.previous_hash,
        hash=entry.hash,
    )


async def test_an_entry_that_was_added_at_the_end_is_found(log: Database) -> None:
    newest, *_ = await read(log)
    await attack(log, forged("config", Head(COUNT, newest.hash), "mallory", 9))
    verdict = await verify(log, AUDIT)
    assert (verdict.broken, verdict.flaw) == (COUNT + 1, Flaw.BEYOND)


async def cut(log: Database, last: int) -> None:
    """The end is cut off and the head set back, as by somebody who knows how all this works."""
    kept = await read(log, Query(before=last + 1), limit=1)
    await attack(
        log,
        sa.delete(TABLE).where(sequence > last),
        sa.update(AUDIT.head).values(sequence=last, hash=kept[0].hash),
    )


async def test_a_log_that_was_cut_is_found_by_what_was_noted_elsewhere(log: Database) -> None:
    noted = (await verify(log, AUDIT)).end
    await cut(log, 3)
    assert (await verify(log, AUDIT)).flaw is None
    verdict = await verify(log, AUDIT, noted)
    assert (verdict.broken, verdict.flaw) == (4, Flaw.CUT)


async def test_a_log_that_was_cut_and_went_on_is_found_by_what_was_noted_elsewhere(
    log: Database,
) -> None:
    noted = (await verify(log, AUDIT)).end
    await cut(log, 3)
    await write(log, 7, 8, 9, actor="mallory")
    assert (await verify(log, AUDIT)).flaw is None
    verdict = await verify(log, AUDIT, noted)
    assert (verdict.broken, verdict.flaw) == (5, Flaw.OTHER)


async def test_what_was_noted_of_a_log_that_only_grew_still_holds(log: Database) -> None:
    noted = (await verify(log, AUDIT)).end
    await write(log, 6, 7)
    assert (await verify(log, AUDIT, noted)).flaw is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE config_audit SET actor = 'mallory' WHERE sequence = 2",
        "UPDATE config_audit SET actor = actor",
        "DELETE FROM config_audit WHERE sequence = 5",
        "DELETE FROM config_audit",
    ],
)
async def test_the_database_itself_refuses_to_change_an_entry(
    log: Database, statement: str
) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        await log.write(lambda c: c.exec_driver_sql(statement))
    assert (await verify(log, AUDIT)).flaw is None


async def test_the_database_itself_refuses_to_replace_an_entry_or_to_empty_the_table(
    log: Database,
) -> None:
    if log.dialect == "sqlite":
        statement = "INSERT OR REPLACE INTO config_audit SELECT * FROM config_audit"
    else:
        statement = "TRUNCATE config_audit"
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        await log.write(lambda c: c.exec_driver_sql(statement))
    assert len(await read(log)) == COUNT


async def test_an_entry_of_a_change_that_was_undone_does_not_exist(log: Database) -> None:
    def work(connection: sa.Connection) -> None:
        append(connection, AUDIT, "alice", act(6), NOON)
        raise RuntimeError("after all not")

    with pytest.raises(RuntimeError):
        await log.write(work)
    assert len(await read(log)) == COUNT
    assert (await verify(log, AUDIT)).flaw is None


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_writers_of_all_replicas_make_one_chain(
    database: Database, database_url: str
) -> None:
    other = await open_database(database_url)
    try:
        await asyncio.gather(*(write(each, *range(25)) for each in (database, other) * 4))
    finally:
        await other.close()
    verdict = await verify(database, AUDIT)
    assert (verdict.flaw, verdict.end.sequence) == (None, 200)


async def test_a_verification_beside_writers_sees_a_whole_log(log: Database) -> None:
    writing = asyncio.create_task(write(log, *range(30)))
    while not writing.done():
        assert (await verify(log, AUDIT)).flaw is None
    await writing
    assert (await verify(log, AUDIT)).end == await log.read(lambda c: head_of(c, AUDIT))
