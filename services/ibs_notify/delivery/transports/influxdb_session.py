"""The session that influxdb-client sends with: it makes the request, our own connections carry it.

So its writes go by the same rules as all others: no proxy, no redirect, a deadline for the whole,
replies that are read to a bound, and errors that do not quote the URL.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from aiohttp import hdrs
from aiohttp.connector import BaseConnector
from yarl import URL

from ibs_notify.delivery.transports.dial import Dialler
from ibs_notify.delivery.transports.http_peer import HttpPeer, Reply


class NotWritten(Exception):
    """The server refused. The client does not see the answer: it would log what the server said."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Written:
    """An answer that the client takes for a success."""

    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self.reason = reply.phrase
        self.headers: Final[Mapping[str, str]] = {}

    async def read(self) -> bytes:
        return b""


class PeerSession:
    """Stands in for aiohttp's ``ClientSession``. All requests have one method, URL and headers."""

    def __init__(
        self,
        dialler: Dialler,
        *,
        context: ssl.SSLContext | None,
        connections: int,
        total_seconds: float,
    ) -> None:
        self._dialler = dialler
        self._context = context
        self._connections = connections
        self._total_seconds = total_seconds
        self._peer: HttpPeer | None = None
        self._unused: BaseConnector | None = None

    @property
    def certificate_until(self) -> datetime | None:
        """See ``base.Transport``."""
        return self._peer.certificate_until if self._peer is not None else None

    def adopt(self, *, connector: BaseConnector, **_options: object) -> PeerSession:
        """What the client calls to make its session: its own connector is closed, never used."""
        self._unused = connector
        return self

    async def request(
        self, *, method: str, url: str, headers: Mapping[str, str], data: bytes, **_options: object
    ) -> Written:
        """Send ``data``. Raises ``NotWritten``, and what ``HttpPeer.send`` raises."""
        if self._peer is None:
            self._peer = HttpPeer(
                method,
                URL(url),
                {**headers, hdrs.ACCEPT_ENCODING: "identity"},
                self._dialler,
                own_headers=(),
                context=self._context,
                connections=self._connections,
                total_seconds=self._total_seconds,
            )
        reply = await self._peer.send("", data)
        if not 200 <= reply.status < 300:
            raise NotWritten(reply)
        return Written(reply)

    async def close(self) -> None:
        if self._peer is not None:
            await self._peer.close()
        if self._unused is not None:
            await self._unused.close()
