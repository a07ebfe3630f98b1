"""What the calls to a server show of who makes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc

from ibs_notify.rpc.authentication import AUTHORIZATION
from ibs_notify.rpc.certified import Certified, certified


@dataclass(frozen=True, slots=True)
class Shown:
    """The header ``authorization``, empty where there is none, and whom a certificate named."""

    authorization: str
    whom: Certified | None


class Noting(grpc.aio.ServerInterceptor):
    """Notes what each call with one answer shows."""

    def __init__(self) -> None:
        self.shown: list[Shown] = []

    @property
    def callers(self) -> list[Certified | None]:
        """Whom each call was from, by its certificate."""
        return [each.whom for each in self.shown]

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        inner = await continuation(handler_call_details)
        if inner.unary_unary is None:
            return inner

        async def answer(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            headers = dict(context.invocation_metadata() or ())
            whom = certified(context.auth_context())
            self.shown.append(Shown(str(headers.get(AUTHORIZATION, "")), whom))
            return await inner.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(
            answer, inner.request_deserializer, inner.response_serializer
        )
