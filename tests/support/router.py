"""A real Router for tests, on loopback, between doubles of Config and Delivery on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import grpc
import pytest

from ibs_notify.domain.errors import (
    InvalidArgument,
    NotFound,
    NotificationError,
    OutOfRange,
    Reason,
    Unavailable,
)
from ibs_notify.router import app as router_app
from ibs_notify.router.app import RouterApp
from ibs_notify.rpc.channel import open_plain_channel
from ibs_notify.rpc.server import RpcServer
from ibs_notify.rpc.status import from_rpc_error
from ibs_notify.settings import Settings
from ironcore.notification.v1 import config_service_pb2 as config_pb
from ironcore.notification.v1 import delivery_pb2, event_pb2, group_pb2, settings_pb2, target_pb2
from ironcore.notification.v1 import delivery_service_pb2 as delivery_pb
from ironcore.notification.v1 import router_service_pb2 as router_pb
from ironcore.notification.v1.config_service_pb2_grpc import (
    ConfigServiceServicer,
    add_ConfigServiceServicer_to_server,
)
from ironcore.notification.v1.delivery_service_pb2_grpc import (
    DeliveryServiceServicer,
    add_DeliveryServiceServicer_to_server,
)
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub
from tests.support import writes as database_writes
from tests.support.writes import Writes

if TYPE_CHECKING:
    # Only the type stubs have it.
    from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceAsyncStub

Context = grpc.aio.ServicerContext[Any, Any]
NOWHERE = "127.0.0.1:1"
"""Nobody listens there."""
PATIENCE_SECONDS = database_writes.PATIENCE_SECONDS
DEAD = delivery_pb2.DELIVERY_STATE_DEAD


class Watched:
    """Something that a test waits for: ``until`` looks again whenever ``moved`` was called."""

    def __init__(self) -> None:
        self._move = asyncio.Event()

    def moved(self) -> None:
        self._move.set()
        self._move = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await self._move.wait()


def _ended(
    handoff: delivery_pb.Handoff, state: delivery_pb2.DeliveryState.ValueType
) -> delivery_pb2.Delivery:
    delivery = delivery_pb2.Delivery(
        delivery_id=handoff.delivery_id,
        obligation_id=handoff.obligation_id,
        event_id=handoff.event.event_id,
        event_type=handoff.event.type,
        target=handoff.target,
        target_uid=handoff.target_uid,
        group=handoff.group,
        state=state,
        reason="REFUSED",
        detail="410 Gone",
    )
    delivery.close_time.GetCurrentTime()
    return delivery


class FakeDelivery(Watched, DeliveryServiceServicer):
    """Keeps what it is given, as Delivery does; refuses or loses its answers when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, delivery_pb.Handoff] = {}
        self.calls: list[list[str]] = []
        self.error: NotificationError | None = None
        self.replies_to_lose = 0
        self.derived: set[str] = set()
        self.forgotten: set[str] = set()
        self.statuses: dict[str, delivery_pb.GetTargetStatusResponse] = {}
        self.page_size = 10_000
        self.refused: set[str] = set()
        self._ended: list[delivery_pb2.Delivery] = []

    async def Deliver(
        self, request: delivery_pb.DeliverRequest, context: Context
    ) -> delivery_pb.DeliverResponse:
        self.calls.append([each.delivery_id for each in request.handoffs])
        self.moved()
        if self.error is not None:
            raise self.error
        if self.refused & {each.event.event_id for each in request.handoffs}:
            raise InvalidArgument(Reason.FIELD_INVALID, "handoffs: refused on purpose")
        new = [each for each in request.handoffs if each.delivery_id not in self.stored]
        self.stored.update({each.delivery_id: each for each in new})
        self.moved()
        if self.replies_to_lose:
            self.replies_to_lose -= 1
            raise Unavailable(Reason.SERVICE_UNREACHABLE, "the answer was lost on purpose")
        return delivery_pb.DeliverResponse(
            accepted=len(new), known=len(request.handoffs) - len(new)
        )

    async def GetDelivery(
        self, request: delivery_pb.GetDeliveryRequest, context: Context
    ) -> delivery_pb.GetDeliveryResponse:
        if self.error is not None:
            raise self.error
        handoff = self.stored.get(request.delivery_id)
        if handoff is None or request.delivery_id in self.forgotten:
            raise NotFound(Reason.DELIVERY_NOT_FOUND, "not here")
        for each in self._ended:
            if each.delivery_id == request.delivery_id:
                return delivery_pb.GetDeliveryResponse(delivery=each)
        found = delivery_pb2.Delivery(
            delivery_id=request.delivery_id,
            event_id=handoff.event.event_id,
            target=handoff.target,
            state=delivery_pb2.DELIVERY_STATE_DELIVERED,
            attempts=[delivery_pb2.Attempt(number=1, outcome="delivered")],
        )
        return delivery_pb.GetDeliveryResponse(delivery=found)

    async def ListTargetStatuses(
        self, request: delivery_pb.ListTargetStatusesRequest, context: Context
    ) -> delivery_pb.ListTargetStatusesResponse:
        if self.error is not None:
            raise self.error
        return delivery_pb.ListTargetStatusesResponse(
            target_statuses=[
                delivery_pb.TargetStatus(target_uid=uid, status=self.statuses.get(uid))
                for uid in sorted(request.target_uids)
            ]
        )

    async def ListObligationIds(
        self, request: delivery_pb.ListObligationIdsRequest, context: Context
    ) -> delivery_pb.ListObligationIdsResponse:
        if self.error is not None:
            raise self.error
        after = request.page_token or request.after
        ids = [each for each in sorted({*self.stored, *self.derived}) if each > after]
        size = min(self.page_size, request.page_size)
        page = delivery_pb.ListObligationIdsResponse(
            next_page_token=ids[size - 1] if size < len(ids) else ""
        )
        for each in ids[:size]:
            page.ids.add(
                delivery_id=each,
                state=delivery_pb2.DELIVERY_STATE_QUEUED,
                kind=delivery_pb2.DELIVERY_KIND_DIGEST
                if each in self.derived
                else self.stored[each].kind,
            )
        return page

    def end(self, event_id: str, state: delivery_pb2.DeliveryState.ValueType = DEAD) -> None:
        """What was handed off of this event dies, or ends otherwise, and is reported."""
        for each in self.stored.values():
            if each.event.event_id == event_id:
                self._ended.append(_ended(each, state))
        self.moved()

    async def WatchOutcomes(
        self, request: delivery_pb.WatchOutcomesRequest, context: Context
    ) -> AsyncIterator[delivery_pb.WatchOutcomesResponse]:
        """The cursor is the number of ends before it."""
        seen = int(request.cursor or 0)
        while True:
            for each in self._ended[seen:]:
                seen += 1
                yield delivery_pb.WatchOutcomesResponse(cursor=str(seen), delivery=each)
            yield delivery_pb.WatchOutcomesResponse(cursor=str(seen), current=True)
            while len(self._ended) == seen:
                await self._move.wait()

    def told(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Event, target and recipients of everything stored, sorted."""
        return sorted(
            (each.event.event_id, each.target, tuple(each.recipients))
            for each in self.stored.values()
        )


Item = config_pb.WatchConfigResponse


class FakeConfig(Watched, ConfigServiceServicer):
    """Serves the watch: ``change`` makes a revision, ``cut`` ends all streams."""

    def __init__(self) -> None:
        super().__init__()
        self.revision = 0
        self.requests: list[config_pb.WatchConfigRequest] = []
        self.expired: set[str] = set()
        self._changes: list[tuple[int, list[Item]]] = []
        self._cuts = 0

    def change(self, items: Sequence[Item]) -> int:
        """All of ``items`` in one revision; its number."""
        self.revision += 1
        self._changes.append((self.revision, list(items)))
        self.moved()
        return self.revision

    def cut(self) -> None:
        self._cuts += 1
        self.moved()

    async def WatchConfig(
        self, request: config_pb.WatchConfigRequest, context: Context
    ) -> AsyncIterator[Item]:
        self.requests.append(request)
        self.moved()
        if request.resume_token in self.expired:
            raise OutOfRange(Reason.RESUME_TOKEN_EXPIRED, "the token is too old")
        seen, cuts = int(request.resume_token or -1), self._cuts
        while True:
            sent, seen = list(self._since(seen)), self.revision
            for item in sent:
                yield item
            while self._cuts == cuts and self.revision == seen:
                await self._move.wait()
            if self._cuts != cuts:
                raise Unavailable(Reason.SERVICE_UNREACHABLE, "cut on purpose")

    def _since(self, seen: int) -> Iterable[Item]:
        for revision, items in self._changes:
            if revision > seen:
                for item in items:
                    sent = Item(revision=revision, resume_token=str(revision))
                    sent.MergeFrom(item)
                    yield sent
        marker = Item(revision=self.revision, resume_token=str(self.revision))
        marker.current.SetInParent()
        yield marker


def fake_config() -> FakeConfig:
    return FakeConfig()  # type: ignore[abstract]  # nobody calls the other rpcs


def fake_delivery() -> FakeDelivery:
    return FakeDelivery()  # type: ignore[abstract]  # nobody calls the other rpcs


@asynccontextmanager
async def serving(servicer: FakeDelivery | FakeConfig, port: int = 0) -> AsyncIterator[int]:
    """The double on a port, with the limits and errors of the real servers; yields the port."""
    server = RpcServer(f"127.0.0.1:{port}", "double", reflect=False)
    if isinstance(servicer, FakeDelivery):
        add_DeliveryServiceServicer_to_server(servicer, server.grpc_server)
    else:
        add_ConfigServiceServicer_to_server(servicer, server.grpc_server)
    await server.start()
    try:
        yield server.port
    finally:
        await server.grpc_server.stop(None)


def webhook(name: str) -> target_pb2.Target:
    target = target_pb2.Target(name=name, uid=f"uid-{name}", revision=1)
    target.webhook.url = "http://127.0.0.1:1/"
    return target


def mail(name: str, *recipients: str) -> target_pb2.Target:
    target = target_pb2.Target(name=name, uid=f"uid-{name}", revision=1)
    target.smtp.server = "127.0.0.1"
    target.smtp.recipients.extend(recipients)
    return target


def metrics(name: str) -> target_pb2.Target:
    target = target_pb2.Target(name=name, uid=f"uid-{name}", revision=1)
    target.influxdb.url = "http://127.0.0.1:1/"
    return target


def group(name: str, rules: Mapping[str, str], **fields: Any) -> group_pb2.Group:
    """A group that holds each target of ``rules`` with its rule."""
    message = group_pb2.Group(name=name, uid=f"uid-{name}", revision=1, **fields)
    for target, rule in rules.items():
        message.subscriptions.add(uid=f"sub-{name}-{target}", target=target, rule=rule)
    return message


def items(
    *parts: target_pb2.Target | group_pb2.Group | settings_pb2.Settings,
) -> list[config_pb.WatchConfigResponse]:
    """Parts of a configuration as the watch sends them."""
    sent = []
    for part in parts:
        if isinstance(part, target_pb2.Target):
            watched = config_pb.WatchedTarget(target=part)
            sent.append(config_pb.WatchConfigResponse(target=watched))
        elif isinstance(part, group_pb2.Group):
            sent.append(config_pb.WatchConfigResponse(group=part))
        else:
            sent.append(config_pb.WatchConfigResponse(settings=part))
    return sent


OPERATIONS = (
    webhook("chat-ops"),
    mail("ops-smtp", "ops@example.com"),
    group("ops-team", {"ops-smtp": "*", "chat-ops": "severity in (error, critical)"}),
)
"""Two of the product page's targets and its group."""


@dataclass(frozen=True, slots=True)
class RunningRouter:
    """The service, a stub to call it, and what stands around it."""

    app: RouterApp
    stub: RouterServiceAsyncStub
    channel: grpc.aio.Channel
    settings: Settings
    writes: Writes


def router_settings(
    home: Path, *, config: int | None = None, delivery: int | None = None, database: str = ""
) -> Settings:
    return Settings(
        home=home,
        router_address="127.0.0.1:0",
        config_address=NOWHERE if config is None else f"127.0.0.1:{config}",
        delivery_address=NOWHERE if delivery is None else f"127.0.0.1:{delivery}",
        router_database=database,
    )


@asynccontextmanager
async def running_router(settings: Settings) -> AsyncIterator[RunningRouter]:
    """The Router on a free port, until the end of the block."""
    writes = Writes()
    async with AsyncExitStack() as stack:
        with patch.object(router_app, "open_database", writes.open):
            app = await stack.enter_async_context(RouterApp(settings))
        channel = await stack.enter_async_context(open_plain_channel(f"127.0.0.1:{app.port}"))
        stub: RouterServiceAsyncStub = RouterServiceStub(channel)
        yield RunningRouter(app, stub, channel, settings, writes)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A Router between doubles of its neighbours, with a configuration in force."""

    router: RunningRouter
    config: FakeConfig
    delivery: FakeDelivery

    @property
    def stub(self) -> RouterServiceAsyncStub:
        return self.router.stub

    async def change(
        self, *parts: target_pb2.Target | group_pb2.Group | settings_pb2.Settings
    ) -> int:
        """Put ``parts`` into force; the revision."""
        revision = self.config.change(items(*parts))
        request = router_pb.RouterServiceAwaitConfigRequest(revision=revision)
        await self.stub.AwaitConfig(request, timeout=PATIENCE_SECONDS)
        return revision

    async def emit(self, event_id: str = "e1", **fields: Any) -> router_pb.EmitResponse:
        event = event_pb2.Event(**{"event_id": event_id, "type": "backup.failed"} | fields)
        return await self.stub.Emit(router_pb.EmitRequest(event=event))


@asynccontextmanager
async def surrounded(
    home: Path,
    *parts: target_pb2.Target | group_pb2.Group | settings_pb2.Settings,
    database: str = "",
) -> AsyncIterator[Surroundings]:
    """A Router with ``parts`` in force at revision 1."""
    config, delivery = fake_config(), fake_delivery()
    async with serving(config) as config_port, serving(delivery) as delivery_port:
        settings = router_settings(
            home, config=config_port, delivery=delivery_port, database=database
        )
        async with running_router(settings) as router:
            around = Surroundings(router, config, delivery)
            await around.change(*parts)
            yield around


async def refusal(call: grpc.aio.UnaryUnaryCall[Any, Any]) -> NotificationError:
    """The error that a call fails with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)
