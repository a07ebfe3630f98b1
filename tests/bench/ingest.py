"""Targets 1, 2, 3, 5 and 9: what durable ingest costs beside an empty handler and a bare commit."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.match import Route
from ibs_notify.router.memory import keys_of
from ibs_notify.router.pipeline import Arrival
from ibs_notify.router.repository import NewEvent, accept
from ibs_notify.router.silences import SilenceBook
from ibs_notify.router.tables import EVENTS, METADATA, OBLIGATIONS, WINDOWS
from ibs_notify.rules.ast import Always
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade
from tests.bench import load
from tests.bench.lines import Line, Note, middle
from tests.bench.processes import Server, client_pinned, started

RULES = 1000


def emit(rounds: int) -> list[Line | Note]:
    """Rounds of echo and Router in turn."""
    few: list[tuple[load.Figures, ...]] = []
    many: list[tuple[load.Figures, ...]] = []
    for _ in range(rounds):
        with client_pinned(), started("tests.bench.echo") as echo:
            floor = asyncio.run(_unary_and_stream(echo))
        with (
            client_pinned(),
            tempfile.TemporaryDirectory() as home,
            started("tests.bench.router_alone", home, "2") as router,
        ):
            figures = asyncio.run(_unary_and_stream(router))
            few.append((*floor, *figures, asyncio.run(load.batches(router, 200, 100))))
        with (
            client_pinned(),
            tempfile.TemporaryDirectory() as home,
            started("tests.bench.router_alone", home, str(RULES)) as router,
        ):
            many.append((floor[0], asyncio.run(load.batches(router, 200, 100))))
    return [
        _note("empty handler, 256 in flight", [r[0] for r in few]),
        _note("Emit, 256 in flight", [r[3] for r in few]),
        _note("empty handler, one in flight", [r[1] for r in few]),
        _note("Emit, one in flight", [r[4] for r in few]),
        _note("EmitBatch(100), 2 rules", [r[6] for r in few]),
        _note(f"EmitBatch(100), {RULES:,} rules", [r[1] for r in many]),
        Line(
            "1",
            "Emit, 256 in flight, durable and routed: rate",
            f"{middle([r[3].rate for r in few]):,.0f}/s",
            f"echo {middle([r[0].rate for r in few]):,.0f}/s",
            middle([r[3].rate / r[0].rate for r in few]),
            1.0,
        ),
        Line(
            "2",
            "Emit, one in flight: p50",
            f"{middle([r[4].p50 for r in few]):.2f} ms",
            f"echo {middle([r[1].p50 for r in few]):.2f} ms",
            middle([r[4].p50 / r[1].p50 for r in few]),
            2.0,
            at_most=True,
        ),
        Line(
            "3",
            f"EmitBatch(100), {RULES:,} rules: CPU an event",
            f"{middle([r[1].cpu for r in many]):.1f} µs",
            f"unary echo {middle([r[0].cpu for r in many]):.0f} µs",
            middle([r[0].cpu / r[1].cpu for r in many]),
            10.0,
        ),
        Line(
            "5",
            "EmitStream of 100 a message: CPU an event",
            f"{middle([r[5].cpu for r in few]):.1f} µs",
            f"unary echo {middle([r[0].cpu for r in few]):.0f} µs",
            middle([r[0].cpu / r[5].cpu for r in few]),
            6.0,
        ),
    ]


def _note(what: str, figures: list[load.Figures]) -> Note:
    return Note(
        what,
        f"{middle([f.rate for f in figures]):>8,.0f} events/s   "
        f"{middle([f.cpu for f in figures]):6.1f} µs CPU an event   "
        f"p50 {middle([f.p50 for f in figures]):6.2f} ms   "
        f"p99 {middle([f.p99 for f in figures]):6.2f} ms a call",
    )


async def _unary_and_stream(server: Server) -> tuple[load.Figures, ...]:
    return (
        await load.unary(server, 8000, 256),
        await load.unary(server, 1000, 1),
        await load.stream(server, 200, 100),
    )


def storage(rounds: int) -> list[Line]:
    """The Router's transaction of 100 events beside a bare ``executemany`` of the same rows."""
    ratios, ours, floors = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as directory:
            mine = asyncio.run(_store(Path(directory) / "ours.db"))
            bare = _store_bare(Path(directory) / "ours.db", Path(directory) / "bare.db")
        ours.append(mine)
        floors.append(bare)
        ratios.append(mine / bare)
    return [
        Line(
            "9",
            "decision and storage of an event, its obligation and its window: CPU",
            f"{middle(ours):.1f} µs",
            f"executemany {middle(floors):.1f} µs",
            middle(ratios),
            1.5,
            at_most=True,
        )
    ]


_BATCHES, _SIZE = 200, 100
_ROUTE = Route("ops", "chat", "uid", "sub", Always(), dedup_window=timedelta(minutes=5), route_id=1)
_START = datetime(2026, 5, 21, tzinfo=UTC)


def _event(number: int) -> NewEvent:
    resource = f"/datastore/ibs-primary/production/vm/{number}"
    event = Event(
        f"evt-2026-05-21-{number:020d}",
        "backup.failed",
        Severity.ERROR,
        _START,
        resource=resource,
        canonical_resource=resource,
        actor="alice@polystack!backup-job",
        task_id=f"UPID:backup:00C123:{number}",
    )
    keys = keys_of(event, [_ROUTE.subscription_uid])
    arrival = Arrival(event.event_id, event, _START, (_ROUTE,), keys)
    return NewEvent(arrival, 1, b"", b"x" * 450)


async def _store(path: Path) -> float:
    database = await open_database(f"sqlite:///{path}")
    await upgrade(database, "router")
    silences = SilenceBook()
    batches = [
        [_event(batch * _SIZE + number) for number in range(_SIZE)] for batch in range(_BATCHES)
    ]
    began = time.process_time()
    for batch in batches:
        await database.write(lambda connection, b=batch: accept(connection, [b], silences))  # type: ignore[misc]  # the loop's value, as a default
    spent = time.process_time() - began
    await database.close()
    return spent / (_BATCHES * _SIZE) * 1e6


def _store_bare(source: Path, path: Path) -> float:
    """The rows that ``source`` has, in its order, into tables and indexes of the same kind."""
    engine = sa.create_engine(f"sqlite:///{path}")
    METADATA.create_all(engine)
    engine.dispose()
    with sqlite3.connect(source) as copied:
        rows = {table: _rows(copied, table) for table in (EVENTS, OBLIGATIONS, WINDOWS)}
    copied.close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    began = time.process_time()
    for start in range(0, _BATCHES * _SIZE, _SIZE):
        connection.execute("BEGIN IMMEDIATE")
        for table, all_rows in rows.items():
            places = ", ".join("?" * len(table.columns))
            insert = f"INSERT INTO {table.name} VALUES ({places})"
            connection.executemany(insert, all_rows[start : start + _SIZE])
        connection.execute("COMMIT")
    spent = time.process_time() - began
    connection.close()
    return spent / (_BATCHES * _SIZE) * 1e6


def _rows(connection: sqlite3.Connection, table: sa.Table) -> Sequence[tuple[object, ...]]:
    names = ", ".join(column.name for column in table.columns)
    order = "told_seq" if table is WINDOWS else ", ".join(c.name for c in table.primary_key)
    return connection.execute(f"SELECT {names} FROM {table.name} ORDER BY {order}").fetchall()
