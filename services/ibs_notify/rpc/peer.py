"""The names in certificates: how a service is known.

``rpc.certified`` reads whom a certificate stands for.
"""

from __future__ import annotations

from ibs_notify.settings import ServiceName

TRUST_DOMAIN = "ibs-notify"
ADMINISTRATOR = "administrator"
CONSOLE = "console"
"""Its certificate is for browsers, and stands for nobody among the services."""
CA_FILE = "ca.pem"


def dns_name(service: ServiceName) -> str:
    """The name that the certificate of ``service`` has to have, whatever its machine is called."""
    return f"{service}.{TRUST_DOMAIN}"


def spiffe_id(name: str) -> str:
    """The URI of a service or of the administrator."""
    return f"spiffe://{TRUST_DOMAIN}/{name}"
