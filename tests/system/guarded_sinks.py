"""Sinks that take only who shows the right credential, and count who does not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.in_thread import in_thread
from tests.support.transports import LoopbackCa

HEADER = "X-Api-Key"
USER = "ibs"


@dataclass(slots=True)
class GuardedSinks:
    """A webhook that wants a header at each path, and a mail server that wants a login.

    ``api_keys`` are by path. ``accepted`` counts messages by event id and sink; ``refused`` is what
    came with a wrong credential, or none.
    """

    api_keys: dict[str, str]
    password: str
    ca: LoopbackCa = field(default_factory=LoopbackCa)
    http_port: int = 0
    mail_port: int = 0
    accepted: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[GuardedSinks]:
        """Serve in a thread until the block ends."""
        with in_thread(self._serving):
            yield self

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        application = web.Application()
        application.router.add_post("/{path}", self._take)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server = await loop.create_server(lambda: self._mail(loop), "127.0.0.1", 0)
        self.http_port = runner.addresses[0][1]
        self.mail_port = server.sockets[0].getsockname()[1]
        yield
        server.close()
        await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        if request.headers.get(HEADER) != self.api_keys[path]:
            self.refused.append(f"http {path}")
            return web.Response(status=401)
        body = await request.json()
        self.accepted[(body["event_id"], path)] += 1
        return web.Response(status=204)

    def _mail(self, loop: asyncio.AbstractEventLoop) -> SMTP:
        return SMTP(
            self,
            hostname="sink.test",
            loop=loop,
            tls_context=self.ca.server,
            require_starttls=True,
            auth_required=True,
            authenticator=self._authenticate,
        )

    def _authenticate(self, *given: Any) -> AuthResult:
        credentials = given[-1]
        assert isinstance(credentials, LoginPassword)
        right = (credentials.login, credentials.password) == (USER.encode(), self.password.encode())
        if not right:
            self.refused.append("smtp")
        return AuthResult(success=right)

    async def handle_DATA(  # the name that aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        head = content.decode(errors="replace").partition("\r\n\r\n")[0]
        event = next(
            line.partition(": ")[2] for line in head.split("\r\n") if line.startswith("X-IBS-Event")
        )
        self.accepted[(event, "mail")] += 1
        return "250 2.0.0 kept"
