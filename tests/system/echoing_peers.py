"""Peers that repeat what they were told, secrets included, in every answer."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web

from tests.support.in_thread import in_thread
from tests.support.transports import LoopbackCa

STRADDLES = (500, 1000, 1020, 4090, 16380, 65500, 65530)
"""How much stands before the secret, so that limits of length cut it."""


@dataclass(slots=True)
class EchoingPeers:
    """An HTTP server whose path says how it fails, and a mail server that refuses a login.

    ``GET /STATUS/…`` is answered with that status; body and headers repeat the request. ``heads``
    and ``bodies`` are what came, apart.
    """

    ca: LoopbackCa = field(default_factory=LoopbackCa)
    http_port: int = 0
    https_port: int = 0
    mail_port: int = 0
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http_port}/{path}"

    @contextmanager
    def running(self) -> Iterator[EchoingPeers]:
        """Serve in a thread until the block ends."""
        with in_thread(self._serving):
            yield self

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.ca.server).start()
        self.http_port, self.https_port = (each[1] for each in runner.addresses)
        mail = await asyncio.start_server(self._mail, "127.0.0.1", 0)
        self.mail_port = mail.sockets[0].getsockname()[1]
        yield
        mail.close()
        await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        head = [request.raw_path, *(f"{name}: {value}" for name, value in request.headers.items())]
        self.heads.append("\n".join(head).encode())
        self.bodies.append(body)
        status = int(request.path.split("/")[1]) if request.path[1:4].isdigit() else 204
        if status == 204:
            return web.Response(status=status)
        said = " | ".join(head)
        # What a form or basic authentication hides a little, and what a limit of length cuts.
        for value in request.headers.values():
            scheme, _, coded = value.partition(" ")
            if scheme == "Basic":
                said += " | " + base64.b64decode(coded).decode()
            said += "".join(f" | {'x' * before}{value}" for before in STRADDLES)
        headers = {"X-Said": said[:4000], "Retry-After": "0"}
        return web.Response(
            status=status, text=said + body.decode(errors="replace"), headers=headers
        )

    async def _mail(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Offers AUTH in clear text and refuses it, repeating the line and what is in it."""

        async def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")
            await writer.drain()

        with suppress(OSError, asyncio.IncompleteReadError):
            await say("220 echo ESMTP")
            while line := (await reader.readline()).decode(errors="replace").strip():
                verb, _, rest = line.partition(" ")
                self.heads.append(line.encode())
                if verb.upper() == "EHLO":
                    await say("250-echo\r\n250 AUTH PLAIN LOGIN")
                elif verb.upper() == "AUTH":
                    coded = rest.partition(" ")[2]
                    clear = base64.b64decode(coded).decode(errors="replace").replace("\0", " ")
                    await say(f"535 5.7.8 {line} is wrong: {clear}")
                elif verb.upper() == "QUIT":
                    await say("221 bye")
                    break
                else:
                    await say(f"500 what is {line}?")
        writer.close()
