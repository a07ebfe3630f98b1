"""One gRPC server, the same for every service: limits, errors, health, reflection by profile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ibs_notify.rpc.authentication import Authenticator
from ibs_notify.rpc.authentication_interceptor import AuthenticationInterceptor
from ibs_notify.rpc.file_descriptors import most_connections
from ibs_notify.rpc.interceptors import ErrorInterceptor
from ibs_notify.rpc.load import MOST_CALLS, MOST_STREAMS
from ibs_notify.rpc.tls import IdentityFiles, ServerTls
from ibs_notify.settings import ServiceName, Settings
from ironcore.notification.v1.audit_service_pb2 import DESCRIPTOR

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_STREAMS_OF_A_CONNECTION = 1000
STOP_GRACE_SECONDS = 3.0
_AUDIT = DESCRIPTOR.services_by_name["AuditService"].full_name
"""Every service has one, of its own log."""
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
    # Who connects must say something, TLS or HTTP/2, and then call something now and then.
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
    # A certificate is looked at when a connection begins, so none lasts for ever.
    ("grpc.max_connection_age_ms", 12 * 3_600_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
)


class RpcServer:
    """A ``grpc.aio`` server with the standard health service, NOT_SERVING until told otherwise.

    ``service_name`` is the full name, ``ironcore.notification.v1.RouterService``; its health and
    that of the whole server ("") are the same. With ``tls`` there are two listeners: at ``address``
    for clients, by TLS, and at ``peer_address`` for who has a certificate, by mutual TLS.
    ``interceptors`` come after the one that turns errors into answers.
    """

    def __init__(
        self,
        address: str,
        service_name: str,
        *,
        reflect: bool,
        tls: ServerTls | None = None,
        peer_address: str = "",
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    ) -> None:
        self._address = address
        self._peer_address = peer_address
        self._tls = tls
        self._service_name = service_name
        self._reflect = reflect
        self._health = health.aio.HealthServicer()
        self.grpc_server = grpc.aio.server(
            interceptors=[ErrorInterceptor(), *interceptors],
            options=[*_OPTIONS, ("grpc.max_allowed_incoming_connections", most_connections())],
            maximum_concurrent_rpcs=MOST_CALLS + 4 * MOST_STREAMS + _ROOM_TO_REFUSE,
        )
        self._watching: asyncio.Task[None] | None = None
        self.port = 0
        self.peer_port = 0

    @classmethod
    def of(
        cls,
        settings: Settings,
        service: ServiceName,
        identity: IdentityFiles | None,
        authenticator: Authenticator,
    ) -> RpcServer:
        """That of ``service``, as the settings say.

        By TLS, with ``authenticator`` asked of every call; without ``identity`` in clear text, and
        nobody is asked.
        """
        return cls(
            settings.address(service),
            f"ironcore.notification.v1.{service.capitalize()}Service",
            reflect=settings.profile == "development",
            tls=ServerTls(identity) if identity else None,
            peer_address=settings.peer_address(service),
            interceptors=[AuthenticationInterceptor(authenticator)] if identity else [],
        )

    async def start(self) -> None:
        """Bind and accept calls; ``port`` and ``peer_port`` are the bound ones.

        ``OSError`` where one is taken.
        """
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc_server)
        if self._reflect:
            names = (self._service_name, _AUDIT, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self.grpc_server)
        await self.set_serving(False)
        if self._tls is None:
            self.port = self._bind(self._address, None)
            log.warning(
                "listening on %s without TLS and authentication: who reaches it may do everything; "
                "for development only",
                self._at(self._address, self.port),
            )
        else:
            self.port = self._bind(self._address, self._tls.for_clients())
            self.peer_port = self._bind(self._peer_address, self._tls.for_peers())
            log.info(
                "listening on %s by TLS, and on %s by mutual TLS",
                self._at(self._address, self.port),
                self._at(self._peer_address, self.peer_port),
            )
            self._watching = asyncio.create_task(self._tls.warn_of_expiry())
        await self.grpc_server.start()

    def _bind(self, address: str, credentials: grpc.ServerCredentials | None) -> int:
        try:
            if credentials is None:
                return self.grpc_server.add_insecure_port(address)
            return self.grpc_server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: is it in use?") from error

    @staticmethod
    def _at(address: str, port: int) -> str:
        return f"{address.rpartition(':')[0]}:{port}"

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
        if self._watching is not None:
            self._watching.cancel()
        await self._health.enter_graceful_shutdown()
        await self.grpc_server.stop(STOP_GRACE_SECONDS)
