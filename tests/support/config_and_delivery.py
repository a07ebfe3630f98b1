"""Config and Delivery, real and in this process, that know each other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ibs_notify.config.app import ConfigApp
from ibs_notify.delivery.app import DeliveryApp
from ibs_notify.rpc.channel import open_plain_channel
from ibs_notify.settings import Settings
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from tests.support.config import FakeClock
from tests.system.installation import free_port

if TYPE_CHECKING:
    from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceAsyncStub
    from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceAsyncStub


@dataclass(frozen=True, slots=True)
class Pair:
    """Stubs of both, and the settings that both have."""

    config: ConfigServiceAsyncStub
    delivery: DeliveryServiceAsyncStub
    settings: Settings


@asynccontextmanager
async def running_pair(home: Path) -> AsyncIterator[Pair]:
    """Both on free ports, until the end of the block; there is no Router."""
    settings = Settings(
        home=home,
        config_address=f"127.0.0.1:{free_port()}",
        delivery_address=f"127.0.0.1:{free_port()}",
        router_address=f"127.0.0.1:{free_port()}",
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(ConfigApp(settings, FakeClock()))
        await stack.enter_async_context(DeliveryApp(settings))
        config = await stack.enter_async_context(open_plain_channel(settings.config_address))
        delivery = await stack.enter_async_context(open_plain_channel(settings.delivery_address))
        yield Pair(ConfigServiceStub(config), DeliveryServiceStub(delivery), settings)
