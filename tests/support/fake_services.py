"""The three services with answers that a test chooses, on real servers, for programs that call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from ibs_notify.domain.errors import NotificationError
from ibs_notify.rpc.status import to_status
from ironcore.notification.v1 import (
    audit_service_pb2,
    config_service_pb2,
    delivery_service_pb2,
    router_service_pb2,
)

Answer = Message | NotificationError | Callable[[Any], Any]

_DESCRIPTORS = {
    "config": config_service_pb2.DESCRIPTOR.services_by_name["ConfigService"],
    "router": router_service_pb2.DESCRIPTOR.services_by_name["RouterService"],
    "delivery": delivery_service_pb2.DESCRIPTOR.services_by_name["DeliveryService"],
}
_AUDIT = audit_service_pb2.DESCRIPTOR.services_by_name["AuditService"]
"""Each of them has one."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was received."""

    method: str
    request: Any
    metadata: dict[str, str]


@dataclass(slots=True)
class FakeService:
    """``answers`` maps a method to its response, its error, or a function of the request.

    What has no answer gets an empty response. Of a method that streams, the function returns an
    iterator of responses, which an error may end; where requests stream too, it is called for each,
    and returns a response or the error that ends the stream.
    """

    service: str
    answers: dict[str, Answer] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    address: str = ""
    _server: grpc.Server | None = None

    def start(self) -> None:
        server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        for descriptor in (_DESCRIPTORS[self.service], _AUDIT):
            handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
                method.name: self._handler(method) for method in descriptor.methods
            }
            server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(descriptor.full_name, handlers),)
            )
        healthy = health.HealthServicer()
        healthy.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
        # Once stopped, it comes back where it was.
        self.address = f"127.0.0.1:{server.add_insecure_port(self.address or '127.0.0.1:0')}"
        server.start()
        self._server = server

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(None).wait()

    def reset(self) -> None:
        self.answers.clear()
        self.calls.clear()

    def received(self, method: str) -> list[Any]:
        """The requests of one method, in order."""
        return [call.request for call in self.calls if call.method == method]

    def _handler(self, method: MethodDescriptor) -> grpc.RpcMethodHandler[Any, Any]:
        make: Any = grpc.unary_unary_rpc_method_handler
        answer: Any = self._answer(method.name, GetMessageClass(method.output_type))
        if method.client_streaming:
            make, answer = grpc.stream_stream_rpc_method_handler, self._each(answer)
        elif method.server_streaming:
            make, answer = grpc.unary_stream_rpc_method_handler, self._answers(method.name)
        handler: grpc.RpcMethodHandler[Any, Any] = make(
            answer,
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
        return handler

    def _each(self, answer: Callable[[Any, Any], Message]) -> Callable[[Any, Any], Any]:
        return lambda requests, context: (answer(each, context) for each in requests)

    def _answers(self, name: str) -> Callable[[Any, Any], Iterator[Message]]:
        def answers(request: Any, context: grpc.ServicerContext) -> Iterator[Message]:
            metadata = {key: str(value) for key, value in context.invocation_metadata()}
            self.calls.append(Call(name, request, metadata))
            chosen = self.answers[name]
            assert callable(chosen)
            try:
                yield from chosen(request)
            except NotificationError as error:
                context.abort_with_status(rpc_status.to_status(to_status(error)))

        return answers

    def _answer(self, name: str, response: type[Message]) -> Callable[[Any, Any], Message]:
        def answer(request: Any, context: grpc.ServicerContext) -> Message:
            metadata = {key: str(value) for key, value in context.invocation_metadata()}
            self.calls.append(Call(name, request, metadata))
            chosen = self.answers.get(name, response())
            if callable(chosen):
                chosen = chosen(request)
            if isinstance(chosen, NotificationError):
                context.abort_with_status(rpc_status.to_status(to_status(chosen)))
            assert isinstance(chosen, Message)
            return chosen

        return answer
