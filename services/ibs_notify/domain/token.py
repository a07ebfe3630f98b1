"""API tokens: what one looks like, and whether one that was presented counts. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ibs_notify.domain.principal import Principal

PREFIX = "ibsn_"
_FORM = r"ibsn_([0-9a-f]{16})_([0-9a-f]{64})"
_SYNTAX = re.compile(_FORM)
_BEARER = re.compile(f"(?i:bearer) {_FORM}")
_NO_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A token as a service recognises it. ``quota_per_minute`` 0: no bound."""

    principal: Principal
    secret_hash: bytes
    quota_per_minute: int = 0
    expires_at: datetime | None = None


class Standing(StrEnum):
    """What a presented token is."""

    VALID = "VALID"
    UNKNOWN = "UNKNOWN"
    """Nobody made it, or it was revoked."""
    WRONG_SECRET = "WRONG_SECRET"
    EXPIRED = "EXPIRED"


def spell(token_id: str, secret: str) -> str:
    """What the holder presents: ``token_id`` of 16 and ``secret`` of 64 hexadecimal digits."""
    return f"{PREFIX}{token_id}_{secret}"


def parse(text: str) -> tuple[str, str] | None:
    """The id and the secret of a token; ``None`` for what cannot be one."""
    found = _SYNTAX.fullmatch(text)
    return None if found is None else (found[1], found[2])


def parse_bearer(text: str) -> tuple[str, str] | None:
    """As ``parse``, of the value of an authorization header (RFC 6750); the scheme in any case."""
    found = _BEARER.fullmatch(text)
    return None if found is None else (found[1], found[2])


def hash_of(secret: str) -> bytes:
    """SHA-256 of a secret. One of 256 random bits needs no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def judge(known: KnownToken | None, secret: str, now: datetime) -> Standing:
    """Takes as long for an unknown token as for a wrong secret.

    That a token has expired is told only to who has its secret.
    """
    right = hmac.compare_digest(_NO_HASH if known is None else known.secret_hash, hash_of(secret))
    if known is None:
        return Standing.UNKNOWN
    if not right:
        return Standing.WRONG_SECRET
    return Standing.EXPIRED if is_expired(known, now) else Standing.VALID


def is_expired(known: KnownToken, now: datetime) -> bool:
    """Whether it has ended to be valid."""
    return known.expires_at is not None and now >= known.expires_at
