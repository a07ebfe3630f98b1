"""The inbox at a million events: pages, counts and marks as a client sees them, in ms.

Last, what a search that finds nothing costs those who emit meanwhile.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from ibs_notify.rpc.channel import open_plain_channel
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub
from tests.bench import load
from tests.bench.inbox_history import NEEDLE, write_history
from tests.bench.lines import Line, Note
from tests.bench.processes import Server, client_pinned, started
from tests.support.postgres import PostgresServer

EVENTS = 1_000_000
_TURNS = 20
_UNREAD, _READ = pb.INBOX_STATE_UNREAD, pb.INBOX_STATE_READ


def on_sqlite(rounds: int) -> Sequence[Line | Note]:
    """Of the file that is the default."""
    with tempfile.TemporaryDirectory() as home:
        return _measured(home, f"sqlite:///{home}/router.db", rounds)


def on_postgresql(rounds: int) -> Sequence[Line | Note]:
    """Of a server beside it, which syncs, before its autovacuum came by and after."""
    with (
        tempfile.TemporaryDirectory() as home,
        tempfile.TemporaryDirectory(prefix="ibs-notify-postgres-") as directory,
    ):
        server = PostgresServer.start(Path(directory) / "data")
        try:
            server.execute("CREATE DATABASE router")

            def settle() -> None:
                server.execute("\\connect router\nVACUUM (ANALYZE) router_events")

            return _measured(home, server.url("router"), rounds, settle)
        finally:
            server.stop()


def _measured(
    home: str, url: str, rounds: int, settle: Callable[[], None] | None = None
) -> Sequence[Line | Note]:
    """``settle`` does what the database's own housekeeping does within a minute of such a load."""
    asyncio.run(_prepare(url))
    notes: list[Note] = []
    with client_pinned(), started("tests.bench.router_alone", home, "2", url) as router:
        if settle is not None:
            notes += asyncio.run(_measure_fresh(router, rounds))
            settle()
        return [*notes, *asyncio.run(_measure(router, rounds))]


async def _prepare(url: str) -> None:
    database = await open_database(url)
    await upgrade(database, "router")
    await write_history(database, EVENTS)
    await database.close()


async def _measure_fresh(router: Server, rounds: int) -> list[Note]:
    """Right after the load, where the database knows nothing of what it has."""
    async with open_plain_channel(f"127.0.0.1:{router.port}") as channel:
        stub = RouterServiceStub(channel)
        name = "a datastore"
        page, count = partial(_page, stub, _PAGES[name]), partial(_count, stub, _COUNTS[name])
        return [
            await _note(f"page, right after the load: {name}", page, rounds),
            await _note(f"count, right after the load: {name}", count, rounds),
        ]


async def _measure(router: Server, rounds: int) -> list[Note]:
    async with open_plain_channel(f"127.0.0.1:{router.port}") as channel:
        stub = RouterServiceStub(channel)
        notes = [
            await _note(f"page: {name}", partial(_page, stub, chosen), rounds)
            for name, chosen in _PAGES.items()
        ]
        notes += [
            await _note(f"count: {name}", partial(_count, stub, chosen), rounds)
            for name, chosen in _COUNTS.items()
        ]
        for name, state, among in (("read", _READ, _UNREAD), ("unread", _UNREAD, _READ)):
            request = pb.MarkEventsRequest(
                filter=pb.EventFilter(inbox_states=[among]), up_to_sequence=EVENTS, state=state
            )
            notes.append(await _note(f"mark all {name}", partial(stub.MarkEvents, request), 0))
        notes.append(await _search(stub))
        return [*notes, *(await _beside_a_search(stub, router))]


def _ago(days: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromMicroseconds(int((time.time() - days * 86_400) * 1e6))
    return stamp


_PAGES: Mapping[str, pb.EventFilter] = {
    "the newest": pb.EventFilter(),
    "a common type": pb.EventFilter(types=["backup.completed"]),
    "a rare type": pb.EventFilter(types=["verify.corrupt"]),
    "error and worse": pb.EventFilter(min_severity=event_pb2.SEVERITY_ERROR),
    "a datastore": pb.EventFilter(resource="ibs-07:"),
    "a machine": pb.EventFilter(resource="ibs-07:production/vm/1234"),
    "a machine, failures": pb.EventFilter(
        resource="ibs-07:production/vm/1234", types=["backup.failed"]
    ),
    "a task": pb.EventFilter(task_id="UPID:backup:00C123:0003ffff:vm-1"),
    "a group": pb.EventFilter(groups=["ops"]),
    "40 days ago": pb.EventFilter(before=_ago(40)),
    "unread": pb.EventFilter(inbox_states=[_UNREAD]),
    "a common text": pb.EventFilter(text="VM/12"),
}
_COUNTS: Mapping[str, pb.EventFilter] = {
    "everything": pb.EventFilter(),
    "error and worse": pb.EventFilter(min_severity=event_pb2.SEVERITY_ERROR),
    "a rare type": pb.EventFilter(types=["backup.failed"]),
    "a common type": pb.EventFilter(types=["backup.completed"]),
    "a datastore": pb.EventFilter(resource="ibs-07:"),
    "the last day": pb.EventFilter(after=_ago(1)),
}


async def _page(stub: Any, chosen: pb.EventFilter) -> None:
    await stub.ListEvents(pb.ListEventsRequest(filter=chosen))


async def _count(stub: Any, chosen: pb.EventFilter) -> None:
    await stub.CountEvents(pb.CountEventsRequest(filter=chosen))


async def _note(what: str, call: Callable[[], Awaitable[Any]], rounds: int) -> Note:
    """The first call apart: it finds nothing in memory."""
    began = time.perf_counter()
    await call()
    first = (time.perf_counter() - began) * 1e3
    if not rounds:
        return Note(what, f"{first:8.1f} ms")
    times = []
    for _ in range(_TURNS * rounds):
        began = time.perf_counter()
        await call()
        times.append((time.perf_counter() - began) * 1e3)
    times.sort()
    middle, late = times[len(times) // 2], times[int(len(times) * 0.95)]
    return Note(what, f"p50 {middle:7.1f} ms   p95 {late:7.1f} ms   first {first:7.1f} ms")


async def _search(stub: Any) -> Note:
    """Through everything, call by call."""
    request = pb.ListEventsRequest(filter=pb.EventFilter(text=NEEDLE.upper()))
    found, calls, longest = 0, 0, 0.0
    began = time.perf_counter()
    while calls == 0 or request.page_token:
        each = time.perf_counter()
        answer = await stub.ListEvents(request)
        longest = max(longest, time.perf_counter() - each)
        found, calls = found + len(answer.events), calls + 1
        request.page_token = answer.next_page_token
    spent = time.perf_counter() - began
    return Note(
        f"search through everything: {found} found",
        f"{spent:8.1f} s in {calls} calls, the longest {longest * 1e3:.0f} ms",
    )


async def _beside_a_search(stub: Any, router: Server) -> list[Note]:
    """Emit alone, then while somebody pages through everything in vain, in turn."""
    alone, beside = [], []

    async def search() -> None:
        request = pb.ListEventsRequest(filter=pb.EventFilter(text="not in any event"))
        while True:
            request.page_token = (await stub.ListEvents(request)).next_page_token

    for _ in range(3):
        alone.append(await load.unary(router, 600, 1))
        searching = asyncio.create_task(search())
        beside.append(await load.unary(router, 600, 1))
        searching.cancel()
    return [
        Note(
            what,
            f"p50 {min(each.p50 for each in figures):7.1f} ms   "
            f"p99 {min(each.p99 for each in figures):7.1f} ms",
        )
        for what, figures in (("Emit, one in flight", alone), ("the same beside a search", beside))
    ]
