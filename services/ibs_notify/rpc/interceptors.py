"""What surrounds every handler of every service."""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from google.rpc import status_pb2
from grpc_health.v1 import health
from grpc_status import rpc_status

from ibs_notify.domain.errors import Internal, InvalidArgument, NotificationError, Reason
from ibs_notify.rpc.load import MOST_CALLS, MOST_STREAMS, Load
from ibs_notify.rpc.status import to_status

log = logging.getLogger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Deserializer: TypeAlias = Callable[[bytes], Any]


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Turns what a handler raises into a status; what nobody meant to raise is logged as INTERNAL.

    What is too many at a time is refused, but never health: who watches over a service must not
    take a busy one for a dead one. A handler is wrapped once and kept, since this is called for
    every call.
    """

    def __init__(self, most_calls: int = MOST_CALLS, most_streams: int = MOST_STREAMS) -> None:
        self._calls = Load(most_calls, "calls")
        self._most_streams = most_streams
        self._wrapped: dict[str, Handler | None] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        method = handler_call_details.method
        handler = self._wrapped.get(method)
        if handler is None:
            inner = await continuation(handler_call_details)
            if inner is None:
                return None
            handler = self._wrapped[method] = _guarded(inner, self._load_of(method, inner))
        return handler

    def _load_of(self, method: str, handler: Handler) -> Load | None:
        """Streams stay, so each kind of them has a bound of its own, and none takes the place of
        calls."""
        if method.startswith(f"/{health.SERVICE_NAME}/"):
            return None
        if handler.unary_unary is not None:
            return self._calls
        return Load(self._most_streams, f"streams of {method.rpartition('/')[2]}")


def _guarded(handler: Handler, load: Load | None) -> Handler:
    if handler.unary_unary is not None:
        return grpc.unary_unary_rpc_method_handler(
            _answer_once(handler.unary_unary, load),
            _or_fault(handler.request_deserializer),
            handler.response_serializer,
        )
    if handler.unary_stream is not None:
        return grpc.unary_stream_rpc_method_handler(
            _answer_stream(handler.unary_stream, load),
            _or_fault(handler.request_deserializer),
            handler.response_serializer,
        )
    if handler.stream_stream is not None:
        return grpc.stream_stream_rpc_method_handler(
            _answer_stream(handler.stream_stream, load),
            reading(handler.request_deserializer),
            handler.response_serializer,
        )
    return handler


def reading(deserialize: Deserializer | None) -> Deserializer:
    """Reads a request; ``InvalidArgument`` for what is none. ``None`` leaves it as it came.

    For a stream of requests: the handler asks for them, so the fault is raised there.
    """

    def read(data: bytes) -> Any:
        try:
            return data if deserialize is None else deserialize(data)
        except DecodeError:
            raise InvalidArgument(
                Reason.FIELD_INVALID,
                "the request is not a message of this call",
                advice="generate the client from the same protos; text must be UTF-8",
            ) from None

    return read


def _or_fault(deserialize: Deserializer | None) -> Deserializer:
    """For a single request, which is read before the handler: the fault is handed to it instead."""
    read = reading(deserialize)

    def read_or_fault(data: bytes) -> Any:
        try:
            return read(data)
        except InvalidArgument as fault:
            return fault

    return read_or_fault


def _answer_once(
    behaviour: Callable[..., Awaitable[Any]], load: Load | None
) -> Callable[..., Awaitable[Any]]:
    room = load or nullcontext()

    async def answer(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            if isinstance(request, InvalidArgument):
                raise request  # noqa: TRY301  # it was caught while there was nobody to tell
            with room:
                return await behaviour(request, context)
        except NotificationError as error:
            await _abort(context, error)
        except grpc.aio.AbortError:
            raise
        except Exception:  # noqa: BLE001  # whatever it is, the caller gets a status
            await _abort(context, _unforeseen())

    return answer


def _answer_stream(behaviour: Callable[..., Any], load: Load | None) -> Callable[..., Any]:
    room = load or nullcontext()
    if not inspect.isasyncgenfunction(behaviour):
        # A coroutine that writes through the context, such as Watch of the health service.
        return _answer_once(behaviour, load)

    async def answer(
        request: Any, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Any]:
        try:
            if isinstance(request, InvalidArgument):
                raise request  # noqa: TRY301  # it was caught while there was nobody to tell
            with room:
                async for response in behaviour(request, context):
                    yield response
        except NotificationError as error:
            await _abort(context, error)
        except grpc.aio.AbortError:
            raise
        except Exception:  # noqa: BLE001  # whatever it is, the caller gets a status
            await _abort(context, _unforeseen())

    return answer


def _unforeseen() -> Internal:
    log.exception("a handler failed")
    return Internal(Reason.INTERNAL, "the service failed", advice="its log has the details")


async def _abort(context: grpc.aio.ServicerContext[Any, Any], error: NotificationError) -> NoReturn:
    status: status_pb2.Status = to_status(error)
    await context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort_with_status raises")
