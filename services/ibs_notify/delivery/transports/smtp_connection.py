"""One SMTP connection, ready for mail after mail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, cast

import aiosmtplib
from aiosmtplib import SMTPResponse
from aiosmtplib.errors import (
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from ibs_notify.delivery.transports.base import OutcomeReason, Verdict
from ibs_notify.delivery.transports.stages import AttemptFailed, refused, retry

FINAL_DOT_SECONDS: Final = 600.0
"""RFC 5321 section 4.5.3.2.6: who gives up earlier makes duplicates."""


class SmtpConnection:
    """A session after its greeting, TLS and AUTH. One mail at a time.

    The server's answers are returned whatever their code; only a connection that broke or fell
    silent raises: SMTPServerDisconnected or SMTPTimeoutError.
    """

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self._client = client
        self.messages = 0
        self.dot_sent = False
        """Whether the end of the current mail was sent: from then on the peer may have it."""

    @property
    def usable(self) -> bool:
        return self._client.is_connected

    @property
    def has_smtputf8(self) -> bool:
        return self._client.supports_extension("smtputf8")

    @property
    def most_bytes(self) -> int | None:
        """The largest mail that the server takes (RFC 1870); None where it does not say."""
        size = self._client.esmtp_extensions.get("size", "").strip()
        return int(size) or None if size.isascii() and size.isdigit() else None

    async def mail(self, sender: str, size: int, *, utf8: bool) -> SMTPResponse:
        """Begin a mail of ``size`` bytes."""
        self.messages += 1
        self.dot_sent = False
        options = ["SMTPUTF8"] if utf8 else []
        if self._client.supports_extension("size"):
            options.append(f"SIZE={size}")
        return await self._answer(
            self._client.mail(sender, options=options, encoding=_encoding(utf8))
        )

    async def rcpt(self, recipient: str, *, utf8: bool) -> SMTPResponse:
        """Name one recipient."""
        return await self._answer(self._client.rcpt(recipient, encoding=_encoding(utf8)))

    async def data(self, mail: bytes) -> SMTPResponse:
        """Send ``mail`` (CRLF line ends) and wait for the verdict on it.

        A refusal of the command DATA is returned just the same; ``dot_sent`` tells them apart.
        """
        response = await self._answer(self._client.execute_command(b"DATA"))
        if response.code != 354:
            return response
        protocol = self._client.protocol
        if protocol is None:
            raise SMTPServerDisconnected("Connection lost")
        # aiosmtplib's own data() has one timeout for both answers and hides which of them failed.
        protocol.write(_stuffed(mail) + b".\r\n")
        self.dot_sent = True
        try:
            return await self._answer(protocol.read_response(timeout=FINAL_DOT_SECONDS))
        except (SMTPServerDisconnected, SMTPTimeoutError):
            self.abort()
            raise

    async def _answer(self, command: Awaitable[SMTPResponse]) -> SMTPResponse:
        """The answer, also where aiosmtplib makes an exception of it; nonsense has the code 0."""
        try:
            return await command
        except SMTPResponseException as error:
            if error.code < 0:
                self.abort()  # from here on questions and answers might not match
            return SMTPResponse(max(0, error.code), error.message)

    async def reset(self) -> None:
        """Forget a mail that was begun; a connection that cannot do so is closed."""
        try:
            await self._client.rset()
        except (SMTPException, OSError):
            self.abort()

    def say_quit(self) -> None:
        """Announce the end, as RFC 5321 section 4.1.1.10 wants it; the answer is not awaited."""
        if self._client.protocol is not None and self._client.is_connected:
            self._client.protocol.write(b"QUIT\r\n")

    def leave(self) -> None:
        """Close in good manners, in the background."""
        self.say_quit()
        self._client.close()

    def abort(self) -> None:
        """Close at once: the socket is gone after the next turn of the event loop."""
        abort(self._client)


def abort(client: aiosmtplib.SMTP) -> None:
    """Close ``client`` without waiting for anything."""
    if client.transport is not None:
        # uvloop's transports inherit from none of asyncio's classes.
        cast("asyncio.Transport", client.transport).abort()
    client.close()


def judge(code: int) -> tuple[Verdict, OutcomeReason]:
    """What an answer means (RFC 5321 section 4.2.1). Nonsense is to be retried."""
    match code // 100:
        case 2:
            return Verdict.DELIVERED, OutcomeReason.ACCEPTED
        case 4:
            return Verdict.RETRY, OutcomeReason.SMTP_4XX
        case 5:
            return Verdict.REFUSED, OutcomeReason.SMTP_5XX
        case _:
            return Verdict.RETRY, OutcomeReason.PROTOCOL_ERROR


def failure(error: Exception) -> AttemptFailed:
    """The end of an attempt by an answer out of place, a broken or a silent connection."""
    if isinstance(error, SMTPResponseException):
        verdict, reason = judge(error.code)
        end = refused if verdict is Verdict.REFUSED else retry
        if verdict is Verdict.DELIVERED:
            reason = OutcomeReason.PROTOCOL_ERROR
        return end(reason, error.message, code=max(0, error.code))
    if isinstance(error, TimeoutError):
        return retry(OutcomeReason.TIMEOUT, "the mail server does not answer")
    return retry(OutcomeReason.DISCONNECTED, "the mail server broke the connection")


def _encoding(utf8: bool) -> str:  # noqa: FBT001 # named by every caller's own argument
    return "utf-8" if utf8 else "ascii"


def _stuffed(mail: bytes) -> bytes:
    """RFC 5321 section 4.5.2: a line that begins with a dot gets another."""
    stuffed = mail.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed
