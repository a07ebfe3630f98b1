"""Which changes of a target clear which of its secrets. Pure.

A stored secret never follows a target to another place: whoever may change targets could otherwise
send the password of one server to a server of their own (docs/decisions/0003).
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import assert_never

from ibs_notify.domain.moves import moves
from ibs_notify.domain.preset import NEEDS, Preset, Token
from ibs_notify.domain.target import (
    INFLUXDB_TOKEN,
    PUSHGATEWAY_BEARER_TOKEN,
    PUSHGATEWAY_PASSWORD,
    SMTP_PASSWORD,
    WEBHOOK_FORMER_SIGNING_SECRET,
    WEBHOOK_SIGNING_SECRET,
    WEBHOOK_TOKEN,
    InfluxDbSpec,
    PushgatewaySpec,
    SmtpAuth,
    SmtpSpec,
    TargetSpec,
    WebhookSpec,
    header_secret,
)

_SIGNING = frozenset({WEBHOOK_SIGNING_SECRET})
"""Given again after a move, or taken away: who wants signed requests takes no others."""


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
    needed = _needed(new) | (left & _SIGNING if moved else frozenset())
    if WEBHOOK_TOKEN in kept and _preset(old) is not _preset(new):
        # Another preset may send it in the body, which others can read at the same place.
        kept, moved = kept - {WEBHOOK_TOKEN}, ("webhook.preset",)
    return Verdict(
        kept=kept,
        cleared=left - kept,
        missing=needed - given - kept,
        moved=moved if left else (),
    )


def _preset(spec: TargetSpec | None) -> Preset | None:
    return spec.preset if isinstance(spec, WebhookSpec) else None


def _usable(spec: TargetSpec) -> frozenset[str]:
    """The secrets that a target like this sends at all."""
    if isinstance(spec, PushgatewaySpec) and not spec.username:
        return frozenset({PUSHGATEWAY_BEARER_TOKEN})
    if isinstance(spec, WebhookSpec):
        takes_token = spec.preset is not None and NEEDS[spec.preset].token is not Token.NONE
        token = frozenset({WEBHOOK_TOKEN} if takes_token else ())
        return _needed(spec) | token | _SIGNING | {WEBHOOK_FORMER_SIGNING_SECRET}
    return _needed(spec)


def _needed(spec: TargetSpec) -> frozenset[str]:
    """The secrets without which a target like this cannot work."""
    match spec:
        case SmtpSpec():
            return frozenset() if spec.auth is SmtpAuth.NONE else frozenset({SMTP_PASSWORD})
        case WebhookSpec():
            needs_token = spec.preset is not None and NEEDS[spec.preset].token is Token.REQUIRED
            headers = frozenset(header_secret(name) for name in spec.headers)
            return headers | {WEBHOOK_TOKEN} if needs_token else headers
        case InfluxDbSpec():
            return frozenset({INFLUXDB_TOKEN})
        case PushgatewaySpec():
            return frozenset({PUSHGATEWAY_PASSWORD}) if spec.username else frozenset()
        case _:
            assert_never(spec)
