"""Tokens."""

from __future__ import annotations

from ibs_notify.console.commands.line import line
from ibs_notify.console.wording.words import role
from ironcore.notification.v1.token_pb2 import Token


def create(token: Token, expires: str) -> str:
    """``token create …``; ``expires`` is what the form said: a span, a time or ``never``."""
    quota = token.quota_per_minute
    return line(
        "token",
        "create",
        token.name,
        flags=[
            ("role", role(token.role)),
            ("expires", expires),
            ("source", [*token.sources]),
            ("resource", [*token.resources]),
            ("quota", f"{quota}" if quota else None),
            ("description", token.description or None),
        ],
    )


def revoke(name: str) -> str:
    """``token revoke …``"""
    return line("token", "revoke", name)
