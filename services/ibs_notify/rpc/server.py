"""One gRPC server, the same for every service: limits, errors, health, reflection by profile."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ibs_notify.rpc.descriptors import most_connections
from ibs_notify.rpc.interceptors import ErrorInterceptor
from ibs_notify.rpc.load import MOST_CALLS, MOST_STREAMS

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_STREAMS_OF_A_CONNECTION = 1000
STOP_GRACE_SECONDS = 3.0
_ROOM_TO_REFUSE = 1024
"""Calls that are refused count for gRPC until they are answered; beyond it refuses health too."""
_OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", 16 * MAX_MESSAGE_BYTES),
    # None but identity: two megabytes of gzip were unpacked to gigabytes before their size counted.
    ("grpc.compression_enabled_algorithms_bitset", 1),
    ("grpc.max_metadata_size", 8 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    # What is beyond waits at the client.
    ("grpc.max_concurrent_streams", MAX_STREAMS_OF_A_CONNECTION),
    # Who connects must say something, TLS or HTTP/2, and then call something now and then. A
    # connection has no greatest age: watches stay for as long as a service runs.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 300_000),
    # A client that vanished silently leaves its watches behind.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Our own channels ping each minute while a call is open; by default that is abuse.
    ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
    ("grpc.http2.max_ping_strikes", 2),
    # Two services on one port would take turns at the calls; the second one must fail instead.
    ("grpc.so_reuseport", 0),
)


class RpcServer:
    """A ``grpc.aio`` server with the standard health service, NOT_SERVING until told otherwise.

    ``service_name`` is the full name, ``ironcore.notification.v1.RouterService``; its health and
    that of the whole server ("") are the same.
    """

    def __init__(self, address: str, service_name: str, *, reflect: bool) -> None:
        self._address = address
        self._service_name = service_name
        self._reflect = reflect
        self._health = health.aio.HealthServicer()
        self.grpc_server = grpc.aio.server(
            interceptors=[ErrorInterceptor()],
            options=[*_OPTIONS, ("grpc.max_allowed_incoming_connections", most_connections())],
            maximum_concurrent_rpcs=MOST_CALLS + 4 * MOST_STREAMS + _ROOM_TO_REFUSE,
        )
        self.port = 0

    async def start(self) -> None:
        """Bind and accept calls; ``port`` is the bound one. ``OSError`` where the port is taken."""
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc_server)
        if self._reflect:
            names = (self._service_name, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self.grpc_server)
        await self.set_serving(False)
        try:
            self.port = self.grpc_server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._address}: is it in use?") from error
        await self.grpc_server.start()

    async def set_serving(self, serving: bool) -> None:  # noqa: FBT001  # it is what health says
        """Tell the health service."""
        status = (
            health_pb2.HealthCheckResponse.SERVING
            if serving
            else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for name in ("", self._service_name):
            await self._health.set(name, status)

    async def stop(self) -> None:
        """Refuse new calls, let those under way end, then close."""
        await self._health.enter_graceful_shutdown()
        await self.grpc_server.stop(STOP_GRACE_SECONDS)
