"""Noise control over the wire: repeats, storms, deaths that come back, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from tests.support.router import Surroundings, group, surrounded, webhook

from ibs_notify.router import outbox as outbox_module
from ironcore.notification.v1 import delivery_pb2, disposition_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

READY = disposition_pb2.DISPOSITION_STATE_READY
HANDED_OFF = disposition_pb2.DISPOSITION_STATE_HANDED_OFF
SUPPRESSED = disposition_pb2.DISPOSITION_STATE_SUPPRESSED
COLLAPSED = disposition_pb2.DISPOSITION_STATE_COLLAPSED
NEVER = Duration()


@pytest.fixture
async def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Surroundings]:
    """A Router whose one group tells chat of everything."""
    monkeypatch.setattr(outbox_module, "IDLE_SECONDS", 0.05)
    async with surrounded(tmp_path, webhook("chat"), group("ops", {"chat": "*"})) as around:
        yield around


async def record(around: Surroundings, event_id: str) -> pb.EventRecord:
    return (await around.stub.GetEvent(pb.GetEventRequest(event_id=event_id))).event


async def disposition(around: Surroundings, event_id: str) -> disposition_pb2.Disposition:
    (found,) = (await record(around, event_id)).dispositions
    return found


async def listed(around: Surroundings, event_type: str) -> list[event_pb2.Event]:
    request = pb.ListEventsRequest(filter=pb.EventFilter(types=[event_type]))
    return [each.event for each in (await around.stub.ListEvents(request)).events]


async def until_listed(around: Surroundings, event_type: str) -> list[event_pb2.Event]:
    async def some() -> bool:
        return bool(await listed(around, event_type))

    await around.router.writes.until(some)
    return await listed(around, event_type)


async def until_handed_off(around: Surroundings, event_id: str) -> None:
    async def handed_off() -> bool:
        return (await disposition(around, event_id)).state == HANDED_OFF

    await around.router.writes.until(handed_off)


async def test_a_repeat_is_answered_with_what_it_points_to_and_not_handed_off(
    around: Surroundings,
) -> None:
    await around.emit("e1")
    (suppressed,) = (await around.emit("e2")).dispositions
    assert (suppressed.state, suppressed.reason) == (SUPPRESSED, "REPEATED")
    assert suppressed.pointer == "e1/0"
    await until_handed_off(around, "e1")
    assert around.delivery.told() == [("e1", "chat", ())]
    assert (await around.stub.VerifyLedger(pb.VerifyLedgerRequest())).balanced


async def test_delivery_hears_how_many_were_suppressed_and_since_when(
    around: Surroundings,
) -> None:
    for number in range(4):
        await around.emit(f"e{number}")
    await around.emit("over", type="backup.completed")
    await around.emit("again")
    await around.delivery.until(lambda: len(around.delivery.stored) == 3)
    (again,) = [e for e in around.delivery.stored.values() if e.event.event_id == "again"]
    assert again.suppressed_count == 3
    assert again.suppressed_since == (await record(around, "e1")).receive_time


@pytest.mark.parametrize(
    ("state", "notice"),
    [
        (delivery_pb2.DELIVERY_STATE_DEAD, "notification.delivery-dead"),
        (delivery_pb2.DELIVERY_STATE_CANCELLED, "notification.delivery-cancelled"),
    ],
)
async def test_a_death_is_noted_in_the_inbox_and_the_next_identical_event_is_told(
    around: Surroundings, state: delivery_pb2.DeliveryState.ValueType, notice: str
) -> None:
    await around.emit("e1")
    await around.emit("e2")
    await around.delivery.until(lambda: len(around.delivery.stored) == 1)
    around.delivery.end("e1", state)
    (noted,) = await until_listed(around, notice)
    assert noted.labels["event_id"] == "e1"
    assert "410 Gone" in noted.summary
    (told,) = (await around.emit("e3")).dispositions
    assert (told.state, told.suppressed_count) == (READY, 1)
    await until_handed_off(around, "e3")
    assert (await around.stub.VerifyLedger(pb.VerifyLedgerRequest())).balanced


async def test_a_death_while_the_router_is_down_is_noted_when_it_is_back(tmp_path: Path) -> None:
    parts = (webhook("chat"), group("ops", {"chat": "*"}))
    async with surrounded(tmp_path, *parts) as around:
        await around.emit("e1")
        await until_handed_off(around, "e1")
        stored = dict(around.delivery.stored)
    async with surrounded(tmp_path, *parts) as around:
        around.delivery.stored.update(stored)
        around.delivery.end("e1")
        await until_listed(around, "notification.delivery-dead")
        (told,) = (await around.emit("e2")).dispositions
        assert told.state == READY


async def test_a_storm_is_held_collapsed_and_let_go_with_books_that_balance(
    around: Surroundings,
) -> None:
    limited = group("ops", {"chat": "*"}, rate_limit_per_minute=1)
    await around.change(limited)
    await around.emit("first", type="verify.corrupt")
    await around.delivery.until(lambda: len(around.delivery.stored) == 1)
    storm = [
        event_pb2.Event(event_id=f"e{n}", type="sync.completed", resource=f"a:vm/{n}")
        for n in range(60)
    ]
    # The backlog was just looked at; it is again within a second.
    await around.stub.EmitBatch(pb.EmitBatchRequest(events=storm))
    (summary,) = await until_listed(around, "notification.summary")
    gone = await disposition(around, "e59")
    assert (gone.state, gone.pointer) == (COLLAPSED, summary.event_id)
    assert len(around.delivery.stored) == 1
    books = await around.stub.VerifyLedger(pb.VerifyLedgerRequest())
    assert books.balanced
    assert {e.state: e.count for e in books.lines if e.service == "router"} == {
        "collapsed": 53,
        "handed_off": 1,
        "ready": 8,
    }
    limited.rate_limit_per_minute = 0
    await around.change(limited)
    await around.delivery.until(lambda: len(around.delivery.stored) == 9)
    await until_handed_off(around, summary.event_id)
    (told,) = [
        each
        for each in around.delivery.stored.values()
        if each.kind == delivery_pb2.DELIVERY_KIND_SUMMARY
    ]
    assert told.event.subject.startswith("53 events in one")
    assert told.event == (await record(around, summary.event_id)).event
    books = await around.stub.VerifyLedger(pb.VerifyLedgerRequest())
    assert (books.balanced, books.accepted_events, books.unmatched_events) == (True, 62, 0)
    assert "derived" not in " ".join(each.state for each in books.lines)


async def test_what_delivery_refuses_is_shown_with_the_reason_and_holds_up_nothing(
    around: Surroundings,
) -> None:
    around.delivery.refused = {"e1"}
    await around.change(group("ops", {"chat": "*"}, dedup_window=NEVER))
    await around.emit("e1")
    await around.emit("e2")
    await until_handed_off(around, "e2")

    async def said() -> bool:
        return (await disposition(around, "e1")).reason == "HANDOFF_REFUSED"

    await around.router.writes.until(said)
    refused = await disposition(around, "e1")
    assert refused.state == READY
    assert around.delivery.told() == [("e2", "chat", ())]
    assert (await around.stub.VerifyLedger(pb.VerifyLedgerRequest())).balanced


async def test_a_group_may_tell_every_event(around: Surroundings) -> None:
    await around.change(group("ops", {"chat": "*"}, dedup_window=NEVER))
    for number in range(3):
        (told,) = (await around.emit(f"e{number}")).dispositions
        assert told.state == READY
