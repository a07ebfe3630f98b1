"""Delivery as its callers see it: a real server, a Config that streams, real peers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import grpc
import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP
from grpc_health.v1 import health_pb2
from tests.support import keys
from tests.support.delivery import FakeConfig, proto_handoff, running_config
from tests.support.http_server import HttpServer
from tests.support.transports import LoopbackCa
from tests.support.writes import Writes

from ibs_notify.delivery import app as delivery_app
from ibs_notify.delivery.app import DeliveryApp
from ibs_notify.domain.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    NotificationError,
    Reason,
)
from ibs_notify.rpc.channel import open_plain_channel
from ibs_notify.rpc.paging import page_token
from ibs_notify.rpc.status import from_rpc_error
from ibs_notify.settings import Settings
from ironcore.notification.v1 import delivery_pb2, settings_pb2, target_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from ironcore.notification.v1.target_pb2 import SealedSecret, Target

if TYPE_CHECKING:
    from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceAsyncStub

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True, slots=True)
class Running:
    """Delivery, the Config that it watches, and a stub to call it."""

    app: DeliveryApp
    config: FakeConfig
    stub: DeliveryServiceAsyncStub
    channel: grpc.aio.Channel
    settings: Settings
    writes: Writes

    async def publish(self, *targets: Target, **more: Any) -> None:
        """Make a revision and wait until it is in force."""
        revision = self.config.publish(*targets, **more)
        await self.stub.AwaitConfig(pb.AwaitConfigRequest(revision=revision), timeout=10)

    async def deliver(self, *handoffs: pb.Handoff) -> pb.DeliverResponse:
        return await self.stub.Deliver(pb.DeliverRequest(handoffs=handoffs))

    async def see(self, number: int) -> delivery_pb2.Delivery:
        request = pb.GetDeliveryRequest(delivery_id=proto_handoff(number).delivery_id)
        return (await self.stub.GetDelivery(request)).delivery

    async def until(self, number: int, state: str, reason: str = "") -> delivery_pb2.Delivery:
        """The delivery once it stands so."""
        wanted = delivery_pb2.DeliveryState.Value(f"DELIVERY_STATE_{state}")

        async def there() -> bool:
            seen = await self.see(number)
            return seen.state == wanted and reason in ("", seen.reason)

        await self.writes.until(there)
        return await self.see(number)


@asynccontextmanager
async def running(home: Path, config: FakeConfig, address: str) -> AsyncIterator[Running]:
    """Delivery without jitter: a retry is due at once."""
    settings = Settings(home=home, config_address=address, delivery_address="127.0.0.1:0")
    writes = Writes()
    async with AsyncExitStack() as stack:
        with patch.object(delivery_app, "open_database", writes.open):
            app = DeliveryApp(settings, jitter=lambda: 0.0, grace_seconds=0.2)
            await stack.enter_async_context(app)
        channel = await stack.enter_async_context(open_plain_channel(f"127.0.0.1:{app.port}"))
        yield Running(app, config, DeliveryServiceStub(channel), channel, settings, writes)


@pytest.fixture
async def delivery(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_config() as (config, address), running(tmp_path, config, address) as it:
        yield it


@pytest.fixture
async def hook() -> AsyncIterator[HttpServer]:
    async with HttpServer() as server:
        yield server


def webhook(hook: HttpServer | None, uid: str = "t1", **fields: Any) -> Target:
    url = hook.url() if hook is not None else "http://127.0.0.1:9/hook"
    target = Target(name="chat", uid=uid, **fields)
    target.webhook.url = url
    return target


def mail(port: int, **smtp: Any) -> Target:
    target = Target(name="mail", uid="t1")
    target.smtp.server = "127.0.0.1"
    target.smtp.port = port
    target.smtp.tls_mode = target_pb2.SMTP_TLS_MODE_NONE
    target.smtp.from_address = "ibs@example.org"
    for name, value in smtp.items():
        getattr(target.smtp, name).extend(value)
    return target


async def refusal(call: Awaitable[object]) -> NotificationError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def health(channel: grpc.aio.Channel) -> int:
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    status: int = (await check(health_pb2.HealthCheckRequest())).status
    return status


async def test_it_serves_once_it_has_a_configuration(delivery: Running) -> None:
    assert await health(delivery.channel) == NOT_SERVING
    await delivery.publish()

    watch = delivery.channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    async for answer in watch(health_pb2.HealthCheckRequest(), timeout=20):
        if answer.status == SERVING:
            return
    pytest.fail("it never serves")


async def test_a_webhook_receives_what_was_handed_over(delivery: Running, hook: HttpServer) -> None:
    await delivery.publish(webhook(hook))
    answer = await delivery.deliver(proto_handoff(1), proto_handoff(2))
    assert (answer.accepted, answer.known) == (2, 0)
    seen = await delivery.until(1, "DELIVERED")
    await delivery.until(2, "DELIVERED")
    assert sorted(json.loads(request.body)["event_id"] for request in hook.requests) == [
        "evt-1",
        "evt-2",
    ]
    assert {request.headers["webhook-id"] for request in hook.requests} == {
        proto_handoff(1).delivery_id,
        proto_handoff(2).delivery_id,
    }
    (attempt,) = seen.attempts
    assert (attempt.outcome, attempt.code) == ("delivered", 200)
    assert attempt.HasField("duration")
    assert (seen.target, seen.group, seen.event_type) == ("chat", "ops-team", "backup.failed")


async def test_a_repeated_handoff_is_known_and_not_sent_again(
    delivery: Running, hook: HttpServer
) -> None:
    await delivery.publish(webhook(hook))
    await delivery.deliver(proto_handoff(1))
    await delivery.until(1, "DELIVERED")
    answer = await delivery.deliver(proto_handoff(1), proto_handoff(2))
    assert (answer.accepted, answer.known) == (1, 1)
    await delivery.until(2, "DELIVERED")
    assert len(hook.requests) == 2


class Inbox:
    """Keeps the mails that aiosmtpd took."""

    def __init__(self) -> None:
        self.recipients: list[list[str]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 queued"


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def mail_port(inbox: Inbox) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(inbox, hostname="mail.example.org", loop=loop), "127.0.0.1", 0
    )
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_a_mail_goes_to_the_handoffs_recipients_or_the_targets_or_the_settings(
    delivery: Running, mail_port: int, inbox: Inbox
) -> None:
    await delivery.publish(mail(mail_port))
    await delivery.deliver(proto_handoff(1, recipients=["own@example.org"]), proto_handoff(2))
    first = await delivery.until(1, "DELIVERED")
    assert [(r.address, r.code) for r in first.recipients] == [("own@example.org", 250)]
    await delivery.until(2, "WAITING", "NO_RECIPIENTS")
    await delivery.publish(settings=settings_pb2.Settings(default_recipients=["all@example.org"]))
    second = await delivery.until(2, "DELIVERED")
    assert [r.address for r in second.recipients] == ["all@example.org"]
    await delivery.publish(mail(mail_port, recipients=["ops@example.org"]))
    await delivery.deliver(proto_handoff(3))
    await delivery.until(3, "DELIVERED")
    assert inbox.recipients == [["own@example.org"], ["all@example.org"], ["ops@example.org"]]


async def test_a_failure_is_retried_with_the_same_id_until_it_succeeds(
    delivery: Running, hook: HttpServer
) -> None:
    hook.status = 503
    await delivery.publish(webhook(hook))
    await delivery.deliver(proto_handoff(1))
    await hook.until(lambda: len(hook.requests) >= 2)
    hook.status = 200
    seen = await delivery.until(1, "DELIVERED")
    assert [each.outcome for each in seen.attempts[:-1]] == ["retry"] * (len(seen.attempts) - 1)
    assert {request.headers["webhook-id"] for request in hook.requests} == {seen.delivery_id}
    assert seen.attempt_count == len(hook.requests) == len(seen.attempts)


async def test_a_refusal_is_dead_with_its_reason_and_can_be_retried(
    delivery: Running, hook: HttpServer
) -> None:
    hook.status = 404
    await delivery.publish(webhook(hook))
    await delivery.deliver(proto_handoff(1))
    dead = await delivery.until(1, "DEAD")
    assert dead.reason == "HTTP_4XX"
    assert dead.HasField("close_time")
    hook.status = 200
    which = delivery_pb2.DeliveryFilter(states=[delivery_pb2.DELIVERY_STATE_DEAD])
    dry = await delivery.stub.RetryDeliveries(pb.RetryDeliveriesRequest(filter=which, dry_run=True))
    wet = await delivery.stub.RetryDeliveries(pb.RetryDeliveriesRequest(filter=which))
    assert (dry.count, wet.count) == (1, 1)
    await delivery.until(1, "DELIVERED")


async def test_a_gone_endpoint_pauses_its_target_until_it_is_resumed_or_changed(
    delivery: Running, hook: HttpServer
) -> None:
    hook.status = 410
    await delivery.publish(webhook(hook))
    await delivery.deliver(proto_handoff(1))
    await delivery.until(1, "WAITING", "TARGET_PAUSED")
    asked = len(hook.requests)
    await delivery.deliver(proto_handoff(2))
    await delivery.until(2, "WAITING", "TARGET_PAUSED")
    assert len(hook.requests) == asked
    which = pb.GetTargetStatusRequest(target_uid="t1")
    status = await delivery.stub.GetTargetStatus(which)
    assert (status.paused_reason, status.open_count, status.last_code) == ("HTTP_GONE", 2, 410)
    resumed = await delivery.stub.ResumeTarget(pb.ResumeTargetRequest(target_uid="t1"))
    assert resumed.count == 2
    await delivery.until(1, "WAITING", "TARGET_PAUSED")
    hook.status = 200
    await delivery.publish(webhook(hook, description="moved"))
    await delivery.until(1, "DELIVERED")
    await delivery.until(2, "DELIVERED")
    assert (await delivery.stub.GetTargetStatus(which)).paused_reason == ""


async def test_how_targets_fare_is_one_answer_by_uid_and_page(
    delivery: Running, hook: HttpServer
) -> None:
    hook.status = 410
    await delivery.publish(webhook(hook))
    await delivery.deliver(proto_handoff(1))
    await delivery.until(1, "WAITING", "TARGET_PAUSED")
    list_statuses = delivery.stub.ListTargetStatuses
    alone = await delivery.stub.GetTargetStatus(pb.GetTargetStatusRequest(target_uid="t1"))

    every = await list_statuses(pb.ListTargetStatusesRequest())
    assert [(each.target_uid, each.status) for each in every.target_statuses] == [("t1", alone)]
    # What nothing was ever sent to has zeros, as it has alone.
    asked = pb.ListTargetStatusesRequest(target_uids=["t1", "t0", "t9", "t1"], page_size=2)
    first = await list_statuses(asked)
    asked.page_token = first.next_page_token
    second = await list_statuses(asked)
    assert [each.target_uid for each in first.target_statuses] == ["t0", "t1"]
    assert [each.target_uid for each in second.target_statuses] == ["t9"]
    assert first.target_statuses[0].status.health == pb.TARGET_HEALTH_OK
    assert (first.target_statuses[1].status, second.next_page_token) == (alone, "")


async def test_more_than_a_thousand_targets_are_not_asked_for_at_once(delivery: Running) -> None:
    asked = pb.ListTargetStatusesRequest(target_uids=map(str, range(1001)))
    error = await refusal(delivery.stub.ListTargetStatuses(asked))
    assert isinstance(error, InvalidArgument)
    assert [each.path for each in error.violations] == ["target_uids"]


async def test_a_disabled_target_keeps_its_queue_and_a_deleted_one_cancels_it(
    delivery: Running, hook: HttpServer
) -> None:
    await delivery.publish(webhook(hook, disabled=True))
    await delivery.deliver(proto_handoff(1))
    assert (await delivery.see(1)).reason == "TARGET_DISABLED"
    await delivery.publish(webhook(hook))
    await delivery.until(1, "DELIVERED")
    await delivery.publish(webhook(hook, disabled=True))
    await delivery.deliver(proto_handoff(2))
    await delivery.publish(deleted=["t1"])
    seen = await delivery.see(2)
    assert (seen.state, seen.reason) == (
        delivery_pb2.DELIVERY_STATE_CANCELLED,
        "TARGET_DELETED",
    )
    assert len(hook.requests) == 1


async def test_what_is_for_a_target_of_a_later_release_waits_until_this_one_can_read_it(
    delivery: Running, hook: HttpServer
) -> None:
    await delivery.publish(webhook(hook, disabled=True))
    await delivery.deliver(proto_handoff(1))
    later = webhook(hook)
    later.webhook.preset = 99  # type: ignore[assignment]  # no release has it
    await delivery.publish(later)
    await delivery.deliver(proto_handoff(2))
    for number in (1, 2):
        await delivery.until(number, "WAITING", "TRANSPORT_NOT_AVAILABLE")
    await delivery.publish(webhook(hook))
    for number in (1, 2):
        await delivery.until(number, "DELIVERED")


async def test_what_was_routed_by_a_newer_configuration_waits_for_it(
    delivery: Running, hook: HttpServer
) -> None:
    await delivery.publish()
    await delivery.deliver(proto_handoff(1, revision=2))
    assert (await delivery.see(1)).reason == "CONFIG_BEHIND"
    await delivery.publish(webhook(hook))
    await delivery.until(1, "DELIVERED")


async def test_a_repointed_target_gets_what_waits_at_its_new_address(
    delivery: Running, hook: HttpServer
) -> None:
    await delivery.publish(webhook(None))
    await delivery.deliver(proto_handoff(1))

    async def failed() -> bool:
        return (await delivery.see(1)).attempt_count > 1

    await delivery.writes.until(failed)
    await delivery.publish(webhook(hook))
    seen = await delivery.until(1, "DELIVERED")
    assert seen.attempts[0].reason == "CONNECT_FAILED"


def gateway(hook: HttpServer, **fields: Any) -> Target:
    target = Target(name="metrics", uid="t1", **fields)
    target.pushgateway.url = hook.url("")
    target.pushgateway.job = "ibs"
    return target


async def test_a_gateway_is_pushed_the_totals_of_what_was_handed_over(
    delivery: Running, hook: HttpServer
) -> None:
    await delivery.publish(gateway(hook))
    await delivery.deliver(*map(proto_handoff, range(1, 4)))
    for number in range(1, 4):
        await delivery.until(number, "DELIVERED")
    last = hook.requests[-1]
    assert (last.method, last.path) == ("PUT", "/metrics/job/ibs/target/metrics")
    (total,) = [line for line in last.body.splitlines() if line.startswith(b"ibs_events_total{")]
    assert total.endswith(b" 3.0")


async def test_a_gateway_that_is_deleted_or_elsewhere_loses_its_group(
    delivery: Running, hook: HttpServer
) -> None:
    async with HttpServer() as other:
        await delivery.publish(gateway(hook))
        await delivery.deliver(proto_handoff(1))
        await delivery.until(1, "DELIVERED")
        await delivery.publish(gateway(other))
        await hook.until(lambda: removed(hook))
        await delivery.publish(deleted=["t1"])
        await other.until(lambda: removed(other))


def removed(hook: HttpServer) -> bool:
    return ("DELETE", "/metrics/job/ibs/target/metrics") in [
        (request.method, request.path) for request in hook.requests
    ]


async def test_a_secret_is_opened_when_it_is_needed_and_waited_for_until_it_can_be(
    delivery: Running, hook: HttpServer
) -> None:
    elsewhere = delivery.settings.home / "elsewhere.key"
    keyring = keys.load_or_create(elsewhere)
    field = "webhook.headers[authorization]"
    sealed = SealedSecret(
        field=field, ciphertext=keyring.seal("Bearer t0ken", target_uid="t1", field=field)
    )
    target = webhook(hook)
    target.webhook.headers.add(name="Authorization")
    await delivery.publish(target, secrets=[sealed])
    await delivery.deliver(proto_handoff(1))
    await delivery.until(1, "WAITING", "SECRET_UNREADABLE")
    assert hook.requests == []
    elsewhere.rename(keys.key_path(delivery.settings))
    await delivery.publish(target, secrets=[sealed])
    await delivery.until(1, "DELIVERED")
    assert hook.requests[0].headers["Authorization"] == "Bearer t0ken"


async def test_a_repointed_target_takes_no_secret_along_and_its_queue_waits_for_a_new_one(
    delivery: Running, hook: HttpServer
) -> None:
    keyring = keys.load_or_create(keys.key_path(delivery.settings))
    field = "webhook.headers[authorization]"

    def sealed(value: str) -> SealedSecret:
        ciphertext = keyring.seal(value, target_uid="t1", field=field)
        return SealedSecret(field=field, ciphertext=ciphertext)

    async with HttpServer(503) as former:
        old = webhook(former)
        old.webhook.headers.add(name="Authorization")
        await delivery.publish(old, secrets=[sealed("Bearer 0ld")])
        await delivery.deliver(*map(proto_handoff, range(1, 8)))
        await delivery.until(7, "QUEUED", "TARGET_FAILING")
    new = webhook(hook)
    new.webhook.headers.add(name="Authorization")
    # As Config has it when nobody gave the secret again: cleared.
    await delivery.publish(new)
    for number in range(1, 8):
        await delivery.until(number, "WAITING", "SECRET_REQUIRED")
    assert hook.requests == []
    await delivery.publish(new, secrets=[sealed("Bearer n3w")])
    for number in range(1, 8):
        await delivery.until(number, "DELIVERED")
    assert {each.headers["Authorization"] for each in hook.requests} == {"Bearer n3w"}


async def test_a_target_that_fails_waits_and_recovers_when_it_is_resumed(
    delivery: Running, hook: HttpServer
) -> None:
    hook.status = 503
    await delivery.publish(webhook(hook))
    await delivery.deliver(*map(proto_handoff, range(1, 41)))
    await delivery.until(40, "QUEUED", "TARGET_FAILING")
    which = pb.GetTargetStatusRequest(target_uid="t1")
    failing = await delivery.stub.GetTargetStatus(which)
    assert failing.health == pb.TARGET_HEALTH_FAILING
    assert (failing.trouble_reason, failing.open_count) == ("HTTP_5XX", 40)
    assert failing.HasField("probe_time")
    troubled = await delivery.stub.ListTroubledTargets(pb.ListTroubledTargetsRequest())
    assert [each.target_uid for each in troubled.targets] == ["t1"]
    hook.status = 200
    await delivery.stub.ResumeTarget(pb.ResumeTargetRequest(target_uid="t1"))
    for number in range(1, 41):
        await delivery.until(number, "DELIVERED")

    async def well() -> bool:
        return (await delivery.stub.GetTargetStatus(which)).health == pb.TARGET_HEALTH_OK

    await delivery.writes.until(well)


async def test_a_target_that_is_deleted_is_in_trouble_no_more(
    delivery: Running, hook: HttpServer
) -> None:
    hook.status = 503
    await delivery.publish(webhook(hook))
    await delivery.deliver(*map(proto_handoff, range(1, 8)))
    await delivery.until(7, "QUEUED", "TARGET_FAILING")
    await delivery.publish(deleted=["t1"])
    troubled = await delivery.stub.ListTroubledTargets(pb.ListTroubledTargetsRequest())
    assert list(troubled.targets) == []


async def test_the_end_of_the_peers_certificate_is_seen_in_the_handshake(
    delivery: Running,
) -> None:
    ca = LoopbackCa()
    async with HttpServer(tls=ca.server) as hook:
        target = Target(name="chat", uid="t1")
        target.webhook.url = f"https://127.0.0.1:{hook.port}/hook"
        target.webhook.ca_pem = ca.pem
        await delivery.publish(target)
        await delivery.deliver(proto_handoff(1))
        await delivery.until(1, "DELIVERED")
    status = await delivery.stub.GetTargetStatus(pb.GetTargetStatusRequest(target_uid="t1"))
    assert status.certificate_expire_time.ToDatetime(UTC) > datetime.now(UTC)


async def test_a_slow_target_delays_no_other(delivery: Running, hook: HttpServer) -> None:
    answered = asyncio.Event()

    async def hang(_request: web.BaseRequest) -> web.StreamResponse:
        await answered.wait()
        return web.Response()

    async with HttpServer(answer=hang) as slow:
        await delivery.publish(webhook(slow, uid="slow"), webhook(hook))
        await delivery.deliver(
            *(proto_handoff(n, target_uid="slow") for n in range(100)),
            *(proto_handoff(n) for n in range(100, 150)),
        )
        for number in range(100, 150):
            await delivery.until(number, "DELIVERED")
        assert len(slow.requests) < 100
        answered.set()
        await delivery.until(99, "DELIVERED")


async def test_what_was_stored_before_a_restart_is_sent_after_it(
    tmp_path: Path, hook: HttpServer
) -> None:
    async with running_config() as (config, address):
        async with running(tmp_path, config, address) as first:
            await first.publish(webhook(hook, disabled=True))
            await first.deliver(proto_handoff(1))
        config.publish(webhook(hook))
        async with running(tmp_path, config, address) as second:
            await second.until(1, "DELIVERED")


async def test_it_starts_from_the_configuration_on_disk_while_config_is_away(
    tmp_path: Path, hook: HttpServer
) -> None:
    async with running_config() as (config, address), running(tmp_path, config, address) as first:
        await first.publish(webhook(hook))
    async with running(tmp_path, config, address) as second:
        await second.deliver(proto_handoff(1))
        await second.until(1, "DELIVERED")


async def test_stopping_gives_back_what_is_in_hand(tmp_path: Path) -> None:
    async def hang(_request: web.BaseRequest) -> web.StreamResponse:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    reached = asyncio.Event()
    async with running_config() as (config, address), HttpServer(answer=hang) as slow:
        async with running(tmp_path, config, address) as first:
            await first.publish(webhook(slow))
            await first.deliver(proto_handoff(1))
            await reached.wait()
            await first.publish(webhook(slow, disabled=True))
        async with running(tmp_path, config, address) as second:
            seen = await second.until(1, "WAITING", "TARGET_DISABLED")
            assert [each.outcome for each in seen.attempts] == ["unknown"]


async def test_what_fails_while_its_target_is_deleted_is_cancelled(delivery: Running) -> None:
    reached, deleted = asyncio.Event(), asyncio.Event()

    async def fail_late(_request: web.BaseRequest) -> web.StreamResponse:
        reached.set()
        await deleted.wait()
        return web.Response(status=503)

    async with HttpServer(answer=fail_late) as slow:
        await delivery.publish(webhook(slow))
        await delivery.deliver(proto_handoff(1))
        await reached.wait()
        await delivery.publish(deleted=["t1"])
        assert (await delivery.see(1)).state == delivery_pb2.DELIVERY_STATE_LEASED
        deleted.set()
        seen = await delivery.until(1, "CANCELLED", "TARGET_DELETED")
        assert [each.outcome for each in seen.attempts] == ["retry"]


async def test_a_second_process_on_the_same_sqlite_home_is_refused(delivery: Running) -> None:
    with pytest.raises(FailedPrecondition, match="another process uses"):
        async with DeliveryApp(delivery.settings):
            pass


async def test_a_target_test_makes_a_real_attempt_and_returns_its_stages(
    delivery: Running, hook: HttpServer
) -> None:
    await delivery.publish()
    good = await delivery.stub.TestTarget(pb.TestTargetRequest(target=webhook(hook)))
    assert good.ok
    assert [stage.ok for stage in good.stages] == [True] * len(good.stages)
    assert good.stages[-1].name == "send"
    assert json.loads(hook.requests[-1].body)["type"] == "notification.test"
    bad = await delivery.stub.TestTarget(pb.TestTargetRequest(target=webhook(None)))
    assert not bad.ok
    assert bad.stages[-1].name == "connect"
    assert "connect" in bad.summary
    assert await listed(delivery) == []


async def test_a_mail_test_needs_a_recipient(delivery: Running, mail_port: int) -> None:
    await delivery.publish()
    error = await refusal(delivery.stub.TestTarget(pb.TestTargetRequest(target=mail(mail_port))))
    assert error.reason is Reason.RECIPIENT_REQUIRED
    tested = await delivery.stub.TestTarget(
        pb.TestTargetRequest(target=mail(mail_port), recipients=["me@example.org"])
    )
    assert tested.ok


async def test_a_test_of_a_draft_without_a_kind_is_refused(delivery: Running) -> None:
    error = await refusal(delivery.stub.TestTarget(pb.TestTargetRequest()))
    assert isinstance(error, InvalidArgument)


async def listed(delivery: Running, **fields: Any) -> list[str]:
    ids: list[str] = []
    token = ""
    while True:
        page = await delivery.stub.ListDeliveries(
            pb.ListDeliveriesRequest(
                filter=delivery_pb2.DeliveryFilter(**fields), page_size=2, page_token=token
            )
        )
        ids += [each.event_id for each in page.deliveries]
        token = page.next_page_token
        if not token:
            return ids


async def test_deliveries_are_listed_page_by_page_newest_first(delivery: Running) -> None:
    await delivery.publish(webhook(None, disabled=True))
    await delivery.deliver(*(proto_handoff(n) for n in range(5)))
    assert await listed(delivery) == [f"evt-{n}" for n in (4, 3, 2, 1, 0)]
    assert await listed(delivery, event_ids=["evt-3"]) == ["evt-3"]
    assert await listed(delivery, states=[delivery_pb2.DELIVERY_STATE_DEAD]) == []


async def test_open_deliveries_are_cancelled_by_filter(delivery: Running) -> None:
    await delivery.publish(webhook(None, disabled=True))
    await delivery.deliver(proto_handoff(1), proto_handoff(2))
    which = delivery_pb2.DeliveryFilter(event_ids=["evt-1"])
    dry = await delivery.stub.CancelDeliveries(
        pb.CancelDeliveriesRequest(filter=which, dry_run=True)
    )
    wet = await delivery.stub.CancelDeliveries(pb.CancelDeliveriesRequest(filter=which))
    assert (dry.count, wet.count) == (1, 1)
    assert (await delivery.see(1)).reason == "BY_REQUEST"
    assert (await delivery.see(2)).state == delivery_pb2.DELIVERY_STATE_WAITING


async def test_lists_that_are_not_long_say_when_the_events_happened(delivery: Running) -> None:
    await delivery.publish(webhook(None, disabled=True))
    await delivery.deliver(proto_handoff(1))
    happened = proto_handoff(1).event.timestamp
    listed = await delivery.stub.ListDeliveries(pb.ListDeliveriesRequest(page_size=100))
    assert [each.event_time for each in listed.deliveries] == [happened]
    assert (await delivery.see(1)).event_time == happened
    long = await delivery.stub.ListDeliveries(pb.ListDeliveriesRequest(page_size=101))
    assert not long.deliveries[0].HasField("event_time")


async def test_the_ledger_reads_every_id_in_order(delivery: Running) -> None:
    await delivery.publish(webhook(None, disabled=True))
    await delivery.deliver(*(proto_handoff(n) for n in (3, 1, 2)))
    first = await delivery.stub.ListObligationIds(pb.ListObligationIdsRequest(page_size=2))
    rest = await delivery.stub.ListObligationIds(
        pb.ListObligationIdsRequest(page_token=first.next_page_token)
    )
    ids = [*first.ids, *rest.ids]
    assert [each.delivery_id for each in ids] == [proto_handoff(n).delivery_id for n in (1, 2, 3)]
    assert {(each.kind, each.state) for each in ids} == {
        (delivery_pb2.DELIVERY_KIND_EVENT, delivery_pb2.DELIVERY_STATE_WAITING)
    }
    assert rest.next_page_token == ""
    listed = await delivery.stub.ListDeliveries(pb.ListDeliveriesRequest())
    assert {each.delivery_id: each.create_time for each in ids} == {
        each.delivery_id: each.create_time for each in listed.deliveries
    }
    behind = await delivery.stub.ListObligationIds(
        pb.ListObligationIdsRequest(after=first.ids[0].delivery_id)
    )
    assert list(behind.ids) == ids[1:]


async def test_a_bad_handoff_is_refused_with_every_fault_and_nothing_is_stored(
    delivery: Running,
) -> None:
    await delivery.publish()
    bad = pb.Handoff(delivery_id="no spaces", target_uid="t1")
    error = await refusal(delivery.deliver(proto_handoff(1), bad))
    assert isinstance(error, InvalidArgument)
    assert [each.path for each in error.violations] == [
        "handoffs[1].delivery_id",
        "handoffs[1].event",
        "handoffs[1].kind",
    ]
    assert await listed(delivery) == []


async def test_more_than_a_thousand_handoffs_at_once_are_refused(delivery: Running) -> None:
    await delivery.publish()
    error = await refusal(delivery.deliver(*(proto_handoff(n) for n in range(1001))))
    assert isinstance(error, InvalidArgument)
    assert "1000" in error.message


async def test_any_text_of_an_event_is_stored_and_shown_on_one_line(
    delivery: Running, hook: HttpServer
) -> None:
    await delivery.publish(webhook(hook))
    nasty = proto_handoff(1)
    nasty.event.subject = 'a\x00b\r\nc "\u2028" \U0001f4be'
    await delivery.deliver(nasty)
    seen = await delivery.until(1, "DELIVERED")
    assert seen.subject == 'a b  c " " \U0001f4be'
    assert json.loads(hook.requests[0].body)["subject"] == nasty.event.subject


async def test_unknown_ids_and_foreign_page_tokens_are_refused(delivery: Running) -> None:
    await delivery.publish()
    stub = delivery.stub
    missing = await refusal(stub.GetDelivery(pb.GetDeliveryRequest(delivery_id="0123456789")))
    assert isinstance(missing, NotFound)
    token = await refusal(stub.ListDeliveries(pb.ListDeliveriesRequest(page_token="bm9uZQ")))
    assert token.reason is Reason.PAGE_TOKEN_INVALID
    empty = await refusal(stub.RetryDeliveries(pb.RetryDeliveriesRequest()))
    assert isinstance(empty, InvalidArgument)
    state = delivery_pb2.DeliveryFilter(states=[delivery_pb2.DELIVERY_STATE_UNSPECIFIED])
    unknown = await refusal(stub.ListDeliveries(pb.ListDeliveriesRequest(filter=state)))
    assert "filter.states[0]" in unknown.message


@pytest.mark.parametrize("position", ["abc", 10**30, -1])
async def test_a_forged_page_token_is_refused(delivery: Running, position: str | int) -> None:
    request = pb.ListDeliveriesRequest(page_token=page_token("deliveries", position))
    error = await refusal(delivery.stub.ListDeliveries(request))
    assert error.reason is Reason.PAGE_TOKEN_INVALID


async def test_a_filter_has_bounds_and_says_so(delivery: Running) -> None:
    many = delivery_pb2.DeliveryFilter(event_ids=[str(number) for number in range(1001)])
    many.after.seconds = 10**12
    error = await refusal(delivery.stub.ListDeliveries(pb.ListDeliveriesRequest(filter=many)))
    assert isinstance(error, InvalidArgument)
    assert [each.path for each in error.violations] == ["filter.event_ids", "filter.after"]
