"""From an event to its digest: three real services, a mail server, an endpoint, one fake clock."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from tests.support.delivery import FakeClock
from tests.support.http_server import HttpServer
from tests.support.router import NOWHERE, refusal
from tests.support.smtp_server import SmtpServer
from tests.support.writes import Writes

from ibs_notify.config.app import ConfigApp
from ibs_notify.delivery import app as delivery_app
from ibs_notify.delivery.app import DeliveryApp
from ibs_notify.delivery.digests import scheduler as digest_scheduler
from ibs_notify.domain.errors import FailedPrecondition, NotFound, Reason
from ibs_notify.router import app as router_app
from ibs_notify.router.app import RouterApp
from ibs_notify.rpc.channel import open_plain_channel
from ibs_notify.settings import Settings
from ironcore.notification.v1 import (
    config_service_pb2,
    delivery_pb2,
    delivery_service_pb2,
    event_pb2,
    group_pb2,
    router_service_pb2,
    target_pb2,
)
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub

if TYPE_CHECKING:
    # Only the type stubs have them.
    from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceAsyncStub
    from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceAsyncStub
    from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceAsyncStub

Window = delivery_service_pb2.DigestWindow
EVENING = datetime(2026, 5, 20, 20, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Installation:
    """The three services, and where they send to."""

    clock: FakeClock
    config: ConfigServiceAsyncStub
    router: RouterServiceAsyncStub
    delivery: DeliveryServiceAsyncStub
    hook: HttpServer
    mails: SmtpServer
    writes: Writes

    async def configure(self) -> None:
        """The product page's compliance group, with its digest."""
        chat = target_pb2.Target(name="chat")
        chat.webhook.url = self.hook.url()
        mail = target_pb2.Target(name="mail")
        mail.smtp.server, mail.smtp.port = "127.0.0.1", self.mails.port
        mail.smtp.tls_mode = target_pb2.SMTP_TLS_MODE_NONE
        mail.smtp.recipients.append("auditor@example.com")
        for target in (chat, mail):
            await self.config.CreateTarget(config_service_pb2.CreateTargetRequest(target=target))
        group = group_pb2.Group(
            name="compliance",
            digest=group_pb2.Digest(rule="severity in (info, notice)", time="09:00"),
        )
        for target in (chat, mail):
            group.subscriptions.add(target=target.name, rule="*")
        made = await self.config.CreateGroup(config_service_pb2.CreateGroupRequest(group=group))
        await self.in_force(made.group.revision)

    async def in_force(self, revision: int) -> None:
        await self.router.AwaitConfig(
            router_service_pb2.RouterServiceAwaitConfigRequest(revision=revision)
        )
        await self.delivery.AwaitConfig(delivery_service_pb2.AwaitConfigRequest(revision=revision))

    async def emit(self, event_id: str, event_type: str = "backup.completed") -> None:
        event = event_pb2.Event(event_id=event_id, type=event_type, subject=event_id)
        await self.router.Emit(router_service_pb2.EmitRequest(event=event))

    async def windows(self) -> list[Window]:
        answer = await self.delivery.ListDigests(delivery_service_pb2.ListDigestsRequest())
        return list(answer.digests)

    async def until_gathered(self, count: int) -> None:
        async def there() -> bool:
            found = await self.windows()
            return [each.event_count for each in found] == [count, count] and all(
                each.HasField("close_time") for each in found
            )

        await self.writes.until(there)

    async def explained(self, event_id: str) -> dict[str, str]:
        """The sentence on each target."""
        request = router_service_pb2.ExplainRequest(event_id=event_id)
        answer = await self.router.Explain(request)
        return {each.target: each.sentence for each in answer.subscriptions}


@pytest.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Installation]:
    monkeypatch.setattr(digest_scheduler, "LOOK_SECONDS", 0.02)
    writes = Writes()
    for module in (delivery_app, router_app):
        monkeypatch.setattr(module, "open_database", writes.open)
    clock = FakeClock(EVENING)
    settings = Settings(
        home=tmp_path,
        config_address="127.0.0.1:0",
        router_address="127.0.0.1:0",
        delivery_address=NOWHERE,
    )
    async with AsyncExitStack() as stack:
        hook = await stack.enter_async_context(HttpServer())
        mails = await stack.enter_async_context(SmtpServer())
        config = await stack.enter_async_context(ConfigApp(settings, clock))
        settings = replace(
            settings,
            config_address=f"127.0.0.1:{config.port}",
            delivery_address="127.0.0.1:0",
            router_address=NOWHERE,
        )
        delivery = await stack.enter_async_context(DeliveryApp(settings, clock, grace_seconds=0.2))
        settings = replace(
            settings,
            delivery_address=f"127.0.0.1:{delivery.port}",
            router_address="127.0.0.1:0",
        )
        router = await stack.enter_async_context(RouterApp(settings, clock))
        channels: list[grpc.aio.Channel] = [
            await stack.enter_async_context(open_plain_channel(f"127.0.0.1:{app.port}"))
            for app in (config, router, delivery)
        ]
        yield Installation(
            clock,
            ConfigServiceStub(channels[0]),
            RouterServiceStub(channels[1]),
            DeliveryServiceStub(channels[2]),
            hook,
            mails,
            writes,
        )


