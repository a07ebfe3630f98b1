"""Name, address, connection and TLS of a peer: the first steps of every attempt and test."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from typing import Final

from ibs_notify.delivery.transports.base import OutcomeReason
from ibs_notify.delivery.transports.stages import AttemptFailed, StageLog, retry
from ibs_notify.domain.address_ranges import IpAddress, ends_of
from ibs_notify.domain.egress import EgressPolicy, judge
from ibs_notify.domain.errors import FieldViolation, InvalidArgument, Reason

CONNECT_SECONDS = 10.0
"""For resolving, for connecting and for the TLS handshake, each."""

LOOKUPS: Final = 32
"""Names that are looked up at a time. The resolver keeps a thread for as long as it likes."""

AddressInfo = tuple[int, int, int, str, tuple[object, ...]]
_Answer = Sequence[AddressInfo]


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


class Dialler:
    """The only way out to a target: what is dialled is the address that ``policy`` allowed.

    A name is resolved once for a connection, and the address that was judged is the one that the
    socket gets: a name that answers something else the next time changes nothing. Of several
    addresses the refused ones are left out, since a network's own name servers give link-local
    ones beside others; where all are refused, so is the attempt.
    """

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        # Of their own, and one for a name: a zone whose servers are silent holds up nobody else.
        self._threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="resolve")
        self._lookups: dict[tuple[str, int], asyncio.Future[_Answer]] = {}

    async def resolve(self, host: str, port: int) -> Sequence[AddressInfo]:
        """The allowed addresses of ``host``, in the resolver's order.

        Raises AttemptFailed (DNS_FAILED, ADDRESS_REFUSED).
        """
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                found = await asyncio.shield(self._looked_up(host, port))
        except TimeoutError:
            raise retry(OutcomeReason.DNS_FAILED, f"no answer to the name {host}") from None
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not a host name"
            raise retry(OutcomeReason.DNS_FAILED, f"{host} does not resolve: {why}") from None
        refusals = [self._refusal(each) for each in found]
        allowed = [each for each, why in zip(found, refusals, strict=True) if not why]
        if not allowed:
            why = "; ".join(dict.fromkeys(refusals)) or "the name has no address"
            reason = OutcomeReason.ADDRESS_REFUSED if refusals else OutcomeReason.DNS_FAILED
            raise retry(reason, why)
        return allowed

    async def connect(self, addresses: Sequence[AddressInfo], seconds: float) -> socket.socket:
        """A connection to the first address that answers; each gets its share of ``seconds``.

        Raises AttemptFailed (ADDRESS_REFUSED, CONNECT_FAILED, or TIMEOUT where the last address
        did not answer).
        """
        failure: AttemptFailed | None = None
        for info in addresses:
            where = f"{info[4][0]} port {info[4][1]}"
            try:
                async with asyncio.timeout(seconds / len(addresses)):
                    return await self._connect_one(info)
            except TimeoutError:
                failure = retry(OutcomeReason.TIMEOUT, f"{where} does not answer")
            except OSError as error:
                # By number: the loop's own text does not say what is wrong.
                why = os.strerror(error.errno).lower() if error.errno else "no connection"
                failure = retry(OutcomeReason.CONNECT_FAILED, f"{where}: {why}")
        raise failure or retry(OutcomeReason.DNS_FAILED, "the name has no address")

    def open_socket(self, info: AddressInfo) -> socket.socket:
        """A socket to connect to ``info`` with. Raises AttemptFailed (ADDRESS_REFUSED)."""
        if why := self._refusal(info):
            raise retry(OutcomeReason.ADDRESS_REFUSED, why)
        family, kind, protocol, _, _ = info
        return socket.socket(family, kind, protocol)

    async def probe(
        self, log: StageLog, host: str, port: int, context: ssl.SSLContext | None
    ) -> None:
        """The stages resolve, connect and, with a ``context``, tls, on a connection of their own.

        Raises AttemptFailed at the first that fails; nothing is sent.
        """
        with log.stage("resolve") as note:
            addresses = await self.resolve(host, port)
            note(shown(addresses))
        with log.stage("connect") as note:
            sock = await self.connect(addresses, CONNECT_SECONDS)
            note(f"port {port}")
        if context is None:
            sock.close()
            return
        with log.stage("tls") as note:
            note(await _handshake(sock, host, context))

    def _looked_up(self, host: str, port: int) -> asyncio.Future[_Answer]:
        """The addresses of ``host``; whoever asks meanwhile gets the same answer."""
        key = (host, port)
        lookup = self._lookups.get(key)
        if lookup is None:
            ask: Callable[[], _Answer] = partial(
                socket.getaddrinfo, host, port, type=socket.SOCK_STREAM
            )
            lookup = asyncio.get_running_loop().run_in_executor(self._threads, ask)
            self._lookups[key] = lookup
            lookup.add_done_callback(partial(self._forget, key))
        return lookup

    def _forget(self, key: tuple[str, int], lookup: asyncio.Future[_Answer]) -> None:
        del self._lookups[key]
        if not lookup.cancelled():
            lookup.exception()  # asked for, as perhaps nobody waits for it any more

    async def _connect_one(self, info: AddressInfo) -> socket.socket:
        sock = self.open_socket(info)
        try:
            sock.settimeout(0)
            await asyncio.get_running_loop().sock_connect(sock, info[4])
        except BaseException:
            sock.close()
            raise
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _refusal(self, info: AddressInfo) -> str:
        """Why ``info`` may not be dialled; empty where it may."""
        host, port = str(info[4][0]), int(str(info[4][1]))
        is_here = port in self._policy.own_ports and _is_here(host)
        return judge(self._policy, host, port, is_here=is_here).why


def _is_here(host: str) -> bool:
    """Whether a connection to the address may end on this machine."""
    try:
        return any(_is_bindable(each) for each in ends_of(ip_address(host)))
    except ValueError:
        return False


def _is_bindable(address: IpAddress) -> bool:
    """Only to an address of this machine can a socket be bound."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((str(address), 0))
        except OSError:
            return False
        return True


def shown(addresses: Sequence[AddressInfo]) -> str:
    """The IP addresses, for people."""
    return ", ".join(dict.fromkeys(str(each[4][0]) for each in addresses))


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
