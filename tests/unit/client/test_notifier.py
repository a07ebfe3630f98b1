"""The notifier as a program uses it, against a Router whose answers a test chooses."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest
from tests.support.fake_services import FakeService

from ibs_notify.client import AsyncNotifier, NotAcknowledged, Notifier
from ibs_notify.client import notifier as notifier_module
from ibs_notify.client.buffer import MemoryBuffer
from ibs_notify.domain.errors import (
    FailedPrecondition,
    InvalidArgument,
    Reason,
    ResourceExhausted,
    Unavailable,
)
from ibs_notify.rpc.caller import USER_KEY
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

SECONDS = 10.0
NOWHERE = "127.0.0.1:1"


def accept(request: Any) -> pb.EmitBatchResponse:
    return pb.EmitBatchResponse(
        results=[
            pb.EmitResult(accepted=pb.EmitResponse(event_id=each.event_id))
            for each in request.events
        ]
    )


@pytest.fixture
def router() -> Iterator[FakeService]:
    router = FakeService("router", answers={"EmitBatch": accept})
    router.start()
    yield router
    router.stop()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory has room for two events."""
    monkeypatch.setattr(notifier_module, "MemoryBuffer", lambda: MemoryBuffer(most=2))


def arrived(router: FakeService) -> list[event_pb2.Event]:
    return [event for request in router.received("EmitBatch") for event in request.events]


def test_an_event_is_acknowledged(router: FakeService) -> None:
    with Notifier(router.address, user="jörg") as notifier:
        receipt = notifier.emit("backup.failed", severity="error", labels={"site": "vienna"})
        assert receipt.result(SECONDS).event_id == receipt.event_id
    (event,) = arrived(router)
    assert (event.type, dict(event.labels)) == ("backup.failed", {"site": "vienna"})
    assert event.event_id == receipt.event_id
    assert router.calls[0].metadata[USER_KEY] == "j\\xf6rg"


def test_an_event_has_the_time_it_was_emitted_not_when_it_arrives(router: FakeService) -> None:
    with Notifier(router.address) as notifier:
        message = event_pb2.Event(type="a.b")
        notifier.emit_message(message).result(SECONDS)
    assert arrived(router)[0].HasField("timestamp")
    assert message == event_pb2.Event(type="a.b")


def test_a_wrong_event_is_refused_where_it_is_emitted(router: FakeService) -> None:
    with Notifier(router.address) as notifier, pytest.raises(InvalidArgument, match="subject"):
        notifier.emit("a.b", subject="x" * 1001)
    assert router.calls == []


def test_events_arrive_in_the_order_they_were_emitted(router: FakeService) -> None:
    with Notifier(router.address) as notifier:
        emitted = [notifier.emit("a.b").event_id for _ in range(3000)]
    assert [each.event_id for each in arrived(router)] == emitted
    assert emitted == sorted(emitted)
    assert notifier.tally.acknowledged == 3000


def test_flush_waits_for_every_answer(router: FakeService) -> None:
    with Notifier(router.address) as notifier:
        receipts = [notifier.emit("a.b") for _ in range(100)]
        notifier.flush(SECONDS)
        assert all(each.done for each in receipts)


def test_flush_gives_up_in_time_and_the_events_go_on() -> None:
    notifier = Notifier(NOWHERE)
    receipt = notifier.emit("a.b")
    with pytest.raises(TimeoutError):
        notifier.flush(0)
    with pytest.raises(NotAcknowledged) as caught:
        notifier.close(0)
    assert caught.value.event_ids == (receipt.event_id,)
    assert receipt.event_id in str(caught.value)
    with pytest.raises(Unavailable, match="before the notifier was closed"):
        receipt.result(SECONDS)


def test_what_was_given_up_is_said_by_its_receipt_by_flush_and_only_once() -> None:
    with Notifier(NOWHERE, patience=0.0) as notifier:
        receipt = notifier.emit("a.b")
        with pytest.raises(Unavailable):
            receipt.result(SECONDS)
        with pytest.raises(NotAcknowledged) as caught:
            notifier.flush(SECONDS)
    assert caught.value.event_ids == (receipt.event_id,)


def test_a_closed_notifier_takes_nothing(router: FakeService) -> None:
    notifier = Notifier(router.address)
    notifier.close()
    notifier.close()
    with pytest.raises(FailedPrecondition, match="closed"):
        notifier.emit("a.b")


@pytest.mark.usefixtures("small")
def test_where_there_is_no_room_emit_says_so() -> None:
    notifier = Notifier(NOWHERE, wait_for_room=0)
    emitted = [notifier.emit("a.b").event_id for _ in range(2)]
    with pytest.raises(ResourceExhausted) as caught:
        notifier.emit("a.b")
    assert caught.value.reason is Reason.TOO_MANY_REQUESTS
    with pytest.raises(NotAcknowledged) as missing:
        notifier.close(0)
    assert list(missing.value.event_ids) == emitted


@pytest.mark.usefixtures("small")
def test_where_there_is_no_room_emit_waits_for_some(router: FakeService) -> None:
    gates: Queue[None] = Queue()

    def wait(request: Any) -> pb.EmitBatchResponse:
        gates.get(timeout=SECONDS)
        return accept(request)

    router.answers["EmitBatch"] = wait
    with Notifier(router.address) as notifier:
        done: Queue[int] = Queue()

        def emit() -> None:
            for n in range(7):
                notifier.emit("a.b", subject=str(n))
                done.put(n)

        thread = Thread(target=emit)
        thread.start()
        assert [done.get(timeout=SECONDS) for _ in range(2)] == [0, 1]
        assert done.empty()
        for _ in range(7):
            gates.put(None)
        thread.join(SECONDS)
    assert [each.subject for each in arrived(router)] == [str(n) for n in range(7)]


