"""A private CA for one installation, and the certificates that it issues."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ibs_notify.domain.errors import InvalidArgument, Reason
from ibs_notify.rpc.peer import ADMINISTRATOR, CONSOLE, dns_name, spiffe_id
from ibs_notify.settings import SERVICES

CA_DAYS = 3650
HOLDERS = (*SERVICES, CONSOLE, ADMINISTRATOR)
_EARLIER = timedelta(hours=1)
"""Another machine's clock may be behind."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authority:
    """The CA: what vouches for all certificates of an installation."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def new(cls, now: datetime) -> Authority:
        """A CA for ``CA_DAYS``."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("IBS Notifications CA")
        builder = (
            _builder(key.public_key(), now - _EARLIER, now + timedelta(days=CA_DAYS))
            .subject_name(name)
            .issuer_name(name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def read(cls, issued: Issued) -> Authority:
        """The CA whose PEM this is. ``ValueError`` where it is none."""
        key = serialization.load_pem_private_key(issued.key, None)
        certificate = x509.load_pem_x509_certificate(issued.certificate)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("the key of the CA is not one of an elliptic curve")  # noqa: TRY004  # as the other faults of a file
        if key.public_key() != certificate.public_key():
            raise ValueError("the key of the CA is not that of its certificate")
        return cls(certificate, key)

    @property
    def pem(self) -> Issued:
        """Its files."""
        return Issued(self.certificate.public_bytes(serialization.Encoding.PEM), _pem(self.key))

    def issue(self, holder: str, hosts: Sequence[str], now: datetime, days: int) -> Issued:
        """A certificate with a new key for one of ``HOLDERS``; it ends with the CA at the latest.

        ``hosts`` are more names and addresses under which clients look for a service, and browsers
        for the console.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        end = min(now + timedelta(days=days), self.certificate.not_valid_after_utc)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        certificate = (
            _builder(key.public_key(), now - _EARLIER, end)
            .subject_name(_name(f"IBS Notifications {holder}"))
            .issuer_name(self.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_uses(holder)), critical=False)
            .add_extension(identifier, critical=False)
            .add_extension(_names(holder, hosts), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return Issued(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def _names(holder: str, hosts: Iterable[str]) -> x509.SubjectAlternativeName:
    names: list[x509.GeneralName] = []
    if holder != CONSOLE:
        names.append(x509.UniformResourceIdentifier(spiffe_id(holder)))
    if holder != ADMINISTRATOR:
        names += map(_host, dict.fromkeys([*_usual_hosts(holder), *hosts]))
    return x509.SubjectAlternativeName(names)


def _uses(holder: str) -> list[x509.ObjectIdentifier]:
    """A service is called, and calls."""
    serves, calls = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    if holder == CONSOLE:
        return [serves]
    return [serves, calls] if holder in SERVICES else [calls]


def _usual_hosts(holder: str) -> list[str]:
    machine = socket.gethostname().lower()
    known = [dns_name(each) for each in SERVICES if each == holder]
    return [*known, holder, "localhost", machine, "127.0.0.1", "::1"]


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    try:
        name = text.encode("idna").decode()
    except UnicodeError:
        name = ""
    if not name or not set(name.lower()) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.*_"):
        raise InvalidArgument(
            Reason.FIELD_INVALID,
            f"{text!r} is neither a host name nor an address",
            advice="without a port, such as ibs.example.com or 192.0.2.7",
        )
    return x509.DNSName(name)


def _builder(
    key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
