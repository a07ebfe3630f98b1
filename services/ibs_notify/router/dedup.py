"""Deduplication: whether an event repeats what its subscription was told, and hides no change."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from ibs_notify.domain.catalogue import Outcome, outcome_of
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.dispositions import Decision, Reason, State

NO_LENGTH = timedelta(0)


class DedupReason(StrEnum):
    """Why an event is told, or is not: only ``REPEATED`` is not."""

    OFF = "OFF"
    """The group has no deduplication window."""
    FIRST = "FIRST"
    """Nothing identical was told, or what was told did not arrive."""
    WINDOW_ENDED = "WINDOW_ENDED"
    """The last identical one was told too long ago."""
    STATE_CHANGED = "STATE_CHANGED"
    """The subject has changed since, or this event changes it."""
    REPEATED = "REPEATED"
    """Identical to one that was told within the window."""


class Window(NamedTuple):
    """What a subscription was told, and what has repeated it since. One for each fingerprint.

    ``opened_at`` is when the event that was told was accepted, ``told`` its obligation, empty where
    that did not arrive; ``type`` and ``severity`` are what it said. ``suppressed`` counts its
    repeats, the first of them accepted at ``suppressed_since``.
    """

    opened_at: datetime
    told: str
    type: str
    severity: Severity
    suppressed: int = 0
    suppressed_since: datetime | None = None


class Verdict(NamedTuple):
    """``window`` is the one from now on. An event that is told takes over the former one's count:

    ``suppressed_before`` events, since ``suppressed_since``, are to be mentioned with it.
    """

    reason: DedupReason
    window: Window | None
    suppressed_before: int = 0
    suppressed_since: datetime | None = None

    @property
    def decision(self) -> Decision | None:
        """What becomes of the obligation; ``None``: told, as far as deduplication is asked."""
        if self.reason is not DedupReason.REPEATED or self.window is None:
            return None
        return Decision(State.SUPPRESSED, Reason.REPEATED, self.window.told)


def deduplicate(
    window: Window | None,
    length: timedelta,
    event: Event,
    obligation: str,
    *,
    changed: bool,
    now: datetime,
) -> Verdict:
    """Whether ``obligation``, of ``event``, is told.

    ``length`` is the group's, 0 for off. A window lasts so long from the event that was told;
    repeats do not prolong it. ``changed``: since it was told an event was accepted, told or not,
    that ``changes_subject``; its source and canonical resource are those of ``event`` or of the one
    that was told, which may differ where a ``dedup_key`` makes them identical.

    A window opened in the future means that the clock went back. It then begins anew with the next
    repeat, or is over if it is further ahead than its length: from the first repeat that is hidden
    after the clock went back, none is hidden for longer than ``length``.
    """
    reason = _reason(window, length, event, changed=changed, now=now)
    if reason is DedupReason.REPEATED and window is not None:
        return Verdict(
            reason,
            Window(
                min(window.opened_at, now),
                window.told,
                window.type,
                window.severity,
                window.suppressed + 1,
                window.suppressed_since or now,
            ),
        )
    following: Window | None = None
    if reason is not DedupReason.OFF:
        following = Window(now, obligation, event.type, event.severity)
    if window is None:
        return Verdict(reason, following)
    return Verdict(reason, following, window.suppressed, window.suppressed_since)


def changes_subject(window_type: str, window_severity: Severity, other: Event) -> bool:
    """Whether ``other`` says that the subject no longer is as the one that was told had it.

    Both are of the same source and canonical resource. A neutral event says nothing against a
    failure or an all-clear: ``started`` between two ``failed`` is no change. Against a neutral one
    any other type or severity is: ``service-stopped`` is told again after ``service-started``.
    """
    return says_otherwise(window_type, window_severity, other.type, other.severity)


def says_otherwise(
    window_type: str, window_severity: Severity, other_type: str, other_severity: Severity
) -> bool:
    """The same of an event that only its type and severity are known of."""
    if other_type == window_type and other_severity is window_severity:
        return False
    return _is_neutral(window_type) or not _is_neutral(other_type)


def _reason(
    window: Window | None, length: timedelta, event: Event, *, changed: bool, now: datetime
) -> DedupReason:
    if length <= NO_LENGTH:
        return DedupReason.OFF
    if window is None or not window.told:
        return DedupReason.FIRST
    if not -length < now - window.opened_at < length:
        return DedupReason.WINDOW_ENDED
    if changed or _is_news(window, event):
        return DedupReason.STATE_CHANGED
    return DedupReason.REPEATED


def _is_news(window: Window, event: Event) -> bool:
    """Whether the event itself is a change, however identical its ``dedup_key`` makes it."""
    return (
        event.severity > window.severity
        # Only its words say from which status to which, and the last one may have been another.
        or event.type.endswith("status-change")
        or changes_subject(window.type, window.severity, event)
    )


def _is_neutral(event_type: str) -> bool:
    return outcome_of(event_type) is Outcome.NEUTRAL
