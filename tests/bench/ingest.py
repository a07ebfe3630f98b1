"""Targets 1, 2, 3, 5 and 9: what durable ingest costs beside an empty handler and a bare commit."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path

from ibs_notify.router.dispositions import Decision, Reason, State
from ibs_notify.router.match import Route
from ibs_notify.router.pipeline import Routed
from ibs_notify.router.repository import NewEvent, insert_events
from ibs_notify.router.tables import EVENTS, OBLIGATIONS
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
            bare = _store_bare(Path(directory) / "bare.db")
        ours.append(mine)
        floors.append(bare)
        ratios.append(mine / bare)
    return [
        Line(
            "9",
            "storage of an event and its obligation: CPU",
            f"{middle(ours):.1f} µs",
            f"executemany {middle(floors):.1f} µs",
            middle(ratios),
            1.5,
            at_most=True,
        )
    ]


_BATCHES, _SIZE = 200, 100
_ROUTE = Route("ops", "chat", "uid", "sub", lambda _: True, route_id=1)
_ROUTED = Routed(_ROUTE, Decision(State.READY, Reason.RULE_MATCHED))


def _event(number: int) -> NewEvent:
    return NewEvent(
        f"evt-2026-05-21-{number:020d}",
        number,
        1,
        4,
        "backup.failed",
        f"/datastore/ibs-primary/production/vm/{number}",
        "alice@polystack!backup-job",
        f"UPID:backup:00C123:{number}",
        b"",
        b"x" * 450,
        ((0, _ROUTED),),
        0,
        b"",
    )


async def _store(path: Path) -> float:
    database = await open_database(f"sqlite:///{path}")
    await upgrade(database, "router")
    batches = [
        [_event(batch * _SIZE + number) for number in range(_SIZE)] for batch in range(_BATCHES)
    ]
    began = time.process_time()
    for batch in batches:
        await database.write(lambda connection, b=batch: insert_events(connection, [b]))  # type: ignore[misc]  # the loop's value, as a default
    spent = time.process_time() - began
    await database.close()
    return spent / (_BATCHES * _SIZE) * 1e6


def _store_bare(path: Path) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    for table in (EVENTS, OBLIGATIONS):
        columns = ", ".join(
            f"{column.name} {'INTEGER' if column.primary_key else 'TEXT'}"
            for column in table.columns
        )
        keys = ", ".join(column.name for column in table.primary_key)
        tail = " WITHOUT ROWID" if table is OBLIGATIONS else ""
        connection.execute(f"CREATE TABLE {table.name} ({columns}, PRIMARY KEY ({keys})){tail}")
    connection.execute("CREATE UNIQUE INDEX ids ON router_events (event_id)")
    connection.execute(
        "CREATE INDEX ready ON router_obligations (severity DESC, event_seq) WHERE state = 'ready'"
    )
    events_sql, obligations_sql = (
        f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(table.columns))})"
        for table in (EVENTS, OBLIGATIONS)
    )
    batches = [
        [_row(_event(number), number) for number in range(batch * _SIZE, (batch + 1) * _SIZE)]
        for batch in range(_BATCHES)
    ]
    began = time.process_time()
    for batch in batches:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(events_sql, [event for event, _ in batch])
        connection.executemany(obligations_sql, [obligation for _, obligation in batch])
        connection.execute("COMMIT")
    spent = time.process_time() - began
    connection.close()
    return spent / (_BATCHES * _SIZE) * 1e6


def _row(event: NewEvent, number: int) -> tuple[tuple[object, ...], tuple[object, ...]]:
    stored = (
        number,
        event.event_id,
        event.received_at,
        event.revision,
        1,
        0,
        event.severity,
        event.type,
        event.resource,
        event.actor,
        event.task_id,
        None,
        event.body,
        event.packed,
    )
    return stored, (number, 0, event.severity, 1, "ready", "RULE_MATCHED", "", "", None, None)
