"""Where the demo's notifications arrive: a mail server and an HTTP server, both on loopback.

Both turn a few messages away at first, as busy servers do, so that retries are seen to work.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail for one recipient."""

    recipient: str
    event_id: str
    severity: str
    subject: str
    message_id: str


class MailSink:
    """A mail server that keeps what it accepts; ``greylist`` mails are first answered with 451."""

    def __init__(self, greylist: int = 0) -> None:
        self.received: list[Mail] = []
        self.turned_away = 0
        self.port = 0
        self._greylist = greylist

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="mail.example.com", enable_SMTPUTF8=True, loop=loop),
            LOOPBACK,
            0,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._server.close()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        """Called by aiosmtpd for each mail; returns the reply."""
        if self.turned_away < self._greylist:
            self.turned_away += 1
            return "451 4.7.1 Greylisted, please try again"
        message = message_from_bytes(envelope.original_content or b"", policy=policy.SMTP)
        for recipient in envelope.rcpt_tos:
            self.received.append(_mail(recipient, message))
        return "250 2.0.0 Kept"

    def of(self, recipient: str) -> list[Mail]:
        """What ``recipient`` got."""
        return [mail for mail in self.received if mail.recipient == recipient]


def _mail(recipient: str, message: EmailMessage) -> Mail:
    return Mail(
        recipient=recipient,
        event_id=str(message["X-IBS-Event-Id"]),
        severity=str(message["X-IBS-Severity"]),
        subject=str(message["Subject"]),
        message_id=str(message["Message-ID"]),
    )


@dataclass(frozen=True, slots=True)
class Post:
    """One request that was accepted: ``webhook_id`` is the same on every attempt."""

    webhook_id: str
    authorization: str
    fields: Mapping[str, Any]


class WebhookSink:
    """An HTTP server with ``/chat``, which takes JSON, and ``/sms``, which takes a form.

    It takes points as an InfluxDB does, too: ``points`` has the tags of each, by its time.
    ``outage`` requests to ``/chat`` are first answered with 503.
    """

    def __init__(self, outage: int = 0) -> None:
        self.chat: list[Post] = []
        self.sms: list[Post] = []
        self.points: dict[str, Mapping[str, str]] = {}
        self.turned_away = 0
        self.url = ""
        self._outage = outage

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_post("/chat", self._on_chat)
        application.router.add_post("/sms", self._on_sms)
        application.router.add_post("/api/v2/write", self._on_points)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, 0)
        await site.start()
        self.url = f"http://{LOOPBACK}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    async def _on_chat(self, request: web.Request) -> web.Response:
        if self.turned_away < self._outage:
            self.turned_away += 1
            return web.Response(status=503, text="the chat server restarts")
        self.chat.append(_post(request, json.loads(await request.read())))
        return web.Response(text="ok")

    async def _on_sms(self, request: web.Request) -> web.Response:
        form = dict(parse_qsl(await request.text(), keep_blank_values=True, strict_parsing=True))
        self.sms.append(_post(request, form))
        return web.Response(text="queued")

    async def _on_points(self, request: web.Request) -> web.Response:
        for line in (await request.text()).split("\n"):
            if "count=1i" in line:
                series = line.partition(" ")[0]
                tags = dict(tag.split("=", 1) for tag in series.split(",")[1:])
                self.points[line.rpartition(" ")[2]] = tags
        return web.Response(status=204)


def _post(request: web.Request, fields: Mapping[str, Any]) -> Post:
    return Post(
        webhook_id=request.headers.get("webhook-id", ""),
        authorization=request.headers.get("Authorization", ""),
        fields=fields,
    )
