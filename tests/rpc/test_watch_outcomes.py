"""Deaths and cancellations on their way from a real Delivery to the Router's client of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from tests.support.delivery import FakeConfig, proto_handoff, running_config
from tests.support.http_server import HttpServer

from ibs_notify.delivery.app import DeliveryApp
from ibs_notify.delivery.queue import outcome_watch
from ibs_notify.domain.errors import OutOfRange, Reason, Unavailable
from ibs_notify.router.delivery_client import DeliveryClient
from ibs_notify.router.ports import End, Ended, Outcome, TargetTurned, Turn
from ibs_notify.rpc.channel import open_plain_channel
from ibs_notify.settings import Settings
from ironcore.notification.v1 import delivery_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from ironcore.notification.v1.target_pb2 import Target

if TYPE_CHECKING:
    from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceAsyncStub

SECONDS = 20
Told = tuple[str, str, str]


class Watcher:
    """The Router's end of a watch."""

    def __init__(self, channel: grpc.aio.Channel, cursor: str = "") -> None:
        self.cursor = cursor
        self.stream: AsyncGenerator[tuple[str, Sequence[Outcome]], None] = DeliveryClient(
            channel
        ).outcomes(cursor)

    async def next(self) -> Sequence[Outcome]:
        async with asyncio.timeout(SECONDS):
            self.cursor, ended = await anext(self.stream)
        return ended

    async def read(self, count: int) -> list[Told]:
        """Event, state and reason of the next ``count``, however they come."""
        found: list[Ended] = []
        while len(found) < count:
            found += [each for each in await self.next() if isinstance(each, Ended)]
        return [(each.event_id, each.state.value, each.reason) for each in found]

    async def close(self) -> None:
        await self.stream.aclose()


@dataclass(frozen=True, slots=True)
class Running:
    """Delivery, the Config that it watches, and ways to call it."""

    app: DeliveryApp
    config: FakeConfig
    stub: DeliveryServiceAsyncStub
    channel: grpc.aio.Channel

    async def publish(self, *targets: Target, deleted: Sequence[str] = ()) -> None:
        revision = self.config.publish(*targets, deleted=deleted)
        await self.stub.AwaitConfig(pb.AwaitConfigRequest(revision=revision), timeout=SECONDS)

    async def deliver(self, *numbers: int) -> None:
        handoffs = [proto_handoff(number) for number in numbers]
        await self.stub.Deliver(pb.DeliverRequest(handoffs=handoffs))

    async def cancel(self, number: int) -> None:
        which = delivery_pb2.DeliveryFilter(event_ids=[f"evt-{number}"])
        await self.stub.CancelDeliveries(pb.CancelDeliveriesRequest(filter=which))


@asynccontextmanager
async def running(home: Path, config: FakeConfig, address: str) -> AsyncIterator[Running]:
    settings = Settings(home=home, config_address=address, delivery_address="127.0.0.1:0")
    async with (
        DeliveryApp(settings, jitter=lambda: 0.0, grace_seconds=0.2) as app,
        open_plain_channel(f"127.0.0.1:{app.port}") as channel,
    ):
        yield Running(app, config, DeliveryServiceStub(channel), channel)


