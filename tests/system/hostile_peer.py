"""A peer that answers to harm: each way on a port of its own, until it is killed.

Prints the ports as JSON, by the way's name. What is endless is sent as fast as it is taken.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress

_BLOCK = 256 * 1024
_DRIP_SECONDS = 0.05
_Say = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_GZIP = _OK + b"Content-Encoding: gzip\r\n"
_BOMB = gzip.compress(bytes(50_000_000))
_TLS_RECORD = b"\x17\x03\x03\x40\x00" + bytes(0x4000)
_TLS_HELLO = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03" + bytes(0x3FF6)


async def _endless(block: bytes) -> AsyncIterator[bytes]:
    whole = block * max(1, _BLOCK // len(block))
    while True:
        yield whole


async def _drip(text: bytes) -> AsyncIterator[bytes]:
    while True:
        for byte in text:
            yield bytes([byte])
            await asyncio.sleep(_DRIP_SECONDS)


async def _once(text: bytes) -> AsyncIterator[bytes]:
    yield text
    await asyncio.Event().wait()


async def _silence() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


def _http(head: bytes, rest: Callable[[], AsyncIterator[bytes]]) -> _Say:
    """Read a request's head, then ``head`` and ``rest``."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await _pour(writer, head, rest())

    return say


def _at_once(head: bytes, rest: Callable[[], AsyncIterator[bytes]]) -> _Say:
    """Talk as soon as there is a connection."""

    async def say(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _pour(writer, head, rest())

    return say


def _smtp(after: str, rest: Callable[[], AsyncIterator[bytes]]) -> _Say:
    """A mail server that is honest up to the command ``after``."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hostile ESMTP\r\n")
        while line := await reader.readline():
            verb = line.split(maxsplit=1)[0].upper().decode()
            if verb == after:
                await _pour(writer, b"", rest())
            extensions = b"250-hostile\r\n250 STARTTLS\r\n"
            usual = {"EHLO": extensions, "DATA": b"354 go\r\n", "STARTTLS": b"220 go\r\n"}
            writer.write(usual.get(verb, b"250 ok\r\n"))
            if verb == "STARTTLS":
                await asyncio.Event().wait()
            if verb == "DATA":
                await reader.readuntil(b"\r\n.\r\n")
                if after == ".":
                    await _pour(writer, b"", rest())
                writer.write(b"250 queued\r\n")

    return say


async def _pour(writer: asyncio.StreamWriter, head: bytes, rest: AsyncIterator[bytes]) -> None:
    writer.write(head)
    async for piece in rest:
        writer.write(piece)
        await writer.drain()


HTTP_WAYS: Mapping[str, _Say] = {
    "silence": _http(b"", _silence),
    "status line, dripping": _http(b"", lambda: _drip(_OK)),
    "status line, endless": _http(b"HTTP/1.1 200 ", lambda: _endless(b"A")),
    "header, dripping": _http(_OK + b"X-A: ", lambda: _drip(b"a")),
    "header, endless": _http(_OK + b"X-A: ", lambda: _endless(b"a")),
    "header name, endless": _http(_OK, lambda: _endless(b"a")),
    "headers, endless": _http(_OK, lambda: _endless(b"X-A: a\r\n")),
    "headers of two letters, endless": _http(_OK, lambda: _endless(b"a:\r\n")),
    "header, folded endlessly": _http(_OK + b"X-A: a\r\n", lambda: _endless(b" a\r\n")),
    "body, dripping": _http(_OK + b"Content-Length: 1000000\r\n\r\n", lambda: _drip(b"x")),
    "body of 10 GB": _http(_OK + b"Content-Length: 10000000000\r\n\r\n", lambda: _endless(b"x")),
    "body without end": _http(_OK + b"\r\n", lambda: _endless(b"x")),
    "chunks, large": _http(_CHUNKED, lambda: _endless(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")),
    "chunks, tiny": _http(_CHUNKED, lambda: _endless(b"1\r\nx\r\n")),
    "chunk size, endless": _http(_CHUNKED, lambda: _endless(b"0")),
    "chunk extension, endless": _http(_CHUNKED + b"1;", lambda: _endless(b"a")),
    "trailers, endless": _http(_CHUNKED + b"0\r\n", lambda: _endless(b"X-A: a\r\n")),
    "gzip bomb": _http(_GZIP + b"Content-Length: %d\r\n\r\n" % len(_BOMB), lambda: _once(_BOMB)),
    "100 Continue, endless": _http(b"", lambda: _endless(b"HTTP/1.1 100 Continue\r\n\r\n")),
    "102 Processing, dripping": _http(b"", lambda: _drip(b"HTTP/1.1 102 Processing\r\n\r\n")),
    "answers without end": _http(b"", lambda: _endless(_OK + b"Content-Length: 0\r\n\r\n")),
    "HTTP/0.9, endless": _http(b"", lambda: _endless(b"<html>")),
    "bare CR, endless": _http(_OK, lambda: _endless(b"X: a\r")),
    "NUL, endless": _http(b"", lambda: _endless(b"\0")),
    "before the request": _at_once(b"", lambda: _endless(_OK + b"\r\n")),
}
TLS_WAYS: Mapping[str, _Say] = {
    "TLS, silence": _at_once(b"", _silence),
    "TLS, silence after the hello": _at_once(_TLS_HELLO[:100], _silence),
    "TLS, hello dripping": _at_once(b"", lambda: _drip(_TLS_HELLO)),
    "TLS, handshake without end": _at_once(b"", lambda: _endless(_TLS_HELLO)),
    "TLS, records without end": _at_once(b"", lambda: _endless(_TLS_RECORD)),
}
SMTP_WAYS: Mapping[str, _Say] = {
    "silence": _at_once(b"", _silence),
    "greeting, dripping": _at_once(b"220 ", lambda: _drip(b"a")),
    "greeting, endless": _at_once(b"220 ", lambda: _endless(b"a")),
    "greeting, endless lines": _at_once(b"", lambda: _endless(b"220-a\r\n")),
    "greetings without end": _at_once(b"", lambda: _endless(b"220 a\r\n")),
    "answers to nothing": _at_once(b"", lambda: _endless(b"250 ok\r\n")),
    "bare CR, endless": _at_once(b"", lambda: _endless(b"220 a\r")),
    "NUL, endless": _at_once(b"", lambda: _endless(b"\0")),
    "EHLO, endless lines": _smtp("EHLO", lambda: _endless(b"250-SIZE\r\n")),
    "EHLO, lines dripping": _smtp("EHLO", lambda: _drip(b"250-SIZE\r\n")),
    "MAIL, dripping": _smtp("MAIL", lambda: _drip(b"250-a\r\n")),
    "MAIL, answers without end": _smtp("MAIL", lambda: _endless(b"250 ok\r\n")),
    "RCPT, endless": _smtp("RCPT", lambda: _endless(b"2")),
    "RCPT, dripping": _smtp("RCPT", lambda: _drip(b"250-a\r\n")),
    "DATA, dripping": _smtp("DATA", lambda: _drip(b"354-a\r\n")),
    "end of mail, endless": _smtp(".", lambda: _endless(b"250-a\r\n")),
}
STARTTLS_WAYS: Mapping[str, _Say] = {
    "STARTTLS, silence after it": _smtp("none", _silence),
    "STARTTLS, dripping": _smtp("STARTTLS", lambda: _drip(b"220-a\r\n")),
    "STARTTLS, endless": _smtp("STARTTLS", lambda: _endless(b"220-a\r\n")),
}
WAYS = {"http": HTTP_WAYS, "tls": TLS_WAYS, "smtp": SMTP_WAYS, "starttls": STARTTLS_WAYS}


def _guarded(say: _Say) -> _Say:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await say(reader, writer)
        writer.close()

    return accept


async def _serve() -> None:
    ports: dict[str, dict[str, int]] = {}
    servers = []
    for kind, ways in WAYS.items():
        for name, say in ways.items():
            server = await asyncio.start_server(_guarded(say), "127.0.0.1", 0)
            servers.append(server)
            ports.setdefault(kind, {})[name] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    await asyncio.gather(*(each.serve_forever() for each in servers))


if __name__ == "__main__":
    try:
        asyncio.run(_serve())
    except KeyboardInterrupt:
        sys.exit(0)
