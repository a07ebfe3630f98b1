"""What the targets of a browser test reach: a mail server and an HTTP server on loopback.

The HTTP server answers as its path says: ``/ok`` (204), ``/busy`` (503), ``/gone`` (410),
``/wrong`` (400), and what a test gave to ``replies``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.in_thread import in_thread

STATUSES = {"busy": 503, "gone": 410, "wrong": 400}


@dataclass(slots=True)
class Peers:
    """Ports on 127.0.0.1, and the mails that arrived. ``replies``: bodies by path."""

    mail_port: int = 0
    http_port: int = 0
    mails: list[Envelope] = field(default_factory=list)
    replies: dict[str, tuple[int, str]] = field(default_factory=dict)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http_port}/{path}"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.mails.append(envelope)
        return "250 2.0.0 kept"

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        path = request.path.strip("/").partition("/")[0]
        status, text = self.replies.get(path, (STATUSES.get(path, 204), ""))
        return web.Response(status=status, text=text)


@contextmanager
def running_peers() -> Iterator[Peers]:
    """Servers in a thread of their own, until the block ends."""
    peers = Peers()

    @asynccontextmanager
    async def serve() -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        mail = await loop.create_server(
            lambda: SMTP(peers, hostname="mail.test", loop=loop), "127.0.0.1", 0
        )
        peers.mail_port = mail.sockets[0].getsockname()[1]
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", peers.answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        peers.http_port = runner.addresses[0][1]
        yield
        mail.close()
        await runner.cleanup()

    with in_thread(serve):
        yield peers
