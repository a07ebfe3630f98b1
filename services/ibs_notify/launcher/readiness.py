"""Is a service there? Asked of its gRPC health."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ibs_notify.rpc.channel import open_anonymous_channel
from ibs_notify.settings import SERVICES, ServiceName, Settings

POLL_SECONDS = 0.02
CHECK_SECONDS = 3.0


async def until_serving(settings: Settings, service: ServiceName) -> None:
    """Wait until ``service`` says SERVING, for as long as that takes."""
    while True:
        await _until_listening(settings.address(service))
        if await check(settings, service) == "SERVING":
            return
        await asyncio.sleep(POLL_SECONDS)


async def _until_listening(address: str) -> None:
    # A refused gRPC channel waits before it tries again, for longer than a service needs to start.
    host, _, port = address.rpartition(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            await asyncio.sleep(POLL_SECONDS)
        else:
            writer.close()
            return


async def check(settings: Settings, service: ServiceName) -> str:
    """``SERVING``, ``NOT_SERVING`` or why there is no answer, within ``CHECK_SECONDS``."""
    request = health_pb2.HealthCheckRequest()
    async with open_anonymous_channel(settings, service) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(request, timeout=CHECK_SECONDS)  # type: ignore[attr-defined]  # made at run time
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


async def check_all(
    settings: Settings, services: tuple[ServiceName, ...] = SERVICES
) -> Mapping[ServiceName, str]:
    """``check`` of each of ``services``, at the same time."""
    answers = await asyncio.gather(*(check(settings, service) for service in services))
    return dict(zip(services, answers, strict=True))
