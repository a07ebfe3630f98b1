"""How long things took, as far as events tell."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from ibs_notify.delivery.reports.digest_lines import LineTally
from ibs_notify.domain.catalogue import Outcome
from ibs_notify.domain.event import Event

LABEL: Final = "duration"
MOST_TASKS: Final = 50_000
"""That wait for their other end; of more, what they took is not known."""
LONGEST: Final = timedelta(days=366)
"""What is said to take longer is not believed: a clock was wrong."""
_STARTED: Final = ".started"
_SECONDS: Final = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_CLOCK: Final = re.compile(r"(\d{1,4}):([0-5]\d)(?::([0-5]\d(?:\.\d{1,9})?))?")
_UNITS: Final = re.compile(
    r"(?:(\d{1,4})\s*d)?\s*(?:(\d{1,6})\s*h)?\s*(?:(\d{1,6})\s*m(?:in)?)?"
    r"\s*(?:(\d{1,9}(?:\.\d{1,9})?)\s*s)?"
)


def duration_of_label(text: str) -> timedelta | None:
    """``134`` (seconds), ``134.5 s``, ``2h 10min``, ``1d 4h``, ``02:10:00``; else None.

    Of ``2:10`` the first is the hour.
    """
    text = text.strip().lower()
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=float(text))
    match = _CLOCK.fullmatch(text)
    days = "0"
    if match is not None:
        hours, minutes, seconds = match.groups()
    else:
        match = _UNITS.fullmatch(text) if text else None
        if match is None:
            return None
        days, hours, minutes, seconds = match.groups()
    return timedelta(
        days=int(days or 0),
        hours=int(hours or 0),
        minutes=int(minutes or 0),
        seconds=float(seconds or 0),
    )


class TaskTimes:
    """Pairs the start of a task with its end, in whatever order they come."""

    def __init__(self) -> None:
        # By hash of source and task.
        self._started: dict[int, datetime] = {}
        self._ended: dict[int, tuple[datetime, LineTally]] = {}

    def add(self, event: Event, outcome: Outcome, at: datetime, line: LineTally) -> None:
        """Give ``line`` what the event's task took, now or when its other end comes."""
        told = duration_of_label(event.labels[LABEL]) if LABEL in event.labels else None
        if told is not None:
            _add(line, told)
        elif event.task_id and event.type.endswith(_STARTED):
            key = hash((event.source, event.task_id))
            ended = self._ended.pop(key, None)
            if ended is not None:
                _add(ended[1], ended[0] - at)
            elif len(self._started) < MOST_TASKS:
                self._started[key] = at
        elif event.task_id and outcome is not Outcome.NEUTRAL:
            key = hash((event.source, event.task_id))
            started = self._started.pop(key, None)
            if started is not None:
                _add(line, at - started)
            elif len(self._ended) < MOST_TASKS:
                self._ended[key] = (at, line)


def _add(line: LineTally, duration: timedelta) -> None:
    if timedelta() <= duration <= LONGEST:
        line.add_duration(duration)
