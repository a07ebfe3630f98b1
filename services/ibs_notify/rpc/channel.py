"""Channels to the services, with the limits that the servers have."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

_OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # Nothing of ours is compressed, and what unpacks to gigabytes is not even looked at.
    ("grpc.compression_enabled_algorithms_bitset", 1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # A network that vanishes silently must not leave a watch hanging.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # A proxy of the environment has no business between services.
    ("grpc.enable_http_proxy", 0),
)


def open_channel(address: str) -> grpc.aio.Channel:
    """An asynchronous channel; it connects when used and reconnects by itself."""
    return grpc.aio.insecure_channel(address, options=list(_OPTIONS))


def open_blocking_channel(address: str) -> grpc.Channel:
    """A synchronous channel, for the CLI and the client."""
    return grpc.insecure_channel(address, options=list(_OPTIONS))
