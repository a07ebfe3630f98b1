"""The Delivery service over gRPC: the adapter of ``DeliveryPort``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import grpc

from ibs_notify.config.ports import TestResult
from ibs_notify.domain.errors import NotFound
from ibs_notify.rpc.status import from_rpc_error, naming_service
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from ironcore.notification.v1.target_pb2 import SealedSecret, Target, TestProgress

COUNT_SECONDS = 5.0
TEST_SECONDS = 120.0
APPLY_SECONDS = 10.0


class DeliveryClient:
    """See ``ports.DeliveryPort``."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = DeliveryServiceStub(channel)

    async def open_count(self, target_uid: str) -> int:
        request = pb.GetTargetStatusRequest(target_uid=target_uid)
        try:
            response = await self._stub.GetTargetStatus(request, timeout=COUNT_SECONDS)
        except grpc.aio.AioRpcError as rpc_error:
            error = from_rpc_error(rpc_error)
            if isinstance(error, NotFound):
                return 0
            raise naming_service(error, "delivery") from rpc_error
        return response.open_count

    async def test_target(
        self, target: Target, secrets: Sequence[SealedSecret], recipients: Sequence[str]
    ) -> TestResult:
        request = pb.TestTargetRequest(target=target, secrets=secrets, recipients=recipients)
        try:
            response = await self._stub.TestTarget(request, timeout=TEST_SECONDS)
        except grpc.aio.AioRpcError as rpc_error:
            raise naming_service(from_rpc_error(rpc_error), "delivery") from rpc_error
        return TestResult(response.ok, tuple(response.stages), response.summary)

    async def stream_target_test(
        self, target: Target, secrets: Sequence[SealedSecret], recipients: Sequence[str]
    ) -> AsyncGenerator[TestProgress]:
        request = pb.StreamTargetTestRequest(target=target, secrets=secrets, recipients=recipients)
        call = self._stub.StreamTargetTest(request, timeout=TEST_SECONDS)
        try:
            async for response in call:
                yield response.progress
        except grpc.aio.AioRpcError as rpc_error:
            raise naming_service(from_rpc_error(rpc_error), "delivery") from rpc_error
        finally:
            call.cancel()

    async def keys_held(self, revision: int) -> frozenset[str]:
        request = pb.AwaitConfigRequest(revision=revision)
        try:
            response = await self._stub.AwaitConfig(request, timeout=APPLY_SECONDS)
        except grpc.aio.AioRpcError as rpc_error:
            raise naming_service(from_rpc_error(rpc_error), "delivery") from rpc_error
        return frozenset(response.key_ids)
