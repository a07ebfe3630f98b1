"""Who a process is to its peers: a certificate, its key and whom it trusts, read from files.

Files that change count from the next connection on. What is broken, or only half there, leaves
what was read before in force.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TypeAlias

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import FailedPrecondition, NotificationError, Reason
from ibs_notify.rpc.peer import CA_FILE, dns_name, spiffe_id
from ibs_notify.settings import SERVICES, ServiceName, Settings

log = logging.getLogger(__name__)

WARN_BEFORE = timedelta(days=30)
WARN_EACH = timedelta(days=1)
_REMEDY = "see ibs-notify certs show, and certs renew"

Signature: TypeAlias = tuple[tuple[int, int, int, int] | None, ...]
"""Of each file inode, size, when it was written and when its mode was changed; None for one that
cannot be seen."""


@dataclass(frozen=True, slots=True)
class Identity:
    """All PEM. ``certificate`` may be followed by intermediate ones; ``expires`` is its own end."""

    ca: bytes
    certificate: bytes
    key: bytes = field(repr=False)
    expires: datetime


def read_ca(directory: Path) -> bytes:
    """The certificates that are trusted; ``FailedPrecondition`` where the file has none."""
    path = directory / CA_FILE
    ca = _content(path)
    _certificate(path, ca)
    return ca


def read_identity(directory: Path, name: str, now: datetime) -> Identity:
    """``NAME.pem`` and ``NAME.key`` with ``ca.pem``.

    ``FailedPrecondition`` where a file is missing or broken, the certificate is not for ``name`` or
    not valid ``now``, and where the key is another's or open to other accounts.
    """
    certificate_path, key_path = directory / f"{name}.pem", directory / f"{name}.key"
    pem, key = _content(certificate_path), _private(key_path)
    certificate = _certificate(certificate_path, pem)
    try:
        is_pair = certificate.public_key() == _public_key(key_path, key)
        fault = _fault_of(certificate, name, now)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise _unusable(f"the certificate {certificate_path} cannot be read: {error}") from error
    if not is_pair:
        raise _unusable(f"the key {key_path} is not that of the certificate {certificate_path}")
    if fault:
        raise _unusable(f"the certificate {certificate_path} {fault}")
    return Identity(read_ca(directory), pem, key, certificate.not_valid_after_utc)


def expiry_warning(name: str, expires: datetime, now: datetime) -> str:
    """What to say of a certificate that ends within ``WARN_BEFORE``; empty before that."""
    if expires - now > WARN_BEFORE:
        return ""
    when = f"{'ended' if expires <= now else 'ends'} at {expires:%Y-%m-%d %H:%MZ}"
    return f"the certificate of {name} {when}; renew it, as by ibs-notify certs renew"


def names_in(certificate: x509.Certificate) -> list[str]:
    """Each subject alternative name: URI, host or address."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [str(each.value) for each in extension.value]


class IdentityFiles:
    """The identity ``name`` in ``directory``. May be asked from any thread.

    Raises as ``read_identity`` when made, and never after.
    """

    def __init__(self, directory: Path, name: str, clock: Clock) -> None:
        self.name = name
        self._directory = directory
        self._clock = clock
        self._lock = Lock()
        self._seen = self._signature()
        self._identity = read_identity(directory, name, clock.now())

    @classmethod
    def of(cls, settings: Settings, service: ServiceName, clock: Clock) -> IdentityFiles | None:
        """That of ``service``, which shares it by all that it opens; None: nothing is secured."""
        if not settings.secured:
            return None
        return cls(Path(settings.tls_directory), service, clock)

    def current(self) -> Identity:
        """What the files held when they were last whole; the same object until they change."""
        with self._lock:
            seen = self._signature()
            if seen != self._seen:
                self._seen = seen
                self._take()
            return self._identity

    def expiry_warning(self) -> str:
        """Empty unless what is in force ends soon."""
        return expiry_warning(self.name, self.current().expires, self._clock.now())

    def _take(self) -> None:
        try:
            new = read_identity(self._directory, self.name, self._clock.now())
        except NotificationError as error:
            log.error("the certificate that was read before stays in force: %s", error)
            return
        if new != self._identity:
            self._identity = new
            log.info("a new certificate counts, until %s", f"{new.expires:%Y-%m-%d %H:%MZ}")

    def _signature(self) -> Signature:
        names = (CA_FILE, f"{self.name}.pem", f"{self.name}.key")
        return tuple(_seen(self._directory / name) for name in names)


