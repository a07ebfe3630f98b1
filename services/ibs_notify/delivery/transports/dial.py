"""Name, connection and TLS of a peer: the first steps of every attempt and test."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime

from ibs_notify.delivery.transports.base import OutcomeReason
from ibs_notify.delivery.transports.stages import AttemptFailed, StageLog, retry
from ibs_notify.domain.errors import FieldViolation, InvalidArgument, Reason

CONNECT_SECONDS = 10.0
"""For resolving, for connecting and for the TLS handshake, each."""

AddressInfo = tuple[int, int, int, str, tuple[object, ...]]


def tls_context(ca_pem: str) -> ssl.SSLContext:
    """Verifies chain and name; ``ca_pem``, where given, is trusted *instead of* the system's CAs.

    Raises InvalidArgument when ``ca_pem`` holds no certificate.
    """
    # Remarks between the certificates may be in any language; the library takes ASCII only.
    readable = ca_pem.encode("ascii", "replace").decode()
    try:
        return ssl.create_default_context(cadata=readable or None)
    except (ssl.SSLError, ValueError) as error:
        message = "has no certificate in PEM format"
        raise InvalidArgument(
            Reason.FIELD_INVALID,
            f"ca_pem {message}",
            advice="give the CA's certificate: a file with -----BEGIN CERTIFICATE-----",
            violations=(FieldViolation("ca_pem", message),),
        ) from error


async def resolve(host: str, port: int) -> Sequence[AddressInfo]:
    """The addresses of ``host``, in the resolver's order. Raises AttemptFailed (DNS_FAILED)."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise retry(OutcomeReason.DNS_FAILED, f"no answer to the name {host}") from None
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a host name"
        raise retry(OutcomeReason.DNS_FAILED, f"{host} does not resolve: {why}") from None


def shown(addresses: Sequence[AddressInfo]) -> str:
    """The IP addresses, for people."""
    return ", ".join(dict.fromkeys(str(each[4][0]) for each in addresses))


async def connect(addresses: Sequence[AddressInfo], seconds: float) -> socket.socket:
    """A connection to the first address that answers; each gets its share of ``seconds``.

    Raises AttemptFailed (CONNECT_FAILED, or TIMEOUT where the last address did not answer).
    """
    failure: AttemptFailed | None = None
    for family, kind, protocol, _, address in addresses:
        where = f"{address[0]} port {address[1]}"
        try:
            async with asyncio.timeout(seconds / len(addresses)):
                return await _connect_one(family, kind, protocol, address)
        except TimeoutError:
            failure = retry(OutcomeReason.TIMEOUT, f"{where} does not answer")
        except OSError as error:
            # By number: the loop's own text does not say what is wrong.
            why = os.strerror(error.errno).lower() if error.errno else "no connection"
            failure = retry(OutcomeReason.CONNECT_FAILED, f"{where}: {why}")
    raise failure or retry(OutcomeReason.DNS_FAILED, "the name has no address")


async def _connect_one(
    family: int, kind: int, protocol: int, address: tuple[object, ...]
) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(0)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def tls_failure(error: Exception, host: str) -> AttemptFailed:
    """What an administrator can do about a handshake that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return retry(
            OutcomeReason.TLS_FAILED,
            f"the certificate of {host} is not trusted: {error.verify_message}; "
            "a private CA is given with --ca-file",
        )
    if isinstance(error, ssl.SSLError):
        why = (error.reason or "handshake failed").lower().replace("_", " ")
        return retry(OutcomeReason.TLS_FAILED, f"no TLS with {host}: {why}")
    return retry(OutcomeReason.TLS_FAILED, f"{host} broke off the TLS handshake")


async def probe(log: StageLog, host: str, port: int, context: ssl.SSLContext | None) -> None:
    """The stages resolve, connect and, with a ``context``, tls, on a connection of their own.

    Raises AttemptFailed at the first that fails; nothing is sent.
    """
    with log.stage("resolve") as note:
        addresses = await resolve(host, port)
        note(shown(addresses))
    with log.stage("connect") as note:
        sock = await connect(addresses, CONNECT_SECONDS)
        note(f"port {port}")
    if context is None:
        sock.close()
        return
    with log.stage("tls") as note:
        note(await _handshake(sock, host, context))


async def _handshake(sock: socket.socket, host: str, context: ssl.SSLContext) -> str:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            transport, _ = await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, sock=sock, ssl=context, server_hostname=host
            )
    except BaseException as error:
        sock.close()
        if isinstance(error, TimeoutError):
            raise retry(OutcomeReason.TLS_FAILED, f"{host} does not answer in TLS") from None
        if isinstance(error, OSError):
            raise tls_failure(error, host) from None
        raise
    version = tls_version(transport)
    transport.abort()
    await asyncio.sleep(0)
    return version


def certificate_until(transport: asyncio.BaseTransport) -> datetime | None:
    """When the certificate of the peer expires; ``None`` where it showed none."""
    certificate = transport.get_extra_info("peercert") or {}
    until = certificate.get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC) if until else None


def tls_version(transport: asyncio.BaseTransport) -> str:
    """The protocol that was agreed on, such as ``TLSv1.3``, for people."""
    encrypted = transport.get_extra_info("ssl_object")
    return f"{encrypted.version()}, certificate verified"
