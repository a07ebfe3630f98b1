"""Receivers that answer without end: the attempt ends in time and keeps little of it."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from tests.support.transports import ANYWHERE, SENDER, StillClock, message

from ibs_notify.delivery.transports.base import Outcome, Verdict
from ibs_notify.delivery.transports.smtp import SmtpTransport
from ibs_notify.delivery.transports.webhook import WebhookTransport
from ibs_notify.domain.target import SmtpAuth, SmtpSpec, TlsMode, WebhookSpec

SECONDS = 0.5
"""Of the deadline, in place of 30."""
PATIENCE_SECONDS = 5.0
MOST_BYTES = 5 * 1024 * 1024


@asynccontextmanager
async def endless(first: bytes, again: bytes, pause: float = 0.0) -> AsyncIterator[int]:
    """The port of a server that says ``first``, and then ``again`` for as long as it can."""
    ended: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over = asyncio.Event()
        ended.append(over)
        try:
            writer.write(first)
            while True:
                writer.write(again)
                await writer.drain()
                await asyncio.sleep(pause)
        except OSError:
            pass  # the client had enough
        finally:
            writer.transport.abort()
            over.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for each in ended:
            await each.wait()


@contextmanager
def little_of_both() -> Iterator[None]:
    """The block takes neither long nor much memory."""
    tracemalloc.start()
    begun = time.monotonic()
    try:
        yield
        assert time.monotonic() - begun < PATIENCE_SECONDS
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


async def posted(port: int) -> Outcome:
    spec = WebhookSpec(f"http://127.0.0.1:{port}/")
    sender = WebhookTransport(spec, {}, StillClock(), ANYWHERE, total_seconds=SECONDS)
    try:
        return await sender.attempt(message())
    finally:
        await sender.close()


async def mailed(port: int, tls_mode: TlsMode) -> Outcome:
    spec = SmtpSpec("127.0.0.1", port, tls_mode, SmtpAuth.NONE, from_address=SENDER)
    sender = SmtpTransport(spec, "", StillClock(), ANYWHERE, command_seconds=SECONDS)
    try:
        return await sender.attempt(message("a@example.org"))
    finally:
        await sender.close()


OK = b"HTTP/1.1 200 OK\r\n"
HTTP = {
    "a header line": (OK + b"X-A: ", b"a" * 65_536),
    "header lines": (OK, b"X-A: " + b"a" * 100 + b"\r\n"),
    "short header lines": (OK, b"a:\r\n" * 1000),
    "a status line": (b"HTTP/1.1 200 ", b"O" * 65_536),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "a body": (OK + b"\r\n", b"x" * 65_536),
    "a chunk size": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 65_536),
    "chunk extensions": (OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 65_536),
    "trailers": (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: " + b"a" * 100 + b"\r\n"),
    "no HTTP": (b"", b"\0" * 65_536),
}


@pytest.mark.parametrize(("first", "again"), HTTP.values(), ids=HTTP)
async def test_an_http_answer_without_end_ends_with_the_attempt(first: bytes, again: bytes) -> None:
    async with endless(first, again) as port:
        with little_of_both():
            outcome = await posted(port)
    assert outcome.verdict in (Verdict.RETRY, Verdict.DELIVERED)
    assert len(outcome.reply) <= 1024


@pytest.mark.parametrize("first", [b"", OK + b"X-A: ", OK + b"\r\n"])
async def test_an_http_answer_that_drips_ends_with_the_attempt(first: bytes) -> None:
    async with endless(first, b"x", pause=0.01) as port:
        with little_of_both():
            await posted(port)


SMTP = {
    "a greeting": (b"220 ", b"a" * 65_536),
    "lines of a greeting": (b"", b"220-hello\r\n"),
    "lines of EHLO": (b"220 hello\r\n", b"250-SIZE 1\r\n" * 1000),
    "nothing but zeros": (b"", b"\0" * 65_536),
    "answers to nothing": (b"", b"250 ok\r\n" * 1000),
}


@pytest.mark.parametrize("tls_mode", [TlsMode.NONE, TlsMode.STARTTLS, TlsMode.IMPLICIT])
@pytest.mark.parametrize(("first", "again"), SMTP.values(), ids=SMTP)
async def test_an_smtp_answer_without_end_ends_with_the_attempt(
    first: bytes, again: bytes, tls_mode: TlsMode
) -> None:
    async with endless(first, again) as port:
        with little_of_both():
            outcome = await mailed(port, tls_mode)
    assert outcome.verdict is not Verdict.DELIVERED


@pytest.mark.parametrize("tls_mode", [TlsMode.NONE, TlsMode.IMPLICIT])
async def test_an_smtp_answer_that_drips_ends_with_the_attempt(tls_mode: TlsMode) -> None:
    async with endless(b"220-", b"a", pause=0.01) as port:
        with little_of_both():
            outcome = await mailed(port, tls_mode)
    assert outcome.verdict is Verdict.RETRY
