"""What the decisions on events remember: the silences, and what was told last. Pure.

Read from the database and written back in the one transaction that stores the events, so that a
restart or a second replica changes no answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from ibs_notify.domain.catalogue import Outcome, outcome_of
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.dedup import Window, changes_subject, says_otherwise
from ibs_notify.router.fingerprint import fingerprint
from ibs_notify.router.silence import Armed

STATEFUL = 1 << 62
"""Standings of neutral types are below it, all others are not."""
BEYOND = (1 << 63) - 1
NO_STANDING = 0
NEVER = BEYOND
"""The number of an event that is only looked at: after all others."""


class Key(NamedTuple):
    """Names a window: numbers of 62 bits and more that are hashes.

    ``subject`` and ``standing`` are the event's, or stand for its ``dedup_key``, which takes their
    place; ``kind`` is of subscription and fingerprint.
    """

    subject: int
    standing: int
    kind: int


class Change(NamedTuple):
    """An event says how its subject stands. Windows of it that stand otherwise are over.

    Of a neutral event, such as a start, only other neutral ones: it says nothing against a failure
    or an all-clear (``dedup.changes_subject``). So it ends standings below ``standing``, and those
    above it up to ``limit``.
    """

    subject: int
    standing: int
    limit: int


class Remembered(NamedTuple):
    """A window in the database. ``subject`` and ``standing`` are of the event that was told."""

    window: Window
    told_seq: int
    subject: int
    standing: int
    changed: bool = False


Standings = Mapping[tuple[str, Severity], int]
"""How a subject stood: by type and severity, the number of the last event that said so."""


class Memory:
    """Of one batch of events, heard and decided on one after the other.

    ``windows`` are those of the batch's keys; ``silences`` those that are not over. ``stood`` has
    the subjects of events that a ``dedup_key`` makes identical to one about something else.
    """

    def __init__(
        self,
        windows: Mapping[Key, Remembered],
        silences: Sequence[Armed],
        stood: Mapping[int, Standings] | None = None,
    ) -> None:
        self.silences = silences
        self._windows = dict(windows)
        self._stood = {subject: dict(each) for subject, each in (stood or {}).items()}
        self._by_subject: dict[int, set[Key]] = {}
        for key, each in windows.items():
            self._by_subject.setdefault(each.subject, set()).add(key)
        self._written: set[Key] = set()
        self._changes: set[Change] = set()

    def hear(self, event: Event, seq: int) -> int:
        """Note what the event of this number says of its subject; before it is decided on."""
        subject, standing = subject_of(event), standing_of(event.type, event.severity)
        self._changes.add(Change(subject, standing, BEYOND if standing >= STATEFUL else STATEFUL))
        for key in self._by_subject.get(subject, ()):
            each = self._windows[key]
            if changes_subject(each.window.type, each.window.severity, event):
                self._windows[key] = each._replace(changed=True)
        if subject in self._stood:
            self._stood[subject][event.type, event.severity] = seq
        return subject

    def recall(self, key: Key, subject: int) -> Remembered | None:
        """What was told last under ``key``, as an event about ``subject`` is to see it."""
        known = self._windows.get(key)
        if known is None or known.changed or known.subject == subject:
            return known
        stood = self._stood.get(subject, {})
        window = known.window
        changed = any(
            seq > known.told_seq
            and says_otherwise(window.type, window.severity, event_type, severity)
            for (event_type, severity), seq in stood.items()
        )
        return known._replace(changed=changed)

    def remember(self, key: Key, window: Window, event: Event, seq: int, subject: int) -> None:
        """Keep ``window`` from now on, after the event of this number and subject."""
        before = self._windows.get(key)
        if before is not None and before.window.told == window.told:
            self._windows[key] = Remembered(
                window, before.told_seq, before.subject, before.standing
            )
        else:
            if before is not None:
                self._by_subject[before.subject].discard(key)
            standing = standing_of(event.type, event.severity)
            self._windows[key] = Remembered(window, seq, subject, standing)
            self._by_subject.setdefault(subject, set()).add(key)
        self._written.add(key)

    @property
    def changes(self) -> Collection[Change]:
        """What the events said of their subjects."""
        return self._changes

    @property
    def written(self) -> Mapping[Key, Remembered]:
        """The windows that differ from those in the database, apart from what ``changes`` end."""
        return {key: self._windows[key] for key in self._written}


def keys_of(event: Event, subscription_uids: Sequence[str]) -> list[Key]:
    """The window of ``event`` for each subscription."""
    print_ = fingerprint(event)
    if event.dedup_key:
        subject, standing = _number(f"key\0{event.dedup_key}"), NO_STANDING
    else:
        subject, standing = subject_of(event), standing_of(event.type, event.severity)
    return [Key(subject, standing, _kind(each, print_)) for each in subscription_uids]


def subject_of(event: Event) -> int:
    """A number for what the event is about, its source and its resource.

    Two subjects of one number would end each other's windows: an extra message, never a lost one.
    """
    return _subject(event.type, event.canonical_resource)


@lru_cache(maxsize=4096)
def _subject(event_type: str, resource: str) -> int:
    source = event_type.partition(".")[0]
    return _number(f"{source}\0{resource}")


@lru_cache(maxsize=4096)
def standing_of(event_type: str, severity: Severity) -> int:
    """A number for how a subject stands by an event."""
    number = _number(f"{event_type}\0{severity:d}") >> 1
    return number if outcome_of(event_type) is Outcome.NEUTRAL else number | STATEFUL


def _kind(subscription_uid: str, print_: bytes) -> int:
    digest = hashlib.blake2b(print_ + subscription_uid.encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def _number(text: str) -> int:
    """63 bits of a hash."""
    encoded = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest()) >> 1
