"""EmitStream: an answer for every event, in order, with back-pressure, and safe to resume."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import TypeAlias

import grpc
import pytest
from tests.support.router import (
    PATIENCE_SECONDS,
    RunningRouter,
    fake_config,
    fake_delivery,
    group,
    items,
    router_settings,
    running_router,
    serving,
    webhook,
)
from tests.system.installation import free_port

from ibs_notify.rpc import server as server_module
from ibs_notify.settings import Settings
from ironcore.notification.v1 import error_reason_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

Call: TypeAlias = "grpc.aio.StreamStreamCall[pb.EmitStreamRequest, pb.EmitStreamResponse]"


@pytest.fixture(autouse=True)
def _long_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that is open keeps no stopping server waiting."""
    monkeypatch.setattr(server_module, "STOP_GRACE_SECONDS", 10 * PATIENCE_SECONDS)


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[Settings]:
    """Of a Router that is found at the same address each time it runs."""
    config = fake_config()
    # No rule matches what is emitted here: the Router adds no event of its own, a summary say.
    config.change(items(webhook("chat-ops"), group("ops-team", {"chat-ops": "type = c.d"})))
    async with serving(config) as port, serving(fake_delivery()) as delivery:
        (tmp_path / "home").mkdir()
        found = router_settings(tmp_path / "home", config=port, delivery=delivery)
        yield replace(found, router_address=f"127.0.0.1:{free_port()}")


@pytest.fixture
async def router(settings: Settings) -> AsyncIterator[RunningRouter]:
    async with running_router(settings) as router:
        await router.stub.AwaitConfig(
            pb.RouterServiceAwaitConfigRequest(revision=1), timeout=PATIENCE_SECONDS
        )
        yield router


def events(*numbers: int) -> list[event_pb2.Event]:
    return [event_pb2.Event(event_id=f"e{n}", type="a.b") for n in numbers]


async def send(call: Call, *messages: Sequence[event_pb2.Event]) -> None:
    for each in messages:
        await call.write(pb.EmitStreamRequest(events=each))


async def next_message(call: Call) -> pb.EmitStreamResponse:
    async with asyncio.timeout(PATIENCE_SECONDS):
        message = await call.read()
    assert isinstance(message, pb.EmitStreamResponse)
    return message


async def answers(call: Call, number: int) -> list[pb.EmitResult]:
    """The next ``number`` answers, however they are spread over messages."""
    results: list[pb.EmitResult] = []
    while len(results) < number:
        results += (await next_message(call)).results
    assert len(results) == number
    return results


def ids(results: Sequence[pb.EmitResult]) -> list[str]:
    return [each.accepted.event_id for each in results]


async def kept(router: RunningRouter) -> int:
    return (await router.stub.VerifyLedger(pb.VerifyLedgerRequest())).accepted_events


async def test_every_event_of_many_messages_is_answered_in_order(router: RunningRouter) -> None:
    call = router.stub.EmitStream()
    sizes = [1, 7, 0, 300, 1, 1, 64]
    numbers = iter(range(sum(sizes)))
    await send(call, *(events(*(next(numbers) for _ in range(size))) for size in sizes))
    await call.done_writing()
    results = [result async for message in call for result in message.results]
    assert ids(results) == [f"e{n}" for n in range(sum(sizes))]
    assert await call.code() is grpc.StatusCode.OK


async def test_the_next_message_may_be_sent_before_the_last_is_answered(
    router: RunningRouter,
) -> None:
    call = router.stub.EmitStream()
    await send(call, events(1), events(2), events(3))
    assert ids(await answers(call, 3)) == ["e1", "e2", "e3"]
    await send(call, events(4))
    assert ids(await answers(call, 1)) == ["e4"]
    call.cancel()


async def test_an_answer_means_that_the_event_is_kept(router: RunningRouter) -> None:
    call = router.stub.EmitStream()
    await send(call, events(1, 2))
    await answers(call, 2)
    call.cancel()
    assert await kept(router) == 2


async def test_a_wrong_event_is_answered_in_its_place_and_ends_nothing(
    router: RunningRouter,
) -> None:
    call = router.stub.EmitStream()
    wrong = event_pb2.Event(event_id="wrong")
    reused = event_pb2.Event(event_id="e1", type="other.type")
    await send(call, events(1), [wrong], [*events(2), reused], events(3))
    first, second, third, fourth, fifth = await answers(call, 5)
    assert ids([first, third, fifth]) == ["e1", "e2", "e3"]
    assert [each.path for each in second.error.faults] == ["type"]
    assert fourth.error.reason == error_reason_pb2.ERROR_REASON_EVENT_ID_REUSED
    call.cancel()


