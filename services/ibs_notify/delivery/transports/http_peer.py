"""Requests to one endpoint on connections that are kept.

By aiohttp's connector and parser, without its session: that makes objects, header maps and a task
for each request, which costs more than all the rest of an attempt. What can go wrong on the way is
found by aiohttp all the same; the contract tests of the webhook transport go through it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import metadata
from typing import Final

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader
from yarl import URL

from ibs_notify.delivery.transports import dial
from ibs_notify.delivery.transports.dial import Dialler
from ibs_notify.delivery.transports.http_protocol import answer, protocol_factory

MOST_REPLY_READ: Final = 64 * 1024
KEEP_ALIVE_SECONDS: Final = 4.0
"""Less than the 5 s and more of common servers: who closes first sees no broken request."""
FAILURES: Final = (aiohttp.ClientError, HttpProcessingError, TimeoutError, OSError)
"""What ``HttpPeer.send`` raises where no status was received."""
_FRAMING: Final = (hdrs.CONTENT_LENGTH, hdrs.TRANSFER_ENCODING)


@cache
def user_agent() -> str:
    """Who we say that we are."""
    return f"ironcore-backup-notification/{metadata.version('ibs-notify')}"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. ``text`` is the beginning of its body, as far as it came in time."""

    status: int
    phrase: str
    retry_after: str
    text: str


class HttpPeer:
    """One endpoint. It belongs to one event loop from the first request on."""

    def __init__(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        dialler: Dialler,
        *,
        own_headers: Iterable[str],
        context: ssl.SSLContext | None,
        connections: int,
        total_seconds: float,
    ) -> None:
        """``headers`` come with every request; ``own_headers`` are names that each gives itself."""
        self._method = method
        self._url = url
        self._headers = headers
        self._dialler = dialler
        self._left_out = {name.lower() for name in (*own_headers, *_FRAMING)}
        self._context = context
        self._connections = connections
        self._total_seconds = total_seconds
        self._timeout = aiohttp.ClientTimeout(connect=dial.CONNECT_SECONDS)
        self._connector: aiohttp.TCPConnector | None = None
        self._request: ClientRequest | None = None
        self._head = b""
        self._certificate: object = None
        self.certificate_until: datetime | None = None
        """See ``base.Transport``."""

    async def send(self, headers: str, body: bytes) -> Reply:
        """Send one request and wait for its answer. ``headers`` are lines, each with its CRLF.

        Raises ``FAILURES``: ``ConnectionTimeoutError`` where there was no connection in time,
        another ``TimeoutError`` where the answer is late; and ``AttemptFailed`` where no address of
        the host is known or allowed, before any connection. Never sends anything twice, follows no
        redirect and keeps no cookie. The status counts even if the rest of the answer never comes.
        """
        message: RawResponseMessage | None = None
        pieces: list[bytes] = []
        try:
            async with asyncio.timeout(self._total_seconds):
                connection = await self._connect()
                try:
                    self._look_at_certificate(connection)
                    protocol = _write(connection, self._head, headers, body)
                    message, payload = await answer(protocol)
                    await _read(payload, pieces)
                    _release(connection)
                finally:
                    connection.close()  # where it was not released
        except FAILURES:
            if message is None:
                raise
        retry_after = message.headers.get(hdrs.RETRY_AFTER, "")
        text = b"".join(pieces).decode("utf-8", errors="replace")
        return Reply(message.code, message.reason, retry_after, text)

    async def close(self) -> None:
        """Close every connection; requests under way fail."""
        if self._connector is not None:
            await self._connector.close()
            await asyncio.sleep(0)  # the loop closes the sockets in its next turn

    async def _connect(self) -> Connection:
        if self._connector is None or self._request is None:
            self._connector = aiohttp.TCPConnector(
                limit=self._connections,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
                ssl=self._context if self._context is not None else True,
                resolver=_Resolver(self._dialler),
                # Here and not in the resolver, which is not asked for an address in the URL.
                socket_factory=self._dialler.open_socket,
            )
            self._connector._factory = protocol_factory()  # type: ignore[assignment]  # a subclass's
            # The connector reads from it where to connect; it is never sent.
            self._request = ClientRequest(
                self._method,
                self._url,
                headers=self._headers,
                loop=asyncio.get_running_loop(),
            )
            self._head = self._head_of(self._request)
        try:
            return await self._connector.connect(self._request, [], self._timeout)
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError("no connection in time") from None

    def _look_at_certificate(self, connection: Connection) -> None:
        """Once for each handshake: every request would cost more than the rest of it."""
        if self._context is None or connection.transport is None:
            return
        certificate = connection.transport.get_extra_info("peercert")
        if certificate is not self._certificate:
            self._certificate = certificate
            self.certificate_until = dial.certificate_until(connection.transport)

    def _head_of(self, request: ClientRequest) -> bytes:
        """What all requests begin with: the request line and the headers that never change."""
        lines = [f"{request.method} {self._url.raw_path_qs} HTTP/1.1"]
        lines += [
            f"{name}: {value}"
            for name, value in request.headers.items()
            if name.lower() not in self._left_out
        ]
        return "\r\n".join((*lines, "")).encode()


class _Resolver(AbstractResolver):
    """Names for aiohttp's connector: only addresses that may be dialled."""

    def __init__(self, dialler: Dialler) -> None:
        self._dialler = dialler

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._dialler.resolve(host, port)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=each_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for each_family, _, protocol, _, address in found
            if family in (socket.AF_UNSPEC, each_family)
        ]

    async def close(self) -> None:
        """Nothing is open."""


def _write(connection: Connection, head: bytes, headers: str, body: bytes) -> ResponseHandler:
    protocol = connection.protocol
    if protocol is None or protocol.transport is None:
        raise aiohttp.ServerDisconnectedError
    # Compressed replies are left as they are: a few bytes may unpack to gigabytes.
    protocol.set_response_params(read_until_eof=True, auto_decompress=False)
    own = f"{headers}Content-Length: {len(body)}\r\n\r\n".encode()
    protocol.transport.write(b"".join((head, own, body)))
    return protocol


async def _read(payload: StreamReader, pieces: list[bytes]) -> None:
    """The beginning of the body, into ``pieces`` as it comes."""
    room = MOST_REPLY_READ
    while room > 0 and (piece := await payload.read(room)):
        pieces.append(piece)
        room -= len(piece)


def _release(connection: Connection) -> None:
    """For the next request, unless the peer answered before it had read all of this one."""
    transport = connection.transport
    if transport is not None and not transport.get_write_buffer_size():
        connection.release()
