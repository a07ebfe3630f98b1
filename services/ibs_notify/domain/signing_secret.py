"""Secrets of Standard Webhooks: ``whsec_`` and 24 to 64 bytes in base64."""

from __future__ import annotations

import base64
import binascii
from typing import Final

PREFIX: Final = "whsec_"
_FEWEST: Final = 24
_MOST: Final = 64


def signing_key(secret: str) -> bytes:
    """The bytes of a secret. ``ValueError`` says what is wrong with it, never what it is."""
    if not secret.startswith(PREFIX):
        raise ValueError(f"does not begin with {PREFIX}")
    try:
        text = secret.removeprefix(PREFIX)
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError(f"is not base64 after {PREFIX}") from None
    if not _FEWEST <= len(key) <= _MOST:
        raise ValueError(f"has {len(key)} bytes; it takes {_FEWEST} to {_MOST}")
    return key
