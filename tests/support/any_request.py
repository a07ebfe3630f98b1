"""The three services, and whatever anybody might send to their rpcs."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_status import rpc_status

from ibs_notify.config.app import ConfigApp
from ibs_notify.delivery.app import DeliveryApp
from ibs_notify.router.app import RouterApp
from ibs_notify.rpc.channel import open_plain_channel
from ibs_notify.rpc.server import MAX_MESSAGE_BYTES
from ibs_notify.rpc.status import ERROR_DOMAIN
from ibs_notify.settings import SERVICES, ServiceName, Settings
from ironcore.notification.v1 import (
    audit_service_pb2,
    config_service_pb2,
    delivery_service_pb2,
    event_pb2,
    group_pb2,
    router_service_pb2,
    target_pb2,
)
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub
from tests.support.any_message import AnyMessage
from tests.system.installation import free_port

SECONDS: Final = 5.0
STREAM_SECONDS: Final = 0.15
MOST_ANSWERS: Final = 5

_FILES = {
    "config": config_service_pb2.DESCRIPTOR,
    "router": router_service_pb2.DESCRIPTOR,
    "delivery": delivery_service_pb2.DESCRIPTOR,
}
_OF_EACH = audit_service_pb2.DESCRIPTOR


@dataclass(frozen=True, slots=True)
class Rpc:
    """One rpc, and the channel to a service that has it."""

    channel: Any
    method: MethodDescriptor

    @property
    def path(self) -> str:
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def waits(self) -> bool:
        """Whether it waits for as long as the caller does."""
        return self.method.name in ("AwaitConfig", "WatchConfig", "WatchEvents", "WatchOutcomes")


@dataclass(slots=True)
class Told:
    """What came of the calls: counted by status, and those answers that should not be."""

    calls: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, rpc: Rpc, request: bytes, error: grpc.aio.AioRpcError | None) -> None:
        self.calls += 1
        code = grpc.StatusCode.OK if error is None else error.code()
        self.statuses[code.name] = self.statuses.get(code.name, 0) + 1
        if error is not None and not _is_proper(rpc, error):
            self.faults.append(f"{rpc.path}: {code.name}: {error.details()}: {request.hex()}")


@dataclass(frozen=True, slots=True)
class Trio:
    """The services, which know each other's addresses."""

    channels: dict[ServiceName, grpc.aio.Channel]
    apps: dict[ServiceName, ConfigApp | RouterApp | DeliveryApp]
    settings: Settings

    def rpcs(self) -> Iterator[Rpc]:
        for name, file in _FILES.items():
            for service in (
                *file.services_by_name.values(),
                *_OF_EACH.services_by_name.values(),
            ):
                for method in service.methods:
                    yield Rpc(self.channels[name], method)  # type: ignore[index]


@asynccontextmanager
async def trio(home: Path, database_url: str = "") -> AsyncIterator[Trio]:
    """All three in this process, on loopback, with one database or an SQLite file each."""
    ports = {name: free_port() for name in SERVICES}
    settings = Settings(
        home=home,
        config_address=f"127.0.0.1:{ports['config']}",
        router_address=f"127.0.0.1:{ports['router']}",
        delivery_address=f"127.0.0.1:{ports['delivery']}",
        config_database=database_url,
        router_database=database_url,
        delivery_database=database_url,
        min_free_mib=0,
    )
    async with AsyncExitStack() as stack:
        apps: dict[ServiceName, Any] = {
            "config": await stack.enter_async_context(ConfigApp(settings)),
            "delivery": await stack.enter_async_context(DeliveryApp(settings, grace_seconds=0.2)),
            "router": await stack.enter_async_context(RouterApp(settings)),
        }
        channels = {
            name: await stack.enter_async_context(open_plain_channel(settings.address(name)))
            for name in SERVICES
        }
        yield Trio(channels, apps, settings)