async def test_what_was_emitted_in_the_night_is_told_at_nine_in_one_message(
    here: Installation,
) -> None:
    await here.configure()
    for number in range(5):
        await here.emit(f"e{number}")
    await here.emit("alert", "backup.failed")
    await here.writes.until(lambda: _are(len(here.hook.requests), 1))
    await here.until_gathered(5)
    assert json.loads(here.hook.requests[0].body)["event_id"] == "alert"
    waits = "the group's digest gathers it: it waits for dig-"
    assert (await here.explained("e1"))["chat"].startswith(waits)
    assert (await here.explained("e1"))["chat"].endswith("closes at 2026-05-21 09:00:00 UTC")

    here.clock.pass_time(hours=13)
    await here.writes.until(lambda: _are(len(here.hook.requests), 2))
    await here.writes.until(lambda: _are(len(here.mails.mails), 2))
    body = json.loads(here.hook.requests[1].body)
    assert body["type"] == "notification.digest"
    assert "compliance" in body["subject"]
    assert here.mails.mails[1].recipients == ["auditor@example.com"]

    async def told() -> bool:
        return "which is delivered" in (await here.explained("e1"))["chat"]

    await here.writes.until(told)
    books = await here.router.VerifyLedger(router_service_pb2.VerifyLedgerRequest())
    assert books.balanced
    assert {each.state: each.count for each in books.lines if each.service == "delivery"} == {
        "delivered": 2,
        "digested": 10,
        "derived delivered": 2,
    }


async def test_an_entry_shares_the_death_of_its_digest(here: Installation) -> None:
    await here.configure()
    await here.emit("e1")
    await here.until_gathered(1)
    here.hook.status = 404
    here.clock.pass_time(hours=13)

    async def dead() -> bool:
        return (
            "which is dead: the endpoint refused it (HTTP_4XX)"
            in (await here.explained("e1"))["chat"]
        )

    await here.writes.until(dead)
    states = [delivery_pb2.DELIVERY_STATE_DIGESTED]
    request = delivery_service_pb2.ListDeliveriesRequest(
        filter=delivery_pb2.DeliveryFilter(targets=["chat"], states=states)
    )
    (entry,) = (await here.delivery.ListDeliveries(request)).deliveries
    assert (entry.digest.state, entry.digest.reason) == (
        delivery_pb2.DELIVERY_STATE_DEAD,
        "HTTP_4XX",
    )


async def test_a_digest_can_be_looked_at_and_sent_before_its_time(here: Installation) -> None:
    await here.configure()
    await here.emit("e1")
    await here.until_gathered(1)
    (chat,) = [each for each in await here.windows() if each.target == "chat"]
    assert (chat.state, chat.period, chat.reason) == (
        delivery_service_pb2.DIGEST_WINDOW_STATE_OPEN,
        "daily",
        "",
    )
    ask = delivery_service_pb2.PreviewDigestRequest(digest_id=chat.digest_id)
    preview = json.loads((await here.delivery.PreviewDigest(ask)).body)
    flush = delivery_service_pb2.FlushDigestRequest(digest_id=chat.digest_id)
    flushed = await here.delivery.FlushDigest(flush)
    await here.writes.until(lambda: _are(len(here.hook.requests), 1))
    sent = json.loads(here.hook.requests[0].body)
    assert sent["event_id"] == f"digest-{flushed.delivery_id}"
    assert (sent["subject"], sent["summary"]) == (preview["subject"], preview["summary"])

    closed = await refusal(here.delivery.FlushDigest(flush))
    assert isinstance(closed, FailedPrecondition)
    assert closed.reason is Reason.DIGEST_NOT_OPEN
    ask.digest_id = "dig-99"
    unknown = await refusal(here.delivery.PreviewDigest(ask))
    assert isinstance(unknown, NotFound)
    assert unknown.reason is Reason.DIGEST_NOT_FOUND


async def test_the_windows_come_in_pages_and_of_one_group(here: Installation) -> None:
    await here.configure()
    await here.emit("e1")
    await here.until_gathered(1)
    request = delivery_service_pb2.ListDigestsRequest(page_size=1, group="compliance")
    first = await here.delivery.ListDigests(request)
    request.page_token = first.next_page_token
    second = await here.delivery.ListDigests(request)
    assert {each.digests[0].target for each in (first, second)} == {"chat", "mail"}
    assert not second.next_page_token
    other = delivery_service_pb2.ListDigestsRequest(group="nobody", open_only=True)
    assert not (await here.delivery.ListDigests(other)).digests


async def test_one_window_is_found_by_its_id(here: Installation) -> None:
    await here.configure()
    await here.emit("e1")
    await here.until_gathered(1)
    for each in await here.windows():
        request = delivery_service_pb2.ListDigestsRequest(digest_id=each.digest_id)
        assert (await here.delivery.ListDigests(request)).digests == [each]
    for unknown in ("dig-999", "no-id"):
        request = delivery_service_pb2.ListDigestsRequest(digest_id=unknown)
        assert not (await here.delivery.ListDigests(request)).digests


async def _are(count: int, wanted: int) -> bool:
    return count >= wanted
