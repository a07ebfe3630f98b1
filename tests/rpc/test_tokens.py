"""What a token is good for, over real secured services: until when, of what, how often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.secured import Secured, bearing, secured

from ibs_notify.client import Notifier
from ibs_notify.domain.errors import (
    InvalidArgument,
    NotificationError,
    PermissionDenied,
    Reason,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from ibs_notify.domain.principal import Principal
from ibs_notify.domain.token import parse
from ibs_notify.rpc.authentication import Authenticator
from ibs_notify.rpc.load import MOST_STREAMS_OF_A_TOKEN
from ibs_notify.rpc.status import from_rpc_error
from ibs_notify.snapshot.token_report import report_to_config
from ironcore.notification.v1 import config_service_pb2 as config_pb
from ironcore.notification.v1 import delivery_service_pb2 as delivery_pb
from ironcore.notification.v1 import disposition_pb2, error_reason_pb2, event_pb2, target_pb2
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub

SECONDS = 10.0
TARGET = target_pb2.Target(
    name="hook", webhook=target_pb2.WebhookTarget(url="http://127.0.0.1:9/"), disabled=True
)
FAILED = event_pb2.Event(type="backup.failed", resource="/datastore/a/vm/1", subject="x")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Secured]:
    async with secured(tmp_path) as services:
        yield services


async def refusal(call: Awaitable[object]) -> NotificationError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, SECONDS)
    return from_rpc_error(caught.value)


def event(type_: str = "backup.failed", resource: str = "/datastore/a/vm/1") -> event_pb2.Event:
    return event_pb2.Event(type=type_, resource=resource, subject="x")


def emit(running: Secured, token: str, what: event_pb2.Event = FAILED) -> Awaitable[Any]:
    return running.router.Emit(pb.EmitRequest(event=what), metadata=bearing(token))


def emit_batch(running: Secured, token: str, *events: event_pb2.Event) -> Awaitable[Any]:
    return running.router.EmitBatch(pb.EmitBatchRequest(events=events), metadata=bearing(token))


# Who is who


async def test_what_a_token_changes_is_said_to_be_by_its_name(running: Secured) -> None:
    token = await running.make("alice", "administrator")
    metadata = (*bearing(token), ("ibs-user", "mallory"))
    made = await running.config.CreateGroup(
        config_pb.CreateGroupRequest(group=Group(name="ops")), metadata=metadata
    )
    assert made.group.created_by == "alice"
    (listed,) = (await running.root.ListTokens(config_pb.ListTokensRequest())).tokens
    assert listed.created_by == "administrator"


async def test_each_token_has_an_inbox_of_its_own(running: Secured) -> None:
    one, other = [await running.make(name, "operator") for name in ("one", "other")]
    emitted = await emit(running, await running.make("emitter", "emitter"))
    marked = pb.MarkEventsRequest(event_ids=[emitted.event_id], state=pb.INBOX_STATE_READ)
    await running.router.MarkEvents(marked, metadata=bearing(one))
    request = pb.CountEventsRequest(filter=pb.EventFilter(sources=["backup"]))
    mine = await running.router.CountEvents(request, metadata=bearing(one))
    theirs = await running.router.CountEvents(request, metadata=bearing(other))
    assert [each.unread for each in mine.counts] == [0]
    assert [each.unread for each in theirs.counts] == [1]


async def test_a_wrong_secret_and_an_unknown_id_are_told_the_same(running: Secured) -> None:
    right = parse(await running.make("alice", "viewer"))
    assert right is not None
    statuses = set()
    for token in (f"ibsn_{right[0]}_{'0' * 64}", f"ibsn_{'0' * 16}_{right[1]}"):
        error = await refusal(emit(running, token))
        assert isinstance(error, Unauthenticated)
        statuses.add((error.reason, error.message, error.advice))
    assert len(statuses) == 1


@pytest.mark.parametrize("method", ["Emit", "EmitBatch", "EmitStream"])
async def test_of_who_may_not_call_nothing_is_read(running: Secured, method: str) -> None:
    path, body = f"/ironcore.notification.v1.RouterService/{method}", b"\xff no message"
    viewer, emitter = [await running.make(name, name) for name in ("viewer", "emitter")]
    channel: Any = running.channel("router")

    async def send(metadata: Any) -> None:
        if method != "EmitStream":
            await channel.unary_unary(path)(body, metadata=metadata)
            return
        stream = channel.stream_stream(path)(metadata=metadata)
        await stream.write(body)
        await stream.read()

    assert isinstance(await refusal(send(())), Unauthenticated)
    assert isinstance(await refusal(send(bearing(viewer))), PermissionDenied)
    error = await refusal(send(bearing(emitter)))
    assert isinstance(error, InvalidArgument)
    assert error.reason is Reason.FIELD_INVALID


async def test_who_may_not_is_told_which_role_may(running: Secured) -> None:
    error = await refusal(emit(running, await running.make("eve", "viewer")))
    assert isinstance(error, PermissionDenied)
    assert "emitter" in error.advice
    assert "'eve' (viewer)" in error.message


@pytest.mark.parametrize(
    ("holder", "secrets", "tokens", "refused"),
    [
        ("router", True, False, True),
        ("router", False, True, False),
        ("delivery", True, True, False),
    ],
)
async def test_secrets_are_watched_by_delivery_alone(
    running: Secured, holder: str, secrets: bool, tokens: bool, refused: bool
) -> None:
    await running.make("alice", "viewer")
    stub = ConfigServiceStub(running.channel("config", holder))
    request = config_pb.WatchConfigRequest(include_secrets=secrets, include_tokens=tokens)
    call = stub.WatchConfig(request)
    if refused:
        assert isinstance(await refusal(call.read()), PermissionDenied)
        return
    watched: list[config_pb.WatchedToken] = []
    async for item in call:
        if item.HasField("token"):
            watched.append(item.token)
        if item.HasField("current"):
            break
    call.cancel()
    (token,) = watched
    assert (token.token.name, len(token.secret_hash)) == ("alice", 32)


# Until when


async def test_a_revoked_token_is_refused_by_all_three_at_once(running: Secured) -> None:
    token = await running.make("alice", "administrator")
    metadata = bearing(token)
    await running.revoke("alice")
    for call in (
        running.config.ListTokens(config_pb.ListTokensRequest(), metadata=metadata),
        running.router.CountEvents(pb.CountEventsRequest(), metadata=metadata),
        running.delivery.ListDigests(delivery_pb.ListDigestsRequest(), metadata=metadata),
    ):
        assert isinstance(await refusal(call), Unauthenticated)


async def test_who_makes_a_token_can_use_it_when_the_answer_is_there(running: Secured) -> None:
    for number in range(20):
        token = await running.make(f"t{number}", "viewer")
        await running.config.GetSettings(config_pb.GetSettingsRequest(), metadata=bearing(token))
        await running.router.CountEvents(pb.CountEventsRequest(), metadata=bearing(token))


async def _open_streams(running: Secured, admin: str) -> list[Any]:
    metadata = bearing(admin)
    healthy = health_pb2_grpc.HealthStub(running.channel("delivery"))
    streams = [
        running.router.WatchEvents(pb.WatchEventsRequest(), metadata=metadata),
        healthy.Watch(health_pb2.HealthCheckRequest(), metadata=metadata),  # type: ignore[attr-defined]  # made at run time
    ]
    for stream in streams:
        await asyncio.wait_for(stream.read(), SECONDS)
    emitting = running.router.EmitStream(metadata=metadata)
    await emitting.write(pb.EmitStreamRequest(events=[FAILED]))
    await asyncio.wait_for(emitting.read(), SECONDS)
    return [*streams, emitting]


async def _read_to_the_end(stream: Any) -> None:
    async with asyncio.timeout(5):
        while await stream.read() is not grpc.aio.EOF:
            pass


async def _revoke(running: Secured) -> None:
    await running.revoke("alice")


async def _expire(running: Secured) -> None:
    running.clock.ahead = timedelta(hours=2)


@pytest.mark.parametrize("end", [_revoke, _expire])
async def test_streams_end_within_seconds_when_their_token_does(
    running: Secured, end: Callable[[Secured], Awaitable[None]]
) -> None:
    token = await running.make("alice", "administrator", lives=timedelta(hours=1))
    other = await running.make("bob", "administrator")
    streams, others = await _open_streams(running, token), await _open_streams(running, other)
    await end(running)
    for stream in streams:
        assert isinstance(await refusal(_read_to_the_end(stream)), Unauthenticated)
    assert [stream.done() for stream in others] == [False, False, False]
    for stream in others:
        stream.cancel()


async def test_callers_are_known_while_config_is_away_also_after_a_restart(
    running: Secured,
) -> None:
    token = await running.make("ci", "emitter")
    dead = await running.make("dead", "emitter")
    await running.revoke("dead")
    await running.stop("config")
    await emit(running, token)
    await running.stop("router")
    await running.start("router")
    await running.apply(0)
    assert (await emit(running, token)).event_id
    assert isinstance(await refusal(emit(running, dead)), Unauthenticated)


async def test_before_its_first_configuration_a_service_says_that_it_is_not_ready(
    tmp_path: Path,
) -> None:
    async with secured(tmp_path, "router") as alone:
        error = await refusal(emit(alone, f"ibsn_{'0' * 16}_{'0' * 64}"))
        assert isinstance(error, Unavailable)
        assert error.reason is Reason.NOT_READY
        assert isinstance(await refusal(emit(alone, "nonsense")), Unauthenticated)
        # A certificate needs nothing to be known.
        stub = RouterServiceStub(alone.channel("router", "administrator"))
        assert (await stub.CountEvents(pb.CountEventsRequest())).newest_sequence == 0


async def test_what_was_kept_while_nobody_was_asked_calls_no_token_invalid(
    running: Secured,
) -> None:
    token = await running.make("ci", "emitter")
    await running.stop("config")
    await running.stop("router")
    path = running.settings.home / "router-snapshot.pb"
    kept = config_pb.ConfigSnapshot.FromString(path.read_bytes())
    kept.ClearField("tokens")
    kept.ClearField("has_tokens")
    path.write_bytes(kept.SerializeToString())
    await running.start("router")
    await running.apply(0)
    error = await refusal(emit(running, token))
    assert isinstance(error, Unavailable)
    assert error.reason is Reason.NOT_READY
    await running.start("config")
    await running.make("other", "viewer")
    assert (await emit(running, token)).event_id


async def test_the_last_use_is_told_to_config(running: Secured) -> None:
    token = parse(await running.make("ci", "emitter"))
    assert token is not None
    used = datetime.now(UTC) - timedelta(hours=1)
    await report_to_config(running.channel("config", "router"))({token[0]: used})
    (listed,) = (await running.root.ListTokens(config_pb.ListTokensRequest())).tokens
    kept = listed.last_use_time.ToDatetime(UTC)
    assert kept == used.replace(second=0, microsecond=0)


# Of what


async def test_a_bound_emitter_emits_within_its_bounds_only(running: Secured) -> None:
    token = await running.make("ci", "emitter", sources=["backup"], resources=["a:vm"])
    assert (await emit(running, token)).event_id
    assert (await emit(running, token, event(resource="a:vm/2"))).event_id
    for outside in (
        event("sync.failed"),
        event(resource="/datastore/a/ct/1"),
        event(resource="/datastore/a/vm1"),
        event(resource=""),
    ):
        error = await refusal(emit(running, token, outside))
        assert isinstance(error, PermissionDenied)


async def test_no_emitter_hides_what_another_tells_of_other_resources(running: Secured) -> None:
    await running.root.CreateTarget(config_pb.CreateTargetRequest(target=TARGET))
    group = Group(name="ops")
    group.subscriptions.add(target="hook", rule="*")
    made = await running.root.CreateGroup(config_pb.CreateGroupRequest(group=group))
    await running.apply(made.group.revision)
    states: list[int] = []
    for store in ("mine", "theirs", "theirs"):
        token = await running.make(f"ci{len(states)}", "emitter", resources=[f"{store}:"])
        what = event(resource=f"{store}:vm/1")
        what.dedup_key = "array-7"
        (told,) = (await emit(running, token, what)).dispositions
        states.append(told.state)
    assert states == [
        disposition_pb2.DISPOSITION_STATE_READY,
        disposition_pb2.DISPOSITION_STATE_READY,
        disposition_pb2.DISPOSITION_STATE_SUPPRESSED,
    ]


async def test_no_emitter_tells_what_the_system_itself_does(running: Secured) -> None:
    token = await running.make("ci", "emitter")
    notice = event()
    notice.event_id = "notice-delivery-dead-0011223344556677-2026-05-21"
    for ours in (event("notification.summary"), event("notification.target-failing"), notice):
        assert isinstance(await refusal(emit(running, token, ours)), PermissionDenied)
    # The platform says so, and its emitters may.
    assert (await emit(running, token, event("auth.login-failed"))).event_id


async def test_in_a_batch_what_is_out_of_bounds_is_refused_alone(running: Secured) -> None:
    token = await running.make("ci", "emitter", sources=["backup"])
    events = [event(), event("sync.failed"), event_pb2.Event(), event("backup.completed")]
    answer = await emit_batch(running, token, *events)
    stream = running.router.EmitStream(metadata=bearing(token))
    await stream.write(pb.EmitStreamRequest(events=events))
    await stream.done_writing()
    streamed = [result async for response in stream for result in response.results]
    for results in (list(answer.results), streamed):
        assert [each.HasField("accepted") for each in results] == [True, False, False, True]
        assert [results[1].error.reason, results[2].error.reason] == [
            error_reason_pb2.ERROR_REASON_PERMISSION_DENIED,
            error_reason_pb2.ERROR_REASON_EVENT_INVALID,
        ]
    stored = await RouterServiceStub(running.channel("router", "administrator")).ListEvents(
        pb.ListEventsRequest(filter=pb.EventFilter(sources=["backup"]))
    )
    assert {each.event.type for each in stored.events} == {"backup.failed", "backup.completed"}


async def test_a_refused_event_fails_alone_in_the_client_and_says_why(running: Secured) -> None:
    token = await running.make("ci", "emitter", sources=["backup"])

    def emit_two() -> tuple[str, BaseException | None]:
        with _notifier(running, token) as notifier:
            wrong, right = notifier.emit("sync.failed"), notifier.emit("backup.failed")
            return right.result(timeout=SECONDS).event_id, wrong.answer.exception(SECONDS)

    event_id, error = await asyncio.to_thread(emit_two)
    assert event_id
    assert isinstance(error, PermissionDenied)


def _notifier(running: Secured, token: str) -> Notifier:
    return Notifier(
        running.settings.router_address,
        token=token,
        ca_file=running.certificates.directory / "ca.pem",
        user="ci",
    )


# How often


async def test_a_quota_says_when_to_come_back_and_that_is_right(running: Secured) -> None:
    token = await running.make("ci", "emitter", quota_per_minute=2)
    await emit(running, token)
    await emit(running, token)
    error = await refusal(emit(running, token))
    assert isinstance(error, ResourceExhausted)
    assert timedelta(seconds=28) < error.retry_after <= timedelta(seconds=30)
    assert "come back in" in error.advice
    running.clock.ahead += error.retry_after - timedelta(seconds=1)
    early = await refusal(emit(running, token))
    assert isinstance(early, ResourceExhausted)
    running.clock.ahead += early.retry_after
    await emit(running, token)


async def test_each_event_of_a_batch_and_of_a_stream_counts(running: Secured) -> None:
    token = await running.make("ci", "emitter", quota_per_minute=60)
    await emit_batch(running, token, *[FAILED] * 59)
    stream = running.router.EmitStream(metadata=bearing(token))
    await stream.write(pb.EmitStreamRequest(events=[FAILED] * 3))
    answer = await stream.read()
    assert isinstance(answer, pb.EmitStreamResponse)
    assert len(answer.results) == 3
    await stream.write(pb.EmitStreamRequest(events=[FAILED]))
    error = await refusal(stream.read())
    assert isinstance(error, ResourceExhausted)
    # Two too many were let through, and one is needed.
    assert timedelta(seconds=2) < error.retry_after <= timedelta(seconds=3)


async def test_one_token_cannot_take_the_streams_of_all(running: Secured) -> None:
    greedy, other = [await running.make(name, "emitter") for name in ("greedy", "other")]
    streams = [
        running.router.EmitStream(metadata=bearing(greedy)) for _ in range(MOST_STREAMS_OF_A_TOKEN)
    ]
    for stream in streams:
        await stream.write(pb.EmitStreamRequest(events=[FAILED]))
        await asyncio.wait_for(stream.read(), SECONDS)
    error = await refusal(running.router.EmitStream(metadata=bearing(greedy)).read())
    assert isinstance(error, ResourceExhausted)
    allowed = running.router.EmitStream(metadata=bearing(other))
    await allowed.write(pb.EmitStreamRequest(events=[FAILED]))
    assert isinstance(await allowed.read(), pb.EmitStreamResponse)
    streams[0].cancel()
    async with asyncio.timeout(SECONDS):
        while True:
            again = running.router.EmitStream(metadata=bearing(greedy))
            await again.write(pb.EmitStreamRequest(events=[FAILED]))
            with suppress(grpc.aio.AioRpcError):
                assert isinstance(await again.read(), pb.EmitStreamResponse)
                break
    for stream in (*streams, allowed, again):
        stream.cancel()


async def test_other_tokens_and_the_health_are_not_counted(running: Secured) -> None:
    token = await running.make("ci", "emitter", quota_per_minute=1)
    other = await running.make("other", "emitter")
    await emit(running, token)
    assert isinstance(await refusal(emit(running, token)), ResourceExhausted)
    await emit(running, other)
    stub = health_pb2_grpc.HealthStub(running.channel("router"))
    await stub.Check(health_pb2.HealthCheckRequest(), metadata=bearing(token))  # type: ignore[attr-defined]  # made at run time


async def test_the_client_library_waits_as_long_as_it_is_told(
    running: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await running.make("ci", "emitter", quota_per_minute=600)
    # Fifteen too many and the next one: over a second and a half.
    await emit_batch(running, token, *[FAILED] * 615)
    tries: list[float] = []
    charge = Authenticator.charge

    def noting(self: Authenticator, who: Principal, count: int) -> None:
        if who.name == "ci":
            tries.append(asyncio.get_running_loop().time())
        charge(self, who, count)

    monkeypatch.setattr(Authenticator, "charge", noting)

    def emit_one() -> str:
        with _notifier(running, token) as notifier:
            return notifier.emit("backup.failed").result(timeout=SECONDS).event_id

    assert await asyncio.to_thread(emit_one)
    assert len(tries) == 2
    assert 0 < tries[1] - tries[0] < 5
