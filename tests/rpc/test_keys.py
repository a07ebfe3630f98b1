"""Keys over the wire: Config rotates, a real Delivery opens, and says which keys it still needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from tests.support import keys
from tests.support.config import ALICE, smtp_target, webhook_target
from tests.support.config_and_delivery import Pair, running_pair

from ibs_notify.domain.errors import FailedPrecondition, Reason
from ibs_notify.rpc.status import from_rpc_error
from ibs_notify.secrets.envelope import key_id_of
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import delivery_service_pb2 as delivery_pb


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with running_pair(tmp_path) as pair:
        for target in (smtp_target("mail"), webhook_target("hook")):
            await pair.config.CreateTarget(pb.CreateTargetRequest(target=target), metadata=ALICE)
        yield pair


async def rotate(pair: Pair) -> pb.RotateKeysResponse:
    return await pair.config.RotateKeys(pb.RotateKeysRequest(), metadata=ALICE)


async def listed(pair: Pair) -> list[pb.Key]:
    return list((await pair.config.ListKeys(pb.ListKeysRequest())).keys)


async def held(pair: Pair, revision: int) -> set[str]:
    request = delivery_pb.AwaitConfigRequest(revision=revision)
    return set((await pair.delivery.AwaitConfig(request, timeout=10)).key_ids)


async def test_a_rotation_reaches_delivery_and_the_old_key_can_go(pair: Pair) -> None:
    (first,) = await listed(pair)
    assert (first.newest, first.available) == (True, True)
    answer = await rotate(pair)
    assert answer.resealed_count == first.secret_count > 1
    assert await held(pair, answer.revision) == {answer.key_id}
    await pair.config.RemoveKey(pb.RemoveKeyRequest(key_id=first.key_id), metadata=ALICE)
    assert [each.key_id for each in await listed(pair)] == [answer.key_id]
    snapshot = pb.ConfigSnapshot.FromString(
        (pair.settings.home / "delivery-snapshot.pb").read_bytes()
    )
    on_disk = {key_id_of(each.ciphertext) for target in snapshot.targets for each in target.secrets}
    assert on_disk == {answer.key_id}
    keys.load(keys.key_path(pair.settings))


async def test_a_target_keeps_its_etag_through_a_rotation(pair: Pair) -> None:
    before = (await pair.config.GetTarget(pb.GetTargetRequest(name="mail"))).target
    await rotate(pair)
    assert (await pair.config.GetTarget(pb.GetTargetRequest(name="mail"))).target == before


async def test_removing_the_newest_key_is_refused_with_its_reason(pair: Pair) -> None:
    (only,) = await listed(pair)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await pair.config.RemoveKey(pb.RemoveKeyRequest(key_id=only.key_id), metadata=ALICE)
    error = from_rpc_error(caught.value)
    assert isinstance(error, FailedPrecondition)
    assert error.reason is Reason.KEY_IN_USE


async def test_the_source_is_named(pair: Pair) -> None:
    assert (await pair.config.ListKeys(pb.ListKeysRequest())).source == "file"