@pytest.fixture
async def delivery(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_config() as (config, address), running(tmp_path, config, address) as it:
        yield it


def target(url: str = "http://127.0.0.1:9/hook", *, disabled: bool = False) -> Target:
    made = Target(name="chat", uid="t1", disabled=disabled)
    made.webhook.url = url
    return made


async def test_a_target_that_fails_is_told_with_its_name_and_reason(delivery: Running) -> None:
    async with HttpServer(401, text="who are you?") as hook:
        await delivery.publish(target(hook.url()))
        watcher = Watcher(delivery.channel)
        await watcher.next()
        await delivery.deliver(*range(9))
        found: list[Outcome] = []
        while not (turns := [each for each in found if isinstance(each, TargetTurned)]):
            found += await watcher.next()
    (turned,) = turns
    assert (turned.target, turned.target_uid, turned.turn) == ("chat", "t1", Turn.FAILING)
    assert (turned.reason, turned.since) == ("HTTP_4XX", turned.at)
    assert turned.detail.startswith("who are you?")
    await watcher.close()


async def test_each_way_to_end_is_told_as_it_happens(delivery: Running) -> None:
    async with HttpServer(404, text="no such hook") as hook:
        await delivery.publish(target(hook.url()))
        watcher = Watcher(delivery.channel)
        assert await watcher.next() == []
        await delivery.deliver(1)
        (death,) = await watcher.next()
        assert isinstance(death, Ended)
        assert (death.event_id, death.state, death.reason) == ("evt-1", End.DEAD, "HTTP_4XX")
        assert (death.target, death.target_uid, death.group) == ("chat", "t1", "ops-team")
        assert (death.event_type, death.obligation_id) == ("backup.failed", "evt-1/0")
        assert death.delivery_id == proto_handoff(1).delivery_id
        seen = await delivery.stub.GetDelivery(pb.GetDeliveryRequest(delivery_id=death.delivery_id))
        assert death.detail == seen.delivery.detail
        assert death.closed_at == seen.delivery.close_time.ToDatetime(UTC)
    await delivery.publish(target(disabled=True))
    await delivery.deliver(2, 3)
    await delivery.cancel(2)
    assert await watcher.read(1) == [("evt-2", "cancelled", "BY_REQUEST")]
    await delivery.publish(deleted=["t1"])
    assert await watcher.read(1) == [("evt-3", "cancelled", "TARGET_DELETED")]
    await delivery.deliver(4)
    assert await watcher.read(1) == [("evt-4", "cancelled", "TARGET_DELETED")]
    await watcher.close()


async def test_a_watch_resumes_without_a_gap_or_a_repeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome_watch, "PAGE", 3)
    async with running_config() as (config, address):
        async with running(tmp_path, config, address) as delivery:
            await delivery.publish()
            await delivery.deliver(*range(5))
            first = Watcher(delivery.channel)
            told = await first.read(5)
            await first.close()
            await delivery.deliver(5, 6)
            second = Watcher(delivery.channel, first.cursor)
            told += await second.read(2)
            # The stream breaks with the service, and what ends meanwhile is not missed.
            await delivery.deliver(7)
        async with running(tmp_path, config, address) as delivery:
            await delivery.deliver(8)
            third = Watcher(delivery.channel, second.cursor)
            told += await third.read(2)
            everything = await Watcher(delivery.channel).read(9)
    assert told == everything
    assert [event_id for event_id, _, _ in told] == [f"evt-{n}" for n in range(9)]


async def test_each_entry_has_a_cursor_of_its_own(delivery: Running) -> None:
    await delivery.publish()
    await delivery.deliver(1, 2, 3)
    kept: list[pb.WatchOutcomesResponse] = []
    async for each in delivery.stub.WatchOutcomes(pb.WatchOutcomesRequest()):
        kept.append(each)
        if each.current:
            break
    *entries, marker = kept
    assert len({each.cursor for each in entries}) == 3
    assert marker.cursor == entries[-1].cursor
    assert not marker.HasField("delivery")
    told = await Watcher(delivery.channel, entries[0].cursor).read(2)
    assert [event_id for event_id, _, _ in told] == ["evt-2", "evt-3"]


async def test_more_than_a_transaction_takes_comes_in_several_parts(delivery: Running) -> None:
    await delivery.publish()
    await delivery.deliver(*range(700))
    watcher = Watcher(delivery.channel)
    parts = [len(await watcher.next()) for _ in range(2)]
    assert parts == [500, 200]
    await watcher.close()


@pytest.mark.parametrize("cursor", ["nonsense", "7-7"])
async def test_a_cursor_of_nobody_is_expired(delivery: Running, cursor: str) -> None:
    with pytest.raises(OutOfRange) as caught:
        await Watcher(delivery.channel, cursor).next()
    assert caught.value.reason is Reason.RESUME_TOKEN_EXPIRED
    assert "without a cursor" in caught.value.advice


async def test_open_watches_end_cleanly_when_the_service_stops(delivery: Running) -> None:
    call = delivery.stub.WatchOutcomes(pb.WatchOutcomesRequest())
    marker = await call.read()
    assert isinstance(marker, pb.WatchOutcomesResponse)
    assert marker.current
    await delivery.app.__aexit__(None, None, None)
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_a_delivery_that_is_away_is_unavailable_by_name() -> None:
    async with open_plain_channel("127.0.0.1:1") as channel:
        with pytest.raises(Unavailable, match="Delivery service"):
            await Watcher(channel).next()
