"""What the decisions on events remember: the silences, and what was told last. Pure.

Read from the database and written back in the one transaction that stores the events, so that a
restart or a second replica changes no answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ibs_notify.domain.catalogue import Outcome, outcome_of
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.dedup import Window, changes_subject
from ibs_notify.router.silence import Armed

NEUTRAL, STATEFUL, BEYOND = "0", "1", "2"
"""How standings begin, and what sorts after all of them."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A window, what it is about, and whether that has changed since."""

    window: Window
    subject: int
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """An event says how its subject stands: windows of other standings are over.

    Of a neutral one, such as a start, only those of other neutral ones: it says nothing against a
    failure or an all-clear (``dedup.changes_subject``).
    """

    subject: int
    standing: str
    is_neutral: bool


class Memory:
    """Of one batch of events, heard and decided on one after the other.

    ``windows`` are those of the batch's fingerprints, by key; ``silences`` those that are not over.
    """

    def __init__(self, windows: Mapping[bytes, Remembered], silences: Sequence[Armed]) -> None:
        self.silences = silences
        self._windows = dict(windows)
        self._by_subject: dict[int, set[bytes]] = {}
        for key, each in windows.items():
            self._by_subject.setdefault(each.subject, set()).add(key)
        self._written: set[bytes] = set()
        self._changes: dict[Change, None] = {}

    def hear(self, event: Event) -> int:
        """Note what ``event`` says of its subject, before it is decided on; the subject."""
        subject = subject_of(event)
        is_neutral = outcome_of(event.type) is Outcome.NEUTRAL
        change = Change(subject, standing_of(event.type, event.severity), is_neutral)
        self._changes[change] = None
        for key in self._by_subject.get(subject, ()):
            each = self._windows[key]
            if changes_subject(each.window.type, each.window.severity, event):
                self._windows[key] = replace(each, changed=True)
        return subject

    def recall(self, key: bytes) -> Remembered | None:
        """What was told last under ``key``."""
        return self._windows.get(key)

    def remember(self, key: bytes, subject: int, window: Window) -> None:
        """Keep ``window`` from now on. It stays with the subject of the event that was told."""
        before = self._windows.get(key)
        if before is not None:
            if before.window.told == window.told:
                subject = before.subject
            self._by_subject[before.subject].discard(key)
        self._windows[key] = Remembered(window, subject)
        self._by_subject.setdefault(subject, set()).add(key)
        self._written.add(key)

    @property
    def changes(self) -> Iterable[Change]:
        """What the events said of their subjects."""
        return self._changes

    @property
    def written(self) -> Mapping[bytes, Remembered]:
        """The windows that differ from those in the database, apart from what ``changes`` close."""
        return {key: self._windows[key] for key in self._written}


def subject_of(event: Event) -> int:
    """A number for what the event is about, its source and resource: 63 bits of a hash.

    Two subjects of one number would close each other's windows: an extra message, never a lost one.
    """
    text = f"{event.source}\0{event.canonical_resource}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) >> 1


def standing_of(event_type: str, severity: int) -> str:
    """How a subject stands by an event. Neutral standings sort before all others."""
    side = NEUTRAL if outcome_of(event_type) is Outcome.NEUTRAL else STATEFUL
    return f"{side}{event_type}/{severity:d}"


def parse_standing(standing: str) -> tuple[str, Severity]:
    """The type and the severity in it."""
    event_type, _, severity = standing[1:].rpartition("/")
    return event_type, Severity(int(severity))
