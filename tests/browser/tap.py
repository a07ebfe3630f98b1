"""Between the console and a service: counts the calls of a method that are open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from hpack import Decoder

from tests.support.in_thread import in_thread

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD = 9
_HEADERS, _RESET = 1, 3
_END_STREAM, _PADDED, _PRIORITY = 0x1, 0x08, 0x20


@dataclass(slots=True)
class Tap:
    """``port`` leads to the service. ``open_calls``: of ``method``, now; ``calls``: ever."""

    method: bytes
    port: int = 0
    calls: int = 0
    open_calls: int = 0


@contextmanager
def running_tap(to_port: int, method: str) -> Iterator[Tap]:
    """A tap in front of 127.0.0.1:``to_port``, until the block ends."""
    tap = Tap(method.encode())

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", to_port)
        connection = _Connection(tap)
        await asyncio.gather(
            _pump(reader, back, connection.asked), _pump(there, writer, connection.answered)
        )
        connection.end()

    @asynccontextmanager
    async def serve() -> AsyncIterator[None]:
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        tap.port = server.sockets[0].getsockname()[1]
        yield
        server.close()

    with in_thread(serve):
        yield tap


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: _Direction
) -> None:
    with suppress(OSError):
        while piece := await reader.read(65536):
            direction.see(piece)
            writer.write(piece)
            await writer.drain()
    writer.close()


class _Connection:
    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self._open: set[int] = set()
        self.asked = _Direction(self)
        self.answered = _Direction(self, from_server=True)

    def begin(self, stream: int, path: bytes) -> None:
        if path.endswith(self._tap.method):
            self._open.add(stream)
            self._tap.calls += 1
            self._tap.open_calls += 1

    def finish(self, stream: int) -> None:
        if stream in self._open:
            self._open.remove(stream)
            self._tap.open_calls -= 1

    def end(self) -> None:
        for stream in tuple(self._open):
            self.finish(stream)


@dataclass(slots=True)
class _Direction:
    """One way of a connection. gRPC sends its heads whole, without CONTINUATION frames."""

    connection: _Connection
    from_server: bool = False
    _buffer: bytearray = field(default_factory=bytearray)
    _decoder: Decoder = field(default_factory=Decoder)

    def see(self, piece: bytes) -> None:
        self._buffer += piece
        if self._buffer.startswith(_PREFACE):
            del self._buffer[: len(_PREFACE)]
        while len(self._buffer) >= _HEAD:
            end = _HEAD + int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < end:
                return
            kind, flags = self._buffer[3], self._buffer[4]
            stream = int.from_bytes(self._buffer[5:_HEAD], "big")
            self._frame(kind, flags, stream, bytes(self._buffer[_HEAD:end]))
            del self._buffer[:end]

    def _frame(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        if kind == _RESET:
            self.connection.finish(stream)
        elif kind == _HEADERS:
            if flags & _PADDED:
                content = content[1 : len(content) - content[0]]
            if flags & _PRIORITY:
                content = content[5:]
            heads = dict(self._decoder.decode(content, raw=True))
            if self.from_server and flags & _END_STREAM:
                self.connection.finish(stream)
            elif not self.from_server:
                self.connection.begin(stream, bytes(heads.get(b":path", b"")))
