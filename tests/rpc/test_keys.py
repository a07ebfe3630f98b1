"""Keys over the wire: Config rotates, a real Delivery opens, and says which keys it still needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from tests.support import keys
from tests.support.config import ALICE, FakeClock, smtp_target, webhook_target
from tests.system.installation import free_port

from ibs_notify.config.app import ConfigApp
from ibs_notify.delivery.app import DeliveryApp
from ibs_notify.domain.errors import FailedPrecondition, Reason
from ibs_notify.rpc.channel import open_channel
from ibs_notify.rpc.status import from_rpc_error
from ibs_notify.secrets.envelope import key_id_of
from ibs_notify.settings import Settings
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import delivery_service_pb2 as delivery_pb
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceStub

if TYPE_CHECKING:
    from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceAsyncStub
    from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceAsyncStub


@dataclass(frozen=True, slots=True)
class Pair:
    """Config and Delivery that know each other."""

    config: ConfigServiceAsyncStub
    delivery: DeliveryServiceAsyncStub
    settings: Settings

    async def rotate(self) -> pb.RotateKeysResponse:
        return await self.config.RotateKeys(pb.RotateKeysRequest(), metadata=ALICE)

    async def listed(self) -> list[pb.Key]:
        return list((await self.config.ListKeys(pb.ListKeysRequest())).keys)

    async def held(self, revision: int) -> set[str]:
        request = delivery_pb.AwaitConfigRequest(revision=revision)
        return set((await self.delivery.AwaitConfig(request, timeout=10)).key_ids)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    settings = Settings(
        home=tmp_path,
        config_address=f"127.0.0.1:{free_port()}",
        delivery_address=f"127.0.0.1:{free_port()}",
        router_address=f"127.0.0.1:{free_port()}",
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(ConfigApp(settings, FakeClock()))
        await stack.enter_async_context(DeliveryApp(replace(settings)))
        config = await stack.enter_async_context(open_channel(settings.config_address))
        delivery = await stack.enter_async_context(open_channel(settings.delivery_address))
        pair = Pair(ConfigServiceStub(config), DeliveryServiceStub(delivery), settings)
        for target in (smtp_target("mail"), webhook_target("hook")):
            await pair.config.CreateTarget(pb.CreateTargetRequest(target=target), metadata=ALICE)
        yield pair


async def test_a_rotation_reaches_delivery_and_the_old_key_can_go(pair: Pair) -> None:
    (first,) = await pair.listed()
    assert (first.newest, first.available) == (True, True)
    answer = await pair.rotate()
    assert answer.resealed_count == first.secret_count > 1
    assert await pair.held(answer.revision) == {answer.key_id}
    await pair.config.RemoveKey(pb.RemoveKeyRequest(key_id=first.key_id), metadata=ALICE)
    assert [each.key_id for each in await pair.listed()] == [answer.key_id]
    snapshot = pb.ConfigSnapshot.FromString(
        (pair.settings.home / "delivery-snapshot.pb").read_bytes()
    )
    on_disk = {key_id_of(each.ciphertext) for target in snapshot.targets for each in target.secrets}
    assert on_disk == {answer.key_id}
    keys.load(keys.key_path(pair.settings))


async def test_a_target_keeps_its_etag_through_a_rotation(pair: Pair) -> None:
    before = (await pair.config.GetTarget(pb.GetTargetRequest(name="mail"))).target
    await pair.rotate()
    assert (await pair.config.GetTarget(pb.GetTargetRequest(name="mail"))).target == before


async def test_removing_the_newest_key_is_refused_with_its_reason(pair: Pair) -> None:
    (only,) = await pair.listed()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await pair.config.RemoveKey(pb.RemoveKeyRequest(key_id=only.key_id), metadata=ALICE)
    error = from_rpc_error(caught.value)
    assert isinstance(error, FailedPrecondition)
    assert error.reason is Reason.KEY_IN_USE


async def test_the_source_is_named(pair: Pair) -> None:
    assert (await pair.config.ListKeys(pb.ListKeysRequest())).source == "file"
