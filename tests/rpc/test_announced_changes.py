"""Changes become events, and events change nothing: three real services, by TLS."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.audit import Auditor
from tests.support.config import refusal, running_config
from tests.support.http_server import HttpServer
from tests.support.secured import Metadata, Secured, bearing, secured

from ibs_notify.config import announce
from ibs_notify.config.announce import Announcer
from ibs_notify.domain.errors import PermissionDenied, Unauthenticated
from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import delivery_service_pb2 as delivery_pb
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as router_pb
from ironcore.notification.v1.group_pb2 import Group, Subscription
from ironcore.notification.v1.target_pb2 import Target

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
    """The services, an endpoint that hears of everything, and who administrates them."""

    services: Secured
    hook: HttpServer
    looks: Looks
    alice: Metadata

    async def tell_everybody_of_everything(self) -> None:
        target = Target(name="chat")
        target.webhook.url = self.hook.url()
        config = self.services.config
        await config.CreateTarget(pb.CreateTargetRequest(target=target), metadata=self.alice)
        group = Group(name="all", subscriptions=[Subscription(target="chat", rule="*")])
        request = pb.CreateGroupRequest(group=group)
        made = await config.CreateGroup(request, metadata=self.alice)
        await self.services.apply(made.group.revision)

    async def describe(self, text: str) -> None:
        group, mask = Group(name="all", description=text), FieldMask(paths=["description"])
        request = pb.UpdateGroupRequest(group=group, update_mask=mask)
        await self.services.config.UpdateGroup(request, metadata=self.alice)

    async def events(self, event_type: str = "") -> list[event_pb2.Event]:
        """Newest first."""
        request = router_pb.ListEventsRequest()
        answer = await self.services.router.ListEvents(request, metadata=self.alice)
        found = [each.event for each in answer.events]
        return [each for each in found if event_type in ("", each.type)]

    def auditor(self, service: ServiceName) -> Auditor:
        return Auditor.at(self.services.channel(service, "administrator"))

    async def entries(self) -> int:
        return sum([len(await self.auditor(each).entries()) for each in SERVICES])

    def heard(self) -> list[str]:
        """The events that the endpoint was told of, by their types."""
        return [json.loads(each.body)["type"] for each in self.hook.requests]


@pytest.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Installation]:
    monkeypatch.setattr(announce, "BETWEEN", timedelta(0))
    monkeypatch.setattr(announce, "LOOK_SECONDS", 0.02)
    looks = Looks(monkeypatch)
    async with HttpServer() as hook, secured(tmp_path) as services:
        alice = bearing(await services.make("alice", "administrator"))
        await looks.more(2)
        yield Installation(services, hook, looks, alice)


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
    events = await here.events("config.changed")
    # The other entry is that of the token.
    assert sum(int(each.labels["count"]) for each in events) == await here.entries() - 1 == 5
    assert set(here.heard()) == {"config.changed"}
    assert len(here.hook.requests) <= len(events)
    assert len(await here.events()) == len(events) + 2


async def test_what_is_announced_says_who_did_what(here: Installation) -> None:
    await here.tell_everybody_of_everything()
    await here.looks.more(2)
    await here.describe("one")
    await here.looks.more(2)
    event = (await here.events())[0]
    assert event.subject == "group all was changed, by alice"
    assert event.actor == "alice"
    assert (event.labels["action"], event.labels["what"]) == ("group.update", "group/all")


async def test_tokens_are_announced_and_written_down_without_their_secrets(
    here: Installation,
) -> None:
    root = await here.services.make("root", "administrator")
    nightly = await here.services.make("nightly", "emitter", sources=["backup"])
    await here.services.revoke("root")
    await here.services.revoke("root")
    await here.looks.more(2)
    assert sorted(each.subject for each in await here.events() if "alice" not in each.subject) == [
        "API token nightly was created, by administrator",
        "API token root was created, by administrator",
        "API token root was given the role administrator, by administrator",
        "API token root was revoked, by administrator",
    ]
    assert {each.type for each in await here.events()} == {
        "auth.token-created",
        "auth.token-revoked",
        "config.permission-granted",
    }
    entries = await here.auditor("config").entries()
    assert [(each.actor, each.action, each.subject) for each in entries] == [
        ("administrator", "token.create", "token/alice"),
        ("administrator", "token.create", "token/root"),
        ("administrator", "token.create", "token/nightly"),
        ("administrator", "token.revoke", "token/root"),
    ]
    assert json.loads(entries[2].after)["sources"] == ["backup"]
    assert list(json.loads(entries[3].after)) == ["revoke_time"]
    said = f"{entries}{await here.events()}"
    for token in (root, nightly):
        assert token.rpartition("_")[2] not in said


async def test_what_may_not_be_done_is_in_no_log(here: Installation) -> None:
    viewer = bearing(await here.services.make("viewer", "viewer"))
    before = await here.entries()
    group = pb.CreateGroupRequest(group=Group(name="ops"))
    assert isinstance(
        await refusal(here.services.config.CreateGroup(group, metadata=viewer)), PermissionDenied
    )
    hold = delivery_pb.HoldDeliveriesRequest()
    assert isinstance(
        await refusal(here.services.delivery.HoldDeliveries(hold, metadata=viewer)),
        PermissionDenied,
    )
    assert await here.entries() == before


async def test_each_service_tells_of_calls_that_it_refused(here: Installation) -> None:
    await here.tell_everybody_of_everything()
    token = await here.services.make("old", "viewer")
    await here.services.revoke("old")
    secret, metadata = token.rpartition("_")[2], bearing(token)
    services = here.services
    for call in (
        services.config.GetSettings(pb.GetSettingsRequest(), metadata=metadata),
        services.router.ListEvents(router_pb.ListEventsRequest(), metadata=metadata),
        services.delivery.ListTemplates(delivery_pb.ListTemplatesRequest(), metadata=metadata),
    ):
        assert isinstance(await refusal(call), Unauthenticated)
    await here.hook.until(lambda: here.heard().count("auth.login-failed") == 3)
    events = await here.events("auth.login-failed")
    assert {each.labels["service"] for each in events} == {"config", "router", "delivery"}
    assert {each.labels["token_id"] for each in events} == {token.split("_")[1]}
    assert {each.labels["peer"] for each in events} == {"127.0.0.1"}
    assert secret not in str(events)
    assert secret not in "".join(str(each) for each in here.hook.requests)


async def test_without_tls_nothing_is_announced(tmp_path: Path) -> None:
    async with running_config(tmp_path) as config:
        await config.stub.CreateGroup(pb.CreateGroupRequest(group=Group(name="ops")))
        assert await Auditor.at(config.channel).told()
    with closing(sqlite3.connect(tmp_path / "config.db")) as database:
        assert database.execute("SELECT sequence FROM config_announced").fetchall() == [(None,)]
