"""Config asks Delivery over a real channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc
import pytest

from ibs_notify.config.delivery_client import DeliveryClient
from ibs_notify.domain.errors import NotFound, Reason, Unavailable
from ibs_notify.rpc.channel import open_plain_channel
from ibs_notify.rpc.server import RpcServer
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1 import target_pb2
from ironcore.notification.v1.delivery_service_pb2_grpc import (
    DeliveryServiceServicer,
    add_DeliveryServiceServicer_to_server,
)
from ironcore.notification.v1.target_pb2 import SealedSecret, Target

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class Delivery(DeliveryServiceServicer):
    """Knows one target, and returns what it was given to test."""

    async def GetTargetStatus(  # the API's name
        self, request: pb.GetTargetStatusRequest, context: Context
    ) -> pb.GetTargetStatusResponse:
        if request.target_uid != "known":
            raise NotFound(Reason.TARGET_NOT_FOUND, "never heard of it")
        return pb.GetTargetStatusResponse(open_count=4)

    async def TestTarget(  # the API's name
        self, request: pb.TestTargetRequest, context: Context
    ) -> pb.TestTargetResponse:
        said = f"{request.target.name} {request.secrets[0].field} {request.recipients[0]}"
        stage = target_pb2.TestStage(name="auth", ok=False, detail="535")
        return pb.TestTargetResponse(ok=False, stages=[stage], summary=said)


@pytest.fixture
async def client() -> AsyncIterator[DeliveryClient]:
    server = RpcServer("127.0.0.1:0", "ironcore.notification.v1.DeliveryService", reflect=False)
    add_DeliveryServiceServicer_to_server(
        Delivery(),  # type: ignore[abstract]  # the other methods are not called
        server.grpc_server,
    )
    await server.start()
    async with open_plain_channel(f"127.0.0.1:{server.port}") as channel:
        yield DeliveryClient(channel)
    await server.stop()


async def test_what_waits_is_counted_and_an_unknown_target_has_nothing(
    client: DeliveryClient,
) -> None:
    assert await client.open_count("known") == 4
    assert await client.open_count("unknown") == 0


async def test_a_refused_test_is_a_result_and_no_error(client: DeliveryClient) -> None:
    secrets = [SealedSecret(field="smtp.password", ciphertext=b"sealed")]
    result = await client.test_target(Target(name="ops-smtp"), secrets, ["a@example.com"])
    assert not result.ok
    assert result.summary == "ops-smtp smtp.password a@example.com"
    assert result.stages[0].detail == "535"


async def test_a_service_that_is_not_there_is_named() -> None:
    async with open_plain_channel("127.0.0.1:1") as channel:
        with pytest.raises(Unavailable, match="Delivery") as caught:
            await DeliveryClient(channel).open_count("known")
        with pytest.raises(Unavailable, match="Delivery"):
            await anext(DeliveryClient(channel).stream_target_test(Target(name="x"), [], []))
    assert caught.value.reason is Reason.SERVICE_UNREACHABLE
