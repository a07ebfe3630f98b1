"""Mail to a server that others wrote: STARTTLS, implicit TLS, AUTH, and the mail as it arrives."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from tests.support.transports import ANYWHERE, LoopbackCa, StillClock, message

from ibs_notify.delivery.transports.base import Verdict
from ibs_notify.delivery.transports.smtp import SmtpTransport
from ibs_notify.domain.target import SmtpAuth, SmtpSpec, TlsMode

PASSWORD = "s3cret-Pässword"


class Mailbox:
    """Keeps every envelope; ``refuse`` maps addresses to answers."""

    def __init__(self, **refuse: str) -> None:
        self.envelopes: list[Envelope] = []
        self.mechanisms: list[str] = []
        self.refuse = refuse

    async def handle_DATA(  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.envelopes.append(envelope)
        return "250 kept"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        self.mechanisms.append(mechanism)
        assert isinstance(data, LoginPassword)
        known = (data.login, data.password) == (b"ibs-svc", PASSWORD.encode())
        return AuthResult(success=known, handled=known)


@asynccontextmanager
async def serving(mailbox: Mailbox, tls: ssl.SSLContext, *, implicit: bool) -> AsyncIterator[int]:
    def protocol() -> SMTP:
        return SMTP(
            mailbox,
            hostname="mail.example.org",
            tls_context=None if implicit else tls,
            require_starttls=not implicit,
            auth_required=not implicit,
            auth_require_tls=not implicit,
            authenticator=mailbox.authenticate,
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls if implicit else None)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("mode", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
@pytest.mark.parametrize("auth", [SmtpAuth.PLAIN, SmtpAuth.LOGIN])
async def test_mail_arrives_with_every_kind_of_tls_and_auth(mode: TlsMode, auth: SmtpAuth) -> None:
    ca, mailbox = LoopbackCa(), Mailbox()
    async with serving(mailbox, ca.server, implicit=mode is TlsMode.IMPLICIT) as port:
        spec = SmtpSpec("localhost", port, mode, auth, "ibs-svc", ca_pem=ca.pem)
        sender = SmtpTransport(spec, PASSWORD, StillClock(), ANYWHERE, command_seconds=5)
        outcomes = [await sender.attempt(message("jürgen@example.org")) for _ in range(2)]
        await sender.close()
    assert [outcome.verdict for outcome in outcomes] == [Verdict.DELIVERED] * 2
    assert mailbox.mechanisms == [auth.value.upper()]
    assert [each.rcpt_tos for each in mailbox.envelopes] == [["jürgen@example.org"]] * 2
    mail = message_from_bytes(mailbox.envelopes[0].original_content or b"", policy=policy.default)
    assert mail["Subject"] == "[IBS error] Backup failed for vm/12345"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
