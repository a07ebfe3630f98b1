"""The address of a metric server: where it is, and whether it is encrypted."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from yarl import URL

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
        # By whom it is read again when a request is sent: no two readers, no two hosts.
        parts = URL(url)
    except ValueError as error:
        raise _unusable(f"is no URL: {error}") from None
    host, port = parts.raw_host, parts.port
    if parts.scheme not in ("http", "https") or not host or not port:
        raise _unusable("is not an http or https URL")
    if parts.raw_query_string or parts.raw_fragment:
        raise _unusable("is not an address to which a path can be added: give it without ?… and #…")
    context = dial.tls_context(ca_pem) if parts.scheme == "https" else None
    return MetricServer(host, port, context)


def _unusable(why: str) -> InvalidArgument:
    return InvalidArgument(
        Reason.FIELD_INVALID, f"url {why}", violations=(FieldViolation("url", why),)
    )
