"""What a command talks through: blocking channels, who it is from, and waiting for a change."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

import grpc
from grpc_status import rpc_status

from ibs_notify import settings
from ibs_notify.cli.output import warn
from ibs_notify.cli.reached import not_reached
from ibs_notify.domain.errors import NotificationError
from ibs_notify.rpc.caller import calling_as
from ibs_notify.rpc.channel import open_blocking_channel
from ibs_notify.rpc.client_credentials import Endpoint, endpoint_of
from ibs_notify.rpc.status import from_rpc_error
from ironcore.notification.v1 import delivery_service_pb2, router_service_pb2
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub

CALL_SECONDS = 30.0
LONG_CALL_SECONDS = 300.0
AWAIT_SECONDS = 5.0

Response = TypeVar("Response")
# A text: gRPC's own classes take no parameters.
Method: TypeAlias = (
    "grpc.UnaryUnaryMultiCallable[Any, Any] | grpc.UnaryStreamMultiCallable[Any, Any]"
)


class Session:
    """``with Session() as session``: opens a channel where it is used, closes all at the end."""

    def __init__(self) -> None:
        self.settings = settings.load()
        self._endpoints: dict[settings.ServiceName, Endpoint] = {}
        self._channels: dict[settings.ServiceName, grpc.Channel] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for channel in self._channels.values():
            channel.close()

    @cached_property
    def config(self) -> ConfigServiceStub:
        return ConfigServiceStub(self.channel("config"))

    @cached_property
    def router(self) -> RouterServiceStub:
        return RouterServiceStub(self.channel("router"))

    @cached_property
    def delivery(self) -> DeliveryServiceStub:
        return DeliveryServiceStub(self.channel("delivery"))

    def channel(self, service: settings.ServiceName) -> grpc.Channel:
        """The channel to a service."""
        if service not in self._channels:
            self._channels[service] = open_blocking_channel(self.endpoint(service))
        return self._channels[service]

    def endpoint(self, service: settings.ServiceName) -> Endpoint:
        """Where a service is called, and with what."""
        if service not in self._endpoints:
            self._endpoints[service] = endpoint_of(self.settings, service)
        return self._endpoints[service]

    def call(
        self,
        method: grpc.UnaryUnaryMultiCallable[Any, Response],
        request: Any,
        *,
        timeout: float = CALL_SECONDS,
    ) -> Response:
        """One call in the user's name; its failure is the error that the service raised."""
        try:
            return method(request, timeout=timeout, metadata=self.metadata)
        except grpc.RpcError as error:
            raise self._failure(method, error) from None

    def stream(
        self, method: grpc.UnaryStreamMultiCallable[Any, Response], request: Any
    ) -> Iterator[Response]:
        """The answers of a call without an end, which waits for the service to be there.

        A failure after that is as of ``call``.
        """
        answers = method(request, metadata=self.metadata, wait_for_ready=True)
        try:
            yield from answers
        except grpc.RpcError as error:
            raise self._failure(method, error) from None
        finally:
            answers.cancel()

    def await_revision(self, revision: int) -> None:
        """Wait until Router and Delivery apply a change; a late one is a warning, no failure."""
        waits: dict[str, grpc.Future[Any]] = {
            "Router": self.router.AwaitConfig.future(
                router_service_pb2.RouterServiceAwaitConfigRequest(revision=revision),
                timeout=AWAIT_SECONDS,
            ),
            "Delivery": self.delivery.AwaitConfig.future(
                delivery_service_pb2.AwaitConfigRequest(revision=revision), timeout=AWAIT_SECONDS
            ),
        }
        for service, wait in waits.items():
            try:
                wait.result()
            except grpc.RpcError as error:
                late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
                why = "does not apply it yet" if late else "cannot be asked whether it applies it"
                warn(f"the change is saved, but {service} {why}")

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Who a call is from."""
        return calling_as(self.settings.caller)

    def _service_of(self, method: Method) -> settings.ServiceName | None:
        for service in self._channels:
            stub = self.__dict__.get(service)  # none where only its health was asked
            if stub is not None and any(each is method for each in vars(stub).values()):
                return service
        return None

    def _failure(self, method: Method, error: grpc.RpcError) -> NotificationError:
        service = self._service_of(method)
        return from_rpc_error(error) if service is None else self.failure(service, error)

    def failure(self, service: settings.ServiceName, error: grpc.RpcError) -> NotificationError:
        """What a call to ``service`` failed with, naming it where it was not reached at all."""
        by_transport = rpc_status.from_call(error) is None  # type: ignore[arg-type]  # it is a Call
        if not by_transport:
            return from_rpc_error(error)
        return not_reached(service, self.endpoint(service), error)