def test_a_fork_has_to_make_a_notifier_of_its_own(router: FakeService) -> None:
    with Notifier(router.address) as notifier:
        real = os.getpid()
        with pytest.MonkeyPatch.context() as forked:
            forked.setattr(os, "getpid", lambda: real + 1)
            with pytest.raises(FailedPrecondition, match="forked"):
                notifier.emit("a.b")
            notifier.close()
        assert notifier.emit("a.b").result(SECONDS)


# With a spool


def test_what_the_router_did_not_take_is_sent_by_the_next_process(
    router: FakeService, tmp_path: Path
) -> None:
    notifier = Notifier(NOWHERE, spool=tmp_path)
    receipts = [notifier.emit("a.b") for _ in range(5)]
    notifier.close(0)
    with pytest.raises(Unavailable, match="stays in the spool"):
        receipts[0].result(SECONDS)

    with Notifier(router.address, spool=tmp_path) as again:
        last = again.emit("c.d")
        last.result(SECONDS)
    ids = [each.event_id for each in arrived(router)]
    assert ids == [*(each.event_id for each in receipts), last.event_id]


def test_an_event_that_the_router_refuses_is_kept_aside(
    router: FakeService, tmp_path: Path
) -> None:
    def refuse(request: Any) -> pb.EmitBatchResponse:
        answer = accept(request)
        answer.results[0].error.message = "no"
        return answer

    router.answers["EmitBatch"] = refuse
    with Notifier(router.address, spool=tmp_path) as notifier:
        with pytest.raises(InvalidArgument):
            notifier.emit("a.b", subject="kept").result(SECONDS)
        assert notifier.tally.refused == 1
    (path,) = (tmp_path / "aside").iterdir()
    assert '"subject": "kept"' in path.read_text()


# asyncio


async def test_tasks_share_batches_and_each_has_its_answer(router: FakeService) -> None:
    async with AsyncNotifier(router.address) as notifier:
        answers = await asyncio.gather(*(notifier.emit("a.b") for _ in range(200)))
        await notifier.flush(SECONDS)
    assert [each.event_id for each in answers] == [each.event_id for each in arrived(router)]
    assert len(router.received("EmitBatch")) < 100
    assert notifier.tally.acknowledged == 200


async def test_a_spool_serves_tasks_too(router: FakeService, tmp_path: Path) -> None:
    async with AsyncNotifier(router.address, spool=tmp_path) as notifier:
        answers = await asyncio.gather(*(notifier.emit("a.b") for _ in range(50)))
    assert len({each.event_id for each in answers}) == 50


@pytest.mark.usefixtures("small")
async def test_tasks_wait_for_room(router: FakeService) -> None:
    async with AsyncNotifier(router.address) as notifier:
        await asyncio.gather(*(notifier.emit("a.b") for _ in range(100)))
    assert len(arrived(router)) == 100


@pytest.mark.usefixtures("small")
async def test_tasks_may_be_refused_instead() -> None:
    notifier = AsyncNotifier(NOWHERE, wait_for_room=0)
    for _ in range(2):
        await notifier.submit(event_pb2.Event(type="a.b"))
    with pytest.raises(ResourceExhausted):
        await notifier.emit("a.b")
    with pytest.raises(NotAcknowledged):
        await notifier.close(0)


async def test_a_cancelled_wait_does_not_cancel_the_event(router: FakeService) -> None:
    gates: Queue[None] = Queue()
    began: Queue[None] = Queue()

    def wait(request: Any) -> pb.EmitBatchResponse:
        began.put(None)
        gates.get(timeout=SECONDS)
        return accept(request)

    router.answers["EmitBatch"] = wait
    async with AsyncNotifier(router.address) as notifier:
        task = asyncio.create_task(notifier.emit("a.b"))
        await asyncio.to_thread(began.get, timeout=SECONDS)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gates.put(None)
    assert notifier.tally.acknowledged == 1


# At the end of a process

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run() -> Run:
    """Run a program that never closes its notifier."""

    def run(address: str, *options: str) -> subprocess.CompletedProcess[str]:
        program = f"""if True:
            import sys
            from ibs_notify.client import Notifier
            notifier = Notifier({address!r}, {", ".join(options)})
            for n in range(1200):
                print(notifier.emit("a.b", subject=str(n)).event_id)
        """
        return subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
        )

    return run


def test_nothing_is_lost_by_a_process_that_just_ends(router: FakeService, run: Run) -> None:
    ended = run(router.address)
    assert [each.event_id for each in arrived(router)] == ended.stdout.split()
    assert ended.stderr == ""


def test_a_process_that_ends_without_the_router_names_what_it_leaves(run: Run) -> None:
    ended = run(NOWHERE, "patience=0.2")
    assert "did not acknowledge" in ended.stderr
    assert ended.stdout.split()[-1] in ended.stderr or "more" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_process_that_ends_without_the_router_leaves_all_in_the_spool(
    router: FakeService, run: Run, tmp_path: Path
) -> None:
    ended = run(NOWHERE, f"spool={str(tmp_path)!r}")
    assert "Traceback" not in ended.stderr
    with Notifier(router.address, spool=tmp_path) as notifier:
        notifier.emit("c.d").result(SECONDS)
    assert [each.event_id for each in arrived(router)][:-1] == ended.stdout.split()


def test_importing_the_client_is_light() -> None:
    heavy = "sqlalchemy aiohttp click rich yaml lark jinja2 uvloop alembic"
    program = f"import sys, ibs_notify.client; print(*(set({heavy.split()}) & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout == "\n"
