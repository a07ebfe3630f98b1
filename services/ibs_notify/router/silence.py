"""Silences: a rule and a time in which what it matches is not told. Pure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.domain.event import Event
from ibs_notify.domain.text_search import contains
from ibs_notify.domain.time_zone import zone_problem
from ibs_notify.domain.weekly import DAY, WEEK, Span, holds, parse_weekly
from ibs_notify.router.dispositions import Decision, Reason, State
from ibs_notify.rules.evaluate import compile_rule
from ibs_notify.rules.parse import parse

log = logging.getLogger(__name__)

MAX_ONE_OFF: Final = timedelta(days=366)
MAX_COMMENT: Final = 1000
_DAYS_AHEAD: Final = 16
"""Two weeks and a little: a window that falls into the gap of one week is there in the next."""


@dataclass(frozen=True, slots=True)
class Silence:
    """As an administrator made it. Moments are aware UTC.

    One-off from ``start`` to before ``end`` where ``weekly`` is empty; else recurring within these,
    without an end where that is ``None``. ``time_zone`` is an IANA name, empty for UTC.
    """

    silence_id: str
    rule: str
    start: datetime
    end: datetime | None
    weekly: str
    time_zone: str
    comment: str
    author: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a silence holds: between its ends, and on the wall clock of ``zone`` in ``spans``."""

    start: datetime
    end: datetime | None
    spans: tuple[Span, ...]
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class Armed:
    """A silence that is ready to be asked: its rule compiled, its times read."""

    silence_id: str
    schedule: Schedule
    matches: Callable[[Event], bool]


def faults_of(silence: Silence, now: datetime) -> list[FieldViolation]:
    """Every fault of a silence that is to be made at ``now``, by the fields of the API."""
    faults = [
        FieldViolation(f"silence.{field}", problem)
        for field, problem in (
            ("rule", _rule_problem(silence.rule)),
            ("weekly", _weekly_problem(silence)),
            ("time_zone", zone_problem(silence.time_zone)),
            ("end_time", _end_problem(silence, now)),
        )
        if problem
    ]
    if not silence.comment.strip():
        faults.append(FieldViolation("silence.comment", "is missing; say why"))
    elif len(silence.comment) > MAX_COMMENT:
        length = len(silence.comment)
        problem = f"has {length} characters; at most {MAX_COMMENT}"
        faults.append(FieldViolation("silence.comment", problem))
    return faults


def has_text(silence: Silence, text: str) -> bool:
    """Whether what people read of it has ``text`` in it, in any case."""
    fields = (silence.silence_id, silence.rule, silence.comment, silence.author)
    return any(contains(each, text) for each in fields)


def armed(silences: Iterable[Silence]) -> tuple[Armed, ...]:
    """The silences that can be read, oldest first; one that cannot be silences nothing."""
    ready = []
    for silence in sorted(silences, key=lambda each: (each.created_at, each.silence_id)):
        try:
            matches = compile_rule(parse(silence.rule))
            ready.append(Armed(silence.silence_id, schedule_of(silence), matches))
        except (InvalidArgument, ValueError, LookupError, OSError) as error:
            log.error("silence %s does not hold: %s", silence.silence_id, error)
    return tuple(ready)


def silenced_by(silences: Sequence[Armed], event: Event, now: datetime) -> Decision | None:
    """What becomes of ``event`` if one of ``silences`` is active and matches: the first such."""
    for silence in silences:
        if silence.matches(event) and is_active(silence.schedule, now):
            return Decision(State.SILENCED, Reason.SILENCE_MATCHED, silence.silence_id)
    return None


def schedule_of(silence: Silence) -> Schedule:
    """When ``silence`` holds; ``ValueError``, ``LookupError`` or ``OSError`` if unreadable."""
    spans = parse_weekly(silence.weekly) if silence.weekly else ()
    zone = ZoneInfo(silence.time_zone) if silence.time_zone else UTC
    return Schedule(silence.start, silence.end, spans, zone)


def is_active(schedule: Schedule, now: datetime) -> bool:
    """Whether the silence holds at ``now``.

    A weekly window goes by the wall clock: where the clocks are put forward, what they leave out
    does not occur; where they are put back, what they repeat occurs twice.
    """
    if now < schedule.start or (schedule.end is not None and now >= schedule.end):
        return False
    return not schedule.spans or holds(schedule.spans, now.astimezone(schedule.zone))


def next_change(schedule: Schedule, now: datetime) -> datetime | None:
    """When the silence begins or ends next after ``now``; ``None``: it stays as it is."""
    active = is_active(schedule, now)
    for moment in sorted(_turns(schedule, max(now, schedule.start))):
        if moment > now and is_active(schedule, moment) is not active:
            return moment
    return None


def _turns(schedule: Schedule, base: datetime) -> Iterator[datetime]:
    """Every moment after ``base`` at which the silence may change, in UTC and no order."""
    yield schedule.start
    if schedule.end is not None:
        yield schedule.end
    if not schedule.spans:
        return
    edges = {edge % WEEK for span in schedule.spans for edge in (span.begin, span.end)}
    today = base.astimezone(schedule.zone).date()
    for ahead in range(_DAYS_AHEAD):
        date = today + timedelta(days=ahead)
        for edge in edges:
            if edge // DAY == date.weekday():
                clock = time(edge % DAY // 60, edge % 60, tzinfo=schedule.zone)
                wall = datetime.combine(date, clock)
                yield wall.astimezone(UTC)
                yield wall.replace(fold=1).astimezone(UTC)
        day = base + timedelta(days=ahead)
        yield from _clock_changes(schedule.zone, day, day + timedelta(days=1))


def _clock_changes(zone: tzinfo, begin: datetime, end: datetime) -> Iterator[datetime]:
    """The moment between these at which the clocks are put forward or back, to the second."""
    before = begin.astimezone(zone).utcoffset()
    if before == end.astimezone(zone).utcoffset():
        return
    low, high = int(begin.timestamp()), int(end.timestamp()) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    yield datetime.fromtimestamp(high, UTC)


def _rule_problem(rule: str) -> str:
    try:
        parse(rule)
    except InvalidArgument as error:
        return str(error)
    return ""


def _weekly_problem(silence: Silence) -> str:
    if not silence.weekly:
        return ""
    try:
        spans = parse_weekly(silence.weekly)
    except ValueError as error:
        return str(error)
    if spans == (Span(0, WEEK),) and silence.end is None:
        return "covers the whole week for ever; give it an end_time"
    return ""


def _end_problem(silence: Silence, now: datetime) -> str:
    if silence.end is None:
        advice = "give one, or a weekly window that recurs"
        return "" if silence.weekly else f"is missing ({advice})"
    if silence.end <= silence.start:
        return "is not after start_time"
    if silence.end <= now:
        return "is in the past"
    if not silence.weekly and silence.end - silence.start > MAX_ONE_OFF:
        return f"is more than {MAX_ONE_OFF.days} days after start_time (a silence is forgotten)"
    return ""
