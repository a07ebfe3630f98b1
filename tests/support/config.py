"""A real Config service for tests, on loopback, with a double for Delivery."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from ibs_notify.config.app import ConfigApp
from ibs_notify.config.ports import TestResult
from ibs_notify.domain.errors import NotificationError
from ibs_notify.rpc.caller import USER_KEY
from ibs_notify.rpc.channel import open_plain_channel
from ibs_notify.rpc.status import from_rpc_error
from ibs_notify.settings import Settings
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub
from ironcore.notification.v1.target_pb2 import SealedSecret, Target, TestProgress, TestStage
from ironcore.notification.v1.target_pb2 import TestResult as TestEnd

if TYPE_CHECKING:
    from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceAsyncStub

START = datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC)
ALICE = ((USER_KEY, "alice"),)


class FakeClock:
    """Stands still until told otherwise."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - START).total_seconds()

    def pass_time(self, by: timedelta) -> None:
        self._now += by


@dataclass
class FakeDelivery:
    """Answers what it is told to, and keeps what it was asked."""

    waiting: int = 0
    error: NotificationError | None = None
    held: frozenset[str] = frozenset()
    tested: list[tuple[Target, list[SealedSecret], list[str]]] = field(default_factory=list)

    async def open_count(self, target_uid: str) -> int:
        if self.error is not None:
            raise self.error
        return self.waiting

    async def test_target(
        self, target: Target, secrets: Sequence[SealedSecret], recipients: Sequence[str]
    ) -> TestResult:
        if self.error is not None:
            raise self.error
        self.tested.append((target, list(secrets), list(recipients)))
        return TestResult(True, (TestStage(name="connect", ok=True),), "accepted")

    async def stream_target_test(
        self, target: Target, secrets: Sequence[SealedSecret], recipients: Sequence[str]
    ) -> AsyncGenerator[TestProgress]:
        result = await self.test_target(target, secrets, recipients)
        for stage in result.stages:
            yield TestProgress(began=stage.name)
            yield TestProgress(ended=stage)
        yield TestProgress(result=TestEnd(ok=result.ok, summary=result.summary))

    async def keys_held(self, revision: int) -> frozenset[str]:
        if self.error is not None:
            raise self.error
        return self.held


@dataclass(frozen=True, slots=True)
class RunningConfig:
    """A service, a stub to call it, and what stands around it."""

    app: ConfigApp
    stub: ConfigServiceAsyncStub
    channel: grpc.aio.Channel
    delivery: FakeDelivery
    clock: FakeClock
    settings: Settings


def config_settings(home: Path, database_url: str = "") -> Settings:
    return Settings(home=home, config_address="127.0.0.1:0", config_database=database_url)


@asynccontextmanager
async def running_config(home: Path, database_url: str = "") -> AsyncIterator[RunningConfig]:
    """Config on a free port, until the end of the block."""
    settings = config_settings(home, database_url)
    clock, delivery = FakeClock(), FakeDelivery()
    async with (
        ConfigApp(settings, clock, delivery) as app,
        open_plain_channel(f"127.0.0.1:{app.port}") as channel,
    ):
        stub = ConfigServiceStub(channel)
        yield RunningConfig(app, stub, channel, delivery, clock, settings)


def smtp_target(name: str = "ops-smtp", **smtp: object) -> Target:
    """The mail target of the product page, with a recipient."""
    target = Target(name=name)
    target.smtp.server = "smtp.example.com"
    target.smtp.from_address = "ironcore-backup@example.com"
    target.smtp.username = "ibs-svc"
    target.smtp.password = "correct horse"
    target.smtp.recipients.append("ops@example.com")
    for key, value in smtp.items():
        setattr(target.smtp, key, value)
    return target


def webhook_target(name: str = "chat-ops", **webhook: str) -> Target:
    """The webhook of the product page."""
    target = Target(name=name)
    target.webhook.url = "https://chat.example.com/webhooks/ironcore-backup"
    target.webhook.headers.add(name="Authorization", value="Bearer t0ken")
    for key, value in webhook.items():
        setattr(target.webhook, key, value)
    return target


async def create(stub: ConfigServiceAsyncStub, target: Target) -> Target:
    response = await stub.CreateTarget(pb.CreateTargetRequest(target=target))
    return response.target


async def refusal(call: Awaitable[object]) -> NotificationError:
    """The error that a call fails with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)
