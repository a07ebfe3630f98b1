"""Which changes of a target clear which of its secrets. Pure.

A stored secret never follows a target to another place: whoever may change targets could otherwise
send the password of one server to a server of their own (docs/decisions/0003).
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import assert_never

from ibs_notify.config.syntax import origin_of
from ibs_notify.domain.target import (
    INFLUXDB_TOKEN,
    PUSHGATEWAY_BEARER_TOKEN,
    PUSHGATEWAY_PASSWORD,
    SMTP_PASSWORD,
    InfluxDbSpec,
    PushgatewaySpec,
    SmtpAuth,
    SmtpSpec,
    TargetSpec,
    WebhookSpec,
    header_secret,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of each secret, by field.

    ``kept`` stay as they are stored; ``cleared`` were stored and are not any more, unasked;
    ``missing`` are needed and neither given nor kept; ``moved`` names the fields whose change
    cleared what was stored, empty where the target stays where it was.
    """

    kept: frozenset[str]
    cleared: frozenset[str]
    missing: frozenset[str]
    moved: tuple[str, ...] = ()


def judge(
    old: TargetSpec | None,
    new: TargetSpec,
    *,
    stored: Set[str],
    given: Set[str],
    withdrawn: Set[str] = frozenset(),
) -> Verdict:
    """What becomes of the ``stored`` secrets of ``old`` when it turns into ``new``.

    ``given`` come with the request; ``withdrawn`` are those that it takes away expressly.
    """
    moved = moves(old, new) if old is not None else ()
    left = frozenset(stored) - given - withdrawn
    kept = frozenset() if moved else left & _usable(new)
    return Verdict(
        kept=kept,
        cleared=left - kept,
        missing=_needed(new) - given - kept,
        moved=moved if left else (),
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
            pairs = {"webhook.url": (origin_of(old.url), origin_of(new.url))}
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


def _host(server: str) -> str:
    return server.lower().removesuffix(".")


def _usable(spec: TargetSpec) -> frozenset[str]:
    """The secrets that a target like this sends at all."""
    if isinstance(spec, PushgatewaySpec) and not spec.username:
        return frozenset({PUSHGATEWAY_BEARER_TOKEN})
    return _needed(spec)


def _needed(spec: TargetSpec) -> frozenset[str]:
    """The secrets without which a target like this cannot work."""
    match spec:
        case SmtpSpec():
            return frozenset() if spec.auth is SmtpAuth.NONE else frozenset({SMTP_PASSWORD})
        case WebhookSpec():
            return frozenset(header_secret(name) for name in spec.headers)
        case InfluxDbSpec():
            return frozenset({INFLUXDB_TOKEN})
        case PushgatewaySpec():
            return frozenset({PUSHGATEWAY_PASSWORD}) if spec.username else frozenset()
        case _:
            assert_never(spec)