class ServerTls:
    """The credentials of a server's listeners; each handshake is made with the current files."""

    def __init__(self, files: IdentityFiles) -> None:
        self._files = files

    @classmethod
    def of(cls, files: IdentityFiles | None) -> ServerTls | None:
        """None where nothing is secured."""
        return None if files is None else cls(files)

    async def warn_of_expiry(self) -> None:
        """Log each day that the certificate ends soon, until cancelled."""
        while True:
            if warning := self._files.expiry_warning():
                log.warning("%s", warning)
            await asyncio.sleep(WARN_EACH.total_seconds())

    def for_clients(self) -> grpc.ServerCredentials:
        """Clients need no certificate."""
        return self._credentials(of_peers=False)

    def for_peers(self) -> grpc.ServerCredentials:
        """Only who has a certificate of our CA gets in."""
        return self._credentials(of_peers=True)

    def _credentials(self, *, of_peers: bool) -> grpc.ServerCredentials:
        in_force = self._files.current()

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal in_force
            identity = self._files.current()
            if identity is in_force:
                return None
            in_force = identity
            return _configuration(identity, of_peers=of_peers)

        return grpc.dynamic_ssl_server_credentials(
            _configuration(in_force, of_peers=of_peers),
            fetch,  # type: ignore[arg-type]  # None is no change; the stubs leave it out
            of_peers,
        )


def _configuration(identity: Identity, *, of_peers: bool) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(identity.key, identity.certificate)], identity.ca if of_peers else None
    )


def _seen(path: Path) -> tuple[int, int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _content(path: Path) -> bytes:
    return _content_and_mode(path)[0]


def _content_and_mode(path: Path) -> tuple[bytes, int]:
    try:
        with path.open("rb") as file:
            return file.read(), stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except OSError as error:
        raise FailedPrecondition(
            Reason.STORAGE_UNAVAILABLE,
            f"{path} cannot be read: {error.strerror}",
            advice="ibs-notify certs init makes the certificates; tls_directory says where",
        ) from error


def _private(path: Path) -> bytes:
    key, mode = _content_and_mode(path)
    if mode & 0o077:
        raise _unusable(
            f"the key {path} is open to other accounts (mode {mode:04o})", f"chmod 600 {path}"
        )
    return key


def _certificate(path: Path, pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise _unusable(f"{path} holds no certificate in PEM") from error


def _fault_of(certificate: x509.Certificate, name: str, now: datetime) -> str:
    """Why ``name`` cannot use it; empty where it can. Raises what a broken extension does."""
    names = names_in(certificate)
    if missing := _names_of(name) - set(names):
        return f"is not for {name}: it does not name {' and '.join(sorted(missing))}"
    if others := [each for each in names if "://" in each and each != spiffe_id(name)]:
        return f"has more than one URI, and so stands for nobody: {', '.join(others)}"
    if missing := _uses_of(name) - _uses_in(certificate):
        return f"may not be used for {' and '.join(sorted(missing))}"
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not start <= now < end:
        return (
            f"is valid from {start:%Y-%m-%d %H:%M:%SZ} to {end:%Y-%m-%d %H:%M:%SZ}, "
            "which is not now"
        )
    return ""


_USES = {
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
}


def _uses_of(name: str) -> set[str]:
    """What the others look for: a service is called, and calls."""
    return set(_USES.values()) if name in SERVICES else {"clientAuth"}


def _uses_in(certificate: x509.Certificate) -> set[str]:
    """All of them where it does not say."""
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return set(_USES.values())
    return {_USES[each] for each in uses.value if each in _USES}


def _names_of(name: str) -> set[str]:
    """What the others go by."""
    return {spiffe_id(name), *(dns_name(each) for each in SERVICES if each == name)}


def _public_key(path: Path, key: bytes) -> object:
    try:
        return serialization.load_pem_private_key(key, None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable(f"{path} holds no unencrypted private key in PEM") from error


def _unusable(message: str, advice: str = _REMEDY) -> FailedPrecondition:
    return FailedPrecondition(Reason.STORAGE_UNAVAILABLE, message, advice=advice)
