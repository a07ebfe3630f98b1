"""A database that was restored holds its queue until somebody has looked at it and releases it."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.support.delivery import FakeConfig, proto_handoff, running_config
from tests.support.http_server import HttpServer
from tests.support.postgres import PostgresServer

from ibs_notify.config.app import ConfigApp
from ibs_notify.delivery.app import DeliveryApp
from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import FailedPrecondition, Unavailable
from ibs_notify.launcher.__main__ import main
from ibs_notify.launcher.backup import IN_ORDER, backup, hold
from ibs_notify.router.app import RouterApp
from ibs_notify.rpc.channel import open_plain_channel
from ibs_notify.settings import Settings
from ibs_notify.store.backup import copy_database
from ironcore.notification.v1 import delivery_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from ironcore.notification.v1.target_pb2 import Target, WebhookTarget

if TYPE_CHECKING:
    # Only the type stubs have it.
    from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceAsyncStub

QUEUED = delivery_pb2.DELIVERY_STATE_QUEUED
SECONDS = 20


class Running:
    def __init__(self, config: FakeConfig, stub: DeliveryServiceAsyncStub) -> None:
        self.config = config
        self.stub = stub

    async def publish(self, target: Target) -> None:
        revision = self.config.publish(target)
        await self.stub.AwaitConfig(pb.AwaitConfigRequest(revision=revision), timeout=SECONDS)

    async def deliver(self, *numbers: int) -> None:
        handoffs = [proto_handoff(n) for n in numbers]
        await self.stub.Deliver(pb.DeliverRequest(handoffs=handoffs))

    async def states(self) -> list[tuple[str, int, str]]:
        found = await self.stub.ListDeliveries(pb.ListDeliveriesRequest())
        return sorted((each.event_id, each.state, each.reason) for each in found.deliveries)


@asynccontextmanager
async def running(settings: Settings, config: FakeConfig) -> AsyncIterator[Running]:
    async with (
        DeliveryApp(settings, grace_seconds=0.2) as app,
        open_plain_channel(f"127.0.0.1:{app.port}") as channel,
    ):
        yield Running(config, DeliveryServiceStub(channel))


def settings_of(home: Path, address: str, database: str = "") -> Settings:
    return Settings(
        home=home,
        config_address=address,
        delivery_address="127.0.0.1:0",
        router_address="127.0.0.1:0",
        delivery_database=database,
    )


def chat(hook: HttpServer, *, disabled: bool = False) -> Target:
    webhook = WebhookTarget(url=hook.url())
    return Target(name="chat", uid="t1", disabled=disabled, webhook=webhook)


async def until_received(hook: HttpServer, count: int) -> None:
    await hook.until(lambda: len(hook.requests) >= count)


async def look_and_release(restored: Running, hook: HttpServer) -> None:
    """What is in the queue of a restored Delivery goes out when it is released, and not before."""
    await restored.publish(chat(hook))
    await restored.deliver(3)
    # Everything that could send has had its turn by now.
    await restored.stub.AwaitConfig(pb.AwaitConfigRequest(), timeout=SECONDS)
    assert await restored.states() == [
        ("evt-1", QUEUED, "HELD"),
        ("evt-2", QUEUED, "HELD"),
        ("evt-3", QUEUED, "HELD"),
    ]
    assert hook.requests == []
    which = delivery_pb2.DeliveryFilter(event_ids=["evt-1"])
    await restored.stub.CancelDeliveries(pb.CancelDeliveriesRequest(filter=which))
    would = await restored.stub.ReleaseDeliveries(pb.ReleaseDeliveriesRequest(dry_run=True))
    assert would.count == 2
    await restored.stub.ReleaseDeliveries(pb.ReleaseDeliveriesRequest())
    await until_received(hook, 2)
    assert {each.headers["webhook-id"] for each in hook.requests} == {
        proto_handoff(n).delivery_id for n in (2, 3)
    }


async def test_a_copy_that_is_made_while_it_runs_is_held_wherever_it_is_started(
    tmp_path: Path,
) -> None:
    async with running_config() as (config, address), HttpServer() as hook:
        settings = settings_of(tmp_path / "home", address)
        # The others need only a database each.
        async with ConfigApp(settings_of(tmp_path / "home", "127.0.0.1:0")):
            pass
        async with RouterApp(settings), running(settings, config) as original:
            await original.publish(chat(hook, disabled=True))
            await original.deliver(1, 2)
            copies = await asyncio.to_thread(
                backup, settings, tmp_path / "saved", SystemClock().now()
            )
            assert [each.stem for each in copies] == list(IN_ORDER)
            assert sorted(each.name for each in (tmp_path / "saved").iterdir()) == [
                "config.db",
                "delivery.db",
                "router.db",
            ]
            # The original goes on: it is the copy that is held.
            await original.publish(chat(hook))
            await until_received(hook, 2)
        hook.requests.clear()
        shutil.copytree(tmp_path / "saved", tmp_path / "new")
        async with running(settings_of(tmp_path / "new", address), config) as restored:
            await look_and_release(restored, hook)
        # A restart does not bring the hold back.
        async with running(settings_of(tmp_path / "new", address), config) as again:
            await again.publish(chat(hook))
            await again.deliver(4)
            await until_received(hook, 3)


async def test_a_restored_postgresql_database_is_held_before_its_first_start(
    tmp_path: Path, postgres: PostgresServer, postgres_url: str
) -> None:
    async with running_config() as (config, address), HttpServer() as hook:
        settings = settings_of(tmp_path / "one", address, postgres_url)
        async with running(settings, config) as original:
            await original.publish(chat(hook, disabled=True))
            await original.deliver(1, 2)
            saved = tmp_path / "saved.sql"
            postgres.run("pg_dump", "--file", saved, uri(postgres_url))
        postgres.execute("CREATE DATABASE restored")
        url = postgres.url("restored")
        try:
            postgres.run("psql", "--set", "ON_ERROR_STOP=1", "--file", saved, uri(url))
            settings = settings_of(tmp_path / "two", address, url)
            await asyncio.to_thread(hold, settings, SystemClock().now())
            async with running(settings, config) as restored:
                await look_and_release(restored, hook)
        finally:
            postgres.execute("DROP DATABASE restored WITH (FORCE)")


def uri(url: str) -> str:
    """As PostgreSQL's own programs want it."""
    return url.replace("postgresql+asyncpg", "postgresql")


