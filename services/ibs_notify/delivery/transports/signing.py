"""Signatures in the way of Standard Webhooks: HMAC-SHA256 over id, timestamp and body."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ibs_notify.domain.signing_secret import signing_key
from ibs_notify.domain.target import (
    WEBHOOK_FORMER_SIGNING_SECRET,
    WEBHOOK_SIGNING_SECRET,
    WebhookSpec,
)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs with ``key``, and until ``former_until`` with ``former`` as well."""

    key: bytes = field(repr=False)
    former: bytes = field(default=b"", repr=False)
    former_until: datetime | None = None

    @classmethod
    def of(cls, spec: WebhookSpec, secrets: Mapping[str, str]) -> Signer | None:
        """The signer of a target; None where it has no signing secret. ``ValueError`` for one that
        is malformed."""
        secret = secrets.get(WEBHOOK_SIGNING_SECRET)
        if not secret:
            return None
        former = secrets.get(WEBHOOK_FORMER_SIGNING_SECRET, "")
        return cls(
            signing_key(secret), signing_key(former) if former else b"", spec.former_signing_until
        )

    def signature(self, message_id: str, timestamp: int, body: bytes, now: datetime) -> str:
        """The value of ``webhook-signature``: a signature by each secret in force."""
        content = f"{message_id}.{timestamp}.".encode() + body
        keys = [self.key]
        if self.former and self.former_until is not None and now < self.former_until:
            keys.append(self.former)
        return " ".join(_signed(key, content) for key in keys)


def _signed(key: bytes, content: bytes) -> str:
    digest = hmac.new(key, content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
