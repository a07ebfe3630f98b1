"""Ids: of events where the emitter gave none, of obligations, and of the deliveries they become."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from ibs_notify.domain.catalogue import SUMMARY_TYPE

_RANDOM_BITS = 60
_DAY_MILLISECONDS = 86_400_000


class EventIds:
    """``evt-<yyyy-mm-dd>-<sortable unique>``: the day in UTC, then milliseconds, then chance.

    Ids of one process sort in the order they were given, also within a millisecond and when the
    clock goes back: the random part then counts on.
    """

    def __init__(self) -> None:
        self._now: datetime | None = None
        self._milliseconds = 0
        self._tail = 0
        self._head = ""
        self._day = -1
        self._date = ""

    def next(self, now: datetime) -> str:
        # All events of a batch have the same moment.
        if now is not self._now:
            self._now = now
            milliseconds = int(now.timestamp() * 1000)
            if milliseconds > self._milliseconds:
                self._milliseconds = milliseconds
                self._tail = secrets.randbits(_RANDOM_BITS - 1)
                self._head = f"evt-{self._date_of(milliseconds)}-{milliseconds:012x}"
        self._tail += 1
        return f"{self._head}{self._tail:015x}"

    def _date_of(self, milliseconds: int) -> str:
        day = milliseconds // _DAY_MILLISECONDS
        if day != self._day:
            self._day = day
            self._date = f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d}"
        return self._date


class Kind(StrEnum):
    """What a delivery carries, as far as the Router makes it."""

    EVENT = "event"
    SUMMARY = "summary"


def kind_of(event_type: str) -> Kind:
    """The kind of the deliveries of an event."""
    return Kind.SUMMARY if event_type == SUMMARY_TYPE else Kind.EVENT


def obligation_id(event_id: str, position: int) -> str:
    """The obligation at ``position`` of the event's routing."""
    return f"{event_id}/{position}"


def delivery_id(event_id: str, target_uid: str, kind: Kind, recipients: Sequence[str]) -> str:
    """The same for the same event, target, kind and recipients, whoever computes it: 32 hex."""
    return _hash(event_id, target_uid, kind, *sorted(recipients))


def entry_id(obligation: str) -> str:
    """The id of an entry of a digest: each group has its own, beside what is sent at once."""
    return _hash(obligation, "digest entry")


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
