"""The floor of every rpc: an empty handler on the very server that the services use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import uvloop

from ibs_notify.rpc.server import RpcServer
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import (
    RouterServiceServicer,
    add_RouterServiceServicer_to_server,
)

Context = grpc.aio.ServicerContext[Any, Any]


class Echo(RouterServiceServicer):
    """Answers at once and keeps nothing."""

    async def Emit(self, request: pb.EmitRequest, context: Context) -> pb.EmitResponse:
        return pb.EmitResponse()

    async def EmitBatch(
        self, request: pb.EmitBatchRequest, context: Context
    ) -> pb.EmitBatchResponse:
        return pb.EmitBatchResponse()

    async def EmitStream(
        self, request_iterator: AsyncIterator[pb.EmitStreamRequest], context: Context
    ) -> AsyncIterator[pb.EmitStreamResponse]:
        async for _ in request_iterator:
            yield pb.EmitStreamResponse()


async def main() -> None:
    server = RpcServer("127.0.0.1:0", "ironcore.notification.v1.RouterService", reflect=False)
    add_RouterServiceServicer_to_server(Echo(), server.grpc_server)  # type: ignore[abstract]  # the other rpcs answer UNIMPLEMENTED
    await server.start()
    print(server.port, flush=True)
    await server.grpc_server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(main())
