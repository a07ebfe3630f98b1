"""Like with like: the lines of a digest, added up as events come, in bounded memory."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ibs_notify.delivery.reports.event_result import Result, result_of
from ibs_notify.domain.catalogue import outcome_of
from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import datastore_of
from ibs_notify.domain.severity import Severity

MOST_IDS: Final = 5
"""Events of a line that are named, the newest first."""
MOST_KINDS: Final = 1000
"""Of a severity that are told apart: ten times what a digest shows."""
MOST_SUBJECT: Final = 200
_ORDER: Final = tuple(Result)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One event, as a report names it; ``resource`` as the emitter wrote it."""

    at: datetime
    event_id: str
    subject: str = ""
    resource: str = ""
    task_url: str = ""
    task_log: str = ""


@dataclass(frozen=True, slots=True)
class ReportLine:
    """``count`` events of a severity and type in one place: a datastore, or a resource elsewhere.

    ``duration`` is what ``timed`` of them took in all. ``event_ids`` are the newest.
    """

    severity: Severity
    type: str
    place: str
    count: int
    first_at: datetime
    last_at: datetime
    latest: Occurrence
    duration: timedelta = timedelta()
    timed: int = 0
    event_ids: tuple[str, ...] = ()


@dataclass(slots=True)
class LineTally:
    """A line that grows; ``_newest`` is a heap."""

    severity: Severity
    type: str
    place: str
    first_at: datetime
    latest: Occurrence
    count: int = 0
    duration: timedelta = timedelta()
    timed: int = 0
    _newest: list[tuple[datetime, str]] = field(default_factory=list)

    def add(self, event: Event, at: datetime) -> None:
        self.count += 1
        self.first_at = min(self.first_at, at)
        if (at, event.event_id) >= (self.latest.at, self.latest.event_id):
            self.latest = occurrence_of(event, at)
        push = heapq.heappush if len(self._newest) < MOST_IDS else heapq.heappushpop
        push(self._newest, (at, event.event_id))

    def add_duration(self, duration: timedelta) -> None:
        # Where millions of events claim a year each, the rest is not known; a digest there is.
        if duration <= timedelta.max - self.duration:
            self.duration += duration
            self.timed += 1

    def line(self) -> ReportLine:
        return ReportLine(
            self.severity,
            self.type,
            self.place,
            self.count,
            self.first_at,
            self.latest.at,
            self.latest,
            self.duration,
            self.timed,
            tuple(event_id for _, event_id in sorted(self._newest, reverse=True)),
        )


class LineTallies:
    """The lines that grow. Of more kinds than ``MOST_KINDS`` of a severity no line is kept."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[Severity, str, str], LineTally] = {}
        self._kinds: Counter[Severity] = Counter()

    def add(self, event: Event, at: datetime) -> LineTally | None:
        """Count an event; its line, if it has one."""
        severity = event.severity
        key = (severity, event.type, place_of(event))
        tally = self._tallies.get(key)
        if tally is None:
            if self._kinds[severity] >= MOST_KINDS:
                return None
            self._kinds[severity] += 1
            tally = self._tallies[key] = LineTally(*key, at, occurrence_of(event, at))
        tally.add(event, at)
        return tally

    def worst_first(self) -> Sequence[ReportLine]:
        """By severity, then bad news before good, then the most frequent, then by name."""
        found = [tally.line() for tally in self._tallies.values()]
        found.sort(key=_badness)
        return found


def _badness(line: ReportLine) -> tuple[int, int, int, str, str]:
    result = result_of(outcome_of(line.type), line.severity)
    return -line.severity, _ORDER.index(result), -line.count, line.type, line.place


def place_of(event: Event) -> str:
    """Where lines are told apart: the datastore, else the resource; empty where there is none."""
    resource = event.canonical_resource
    return datastore_of(resource) or resource


def occurrence_of(event: Event, at: datetime) -> Occurrence:
    """What a report keeps of an event."""
    subject = event.subject
    return Occurrence(
        at,
        event.event_id,
        subject if len(subject) <= MOST_SUBJECT else subject[: MOST_SUBJECT - 1] + "…",
        event.resource,
        event.task_url,
        event.links.get("task_log", ""),
    )
