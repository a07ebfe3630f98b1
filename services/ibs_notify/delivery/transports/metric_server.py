"""The address of a metric server: where it is, and whether it is encrypted."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from ibs_notify.delivery.transports import dial
from ibs_notify.domain.errors import FieldViolation, InvalidArgument, Reason


@dataclass(frozen=True, slots=True)
class MetricServer:
    """``context`` is ``None`` where the connection is in clear text."""

    host: str
    port: int
    context: ssl.SSLContext | None


def metric_server(url: str, ca_pem: str) -> MetricServer:
    """The server at ``url``, below which its API's paths are.

    Raises InvalidArgument where nothing can be below it, and where ``ca_pem`` cannot be used.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _unusable("is no URL") from None
    if parts.query or parts.fragment or not host:
        raise _unusable("is not an address to which a path can be added: give it without ?… and #…")
    secure = parts.scheme == "https"
    context = dial.tls_context(ca_pem) if secure else None
    return MetricServer(host, port or (443 if secure else 80), context)


def _unusable(why: str) -> InvalidArgument:
    return InvalidArgument(
        Reason.FIELD_INVALID, f"url {why}", violations=(FieldViolation("url", why),)
    )
