"""Weekly windows as people write them: ``sat 22:00-24:00``, ``fri 22:00-mon 06:00``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ibs_notify.domain.group import WEEKDAYS

DAY: Final = 24 * 60
WEEK: Final = 7 * DAY
MAX_WEEKLY: Final = 200

_TIME = r"[0-9]{1,2}:[0-9]{2}"
_DAYS = re.compile(rf"([a-z]+)(?:-([a-z]+))?(?: ({_TIME})-({_TIME}))?")
_ACROSS = re.compile(rf"([a-z]+) ({_TIME})-([a-z]+) ({_TIME})")
_EXAMPLES = (
    "write 'sat 22:00-24:00', 'mon-fri 01:00-03:00', 'daily 02:00-03:00' or 'fri 22:00-mon 06:00'"
)


@dataclass(frozen=True, slots=True)
class Span:
    """From ``begin`` until before ``end``: minutes of the local week since Monday, 00:00."""

    begin: int
    end: int


def parse_weekly(text: str) -> tuple[Span, ...]:
    """The spans of a comma-separated list, in order and without overlaps.

    ``DAYS TIME-TIME`` is on each of the days, until the next day where it ends before it begins;
    ``DAY TIME-DAY TIME`` goes over days. Days are ``mon`` to ``sun``, a range of them, or
    ``daily``. Raises ``ValueError`` with what is wrong and how to write it.
    """
    if len(text) > MAX_WEEKLY:
        raise ValueError(f"has {len(text)} characters; at most {MAX_WEEKLY}")
    spans: list[Span] = []
    waiting: list[int] = []
    for item in text.lower().split(","):
        words = re.sub(r" ?[-–] ?", "-", " ".join(item.split()))
        across, on_days = _ACROSS.fullmatch(words), _DAYS.fullmatch(words)
        if across is not None and not waiting:
            spans += _across(words, *across.groups())
        elif on_days is not None:
            first, last, begin, end = on_days.groups()
            waiting += _days(first, last or first)
            if begin and end:
                spans += [span for day in waiting for span in _on(words, day, begin, end)]
                waiting.clear()
        else:
            raise ValueError(f"has {item.strip()!r}, which is no weekly window ({_EXAMPLES})")
    if waiting:
        raise ValueError(f"ends in a day without a time ({_EXAMPLES})")
    return tuple(_joined(spans))


def holds(spans: Sequence[Span], local: datetime) -> bool:
    """Whether the wall clock's time is within one of ``spans``."""
    minute = local.weekday() * DAY + local.hour * 60 + local.minute
    return any(span.begin <= minute < span.end for span in spans)


def _days(first: str, last: str) -> list[int]:
    if first == last == "daily":
        return list(range(7))
    begin, end = _day(first), _day(last)
    return [(begin + step) % 7 for step in range((end - begin) % 7 + 1)]


def _day(word: str) -> int:
    for index, name in enumerate(WEEKDAYS):
        if word in (name, name[:3]):
            return index
    raise ValueError(f"has {word!r}, which is no day (mon, tue, wed, thu, fri, sat, sun or daily)")


def _minutes(words: str, time: str, last: int) -> int:
    hours, minutes = (int(each) for each in time.split(":"))
    if minutes > 59 or hours * 60 + minutes > last:
        raise ValueError(f"has the time {time} in {words!r} (00:00 to 23:59; 24:00 to end a day)")
    return hours * 60 + minutes


def _on(words: str, day: int, begin: str, end: str) -> Iterator[Span]:
    start, stop = _minutes(words, begin, DAY - 1), _minutes(words, end, DAY)
    if start == stop:
        raise ValueError(f"has {words!r}, which ends as it begins (00:00-24:00 is a whole day)")
    return _around(day * DAY + start, day * DAY + stop + (DAY if stop < start else 0))


def _across(words: str, first: str, begin: str, last: str, end: str) -> Iterator[Span]:
    start = _day(first) * DAY + _minutes(words, begin, DAY - 1)
    stop = _day(last) * DAY + _minutes(words, end, DAY)
    if _day(first) == _day(last) and stop <= start:
        raise ValueError(f"has {words!r}, which ends before it begins (name the day it ends on)")
    return _around(start, stop + (WEEK if stop <= start else 0))


def _around(begin: int, end: int) -> Iterator[Span]:
    """What goes beyond Sunday goes on at the week's beginning."""
    yield Span(begin, min(end, WEEK))
    if end > WEEK:
        yield Span(0, end - WEEK)


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans, key=lambda each: each.begin):
        if joined and span.begin <= joined[-1].end:
            joined[-1] = Span(joined[-1].begin, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined
