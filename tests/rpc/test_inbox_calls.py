"""The inbox over the wire: each user's marks, and a watch without a gap and without a repeat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.support.core import Core, failed
from tests.support.router import (
    OPERATIONS,
    PATIENCE_SECONDS,
    Surroundings,
    refusal,
    surrounded,
)

from ibs_notify.domain.errors import NotFound, OutOfRange, Reason
from ibs_notify.router import books, event_watch
from ibs_notify.rpc.caller import USER_KEY
from ibs_notify.rpc.status import from_rpc_error
from ibs_notify.store.engine import open_database
from ironcore.notification.v1 import disposition_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

UNREAD, READ, ARCHIVED = (
    pb.INBOX_STATE_UNREAD,
    pb.INBOX_STATE_READ,
    pb.INBOX_STATE_ARCHIVED,
)
ALICE, BOB = (((USER_KEY, name),) for name in ("alice", "bob"))


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Surroundings]:
    async with surrounded(tmp_path, *OPERATIONS) as around:
        yield around


# Lists, marks, counts


async def test_everybody_sees_their_own_marks(around: Surroundings) -> None:
    await around.emit("e1")
    await around.emit("e2")
    request = pb.MarkEventsRequest(event_ids=["e1"], state=READ)
    assert (await around.stub.MarkEvents(request, metadata=ALICE)).count == 1
    request.event_ids.extend(["e1", "nope", "nope"])
    again = await around.stub.MarkEvents(request, metadata=ALICE)
    assert (again.count, again.unknown_count) == (0, 1)

    async def states(metadata: Any) -> list[int]:
        answer = await around.stub.ListEvents(pb.ListEventsRequest(), metadata=metadata)
        return [each.inbox_state for each in answer.events]

    assert await states(ALICE) == [UNREAD, READ]
    assert await states(BOB) == [UNREAD, UNREAD]
    one = await around.stub.GetEvent(pb.GetEventRequest(event_id="e1"), metadata=ALICE)
    assert one.event.inbox_state == READ


async def test_all_that_was_seen_is_marked_at_once(around: Surroundings) -> None:
    await around.emit("e1")
    await around.emit("e2", type="backup.completed")
    seen = await around.stub.CountEvents(pb.CountEventsRequest(), metadata=ALICE)
    await around.emit("e3")
    request = pb.MarkEventsRequest(
        filter=pb.EventFilter(inbox_states=[UNREAD]),
        up_to_sequence=seen.newest_sequence,
        state=READ,
    )
    assert (await around.stub.MarkEvents(request, metadata=ALICE)).count == 2
    answer = await around.stub.CountEvents(pb.CountEventsRequest(), metadata=ALICE)
    assert [(each.severity, each.count, each.unread) for each in answer.counts] == [
        (event_pb2.SEVERITY_ERROR, 2, 1),
        (event_pb2.SEVERITY_INFO, 1, 0),
    ]


async def test_a_filter_by_what_became_of_it_knows_what_delivery_has(around: Surroundings) -> None:
    await around.emit("e1")
    chosen = pb.EventFilter(
        dispositions=[disposition_pb2.DISPOSITION_STATE_HANDED_OFF], groups=["ops-team"]
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (await around.stub.ListEvents(pb.ListEventsRequest(filter=chosen))).events:
            pass


async def test_events_are_summed_up_by_datastore_type_and_severity(around: Surroundings) -> None:
    await around.emit("e1", resource="a:vm/1")
    await around.emit("e2", resource="/datastore/a/vm/2")
    await around.emit("e3", resource="/host/a", type="backup.completed")
    answer = await around.stub.SummarizeEvents(pb.SummarizeEventsRequest())
    assert list(answer.counts) == [
        pb.EventCount(type="backup.completed", severity=event_pb2.SEVERITY_INFO, count=1),
        pb.EventCount(
            datastore="a", type="backup.failed", severity=event_pb2.SEVERITY_ERROR, count=2
        ),
    ]


async def test_an_event_that_there_is_not_is_not_found(around: Surroundings) -> None:
    error = await refusal(around.stub.GetEvent(pb.GetEventRequest(event_id="e9")))
    assert isinstance(error, NotFound)
    assert error.reason is Reason.EVENT_NOT_FOUND


# The watch


class Watcher:
    """A watch on the wire, read by hand."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.token = ""

    async def answer(self) -> pb.WatchEventsResponse:
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await self._call.read()
        assert isinstance(answer, pb.WatchEventsResponse), "the watch ended"
        self.token = answer.resume_token
        return answer

    async def ids(self, count: int) -> list[str]:
        return [(await self.answer()).event.event.event_id for _ in range(count)]

    async def failure(self) -> BaseException:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self._call.read()
        return from_rpc_error(caught.value)

    async def ended(self) -> bool:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return bool(await self._call.read() is grpc.aio.EOF)


@asynccontextmanager
async def watching(
    around: Surroundings, token: str = "", *, metadata: Any = ALICE, **fields: Any
) -> AsyncIterator[Watcher]:
    """A watch that has had its first message: only a place."""
    request = pb.WatchEventsRequest(resume_token=token, filter=pb.EventFilter(**fields))
    call = around.stub.WatchEvents(request, metadata=metadata)
    watcher = Watcher(call)
    first = await watcher.answer()
    assert not first.HasField("event")
    try:
        yield watcher
    finally:
        call.cancel()


async def emit(around: Surroundings, first: int, count: int, **fields: Any) -> list[str]:
    names = [f"e{number}" for number in range(first, first + count)]
    for name in names:
        await around.emit(name, **fields)
    return names


async def test_a_watch_begins_with_a_place_and_tells_what_comes(around: Surroundings) -> None:
    await around.emit("before")
    async with watching(around) as watcher:
        await around.emit("after")
        answer = await watcher.answer()
    assert answer.event.event.event_id == "after"
    assert (answer.event.sequence, answer.event.inbox_state) == (2, UNREAD)
    assert [each.target for each in answer.event.dispositions] == ["ops-smtp", "chat-ops"]


async def test_a_watch_that_is_resumed_has_no_gap_and_no_repeat(around: Surroundings) -> None:
    seen: list[str] = []
    token = ""
    for turn in range(5):
        async with watching(around, token) as watcher:
            await emit(around, turn * 20, 10)
            seen += await watcher.ids(10 if turn == 0 else 20)
            token = watcher.token
        await emit(around, turn * 20 + 10, 10)
    async with watching(around, token) as watcher:
        seen += await watcher.ids(10)
    assert seen == [f"e{number}" for number in range(100)]


async def test_a_place_before_the_first_event_is_good(around: Surroundings) -> None:
    async with watching(around) as watcher:
        token = watcher.token
    await around.emit("e1")
    async with watching(around, token) as watcher:
        assert await watcher.ids(1) == ["e1"]


async def test_a_watch_is_resumed_after_the_router_was_started_again(tmp_path: Path) -> None:
    async with surrounded(tmp_path, *OPERATIONS) as around:
        async with watching(around) as watcher:
            await around.emit("e1")
            assert await watcher.ids(1) == ["e1"]
        token = watcher.token
        await around.emit("e2")
    async with surrounded(tmp_path, *OPERATIONS) as around, watching(around, token) as watcher:
        await around.emit("e3")
        assert await watcher.ids(2) == ["e2", "e3"]


async def test_a_watch_tells_only_what_its_filter_lets_through(around: Surroundings) -> None:
    async with (
        watching(around, types=["backup.failed"], text="DISK") as watcher,
        watching(around, groups=["ops-team"], rule="actor = bob") as other,
    ):
        await around.emit("e1", type="backup.completed", subject="disk")
        await around.emit("e2", subject="a disk")
        await around.emit("e3", actor="bob", type="backup.completed")
        await around.emit("e4", subject="disk", actor="bob")
        assert await watcher.ids(2) == ["e2", "e4"]
        assert await other.ids(2) == ["e3", "e4"]


async def test_a_place_moves_on_also_where_the_filter_lets_nothing_through(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_watch, "SILENT", 5)
    async with watching(around, types=["verify.corrupt"]) as watcher:
        first = watcher.token
        await emit(around, 0, 20)
        answer = await watcher.answer()
        assert not answer.HasField("event")
        assert answer.resume_token != first


async def test_a_watch_by_mark_goes_by_the_marks_of_who_watches(around: Surroundings) -> None:
    async with watching(around) as watcher:
        token = watcher.token
    await emit(around, 0, 3)
    mark = pb.MarkEventsRequest(event_ids=["e1"], state=READ)
    await around.stub.MarkEvents(mark, metadata=ALICE)
    async with (
        watching(around, token, inbox_states=[UNREAD]) as alice,
        watching(around, token, inbox_states=[UNREAD], metadata=BOB) as bob,
    ):
        assert await alice.ids(2) == ["e0", "e2"]
        assert await bob.ids(3) == ["e0", "e1", "e2"]


async def test_one_who_does_not_read_delays_nobody_and_misses_nothing(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_watch, "KEPT_EVENTS", 5)
    monkeypatch.setattr(event_watch, "READ", 7)
    summary = "x" * 20_000
    async with watching(around) as slow, watching(around) as quick:
        names = await emit(around, 0, 60, summary=summary)
        assert await quick.ids(60) == names
        assert await slow.ids(60) == names


async def test_many_watchers_cost_one_look_at_the_database(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    read = books.events_after

    def noted(*args: Any, **kwargs: Any) -> Any:
        nonlocal looks
        looks += 1
        return read(*args, **kwargs)

    async with asyncio.timeout(PATIENCE_SECONDS):
        async with watching(around) as first:
            # Looked at once by itself, so that what follows comes from what is kept.
            await around.emit("warm")
            await first.ids(1)
            calls = [around.stub.WatchEvents(pb.WatchEventsRequest()) for _ in range(50)]
            watchers = [Watcher(call) for call in calls]
            for each in watchers:
                await each.answer()
            monkeypatch.setattr(event_watch, "events_after", noted)
            await around.emit("e1")
            assert [await each.ids(1) for each in watchers] == [["e1"]] * 50
            assert looks <= 2
            for call in calls:
                call.cancel()


@pytest.mark.parametrize("token", ["nonsense", "99-1", "1-1", "-5"])
async def test_a_place_of_another_history_is_refused(around: Surroundings, token: str) -> None:
    await around.emit("e1")
    call = around.stub.WatchEvents(pb.WatchEventsRequest(resume_token=token))
    error = await Watcher(call).failure()
    assert isinstance(error, OutOfRange)
    assert error.reason is Reason.RESUME_TOKEN_EXPIRED


async def test_a_bad_filter_is_refused(around: Surroundings) -> None:
    request = pb.WatchEventsRequest(filter=pb.EventFilter(rule="severity ="))
    error = await Watcher(around.stub.WatchEvents(request)).failure()
    assert getattr(error, "reason", None) is Reason.RULE_INVALID


async def test_events_of_another_replica_are_told_too(tmp_path: Path, postgres_url: str) -> None:
    async with surrounded(tmp_path / "one", *OPERATIONS, database=postgres_url) as around:
        other = await open_database(postgres_url)
        core = Core(other)
        await core.configure()
        async with watching(around) as watcher:
            await core.emit(failed("there"))
            assert await watcher.ids(1) == ["there"]
        await other.close()


async def test_watches_end_when_the_router_stops(tmp_path: Path) -> None:
    async with surrounded(tmp_path, *OPERATIONS) as around:
        call = around.stub.WatchEvents(pb.WatchEventsRequest())
        watcher = Watcher(call)
        await watcher.answer()
        stopping = asyncio.create_task(around.router.app.__aexit__())
        assert await watcher.ended()
        await stopping
