"""The services, as the console calls them: always in the name of who looks.

The console has no right of its own: what a visitor's token may not do, it cannot do either.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from google.protobuf.message import Message

from ibs_notify.domain.errors import NotificationError, Reason, Unavailable
from ibs_notify.rpc.caller import calling_as
from ibs_notify.rpc.channel import open_anonymous_channel
from ibs_notify.rpc.status import from_rpc_error, naming_service
from ibs_notify.settings import SERVICES, ServiceName, Settings
from ironcore.notification.v1.audit_service_pb2_grpc import AuditServiceStub
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub
from ironcore.notification.v1.delivery_service_pb2 import AwaitConfigRequest
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from ironcore.notification.v1.router_service_pb2 import RouterServiceAwaitConfigRequest
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub

if TYPE_CHECKING:
    # Only the type stubs have them.
    from ironcore.notification.v1.audit_service_pb2_grpc import AuditServiceAsyncStub
    from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceAsyncStub
    from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceAsyncStub
    from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceAsyncStub

CALL_SECONDS = 10.0
AWAIT_SECONDS = 3.0
QUICK_SECONDS = 3.0
"""Nobody is kept waiting for a service longer, but by what says that it takes long."""

Response = TypeVar("Response", bound=Message)
Metadata = tuple[tuple[str, str], ...]


def presenting(token: str) -> Metadata:
    """The metadata of calls of whoever holds ``token``."""
    return (("authorization", f"Bearer {token}"),)


def claiming(name: str) -> Metadata:
    """The metadata of calls where nobody has to prove who it is."""
    return calling_as(name)


class Channels:
    """One channel to each service, for all visitors; closed by ``close``."""

    def __init__(self, settings: Settings) -> None:
        self._channels = {name: open_anonymous_channel(settings, name) for name in SERVICES}
        self.config: ConfigServiceAsyncStub = ConfigServiceStub(self._channels["config"])
        self.router: RouterServiceAsyncStub = RouterServiceStub(self._channels["router"])
        self.delivery: DeliveryServiceAsyncStub = DeliveryServiceStub(self._channels["delivery"])
        self.audits: dict[ServiceName, AuditServiceAsyncStub] = {
            name: AuditServiceStub(channel) for name, channel in self._channels.items()
        }
        stubs = {"config": self.config, "router": self.router, "delivery": self.delivery}
        self._services = {
            id(method): name
            for name in SERVICES
            for stub in (stubs[name], self.audits[name])
            for method in vars(stub).values()
        }

    def service_of(self, method: object) -> ServiceName:
        """Whose method it is."""
        return self._services[id(method)]

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()


@dataclass(frozen=True, slots=True)
class Api:
    """The services for one visitor. Every failure is the ``NotificationError`` it was raised as."""

    channels: Channels
    metadata: Metadata
    patience: float = CALL_SECONDS
    """How long a call may take, in seconds, where it is not said with it."""

    @property
    def config(self) -> ConfigServiceAsyncStub:
        return self.channels.config

    @property
    def router(self) -> RouterServiceAsyncStub:
        return self.channels.router

    @property
    def delivery(self) -> DeliveryServiceAsyncStub:
        return self.channels.delivery

    def audit(self, service: ServiceName) -> AuditServiceAsyncStub:
        """The audit log of a service."""
        return self.channels.audits[service]

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Any, Response],
        request: Message,
        *,
        timeout: float | None = None,
    ) -> Response:
        """``await api.call(api.config.GetTarget, GetTargetRequest(name=name))``."""
        try:
            return await method(request, timeout=timeout or self.patience, metadata=self.metadata)
        except grpc.aio.AioRpcError as error:
            raise self._failure(method, error) from None

    async def pages(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Any, Response], request: Any
    ) -> AsyncGenerator[Response, None]:
        """The pages of a list from ``request`` on, which is changed on the way, to the last."""
        while True:
            answer = await self.call(method, request)
            yield answer
            request.page_token = answer.next_page_token  # type: ignore[attr-defined]  # each list has it
            if not request.page_token:
                return

    async def stream(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[Any, Response],
        request: Message,
        *,
        timeout: float | None = None,
    ) -> AsyncGenerator[Response, None]:
        """The answers of a call that has many; close it (``aclosing``) to end the call."""
        answers = method(request, timeout=timeout, metadata=self.metadata)
        try:
            async for answer in answers:
                yield answer
        except grpc.aio.AioRpcError as error:
            raise self._failure(method, error) from None
        finally:
            answers.cancel()

    async def await_revision(self, revision: int) -> list[str]:
        """Wait until Router and Delivery apply a change; says of which it is not known."""
        waits = {
            "Router": self.call(
                self.router.AwaitConfig,
                RouterServiceAwaitConfigRequest(revision=revision),
                timeout=AWAIT_SECONDS,
            ),
            "Delivery": self.call(
                self.delivery.AwaitConfig,
                AwaitConfigRequest(revision=revision),
                timeout=AWAIT_SECONDS,
            ),
        }
        ends = await asyncio.gather(*waits.values(), return_exceptions=True)
        late = []
        for service, end in zip(waits, ends, strict=True):
            if isinstance(end, NotificationError):
                late.append(f"The change is saved, but {service} does not apply it yet.")
            elif isinstance(end, BaseException):
                raise end
        return late

    def _failure(self, method: object, error: grpc.aio.AioRpcError) -> NotificationError:
        service = self.channels.service_of(method)
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return Unavailable(
                Reason.SERVICE_UNREACHABLE, f"{service.capitalize()} does not answer in time"
            )
        return naming_service(from_rpc_error(error), service)
