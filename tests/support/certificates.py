"""Certificates for tests: a directory as ``certs init`` makes it, and ones that are wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ibs_notify.launcher import certificates
from ibs_notify.launcher.authority import Authority, Issued
from ibs_notify.launcher.certs import LEAF_DAYS
from ibs_notify.rpc.channel import OPTIONS
from ibs_notify.rpc.peer import dns_name
from ibs_notify.settings import ServiceName, Settings


def naming(
    authority: Authority,
    *uris: str,
    hosts: Sequence[str] = (),
    uses: Sequence[x509.ObjectIdentifier] = (),
) -> Issued:
    """A certificate of a CA that signs whatever it is asked for."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    names = [*map(x509.UniformResourceIdentifier, uris), *map(x509.DNSName, hosts)]
    builder = (
        x509.CertificateBuilder()
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .subject_name(x509.Name([]))
        .issuer_name(authority.certificate.subject)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    if uses:
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(encoding, form, serialization.NoEncryption())
    return Issued(certificate.public_bytes(encoding), pem)


@dataclass(frozen=True, slots=True)
class Certificates:
    """A ``tls_directory`` of a test's own."""

    directory: Path

    @classmethod
    def made_in(cls, directory: Path) -> Certificates:
        """A new CA and all certificates, valid from now on."""
        certificates.init(directory, (), LEAF_DAYS, datetime.now(UTC))
        return cls(directory)

    @property
    def ca(self) -> bytes:
        return (self.directory / "ca.pem").read_bytes()

    def of(self, holder: str) -> Issued:
        """The certificate and the key of a service or of the administrator."""
        pem, key = (self.directory / f"{holder}.{end}" for end in ("pem", "key"))
        return Issued(pem.read_bytes(), key.read_bytes())

    def naming(self, *uris: str, **more: Any) -> Issued:
        """As ``naming``, of this CA."""
        return naming(self._authority, *uris, **more)

    def put(self, holder: str, issued: Issued) -> None:
        """Replace the files of ``holder``."""
        (self.directory / f"{holder}.key").write_bytes(issued.key)
        (self.directory / f"{holder}.pem").write_bytes(issued.certificate)

    def issue(self, holder: str, now: datetime | None = None, days: int = LEAF_DAYS) -> Issued:
        """Another certificate of the same CA; one of long ago has expired."""
        return self._authority.issue(holder, (), now or datetime.now(UTC), days)

    def expired(self, holder: str) -> Issued:
        """One that was valid until a minute ago."""
        return self.issue(holder, datetime.now(UTC) - timedelta(days=1, minutes=1), days=1)

    def renew(self) -> None:
        """As ``certs renew`` does."""
        ca_key = self.directory / "ca.key"
        certificates.renew(self.directory, ca_key, (), LEAF_DAYS, datetime.now(UTC))

    def secure(self, settings: Settings) -> Settings:
        """``settings`` with TLS from here; the peers' listeners are on free ports."""
        peers: Mapping[str, str] = {
            f"{service}_peer_address": "127.0.0.1:0" for service in ("config", "router", "delivery")
        }
        return replace(settings, tls_directory=str(self.directory), **peers)  # type: ignore[arg-type]  # all are texts

    def channel(
        self, port: int, service: ServiceName, holder: str = "", *, issued: Issued | None = None
    ) -> grpc.aio.Channel:
        """To ``service``, with the certificate of ``holder`` or this one, else with none."""
        return grpc.aio.secure_channel(
            f"127.0.0.1:{port}",
            self.credentials(holder, issued=issued),
            options=[*OPTIONS, ("grpc.ssl_target_name_override", dns_name(service))],
        )

    def credentials(
        self, holder: str = "", *, issued: Issued | None = None
    ) -> grpc.ChannelCredentials:
        """Those of ``holder``, or with this certificate; else with none."""
        if holder:
            issued = self.of(holder)
        if issued is None:
            return grpc.ssl_channel_credentials(self.ca)
        return grpc.ssl_channel_credentials(self.ca, issued.key, issued.certificate)

    @property
    def _authority(self) -> Authority:
        return Authority.read(self.of("ca"))
