"""How reports say numbers, spans of time and moments to people."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final

from ibs_notify.domain.clock import in_zone

_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def counted(count: int, one: str, many: str = "") -> str:
    """``1 event``, ``1,204 events``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def shortened(text: str, most: int) -> str:
    """``text`` on one line of at most ``most`` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def took(span: timedelta) -> str:
    """``2 h 10 min``, ``45 s``: the two largest units that count. Under 10 seconds: ``4.1 s``."""
    whole = int(span.total_seconds())
    if whole < 10:
        return f"{max(span.total_seconds(), 0):.1f}".removesuffix(".0") + " s"
    for (size, unit), (smaller, name) in pairwise(_UNITS):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size:,} {unit}" + (f" {rest} {name}" if rest else "")
    return f"{whole} s"


def window_words(opened_at: datetime, closed_at: datetime, zone: tzinfo) -> str:
    """``Wed 20 May 09:00 – Thu 21 May 2026 09:00``; of one day, the day is said once."""
    opened, closed = in_zone(opened_at, zone), in_zone(closed_at, zone)
    day = f"{closed:%a} {closed.day} {closed:%b %Y}"
    if opened.date() == closed.date():
        return f"{day} {opened:%H:%M} – {closed:%H:%M}"
    year = f" {opened:%Y}" if opened.year != closed.year else ""
    return f"{opened:%a} {opened.day} {opened:%b}{year} {opened:%H:%M} – {day} {closed:%H:%M}"


def when(first_at: datetime, last_at: datetime, closed_at: datetime, zone: tzinfo) -> str:
    """``02:14``, ``02:14 – 05:20``; with the day where not all is on the day of ``closed_at``."""
    first, last = in_zone(first_at, zone), in_zone(last_at, zone)
    today = in_zone(closed_at, zone)
    if first.date() != last.date():
        return f"{_on_day(first, today)} – {_on_day(last, today)}"
    begin = f"{first:%H:%M}" if first.date() == today.date() else _on_day(first, today)
    return begin if begin.endswith(f"{last:%H:%M}") else f"{begin} – {last:%H:%M}"


def _on_day(at: datetime, today: datetime) -> str:
    year = f" {at:%Y}" if abs(at - today) > timedelta(days=300) else ""
    return f"{at.day} {at:%b}{year} {at:%H:%M}"
