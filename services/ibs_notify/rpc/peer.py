"""The names in certificates: how a service is known, and whom a certificate stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from ibs_notify.domain.principal import Role, Service
from ibs_notify.settings import ServiceName

TRUST_DOMAIN = "ibs-notify"
ADMINISTRATOR = "administrator"
CA_FILE = "ca.pem"

Certified: TypeAlias = Service | Literal[Role.ADMINISTRATOR]


def dns_name(service: ServiceName) -> str:
    """The name that the certificate of ``service`` has to have, whatever its machine is called."""
    return f"{service}.{TRUST_DOMAIN}"


def spiffe_id(name: str) -> str:
    """The URI of a service or of the administrator."""
    return f"spiffe://{TRUST_DOMAIN}/{name}"


_KNOWN: Mapping[bytes, Certified] = {
    **{spiffe_id(service).encode(): service for service in Service},
    spiffe_id(ADMINISTRATOR).encode(): Role.ADMINISTRATOR,
}


def certified(auth_context: Mapping[str, Iterable[bytes]]) -> Certified | None:
    """Whom a call's ``context.auth_context()`` proves: by its one SPIFFE id, and nothing else.

    ``None`` for a call that came without a certificate, or with one that names nobody known.
    """
    match list(auth_context.get("peer_spiffe_id", ())):
        case [only]:
            return _KNOWN.get(only)
        case _:
            return None
