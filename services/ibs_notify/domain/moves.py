"""Which changes take a target to another place, where its stored secrets do not follow it.

Config clears them (docs/decisions/0003); who is about to make such a change is told before. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from ibs_notify.domain.target import (
    InfluxDbSpec,
    PushgatewaySpec,
    SmtpSpec,
    TargetSpec,
    WebhookSpec,
)


def moves(old: TargetSpec, new: TargetSpec) -> tuple[str, ...]:
    """The fields by whose change a secret would go elsewhere, or to somebody else."""
    match old, new:
        case SmtpSpec(), SmtpSpec():
            pairs = {
                "smtp.server": (_host(old.server), _host(new.server)),
                "smtp.port": (old.port, new.port),
                "smtp.tls_mode": (old.tls_mode, new.tls_mode),
                "smtp.username": (old.username, new.username),
            }
        case WebhookSpec(), WebhookSpec():
            pairs = {
                "webhook.url": (origin_of(old.url), origin_of(new.url)),
                "webhook.account": (old.account, new.account),
            }
        case InfluxDbSpec(), InfluxDbSpec():
            pairs = {"influxdb.url": (origin_of(old.url), origin_of(new.url))}
        case PushgatewaySpec(), PushgatewaySpec():
            pairs = {
                "pushgateway.url": (origin_of(old.url), origin_of(new.url)),
                "pushgateway.username": (old.username, new.username),
            }
        case _:
            return ("kind",)
    return tuple(field for field, (before, after) in pairs.items() if before != after)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a URL goes: what a stored secret may be sent to."""

    scheme: str
    host: str
    port: int


def origin_of(url: str) -> Origin:
    """The origin of a URL without ``url_problem``; a default port is the same as none."""
    parts = urlsplit(url)
    default = 443 if parts.scheme == "https" else 80
    return Origin(parts.scheme, (parts.hostname or "").removesuffix("."), parts.port or default)


def _host(server: str) -> str:
    return server.lower().removesuffix(".")
