"""Asks ``Authenticator`` of every call, and lets the handler know who it is for.

What comes with a call is read only when its caller may make it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc

from ibs_notify.domain.errors import Reason, Unauthenticated
from ibs_notify.domain.principal import Principal
from ibs_notify.rpc.access import Access, Allowed, access, allowed_to
from ibs_notify.rpc.authentication import Authenticator, Context
from ibs_notify.rpc.caller import proved
from ibs_notify.rpc.interceptors import Deserializer, Handler, reading

_ROUTER = "/ironcore.notification.v1.RouterService/"
_COUNTED_BY_EVENTS = frozenset({f"{_ROUTER}EmitBatch", f"{_ROUTER}EmitStream"})
"""Of these, each event counts as a call."""

_MAKE: dict[tuple[bool, bool], Callable[..., Handler]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


class AuthenticationInterceptor(grpc.aio.ServerInterceptor):
    """Stands between ``ErrorInterceptor``, which keeps what it returns, and the handlers."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        allowed = allowed_to(method)
        if handler is None or access(allowed, None) is Access.OPEN:
            return handler
        read = reading(handler.request_deserializer)
        return _asking(handler, _Door(self._authenticator, method, allowed, read))


class _Door:
    """The way to the handler of one method."""

    def __init__(
        self, authenticator: Authenticator, method: str, allowed: Allowed, read: Deserializer
    ) -> None:
        self._authenticator = authenticator
        self._read = read
        # In a tuple they are found by identity, without the hash of each.
        self._allowed = tuple(allowed)
        self._by_events = method in _COUNTED_BY_EVENTS

    def enter(self, request: Any, context: Context, *, streaming: bool) -> tuple[Principal, Any]:
        """Who calls, and the message of ``request``; one that streams is read as it comes."""
        who = self._authenticator.admit(context, self._allowed)
        proved(who)
        if not self._by_events:
            self._authenticator.charge(who, 1)
        if streaming:
            return who, self._read_on(request, who)
        message = self._read(request)
        if self._by_events:
            self._authenticator.charge(who, len(message.events) or 1)
        return who, message

    async def answer_stream(
        self, who: Principal, behaviour: Callable[..., Any], request: Any, context: Context
    ) -> None:
        """Send what the handler has to say, for as long as the caller may hear it."""
        try:
            async with asyncio.timeout(None) as cut:
                with self._authenticator.holding(who, cut):
                    await _send(behaviour, request, context)
        except TimeoutError:
            if not cut.expired():
                raise
            raise Unauthenticated(
                Reason.UNAUTHENTICATED, "the token was revoked or has expired meanwhile"
            ) from None

    async def _read_on(self, requests: AsyncIterator[Any], who: Principal) -> AsyncIterator[Any]:
        async for request in requests:
            message = self._read(request)
            if self._by_events:
                self._authenticator.charge(who, len(message.events) or 1)
            yield message


def _asking(handler: Handler, door: _Door) -> Handler:
    streaming = handler.request_streaming
    behaviour: Callable[..., Any] = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream  # type: ignore[assignment]  # one of the four is there
    )

    async def answer_once(request: Any, context: Context) -> Any:
        _, request = door.enter(request, context, streaming=streaming)
        return await behaviour(request, context)

    async def answer_stream(request: Any, context: Context) -> None:
        who, request = door.enter(request, context, streaming=streaming)
        await door.answer_stream(who, behaviour, request, context)

    return _MAKE[streaming, handler.response_streaming](
        answer_stream if handler.response_streaming else answer_once,
        None,
        handler.response_serializer,
    )


async def _send(behaviour: Callable[..., Any], request: Any, context: Context) -> None:
    if not inspect.isasyncgenfunction(behaviour):
        # A coroutine that writes through the context, such as Watch of the health service.
        await behaviour(request, context)
        return
    # Written here rather than yielded, so that a cut reaches it also while it waits for the peer.
    async with aclosing(behaviour(request, context)) as responses:
        async for response in responses:
            await context.write(response)
