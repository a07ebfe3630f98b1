"""Is a service there? Asked of its gRPC health; of the console, by HTTP."""

from __future__ import annotations

import asyncio
import http.client
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ibs_notify.rpc.channel import open_anonymous_channel
from ibs_notify.settings import PROGRAMS, ProgramName, ServiceName, Settings

POLL_SECONDS = 0.02
CHECK_SECONDS = 3.0
CONSOLE_HEALTH = "/health"


async def until_serving(settings: Settings, service: ServiceName) -> None:
    """Wait until ``service`` says SERVING, for as long as that takes."""
    while True:
        await _until_listening(settings.address(service))
        if await check(settings, service) == "SERVING":
            return
        await asyncio.sleep(POLL_SECONDS)


async def until_console_serves(settings: Settings) -> None:
    """Wait until the console answers, for as long as that takes."""
    await _until_listening(settings.console_address)
    while True:
        if await check_console(settings) == "SERVING":
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


async def check_console(settings: Settings) -> str:
    """As ``check``, of the console where it listens; for whom its certificate is does not count."""
    return await asyncio.to_thread(_ask_console, settings)


def _ask_console(settings: Settings) -> str:
    place = urlsplit(settings.console_url)
    host, port = place.hostname or "", place.port or 0
    connection = http.client.HTTPConnection(host, port, timeout=CHECK_SECONDS)
    if settings.console_certificate:
        anybody = ssl.create_default_context()
        anybody.check_hostname = False
        anybody.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=CHECK_SECONDS, context=anybody)
    try:
        connection.request("GET", CONSOLE_HEALTH)
        return "SERVING" if connection.getresponse().status == 200 else "NOT_SERVING"
    except (OSError, http.client.HTTPException):
        return "UNAVAILABLE"
    finally:
        connection.close()


async def check_all(
    settings: Settings, programs: tuple[ProgramName, ...] = PROGRAMS
) -> Mapping[ProgramName, str]:
    """``check`` of each of ``programs``, at the same time."""
    answers = await asyncio.gather(
        *(
            check_console(settings) if program == "console" else check(settings, program)
            for program in programs
        )
    )
    return dict(zip(programs, answers, strict=True))
