"""From a mail server's name to a connection that is encrypted and authenticated as demanded."""

from __future__ import annotations

import socket
from datetime import datetime
from typing import Final

import aiosmtplib
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPConnectTimeoutError,
    SMTPException,
    SMTPHeloError,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from ibs_notify.delivery.transports import dial
from ibs_notify.delivery.transports.base import OutcomeReason
from ibs_notify.delivery.transports.dial import Dialler
from ibs_notify.delivery.transports.smtp_connection import SmtpConnection, abort, failure
from ibs_notify.delivery.transports.stages import AttemptFailed, StageLog, refused, retry
from ibs_notify.domain.target import SmtpAuth, SmtpSpec, TlsMode

COMMAND_SECONDS: Final = 30.0
"""For the greeting and the answer to each command but the final dot."""

_NOT_IMPLEMENTED: Final = (500, 502, 504)


class SmtpOpener:
    """Opens connections to one server. Nothing that its spec demands is optional."""

    def __init__(
        self,
        spec: SmtpSpec,
        password: str,
        dialler: Dialler,
        *,
        local_hostname: str,
        seconds: float = COMMAND_SECONDS,
    ) -> None:
        """``seconds`` is for the greeting and for each command.

        Raises InvalidArgument when the spec's CA cannot be used.
        """
        self._spec = spec
        self._password = password
        self._dialler = dialler
        self._local_hostname = local_hostname
        self._seconds = seconds
        # There is no context without TLS, so that none can be used by mistake.
        self._context = None if spec.tls_mode is TlsMode.NONE else dial.tls_context(spec.ca_pem)
        self.certificate_until: datetime | None = None
        """See ``base.Transport``."""

    async def open(self, log: StageLog) -> SmtpConnection:
        """A fresh connection. Raises AttemptFailed, and then no socket is left open."""
        spec = self._spec
        with log.stage("resolve") as note:
            addresses = await self._dialler.resolve(spec.server, spec.port)
            note(dial.shown(addresses))
        with log.stage("connect") as note:
            sock = await self._dialler.connect(addresses, self._seconds)
            client = self._client(sock)
            note(f"port {spec.port}")
            if spec.tls_mode is not TlsMode.IMPLICIT:
                note(await self._greet(client, sock))
        try:
            if spec.tls_mode is not TlsMode.NONE:
                with log.stage("tls") as note:
                    note(await self._encrypt(client, sock))
            if spec.auth is not SmtpAuth.NONE:
                with log.stage("auth") as note:
                    note(await self._authenticate(client))
        except BaseException:
            abort(client)
            raise
        return SmtpConnection(client)

    def _client(self, sock: socket.socket) -> aiosmtplib.SMTP:
        host = self._local_hostname
        if "." not in host:
            # RFC 5321 section 4.1.3: who has no full name gives its address.
            address = str(sock.getsockname()[0])
            host = f"[IPv6:{address}]" if sock.family == socket.AF_INET6 else f"[{address}]"
        return aiosmtplib.SMTP(
            hostname=self._spec.server,
            sock=sock,
            local_hostname=host,
            timeout=self._seconds,
            use_tls=self._spec.tls_mode is TlsMode.IMPLICIT,
            start_tls=False,  # by hand below, where every way it can fail has a name
            tls_context=self._context,
        )

    async def _greet(self, client: aiosmtplib.SMTP, sock: socket.socket) -> str:
        """The greeting (after the handshake, where TLS is implicit), then EHLO."""
        try:
            greeting = await client.connect()
            await _ehlo(client)
        except BaseException as error:
            abort(client)
            sock.close()
            if isinstance(error, (SMTPException, OSError)):
                raise self._greeting_failure(error) from None
            raise
        return greeting.message

    def _greeting_failure(self, error: Exception) -> AttemptFailed:
        cause = error.__cause__
        match error:
            case SMTPResponseException():
                return failure(error)
            case SMTPConnectTimeoutError():
                return retry(OutcomeReason.TIMEOUT, "the mail server does not greet")
            case SMTPConnectError() if isinstance(cause, SMTPServerDisconnected):
                return retry(
                    OutcomeReason.CONNECT_FAILED, "the mail server hung up before its greeting"
                )
            case SMTPConnectError() if isinstance(cause, OSError):
                return dial.tls_failure(cause, self._spec.server)
            case _:
                return failure(error)

    async def _encrypt(self, client: aiosmtplib.SMTP, sock: socket.socket) -> str:
        if self._spec.tls_mode is TlsMode.IMPLICIT:
            await self._greet(client, sock)
        else:
            await self._starttls(client)
        if client.transport is None or client.transport.get_extra_info("ssl_object") is None:
            raise retry(OutcomeReason.TLS_FAILED, "the connection is not encrypted")
        self.certificate_until = dial.certificate_until(client.transport)
        return dial.tls_version(client.transport)

    async def _starttls(self, client: aiosmtplib.SMTP) -> None:
        if not client.supports_extension("starttls"):
            raise retry(
                OutcomeReason.STARTTLS_NOT_OFFERED,
                "the server does not offer STARTTLS; use --tls implicit, or --tls none",
            )
        try:
            await client.starttls()
        except SMTPResponseException as error:
            raise retry(OutcomeReason.TLS_FAILED, error.message, code=max(0, error.code)) from None
        except SMTPTimeoutError:
            raise retry(OutcomeReason.TIMEOUT, "no answer in the TLS handshake") from None
        except (SMTPException, OSError) as error:
            raise dial.tls_failure(error, self._spec.server) from None
        try:
            await _ehlo(client)
        except (SMTPException, OSError) as error:
            raise failure(error) from None

    async def _authenticate(self, client: aiosmtplib.SMTP) -> str:
        method = self._spec.auth
        offered = client.server_auth_methods
        if method.value not in offered:
            others = ", ".join(offered) or "none"
            raise retry(
                OutcomeReason.AUTH_NOT_OFFERED,
                f"the server does not offer AUTH {method.value.upper()} here; it offers: {others}",
            )
        log_in = client.auth_plain if method is SmtpAuth.PLAIN else client.auth_login
        try:
            answer = await log_in(self._spec.username, self._password)
        except SMTPAuthenticationError as error:
            end = refused if error.code // 100 == 5 else retry
            reply = f"{error.message} (check --username and --password-file)"
            raise end(OutcomeReason.AUTH_FAILED, reply, code=max(0, error.code)) from None
        except (SMTPException, OSError) as error:
            raise failure(error) from None
        return f"{method.value.upper()}: {answer.message}"


async def _ehlo(client: aiosmtplib.SMTP) -> None:
    """EHLO, or HELO where the server does not know EHLO (RFC 5321 section 3.2)."""
    try:
        await client.ehlo()
    except SMTPHeloError as error:
        if error.code not in _NOT_IMPLEMENTED:
            raise
        await client.helo()
