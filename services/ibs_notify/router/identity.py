"""Ids: of events where the emitter gave none, of obligations, and of the deliveries they become."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_CHARACTERS = 10
_RANDOM_BITS = 60


class EventIds:
    """``evt-<yyyy-mm-dd>-<sortable unique>``: the day in UTC, then milliseconds, then chance.

    Ids of one process sort in the order they were given, also within a millisecond and when the
    clock goes back: the random part then counts on.
    """

    def __init__(self) -> None:
        self._milliseconds = 0
        self._tail = 0

    def next(self, now: datetime) -> str:
        milliseconds = int(now.timestamp() * 1000)
        if milliseconds > self._milliseconds:
            self._milliseconds = milliseconds
            self._tail = secrets.randbits(_RANDOM_BITS - 1)
        else:
            self._tail += 1
        unique = _base32(self._milliseconds, _TIME_CHARACTERS) + _base32(
            self._tail, _RANDOM_BITS // 5
        )
        return f"evt-{now:%Y-%m-%d}-{unique}"


def _base32(number: int, characters: int) -> str:
    """Crockford's alphabet in lower case; sorts as the numbers do."""
    digits = []
    for _ in range(characters):
        digits.append(_ALPHABET[number & 31])
        number >>= 5
    return "".join(reversed(digits))


def obligation_id(event_id: str, position: int) -> str:
    """The obligation at ``position`` of the event's routing."""
    return f"{event_id}/{position}"


def delivery_id(event_id: str, target_uid: str, kind: str, recipients: Sequence[str]) -> str:
    """The same for the same event, target, kind and recipients, whoever computes it: 32 hex."""
    key = "\0".join((event_id, target_uid, kind, *sorted(recipients)))
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
