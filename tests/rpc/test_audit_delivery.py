"""Delivery writes down what people do to its queue: who, by which filter, and how many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from tests.support.audit import ALICE, Auditor
from tests.support.delivery import FakeConfig, proto_handoff, running_config

from ibs_notify.delivery.app import DeliveryApp
from ibs_notify.domain.clock import SystemClock
from ibs_notify.launcher.backup import hold
from ibs_notify.rpc.caller import USER_KEY
from ibs_notify.rpc.channel import open_plain_channel
from ibs_notify.settings import Settings
from ironcore.notification.v1 import delivery_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from ironcore.notification.v1.target_pb2 import Target

if TYPE_CHECKING:
    # Only the type stubs have it.
    from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceAsyncStub

CHAT = delivery_pb2.DeliveryFilter(targets=["chat"])


class Running:
    """Delivery with three deliveries of a target that is disabled: they wait."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.stub: DeliveryServiceAsyncStub = DeliveryServiceStub(channel)
        self.auditor = Auditor.at(channel)

    async def start(self, config: FakeConfig) -> None:
        target = Target(name="chat", uid="t1", disabled=True)
        target.webhook.url = "http://127.0.0.1:9/hook"
        revision = config.publish(target)
        await self.stub.AwaitConfig(pb.AwaitConfigRequest(revision=revision), timeout=10)
        handoffs = [proto_handoff(number) for number in (1, 2, 3)]
        await self.stub.Deliver(pb.DeliverRequest(handoffs=handoffs))


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    async with (
        DeliveryApp(settings, grace_seconds=0.2) as app,
        open_plain_channel(f"127.0.0.1:{app.port}") as channel,
    ):
        yield Running(channel)


@pytest.fixture
async def delivery(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_config() as (config, address):
        settings = Settings(home=tmp_path, config_address=address, delivery_address="127.0.0.1:0")
        async with running(settings) as it:
            await it.start(config)
            yield it


async def test_who_says_no_name_is_written_down_as_unknown(delivery: Running) -> None:
    await delivery.stub.HoldDeliveries(pb.HoldDeliveriesRequest(), metadata=((USER_KEY, ""),))
    assert await delivery.auditor.told() == [("unknown", "delivery.hold", "deliveries")]


async def test_a_cancellation_tells_its_filter_and_how_many(delivery: Running) -> None:
    which = delivery_pb2.DeliveryFilter(targets=["chat"], event_ids=["evt-1", "evt-2", "evt-9"])
    which.after.FromJsonString("2000-01-01T00:00:00Z")
    await delivery.stub.CancelDeliveries(pb.CancelDeliveriesRequest(filter=which), metadata=ALICE)
    assert await delivery.auditor.told() == [("alice", "delivery.cancel", "deliveries")]
    assert await delivery.auditor.last() == (
        None,
        {
            "count": 2,
            "filter": {
                "after": "2000-01-01T00:00:00+00:00",
                "event_ids": ["evt-1", "evt-2", "evt-9"],
                "targets": ["chat"],
            },
        },
    )


async def test_holds_releases_and_resumed_targets_are_told(delivery: Running) -> None:
    for _ in range(2):
        await delivery.stub.HoldDeliveries(pb.HoldDeliveriesRequest(), metadata=ALICE)
    for _ in range(2):
        await delivery.stub.ReleaseDeliveries(pb.ReleaseDeliveriesRequest(), metadata=ALICE)
    await delivery.stub.ResumeTarget(pb.ResumeTargetRequest(target_uid="t1"), metadata=ALICE)
    assert await delivery.auditor.told() == [
        ("alice", "delivery.hold", "deliveries"),
        ("alice", "delivery.release", "deliveries"),
        ("alice", "target.resume", "target/chat"),
    ]
    assert await delivery.auditor.is_intact()


async def test_what_only_looks_or_finds_nothing_writes_nothing(delivery: Running) -> None:
    await delivery.stub.CancelDeliveries(pb.CancelDeliveriesRequest(filter=CHAT, dry_run=True))
    await delivery.stub.RetryDeliveries(pb.RetryDeliveriesRequest(filter=CHAT, dry_run=True))
    await delivery.stub.RetryDeliveries(pb.RetryDeliveriesRequest(filter=CHAT))
    await delivery.stub.ReleaseDeliveries(pb.ReleaseDeliveriesRequest(dry_run=True))
    nothing = delivery_pb2.DeliveryFilter(targets=["other"])
    await delivery.stub.CancelDeliveries(pb.CancelDeliveriesRequest(filter=nothing))
    assert await delivery.auditor.told() == []


async def test_a_hold_of_a_delivery_that_is_down_is_in_the_name_of_the_local_account(
    tmp_path: Path,
) -> None:
    settings = Settings(home=tmp_path / "home", user="root", delivery_address="127.0.0.1:0")
    await asyncio.to_thread(hold, settings, SystemClock().now())
    async with running(settings) as it:
        assert await it.auditor.told() == [("root", "delivery.hold", "deliveries")]
