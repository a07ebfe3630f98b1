"""Whom the certificate of a peer stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal, TypeAlias

from ibs_notify.domain.principal import Role, Service
from ibs_notify.rpc.peer import ADMINISTRATOR, spiffe_id

Certified: TypeAlias = Service | Literal[Role.ADMINISTRATOR]

_KNOWN: Mapping[str, Certified] = {
    **{spiffe_id(service): service for service in Service},
    spiffe_id(ADMINISTRATOR): Role.ADMINISTRATOR,
}
_MOST_REMEMBERED = 64
"""Certificates: there are four holders, and each has another one now and then."""


def certified(auth_context: Mapping[str, Iterable[bytes]]) -> Certified | None:
    """Whom a call's ``context.auth_context()`` proves: by its one URI, and nothing else.

    ``None`` for a call that came without a certificate, or with one that names nobody known.
    """
    match list(auth_context.get("x509_pem_cert", ())):
        case [pem]:
            return _named_in(pem)
        case _:
            return None


@lru_cache(maxsize=_MOST_REMEMBERED)
def _named_in(pem: bytes) -> Certified | None:
    # Late: who has no listener for certificates need not be able to read one.
    from cryptography import x509  # noqa: PLC0415

    # The names that gRPC has read end at their first NUL, whatever a CA signed after it.
    try:
        extensions = x509.load_pem_x509_certificate(pem).extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return None
    match names.get_values_for_type(x509.UniformResourceIdentifier):
        case [only]:
            return _KNOWN.get(only)
        case _:
            return None
