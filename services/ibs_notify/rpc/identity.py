"""Who a process is to its peers: a certificate, its key and whom it trusts, read and judged."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from ibs_notify.domain.errors import FailedPrecondition, Reason
from ibs_notify.rpc.peer import CA_FILE, CONSOLE, dns_name, spiffe_id
from ibs_notify.settings import SERVICES

_REMEDY = "see ibs-notify certs show, and certs renew"
_MISSING = "ibs-notify certs init makes the certificates; tls_directory says where"
_CLOSED = "the account that this runs as has to own it, or be let into its directory and read it"


@dataclass(frozen=True, slots=True)
class Identity:
    """All PEM. ``certificate`` may be followed by intermediate ones; ``expires`` is its own end."""

    ca: bytes
    certificate: bytes
    key: bytes = field(repr=False)
    expires: datetime


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
    return Identity(_ca(directory), pem, key, certificate.not_valid_after_utc)


def names_in(certificate: x509.Certificate) -> list[str]:
    """Each subject alternative name: URI, host or address; none where they cannot be read."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, x509.DuplicateExtension, x509.ExtensionNotFound):
        return []
    return [str(each.value) for each in extension.value]


def _ca(directory: Path) -> bytes:
    """The certificates that are trusted; ``FailedPrecondition`` where the file has none."""
    path = directory / CA_FILE
    ca = _content(path)
    _certificate(path, ca)
    return ca


def _content(path: Path) -> bytes:
    return _content_and_mode(path)[0]


def _content_and_mode(path: Path) -> tuple[bytes, int]:
    try:
        with path.open("rb") as file:
            return file.read(), stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except OSError as error:
        closed = isinstance(error, PermissionError)
        raise FailedPrecondition(
            Reason.STORAGE_UNAVAILABLE,
            f"{path} cannot be read: {error.strerror}",
            advice=_CLOSED if closed else _MISSING,
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
    """What the others look for: a service is called, and calls; browsers call the console."""
    if name == CONSOLE:
        return {"serverAuth"}
    return set(_USES.values()) if name in SERVICES else {"clientAuth"}


def _uses_in(certificate: x509.Certificate) -> set[str]:
    """All of them where it does not say."""
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return set(_USES.values())
    return {_USES[each] for each in uses.value if each in _USES}


def _names_of(name: str) -> set[str]:
    """What the others go by; browsers go by the name of a host, whatever that is."""
    if name == CONSOLE:
        return set()
    return {spiffe_id(name), *(dns_name(each) for each in SERVICES if each == name)}


def _public_key(path: Path, key: bytes) -> object:
    try:
        return serialization.load_pem_private_key(key, None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable(f"{path} holds no unencrypted private key in PEM") from error


def _unusable(message: str, advice: str = _REMEDY) -> FailedPrecondition:
    return FailedPrecondition(Reason.STORAGE_UNAVAILABLE, message, advice=advice)