async def test_a_running_queue_can_be_held_and_released(tmp_path: Path) -> None:
    async with (
        running_config() as (config, address),
        HttpServer() as hook,
        running(settings_of(tmp_path, address), config) as delivery,
    ):
        await delivery.publish(chat(hook))
        await delivery.stub.HoldDeliveries(pb.HoldDeliveriesRequest())
        await delivery.deliver(1)
        assert await delivery.states() == [("evt-1", QUEUED, "HELD")]
        troubled = pb.ListTroubledTargetsRequest()
        status = pb.GetTargetStatusRequest(target_uid="uid-chat-ops")
        assert (await delivery.stub.ListTroubledTargets(troubled)).HasField("held_since")
        assert (await delivery.stub.GetTargetStatus(status)).HasField("held_since")
        answer = await delivery.stub.ReleaseDeliveries(pb.ReleaseDeliveriesRequest())
        assert answer.HasField("held_since")
        assert not (await delivery.stub.ListTroubledTargets(troubled)).HasField("held_since")
        assert not (await delivery.stub.GetTargetStatus(status)).HasField("held_since")
        await until_received(hook, 1)


def test_what_runs_is_not_held_behind_its_back_and_no_backup_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBS_NOTIFY_HOME", str(tmp_path / "home"))
    for name in ("config", "router", "delivery"):
        monkeypatch.setenv(f"IBS_NOTIFY_{name.upper()}_DATABASE", "")

    async def while_it_runs() -> None:
        settings = settings_of(tmp_path / "home", "127.0.0.1:1")
        async with DeliveryApp(settings):
            held = await asyncio.to_thread(CliRunner().invoke, main, ["hold"])
            assert held.exit_code == 1
            assert "another process uses" in held.output

    asyncio.run(while_it_runs())
    assert "held since" in CliRunner().invoke(main, ["hold"]).output
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "router.db").touch()
    refused = CliRunner().invoke(main, ["backup", str(tmp_path / "saved")])
    assert refused.exit_code == 1
    assert "give each backup a directory of its own" in refused.output


def test_a_copy_that_fails_leaves_nothing_that_looks_like_one(tmp_path: Path) -> None:
    source, copies = tmp_path / "router.db", tmp_path / "saved"
    copies.mkdir()
    with pytest.raises(Unavailable):
        copy_database(f"sqlite:///{source}", copies)
    source.write_bytes(b"no database" * 1000)
    with pytest.raises(Unavailable):
        copy_database(f"sqlite:///{source}", copies)
    assert list(copies.iterdir()) == []


def test_a_copy_of_delivery_that_cannot_be_held_is_none(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "home", "127.0.0.1:1")
    (tmp_path / "home").mkdir()
    for name in IN_ORDER:
        with closing(sqlite3.connect(tmp_path / "home" / f"{name}.db")) as database:
            # Of a release that this one knows nothing of.
            database.execute("CREATE TABLE delivery_schema_version (version_num TEXT)")
            database.execute("INSERT INTO delivery_schema_version VALUES ('later')")
            database.commit()
    with pytest.raises(FailedPrecondition, match="later release"):
        backup(settings, tmp_path / "saved", SystemClock().now())
    assert not (tmp_path / "saved" / "delivery.db").exists()


def test_the_backup_of_a_postgresql_database_is_its_own_tools_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBS_NOTIFY_ROUTER_DATABASE", "postgresql+asyncpg://u@h/d")
    result = CliRunner().invoke(main, ["backup", str(tmp_path / "saved")])
    assert result.exit_code == 1
    assert "pg_dump" in result.output
