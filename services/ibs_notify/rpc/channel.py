"""Channels to the services, with the limits that the servers have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc

_OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # A network that vanishes silently must not leave a watch hanging.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # A proxy of the environment has no business between services.
    ("grpc.enable_http_proxy", 0),
)
USER_KEY = "ibs-user"
"""The metadata key that says who a call is from, until there is authentication."""


def open_channel(address: str) -> grpc.aio.Channel:
    """An asynchronous channel; it connects when used and reconnects by itself."""
    return grpc.aio.insecure_channel(address, options=list(_OPTIONS))


def open_blocking_channel(address: str) -> grpc.Channel:
    """A synchronous channel, for the CLI and the client."""
    return grpc.insecure_channel(address, options=list(_OPTIONS))


def calling_as(caller: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a call that says so; it is ASCII, and what is not is written out."""
    return ((USER_KEY, caller.encode("ascii", "backslashreplace").decode()),)


def caller_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Who a call says it is from; ``unknown`` where it does not."""
    for key, value in context.invocation_metadata() or ():
        if key == USER_KEY:
            return (value.decode("utf-8", "replace") if isinstance(value, bytes) else value)[:256]
    return "unknown"
