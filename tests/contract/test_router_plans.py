"""PostgreSQL goes by the indexes, also where it knows nothing yet of what there is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.statements import seen_statements

from ibs_notify.router import coverage_reads
from ibs_notify.router.blocks import Blocks
from ibs_notify.router.chart_turns import count_of_resource, count_window, plan_of
from ibs_notify.router.counting import INDEXED
from ibs_notify.router.event_query import EventQuery
from ibs_notify.router.event_walk import begin, next_piece, turn
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade

EVENTS = 60_000
LOADED = f"""
    INSERT INTO router_events (seq, event_id, received_at, revision, opened, closed, severity, type,
                               resource, actor, task_id, body, packed)
    SELECT seq, 'e-' || seq, seq, 1, 0, 0, 1 + seq % 5, 'backup.' || seq % 3,
           '/datastore/ibs-' || seq % 20 || '/vm/' || seq % 999, '', '', repeat('x', 400)::bytea, ''
    FROM generate_series(1, {EVENTS}) AS seq
"""
"""As after a restore: no statistics, and nothing known to be visible to all."""
PAGES = {
    "the newest": EventQuery(),
    "a datastore": EventQuery(resource="/datastore/ibs-7"),
    "a machine": EventQuery(resource="/datastore/ibs-7/vm/7"),
    "a type": EventQuery(types=frozenset({"backup.1"})),
    "the gravest": EventQuery(min_severity=4),
}


@pytest.fixture
async def loaded(postgres_url: str) -> AsyncIterator[Database]:
    database = await open_database(postgres_url)
    await upgrade(database, "router")

    def load(connection: sa.Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE router_events SET (autovacuum_enabled = off)")
        connection.exec_driver_sql(LOADED)
        connection.exec_driver_sql(
            f"UPDATE router_sequence SET value = {EVENTS} WHERE name = 'event'"
        )

    await database.write(load)
    yield database
    await database.close()


def nodes(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What each step does, and to which table."""
    yield plan["Node Type"], plan.get("Relation Name", "")
    for each in plan.get("Plans", ()):
        yield from nodes(each)


async def ways_to_events(database: Database, work: Callable[[sa.Connection], object]) -> set[str]:
    """By what steps the statements of ``work`` come to the events."""

    def explain(connection: sa.Connection) -> set[str]:
        with seen_statements(connection) as statements:
            work(connection)
        plans = [
            connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {text}", values).scalar_one()
            for text, values in statements
        ]
        return {
            step
            for plan in plans
            for step, table in nodes(plan[0]["Plan"])
            if table == "router_events"
        }

    return await database.read(explain)


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_follows_an_index_without_any_statistics(loaded: Database, name: str) -> None:
    def page(connection: sa.Connection) -> None:
        walk = begin(connection, PAGES[name], Blocks())
        turn(connection, walk, None, 51, size=4_000)

    steps = await ways_to_events(loaded, page)
    assert steps
    assert steps <= {"Index Scan", "Index Only Scan"}


async def test_a_count_reads_an_index_alone_without_any_statistics(loaded: Database) -> None:
    def count(connection: sa.Connection) -> None:
        walk = begin(connection, PAGES["a datastore"], Blocks(), few=EVENTS)
        piece = next_piece(connection, walk, None, INDEXED, severities=True)
        assert piece is not None
        connection.execute(sa.select(sa.func.count()).select_from(piece.events))

    assert await ways_to_events(loaded, count) == {"Index Only Scan"}


@pytest.mark.parametrize("name", ["a datastore", "a type", "the gravest"])
async def test_a_chart_reads_an_index_alone_without_any_statistics(
    loaded: Database, name: str
) -> None:
    def count(connection: sa.Connection) -> None:
        plan = plan_of(connection, PAGES[name], Blocks())
        if plan.of_resource is None:
            count_window(connection, plan, plan.first, plan.last, 1_000)
        else:
            count_of_resource(connection, plan.of_resource, plan.of_resource.beginning, 1_000)

    assert await ways_to_events(loaded, count) == {"Index Only Scan"}


async def test_what_is_below_a_place_is_counted_by_an_index_alone(loaded: Database) -> None:
    def look(connection: sa.Connection) -> None:
        assert coverage_reads.place_of(connection, "/datastore/ibs-7", 1, []).event_count == 3_000

    assert await ways_to_events(loaded, look) <= {"Index Scan", "Index Only Scan"}