async def furnish(trio: Trio) -> None:
    """Targets, a group and some events, so that there is something to ask for."""
    config = ConfigServiceStub(trio.channels["config"])
    chat, mail = target_pb2.Target(name="chat"), target_pb2.Target(name="ops-smtp")
    # Nobody listens there.
    chat.webhook.url = "http://127.0.0.1:9/hook"
    mail.smtp.server, mail.smtp.port = "127.0.0.1", 9
    mail.smtp.recipients.append("a@example.org")
    group = group_pb2.Group(name="ops")
    group.subscriptions.add(target="chat", rule="*")
    group.subscriptions.add(target="ops-smtp", rule="severity >= error")
    for target in (chat, mail):
        await config.CreateTarget(config_service_pb2.CreateTargetRequest(target=target))
    made = await config.CreateGroup(config_service_pb2.CreateGroupRequest(group=group))
    router = RouterServiceStub(trio.channels["router"])
    await router.AwaitConfig(
        router_service_pb2.RouterServiceAwaitConfigRequest(revision=made.group.revision)
    )
    for number in range(1, 4):
        event = event_pb2.Event(event_id=f"e{number}", type="backup.failed", resource="a:b")
        await router.Emit(router_service_pb2.EmitRequest(event=event))


async def send_any(rpc: Rpc, maker: AnyMessage, told: Told) -> None:
    """One call with a message that is valid on the wire."""
    request = maker.make(rpc.method.input_type).SerializeToString()
    # Over that gRPC answers, and no service of ours hears of it.
    if len(request) <= MAX_MESSAGE_BYTES:
        await _send(rpc, request, maker, told)


async def send_bytes(rpc: Rpc, chance: random.Random, maker: AnyMessage, told: Told) -> None:
    """One call with bytes that are hardly a message: random ones, or a message that was damaged."""
    request = bytearray(maker.make(rpc.method.input_type).SerializeToString())
    if not request or chance.random() < 0.3:
        request = bytearray(chance.randbytes(chance.choice((1, 2, 8, 100, 3000))))
    for _ in range(chance.choice((1, 1, 2, 8))):
        request[chance.randrange(len(request))] = chance.randrange(256)
    if len(request) <= MAX_MESSAGE_BYTES:
        await _send(rpc, bytes(request), maker, told)


async def _send(rpc: Rpc, request: bytes, maker: AnyMessage, told: Told) -> None:
    seconds = STREAM_SECONDS if rpc.waits else SECONDS
    answers: list[bytes] = []
    try:
        if rpc.method.client_streaming:
            call = rpc.channel.stream_stream(rpc.path)(iter([request, request]), timeout=seconds)
            answers = await _first(call)
        elif rpc.method.server_streaming:
            answers = await _first(rpc.channel.unary_stream(rpc.path)(request, timeout=seconds))
        else:
            answers = [await rpc.channel.unary_unary(rpc.path)(request, timeout=seconds)]
    except grpc.aio.AioRpcError as error:
        told.add(rpc, request, error)
    else:
        told.add(rpc, request, None)
    for answer in answers:
        maker.learn(GetMessageClass(rpc.method.output_type).FromString(answer))


async def _first(call: Any) -> list[bytes]:
    """The first answers; then the call is left, as a caller may at any time."""
    answers: list[bytes] = []
    async for answer in call:
        answers.append(answer)
        if len(answers) == MOST_ANSWERS:
            call.cancel()
            break
    return answers


def _is_proper(rpc: Rpc, error: grpc.aio.AioRpcError) -> bool:
    """Whether a status is one that the API may give: with its details, and no fault of ours."""
    if error.details() == "Internal error from Core":
        # What the client library says that was still writing when the answer came.
        return rpc.method.client_streaming
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return rpc.waits
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # every RpcError is a Call
    except ValueError:
        return False
    if status is None or error.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN):
        return False
    return sum(ERROR_DOMAIN.encode() in each.value for each in status.details) == 1
