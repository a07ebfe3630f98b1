"""The three services in this process, secured: real servers, certificates and tokens."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from ibs_notify.config.app import ConfigApp
from ibs_notify.delivery.app import DeliveryApp
from ibs_notify.router.app import RouterApp
from ibs_notify.rpc.lifecycle import App
from ibs_notify.settings import SERVICES, ServiceName, Settings
from ironcore.notification.v1 import config_service_pb2 as config_pb
from ironcore.notification.v1 import delivery_service_pb2 as delivery_pb
from ironcore.notification.v1 import router_service_pb2 as router_pb
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub
from ironcore.notification.v1.token_pb2 import Role, Token
from tests.support.certificates import Certificates
from tests.system.installation import free_port

if TYPE_CHECKING:
    # Only the type stubs have them.
    from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceAsyncStub
    from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceAsyncStub
    from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceAsyncStub

SECONDS = 15.0
Metadata = tuple[tuple[str, str], ...]


class ShiftedClock:
    """The machine's, ahead by as much as a test says."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead.total_seconds()


def bearing(token: str) -> Metadata:
    """The metadata of a call that presents ``token``."""
    return (("authorization", f"Bearer {token}"),)


@dataclass(slots=True)
class Secured:
    """``channel`` to a service with the certificate of ``holder``, or with none."""

    settings: Settings
    certificates: Certificates
    clock: ShiftedClock
    apps: dict[ServiceName, App] = field(default_factory=dict)
    stacks: dict[ServiceName, AsyncExitStack] = field(default_factory=dict)
    _channels: dict[tuple[ServiceName, str], grpc.aio.Channel] = field(default_factory=dict)

    async def start(self, service: ServiceName) -> None:
        app: App
        match service:
            case "config":
                app = ConfigApp(self.settings, self.clock)
            case "router":
                app = RouterApp(self.settings, self.clock)
            case "delivery":
                app = DeliveryApp(self.settings, self.clock)
        self.apps[service] = app
        self.stacks[service] = AsyncExitStack()
        await self.stacks[service].enter_async_context(app)

    async def stop(self, service: ServiceName) -> None:
        await self.stacks.pop(service).aclose()

    def channel(self, service: ServiceName, holder: str = "") -> grpc.aio.Channel:
        if (service, holder) not in self._channels:
            address = (
                self.settings.peer_address(service) if holder else self.settings.address(service)
            )
            port = int(address.rpartition(":")[2])
            self._channels[service, holder] = self.certificates.channel(port, service, holder)
        return self._channels[service, holder]

    @property
    def config(self) -> ConfigServiceAsyncStub:
        """As whoever presents what the call's metadata has; the others as well."""
        return ConfigServiceStub(self.channel("config"))

    @property
    def router(self) -> RouterServiceAsyncStub:
        return RouterServiceStub(self.channel("router"))

    @property
    def delivery(self) -> DeliveryServiceAsyncStub:
        return DeliveryServiceStub(self.channel("delivery"))

    @property
    def root(self) -> ConfigServiceAsyncStub:
        """Config, as the holder of the administrator's certificate."""
        return ConfigServiceStub(self.channel("config", "administrator"))

    async def make(
        self, name: str, role: str, *, lives: timedelta | None = None, **fields: Any
    ) -> str:
        """A token as its holder presents it; every service knows it."""
        token = Token(name=name, role=Role.Value(f"ROLE_{role.upper()}"), **fields)
        if lives is not None:
            token.expire_time.FromDatetime(self.clock.now() + lives)
        made = await self.root.CreateToken(config_pb.CreateTokenRequest(token=token))
        await self.apply(made.token.revision)
        return made.secret

    async def revoke(self, name: str) -> None:
        """Every service knows it when this returns."""
        answer = await self.root.RevokeToken(config_pb.RevokeTokenRequest(name=name))
        await self.apply(answer.token.revision)

    async def apply(self, revision: int) -> None:
        """Wait until Router and Delivery have applied ``revision``."""
        router = RouterServiceStub(self.channel("router", "administrator"))
        delivery = DeliveryServiceStub(self.channel("delivery", "administrator"))
        await router.AwaitConfig(
            router_pb.RouterServiceAwaitConfigRequest(revision=revision),
            timeout=SECONDS,
            wait_for_ready=True,
        )
        await delivery.AwaitConfig(
            delivery_pb.AwaitConfigRequest(revision=revision), timeout=SECONDS, wait_for_ready=True
        )

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()
        for service in tuple(self.stacks):
            await self.stop(service)


@asynccontextmanager
async def secured(home: Path, *services: ServiceName) -> AsyncIterator[Secured]:
    """All three services, or those named, until the end of the block."""
    addresses: dict[str, Any] = {
        f"{service}_{kind}": f"127.0.0.1:{free_port()}"
        for service in SERVICES
        for kind in ("address", "peer_address")
    }
    certificates = Certificates.made_in(home / "tls")
    settings = Settings(home=home, tls_directory=str(certificates.directory), **addresses)
    running = Secured(settings, certificates, ShiftedClock())
    try:
        for service in services or SERVICES:
            await running.start(service)
        if not services:
            await running.apply(0)
        yield running
    finally:
        await running.close()