async def test_what_a_broken_stream_left_open_may_be_sent_again(router: RunningRouter) -> None:
    broken = router.stub.EmitStream()
    await send(broken, events(*range(100)), events(*range(100, 200)))
    await answers(broken, 100)
    broken.cancel()
    again = router.stub.EmitStream()
    # More than the client knows to be missing, too.
    await send(again, events(*range(50, 250)))
    results = await answers(again, 200)
    again.cancel()
    assert ids(results) == [f"e{n}" for n in range(50, 250)]
    assert all(each.accepted.duplicate for each in results[:50])
    assert not any(each.accepted.duplicate for each in results[-50:])
    assert await kept(router) == 250


async def test_a_stream_that_nobody_reads_comes_to_a_stand(router: RunningRouter) -> None:
    # Unknown groups make long answers: a warning for each name.
    names = [f"{n}-{'x' * 60}" for n in range(32)]

    async def write(call: Call) -> None:
        for n in count():
            many = [
                event_pb2.Event(event_id=f"{n}-{i}", type="a.b", groups=names) for i in range(50)
            ]
            await send(call, many)
            written.append(n)

    async def comes_to_a_stand() -> int:
        seen: list[tuple[int, int]] = []
        while len(seen) < 50 or seen[-1] != seen[-50]:
            seen.append((await kept(router), len(written)))
        return seen[-1][0]

    written: list[int] = []
    call = router.stub.EmitStream()
    writing = asyncio.create_task(write(call))
    taken = await comes_to_a_stand()
    assert taken > 0
    assert not writing.done()
    # Whoever reads sets it going again, and nothing was left out.
    results: list[pb.EmitResult] = []
    while len(results) < taken:
        results += (await next_message(call)).results
    everything = (f"{n}-{i}" for n in count() for i in range(50))
    assert ids(results) == list(islice(everything, len(results)))
    assert await comes_to_a_stand() > taken
    writing.cancel()
    call.cancel()


async def test_the_command_line_loses_and_doubles_nothing_over_outages(settings: Settings) -> None:
    total = 6000
    emitting = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ibs_notify.cli", "notification", "emit", "--stdin", "-o", "json",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"IBS_NOTIFY_ROUTER_ADDRESS": settings.router_address},
    )  # fmt: skip
    assert emitting.stdin is not None
    assert emitting.stdout is not None
    lines = [json.dumps({"type": "a.b", "subject": str(n)}) for n in range(total)]
    given: list[str] = []

    async def read(number: int) -> None:
        assert emitting.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS * 2):
            while len(given) < number:
                document = json.loads(await emitting.stdout.readline())
                assert document["line"] == len(given) + 1
                given.append(document["accepted"]["event_id"])

    for part in range(3):
        async with running_router(settings):
            text = "\n".join(lines[part * total // 3 : (part + 1) * total // 3]) + "\n"
            emitting.stdin.write(text.encode())
            # Away in the midst of it.
            await read(part * total // 3 + 500)
    async with running_router(settings) as router:
        emitting.stdin.close()
        await read(total)
        assert await emitting.wait() == 0
        assert await kept(router) == len(set(given)) == total


async def test_a_router_that_stops_ends_idle_streams_at_once_in_a_way_to_try_again(
    settings: Settings,
) -> None:
    async with running_router(settings) as router:
        await router.stub.AwaitConfig(pb.RouterServiceAwaitConfigRequest(revision=1))
        calls = [router.stub.EmitStream() for _ in range(3)]
        for number, call in enumerate(calls):
            await send(call, events(number))
            await answers(call, 1)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await router.app.__aexit__()
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_what_a_stopping_router_kept_it_has_answered(settings: Settings) -> None:
    results: list[pb.EmitResult] = []

    async def read(call: Call) -> None:
        while True:
            results.extend((await next_message(call)).results)

    async with running_router(settings) as router:
        await router.stub.AwaitConfig(pb.RouterServiceAwaitConfigRequest(revision=1))
        call = router.stub.EmitStream()
        await send(call, *(events(*range(n, n + 100)) for n in range(0, 3_000, 100)))
        results.extend((await next_message(call)).results)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await router.app.__aexit__()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read(call)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    async with running_router(settings) as router:
        assert await kept(router) == len(results)
