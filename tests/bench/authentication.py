"""What it costs to ask who calls: an empty handler with and without, the same calls to both."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from statistics import median

import grpc
import uvloop

from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.principal import Principal, Role
from ibs_notify.domain.token import KnownToken, hash_of
from ibs_notify.rpc.authentication import Authenticator
from ibs_notify.rpc.authentication_interceptor import AuthenticationInterceptor
from ibs_notify.rpc.server import RpcServer
from ibs_notify.rpc.token_uses import TokenUses
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import (
    RouterServiceStub,
    add_RouterServiceServicer_to_server,
)
from tests.bench.echo import Echo
from tests.bench.lines import Note
from tests.bench.router_alone import TOKEN, TOKEN_ID, TOKEN_SECRET

_BEARING = (("authorization", f"Bearer {TOKEN}"),)
_CALLS = 4_000
_AT_ONCE = 16


def who_calls(rounds: int) -> Sequence[Note]:
    """Microseconds of CPU that asking adds to an Emit."""
    return uvloop.run(_measure(rounds))


async def _measure(rounds: int) -> Sequence[Note]:
    authenticator = Authenticator(SystemClock(), TokenUses())
    who = Principal("bench", Role.EMITTER, TOKEN_ID)
    authenticator.set_tokens({TOKEN_ID: KnownToken(who, hash_of(TOKEN_SECRET))})
    plain, asking = [
        await _start(interceptors)
        for interceptors in ([], [AuthenticationInterceptor(authenticator)])
    ]
    costs: list[tuple[float, float]] = []
    try:
        for _ in range(2 * rounds + 1):
            pair = await _cost(plain.port), await _cost(asking.port)
            costs.append(pair)
    finally:
        await plain.stop()
        await asking.stop()
    # The first round only warms up.
    without, with_ = (median(each) for each in zip(*costs[1:], strict=True))
    return [
        Note(
            "asking who calls, of an empty Emit",
            f"+{with_ - without:.1f} µs of CPU on {without:.0f} µs (both ends)",
        )
    ]


async def _start(interceptors: Sequence[grpc.aio.ServerInterceptor]) -> RpcServer:
    server = RpcServer(
        "127.0.0.1:0",
        "ironcore.notification.v1.RouterService",
        reflect=False,
        interceptors=interceptors,
    )
    add_RouterServiceServicer_to_server(Echo(), server.grpc_server)  # type: ignore[abstract]  # the other rpcs answer UNIMPLEMENTED
    await server.start()
    return server


async def _cost(port: int) -> float:
    """Microseconds of this process for a call, which is both ends of it."""
    request = pb.EmitRequest()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = RouterServiceStub(channel)

        async def emit() -> None:
            for _ in range(_CALLS // _AT_ONCE):
                await stub.Emit(request, metadata=_BEARING)

        await emit()
        began = time.process_time()
        await asyncio.gather(*(emit() for _ in range(_AT_ONCE)))
        return (time.process_time() - began) / _CALLS * 1e6
