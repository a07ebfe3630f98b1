"""The sender: batches under load, retries, and an answer for everybody."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from queue import Queue
from typing import Any

import grpc
import pytest

from ibs_notify.client.buffer import MemoryBuffer
from ibs_notify.client.receipt import Receipt
from ibs_notify.client.sender import MAX_BATCH_BYTES, Sender
from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import (
    AlreadyExists,
    Internal,
    InvalidArgument,
    NotificationError,
    Reason,
    Unavailable,
)
from ibs_notify.rpc import backoff
from ironcore.notification.v1 import error_reason_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

SECONDS = 10.0
Script = Callable[[list[str]], pb.EmitBatchResponse]


class Failure(grpc.RpcError):
    """A failed call, with no details of ours."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__()
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return f"failed on purpose with {self._code.name}"

    def trailing_metadata(self) -> tuple[()]:
        return ()


def accepted(ids: Sequence[str]) -> pb.EmitBatchResponse:
    return pb.EmitBatchResponse(
        results=[pb.EmitResult(accepted=pb.EmitResponse(event_id=each)) for each in ids]
    )


class Router:
    """Answers each call with the next of ``script``, then accepts everything."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.script: list[Script | grpc.StatusCode] = []
        self.gates: Queue[None] | None = None
        self.began: Queue[int] = Queue()

    def __call__(self, request: bytes) -> pb.EmitBatchResponse:
        ids = [each.event_id for each in pb.EmitBatchRequest.FromString(request).events]
        self.calls.append(ids)
        self.began.put(len(ids))
        if self.gates is not None:
            self.gates.get(timeout=SECONDS)
        answer = self.script.pop(0) if self.script else accepted
        if isinstance(answer, grpc.StatusCode):
            raise Failure(answer)
        return answer(ids)


class Clock(SystemClock):
    """Monotonic time that a test moves."""

    def __init__(self) -> None:
        self.time = 1000.0

    def monotonic(self) -> float:
        return self.time


class Rig:
    """A sender on a buffer in memory."""

    def __init__(self, patience: float | None = None) -> None:
        self.router = Router()
        self.buffer = MemoryBuffer()
        self.clock = Clock()
        self.sender = Sender(self.buffer, self.router, self.clock, patience, jitter=lambda: 0.0)

    def put(self, *names: str, size: int = 0) -> list[Receipt]:
        receipts = []
        with self.sender.changed:
            for name in names:
                event = event_pb2.Event(event_id=name, type="a.b", summary="x" * size)
                record = pb.EmitBatchRequest(events=[event]).SerializeToString()
                mark = self.buffer.append(record, self.clock.monotonic())
                receipts.append(Receipt(name))
                self.sender.track(mark, receipts[-1])
            self.sender.changed.notify_all()
        return receipts


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.sender.stop(lambda: None)


def error_of(receipt: Receipt) -> NotificationError:
    with pytest.raises(NotificationError) as caught:
        receipt.result(SECONDS)
    return caught.value


def test_a_lone_event_goes_at_once_and_has_its_answer(rig: Rig) -> None:
    rig.sender.start()
    (receipt,) = rig.put("e1")
    assert receipt.result(SECONDS).event_id == "e1"
    assert rig.router.calls == [["e1"]]
    assert rig.sender.tally.acknowledged == 1


def test_while_a_batch_is_away_the_next_one_collects(rig: Rig) -> None:
    rig.router.gates = Queue()
    rig.sender.start()
    rig.put("e1")
    assert rig.router.began.get(timeout=SECONDS) == 1
    receipts = [receipt for n in range(1500) for receipt in rig.put(f"m{n}")]
    for _ in range(3):
        rig.router.gates.put(None)
    assert receipts[-1].result(SECONDS).event_id == "m1499"
    assert [len(each) for each in rig.router.calls] == [1, 1000, 500]
    assert [name for call in rig.router.calls[1:] for name in call] == [
        f"m{n}" for n in range(1500)
    ]


def test_a_batch_is_bounded_in_bytes(rig: Rig) -> None:
    names = [f"e{n}" for n in range(300)]
    receipts = rig.put(*names, size=30_000)
    rig.sender.start()
    receipts[-1].result(SECONDS)
    assert [name for call in rig.router.calls for name in call] == names
    assert max(len(call) for call in rig.router.calls) * 30_000 <= MAX_BATCH_BYTES


def test_a_router_that_is_away_gets_the_same_again_in_order(rig: Rig) -> None:
    rig.router.script = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED]
    receipts = rig.put("e1", "e2")
    rig.sender.start()
    assert [each.result(SECONDS).event_id for each in receipts] == ["e1", "e2"]
    assert rig.router.calls == [["e1", "e2"]] * 3


def test_a_router_that_has_enough_gets_half_and_then_more_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "_asked_for", lambda _: 0.0)
    rig.router.script = [grpc.StatusCode.RESOURCE_EXHAUSTED] * 2
    receipts = rig.put(*(f"e{n}" for n in range(16)))
    rig.sender.start()
    receipts[-1].result(SECONDS)
    assert [len(each) for each in rig.router.calls] == [16, 8, 4, 8, 4]


def test_an_event_that_breaks_every_batch_is_found_and_holds_up_no_other(rig: Rig) -> None:
    def fail_with_the_bad_one(ids: list[str]) -> pb.EmitBatchResponse:
        if "bad" in ids:
            raise Failure(grpc.StatusCode.INTERNAL)
        return accepted(ids)

    rig.router.script = [fail_with_the_bad_one] * 100
    names = [*(f"a{n}" for n in range(5)), "bad", *(f"b{n}" for n in range(5))]
    receipts = rig.put(*names)
    rig.sender.start()
    for receipt in receipts:
        if receipt.event_id == "bad":
            assert isinstance(error_of(receipt), Internal)
        else:
            assert receipt.result(SECONDS).event_id == receipt.event_id
    assert (rig.sender.tally.acknowledged, rig.sender.tally.refused) == (10, 1)


def test_a_router_that_fails_at_everything_costs_one_event_its_place(rig: Rig) -> None:
    rig.router.script = [grpc.StatusCode.INTERNAL] * 30
    first, *others = rig.put("e1", "e2", "e3")
    rig.sender.start()
    assert isinstance(error_of(first), Internal)
    assert [each.result(SECONDS).event_id for each in others] == ["e2", "e3"]


def test_a_refused_event_has_the_router_s_reason_and_the_others_go_on(rig: Rig) -> None:
    def answer(ids: list[str]) -> pb.EmitBatchResponse:
        response = accepted(ids)
        response.results[0].error.reason = error_reason_pb2.ERROR_REASON_EVENT_INVALID
        response.results[0].error.message = "type: is missing"
        response.results[0].error.faults.add(path="type", description="is missing")
        response.results[1].error.reason = error_reason_pb2.ERROR_REASON_EVENT_ID_REUSED
        return response

    rig.router.script = [answer]
    first, second, third = rig.put("e1", "e2", "e3")
    rig.sender.start()
    invalid, reused = error_of(first), error_of(second)
    assert isinstance(invalid, InvalidArgument)
    assert [each.path for each in invalid.violations] == ["type"]
    assert isinstance(reused, AlreadyExists)
    assert third.result(SECONDS).event_id == "e3"


def test_a_refusal_that_is_not_the_event_s_fault_is_no_refusal(rig: Rig) -> None:
    def answer(ids: list[str]) -> pb.EmitBatchResponse:
        response = accepted(ids)
        response.results[1].error.reason = error_reason_pb2.ERROR_REASON_SERVICE_UNREACHABLE
        return response

    rig.router.script = [answer]
    receipts = rig.put("e1", "e2")
    rig.sender.start()
    assert [each.result(SECONDS).event_id for each in receipts] == ["e1", "e2"]
    assert rig.router.calls == [["e1", "e2"]] * 2


def test_too_few_answers_are_none(rig: Rig) -> None:
    rig.router.script = [lambda ids: accepted(ids[:1])]
    receipts = rig.put("e1", "e2")
    rig.sender.start()
    assert [each.result(SECONDS).event_id for each in receipts] == ["e1", "e2"]


def test_without_a_receipt_a_refusal_is_logged(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(ids: list[str]) -> pb.EmitBatchResponse:
        response = accepted(ids)
        response.results[0].error.message = "too long"
        return response

    rig.router.script = [refuse]
    rig.put("nobody")
    rig.sender.start()
    (kept,) = rig.put("e2")
    kept.result(SECONDS)
    assert "event nobody is not accepted: too long" in caplog.text


def test_an_event_is_given_up_when_it_waited_long_enough_and_no_other() -> None:
    rig = Rig(patience=60.0)

    def away(_: list[str]) -> pb.EmitBatchResponse:
        rig.clock.time += 30
        raise Failure(grpc.StatusCode.UNAVAILABLE)

    rig.router.script = [away, away]
    (old,) = rig.put("old")
    rig.clock.time += 1
    (new,) = rig.put("new")
    rig.clock.time -= 1
    rig.sender.start()
    error = error_of(old)
    assert isinstance(error, Unavailable)
    assert error.reason is Reason.SERVICE_UNREACHABLE
    assert new.result(SECONDS).event_id == "new"
    assert rig.sender.tell_given_up() == ["old"]
    assert rig.sender.tell_given_up() == []
    assert rig.router.calls == [["old", "new"], ["old", "new"], ["new"]]
    rig.sender.stop(lambda: None)


def test_a_long_outage_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()

    def away(_: list[str]) -> pb.EmitBatchResponse:
        rig.clock.time += 20
        raise Failure(grpc.StatusCode.UNAVAILABLE)

    rig.router.script = [away] * 7
    (receipt,) = rig.put("e1")
    with caplog.at_level(logging.WARNING):
        rig.sender.start()
        receipt.result(SECONDS)
    assert len([each for each in caplog.messages if "events wait" in each]) == 3
    rig.sender.stop(lambda: None)


def test_draining_sends_everything_first(rig: Rig) -> None:
    receipts = rig.put(*(f"e{n}" for n in range(2500)))
    rig.sender.start()
    rig.sender.drain(SECONDS)
    assert rig.sender.stopped
    assert all(each.done for each in receipts)


def test_stopping_ends_a_pause_and_whoever_waits_is_told(rig: Rig) -> None:
    rig.router.script = [grpc.StatusCode.UNAVAILABLE] * 1000
    (receipt,) = rig.put("e1")
    rig.sender.start()
    rig.router.began.get(timeout=SECONDS)
    rig.sender.stop(lambda: None)
    rig.sender.dismiss(Unavailable(Reason.SERVICE_UNREACHABLE, "closed"))
    assert str(error_of(receipt)) == "closed"


def test_nobody_can_cancel_an_event(rig: Rig) -> None:
    (receipt,) = rig.put("e1")
    assert not receipt.answer.cancel()
    rig.sender.start()
    assert receipt.result(SECONDS).event_id == "e1"


def test_whoever_asked_is_called_with_the_receipt(rig: Rig) -> None:
    told: Queue[Any] = Queue()
    (receipt,) = rig.put("e1")
    receipt.when_done(told.put)
    rig.sender.start()
    assert told.get(timeout=SECONDS) is receipt
