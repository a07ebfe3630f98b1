"""Every service's migrations make the schema that its code works with, on every database."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from importlib import import_module

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from ibs_notify.domain.errors import FailedPrecondition
from ibs_notify.settings import SERVICES
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import SCRIPTS, downgrade, latest, upgrade, version_table


def metadata_of(service: str) -> sa.MetaData:
    found = import_module(f"ibs_notify.{service}.tables").METADATA
    assert isinstance(found, sa.MetaData)
    return found


def tables(connection: sa.Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names())


def schema(connection: sa.Connection) -> dict[str, object]:
    """What there is: columns, keys and indexes of every table."""
    inspector = sa.inspect(connection)
    return {
        table: [
            [(each["name"], str(each["type"]), each["nullable"]) for each in columns],
            inspector.get_pk_constraint(table)["constrained_columns"],
            sorted(str(each["name"]) for each in inspector.get_indexes(table)),
        ]
        for table in sorted(tables(connection))
        for columns in [inspector.get_columns(table)]
    }


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await open_database(database_url)
    yield database
    await database.close()


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_migrations_and_table_definitions_are_the_same_schema(
    database: Database, service: str
) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _: (
                    kind != "table" or name != version_table(service)
                ),
            },
        )
        return list(compare_metadata(context, metadata_of(service)))

    await upgrade(database, service)
    assert await database.read(differences) == []


async def test_indexes_cover_the_same_rows_in_both(database: Database, service: str) -> None:
    """Alembic does not compare the condition of a partial index, nor a column's direction."""

    def indexes(connection: sa.Connection) -> list[str]:
        if connection.dialect.name == "sqlite":
            query = "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        else:
            query = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
        return sorted(
            " ".join(str(row[0]).replace('"', "").replace(",", " , ").split())
            for row in connection.exec_driver_sql(query)
            if version_table(service) not in row[0]
        )

    await upgrade(database, service)
    migrated = await database.read(indexes)
    await downgrade(database, service, "base")
    await database.write(metadata_of(service).create_all)
    assert migrated == await database.read(indexes)


async def test_going_back_to_the_beginning_leaves_nothing_and_up_again_works(
    database: Database, service: str
) -> None:
    await upgrade(database, service)
    before = await database.read(schema)
    await downgrade(database, service, "base")
    assert await database.read(tables) <= {version_table(service)}
    await upgrade(database, service)
    assert await database.read(schema) == before


async def test_upgrading_twice_is_harmless(database: Database, service: str) -> None:
    await upgrade(database, service)
    before = await database.read(schema)
    await upgrade(database, service)
    assert await database.read(schema) == before


UPGRADE = """
import asyncio, sys
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade

async def main(url, service):
    database = await open_database(url)
    await upgrade(database, service)
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_replicas_that_start_at_once_find_the_work_done_by_one(postgres_url: str) -> None:
    replicas = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", UPGRADE, postgres_url, "router")
        for _ in range(3)
    ]
    assert [await each.wait() for each in replicas] == [0, 0, 0]
    database = await open_database(postgres_url)
    assert set(metadata_of("router").tables) <= await database.read(tables)
    await database.close()


async def test_the_revision_in_force_is_the_newest_script(database: Database, service: str) -> None:
    await upgrade(database, service)
    query = sa.text(f"SELECT version_num FROM {version_table(service)}")
    assert await database.read(lambda c: c.execute(query).scalar_one()) == latest(service)


async def test_the_schema_of_a_later_release_is_refused_in_a_sentence(
    database: Database, service: str
) -> None:
    await upgrade(database, service)
    later = sa.text(f"UPDATE {version_table(service)} SET version_num = '0999'")
    await database.write(lambda connection: connection.execute(later))
    with pytest.raises(FailedPrecondition, match="the schema 0999 of a later release"):
        await upgrade(database, service)


async def test_services_may_share_a_database(database: Database) -> None:
    for each in SERVICES:
        await upgrade(database, each)
    expected = {name for each in SERVICES for name in metadata_of(each).tables}
    assert await database.read(tables) == expected | {version_table(each) for each in SERVICES}


@pytest.mark.parametrize("each", SERVICES)
def test_every_service_has_migrations_and_its_tables_carry_its_name(each: str) -> None:
    assert list((SCRIPTS / each).glob("0001_*.py"))
    assert all(name.startswith(f"{each}_") for name in metadata_of(each).tables)
