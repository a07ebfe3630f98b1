"""HTTP servers on loopback: one that answers as told, one that answers bytes as told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType

from aiohttp import web

from tests.support.writes import PATIENCE_SECONDS


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class HttpServer:
    """Listens on a free port of 127.0.0.1 inside ``async with`` and records every request."""

    def __init__(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        text: str = "",
        *,
        answer: Answer | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.status = status
        self.headers = dict(headers or {})
        self.text = text
        self.requests: list[Request] = []
        self.connections: set[object] = set()
        self._arrived = asyncio.Event()
        self._answer = answer
        self._tls = tls

    async def __aenter__(self) -> HttpServer:
        # No access log: tests look for secrets in the log of the client.
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None), shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self.port: int = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Look again after each request that arrives."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await self._arrived.wait()

    def url(self, path: str = "/hook", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self.connections.add(request.protocol)
        self.requests.append(Request(request.method, request.path_qs, request.headers, body))
        self._arrived.set()
        self._arrived = asyncio.Event()
        if self._answer is not None:
            return await self._answer(request)
        return web.Response(status=self.status, headers=self.headers, text=self.text)


class RawServer:
    """Reads a request whole, answers ``reply`` as it is, then closes (or, with ``keep``, stays)."""

    def __init__(self, reply: bytes = b"", *, keep: bool = False) -> None:
        self.requests = 0
        self.asked = asyncio.Event()
        self.reply = reply
        self._keep = keep
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> RawServer:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length or b"0"))
            self.requests += 1
            self.asked.set()
            writer.write(self.reply)
            await writer.drain()
            if self._keep:
                await asyncio.Event().wait()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the peer left, or the test is over
        finally:
            writer.close()
            self._tasks.discard(task)
