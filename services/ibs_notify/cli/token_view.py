"""Tokens as people see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ibs_notify.cli.output import Table, moment, print_fields, print_table, word
from ibs_notify.rpc.convert import moment_from_proto
from ironcore.notification.v1 import token_pb2 as pb


def show_tokens(tokens: Sequence[pb.Token], now: datetime) -> None:
    """A row for each."""
    print_table(
        Table(
            ("Name", "Role", "Bound to", "Now", "Expires", "Last used", "Description"),
            [
                (
                    each.name,
                    _role(each),
                    _bounds(each),
                    standing(each, now),
                    _expires(each),
                    moment(each.last_use_time) or "never",
                    each.description,
                )
                for each in tokens
            ],
            empty="no tokens yet: ironcore-backup notification token create --help",
        )
    )


def show_token(token: pb.Token, now: datetime) -> None:
    """Every field of one."""
    print_fields(
        {
            "Name": token.name,
            "Id": token.id,
            "Role": _role(token),
            "Now": standing(token, now),
            "Sources": ", ".join(token.sources),
            "Resources": ", ".join(token.resources),
            "Quota": f"{token.quota_per_minute:,} a minute" if token.quota_per_minute else "off",
            "Expires": _expires(token),
            "Last used": moment(token.last_use_time) or "never",
            "Description": token.description,
            "Made": _by(moment(token.create_time), token.created_by),
            "Revoked": _by(moment(token.revoke_time), token.revoked_by),
        }
    )


def role_and_expiry(token: pb.Token) -> str:
    """``emitter, expires 2027-01-01 00:00:00Z``."""
    expires = _expires(token)
    return f"{_role(token)}, {'never expires' if expires == 'never' else f'expires {expires}'}"


def standing(token: pb.Token, now: datetime) -> str:
    """``valid``, ``expired`` or ``revoked``."""
    if token.HasField("revoke_time"):
        return "revoked"
    if token.HasField("expire_time") and moment_from_proto(token.expire_time) <= now:
        return "expired"
    return "valid"


def _role(token: pb.Token) -> str:
    return word(pb.Role, token.role, "ROLE_")


def _bounds(token: pb.Token) -> str:
    return ", ".join([*token.sources, *token.resources])


def _expires(token: pb.Token) -> str:
    return moment(token.expire_time) if token.HasField("expire_time") else "never"


def _by(when: str, who: str) -> str:
    return f"{when} by {who}" if when else ""
