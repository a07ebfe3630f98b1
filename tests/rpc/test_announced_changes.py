"""Changes become events, and events change nothing: three real services, by TLS."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.audit import ALICE, Auditor
from tests.support.certificates import Certificates
from tests.support.config import running_config
from tests.support.http_server import HttpServer
from tests.system.installation import free_port

from ibs_notify.config import announce
from ibs_notify.config.announce import Announcer
from ibs_notify.config.app import ConfigApp
from ibs_notify.delivery.app import DeliveryApp
from ibs_notify.router.app import RouterApp
from ibs_notify.settings import SERVICES, Settings
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as router_pb
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub
from ironcore.notification.v1.group_pb2 import Group, Subscription
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub
from ironcore.notification.v1.target_pb2 import Target

if TYPE_CHECKING:
    # Only the type stubs have them.
    from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceAsyncStub
    from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceAsyncStub

PATIENCE_SECONDS = 20


class Looks:
    """Counts how often somebody looked for changes to announce."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._moved = asyncio.Event()
        tick = Announcer.tick

        async def counted(announcer: Announcer) -> None:
            await tick(announcer)
            self.count += 1
            self._moved.set()

        monkeypatch.setattr(Announcer, "tick", counted)

    async def more(self, count: int) -> None:
        """Wait for so many more."""
        wanted = self.count + count
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.count < wanted:
                self._moved.clear()
                await self._moved.wait()


@dataclass(frozen=True, slots=True)
class Installation:
    """The services, and an endpoint that hears of everything."""

    config: ConfigServiceAsyncStub
    router: RouterServiceAsyncStub
    auditors: tuple[Auditor, ...]
    hook: HttpServer
    looks: Looks

    async def tell_everybody_of_everything(self) -> None:
        target = Target(name="chat")
        target.webhook.url = self.hook.url()
        await self.config.CreateTarget(pb.CreateTargetRequest(target=target), metadata=ALICE)
        group = Group(
            name="all",
            subscriptions=[Subscription(target="chat", rule="*")],
        )
        made = await self.config.CreateGroup(pb.CreateGroupRequest(group=group), metadata=ALICE)
        request = router_pb.RouterServiceAwaitConfigRequest(revision=made.group.revision)
        await self.router.AwaitConfig(request, timeout=PATIENCE_SECONDS)

    async def describe(self, text: str) -> None:
        group, mask = Group(name="all", description=text), FieldMask(paths=["description"])
        request = pb.UpdateGroupRequest(group=group, update_mask=mask)
        await self.config.UpdateGroup(request, metadata=ALICE)

    async def events(self) -> list[event_pb2.Event]:
        answer = await self.router.ListEvents(router_pb.ListEventsRequest())
        return [each.event for each in answer.events]

    async def entries(self) -> int:
        return sum([len(await each.entries()) for each in self.auditors])

    def heard(self) -> list[str]:
        """The events that the endpoint was told of, by their types."""
        return [json.loads(each.body)["type"] for each in self.hook.requests]


@pytest.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Installation]:
    monkeypatch.setattr(announce, "BETWEEN", timedelta(0))
    monkeypatch.setattr(announce, "LOOK_SECONDS", 0.02)
    looks = Looks(monkeypatch)
    certificates = Certificates.made_in(tmp_path / "tls")
    addresses = {f"{each}_address": f"127.0.0.1:{free_port()}" for each in SERVICES}
    peers = {f"{each}_peer_address": f"127.0.0.1:{free_port()}" for each in SERVICES}
    settings = Settings(home=tmp_path, **addresses)  # type: ignore[arg-type]  # all are texts
    settings = replace(certificates.secure(settings), **peers)  # type: ignore[arg-type]  # as above
    async with AsyncExitStack() as stack:
        hook = await stack.enter_async_context(HttpServer())
        config = await stack.enter_async_context(ConfigApp(settings))
        delivery = await stack.enter_async_context(DeliveryApp(settings, grace_seconds=0.2))
        router = await stack.enter_async_context(RouterApp(settings))
        ports = (config.peer_port, router.peer_port, delivery.peer_port)
        channels = [
            await stack.enter_async_context(certificates.channel(port, service, "administrator"))
            for port, service in zip(ports, SERVICES, strict=True)
        ]
        yield Installation(
            ConfigServiceStub(channels[0]),
            RouterServiceStub(channels[1]),
            tuple(Auditor.at(each) for each in channels),
            hook,
            looks,
        )


async def test_a_group_that_hears_of_everything_hears_of_changes_and_changes_nothing(
    here: Installation,
) -> None:
    await here.tell_everybody_of_everything()
    for text in ("one", "two", "three"):
        await here.describe(text)
        await here.looks.more(2)
    await here.hook.until(lambda: len(here.hook.requests) >= 3)
    # Whatever telling of a change sets off would be announced, and told, by now.
    await here.looks.more(20)
    events = await here.events()
    assert {each.type for each in events} == {"config.changed"}
    assert sum(int(each.labels["count"]) for each in events) == await here.entries() == 5
    assert set(here.heard()) == {"config.changed"}
    assert len(here.hook.requests) <= len(events)


async def test_what_is_announced_says_who_did_what(here: Installation) -> None:
    await here.tell_everybody_of_everything()
    await here.looks.more(2)
    await here.describe("one")
    await here.looks.more(2)
    event = (await here.events())[0]
    assert event.subject == f"group all was changed, by {event.actor}"
    assert (event.labels["action"], event.labels["what"]) == ("group.update", "group/all")


async def test_without_tls_nothing_is_announced(tmp_path: Path) -> None:
    async with running_config(tmp_path) as config:
        await config.stub.CreateGroup(pb.CreateGroupRequest(group=Group(name="ops")))
        assert await Auditor.at(config.channel).told()
    with closing(sqlite3.connect(tmp_path / "config.db")) as database:
        assert database.execute("SELECT sequence FROM config_announced").fetchall() == [(None,)]
