"""Channels of clients to the services, with the limits that the servers have.

``rpc.peer_channel`` has those of the services to each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from ibs_notify.rpc.client_credentials import Endpoint, anonymous_endpoint_of, endpoint_of
from ibs_notify.settings import ServiceName, Settings

OPTIONS: Sequence[tuple[str, int]] = (
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


def open_channel(settings: Settings, to: ServiceName) -> grpc.aio.Channel:
    """An asynchronous channel; it connects when used and reconnects by itself."""
    return _asynchronous(endpoint_of(settings, to))


def open_anonymous_channel(settings: Settings, to: ServiceName) -> grpc.aio.Channel:
    """The same for a caller who proves nothing, and may ask for the health alone."""
    return _asynchronous(anonymous_endpoint_of(settings, to))


def open_blocking_channel(endpoint: Endpoint) -> grpc.Channel:
    """A synchronous channel, for the CLI and the client."""
    if endpoint.credentials is None:
        return open_blocking_plain_channel(endpoint.address)
    return grpc.secure_channel(endpoint.address, endpoint.credentials, options=_options(endpoint))


def open_plain_channel(address: str) -> grpc.aio.Channel:
    """An asynchronous channel in clear text, for loopback."""
    return grpc.aio.insecure_channel(address, options=list(OPTIONS))


def open_blocking_plain_channel(address: str) -> grpc.Channel:
    """A synchronous channel in clear text, for loopback."""
    return grpc.insecure_channel(address, options=list(OPTIONS))


def _asynchronous(endpoint: Endpoint) -> grpc.aio.Channel:
    if endpoint.credentials is None:
        return open_plain_channel(endpoint.address)
    return grpc.aio.secure_channel(
        endpoint.address, endpoint.credentials, options=_options(endpoint)
    )


def _options(endpoint: Endpoint) -> list[tuple[str, int | str]]:
    name = endpoint.server_name
    return [*OPTIONS, *([("grpc.ssl_target_name_override", name)] if name else [])]
