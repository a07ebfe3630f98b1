"""A service's own events, given to the Router."""

from __future__ import annotations

import grpc

from ibs_notify.domain.event import Event
from ibs_notify.rpc.convert import event_to_proto
from ibs_notify.rpc.status import from_rpc_error, naming_service
from ironcore.notification.v1.router_service_pb2 import EmitRequest
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub

EMIT_SECONDS = 10.0


class Emitter:
    """Emits over a channel to the Router."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = RouterServiceStub(channel)

    async def emit(self, event: Event) -> None:
        """Returns once the Router has it on disk; ``NotificationError`` is what it answers."""
        request = EmitRequest(event=event_to_proto(event))
        try:
            await self._stub.Emit(request, timeout=EMIT_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise naming_service(from_rpc_error(error), "router") from error
