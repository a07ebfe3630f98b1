"""What a digest says: gathered in bounded memory, and small whatever the number of its events."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity

EVENT_TYPE: Final = "notification.digest"
MOST_LINES: Final = 100


@dataclass(frozen=True, slots=True)
class ReportWindow:
    """Which span a report is about, and for whom; moments aware UTC.

    ``time_zone`` is the IANA zone that times are shown in, ``period`` hourly, daily or weekly.
    """

    group: str
    target: str
    opened_at: datetime
    closed_at: datetime
    time_zone: str = ""
    period: str = "daily"


@dataclass(frozen=True, slots=True)
class DigestReport:
    """``lines`` are the commonest types, each with its count; ``total`` counts all events."""

    window: ReportWindow
    total: int
    lines: tuple[tuple[str, int], ...]


class ReportBuilder:
    """Adds up the events of a window."""

    def __init__(self, window: ReportWindow) -> None:
        self._window = window
        self._types: Counter[str] = Counter()

    def add(self, event: Event, received_at: datetime) -> None:  # noqa: ARG002  # see the interface
        """Count an event of the window, in any order."""
        self._types[event.type] += 1

    def build(self) -> DigestReport:
        """The report of what was added so far."""
        lines = tuple(self._types.most_common(MOST_LINES))
        return DigestReport(self._window, self._types.total(), lines)


def to_bytes(report: DigestReport) -> bytes:
    """The report as it is stored: JSON, which begins with ``{`` as no event's protobuf does."""
    window = report.window
    return json.dumps(
        {
            "group": window.group,
            "target": window.target,
            "opened_at": window.opened_at.isoformat(),
            "closed_at": window.closed_at.isoformat(),
            "time_zone": window.time_zone,
            "period": window.period,
            "total": report.total,
            "lines": report.lines,
        }
    ).encode()


def from_bytes(stored: bytes) -> DigestReport:
    """The report of ``to_bytes``. Raises ValueError where it is none."""
    read = json.loads(stored)
    window = ReportWindow(
        read["group"],
        read["target"],
        datetime.fromisoformat(read["opened_at"]),
        datetime.fromisoformat(read["closed_at"]),
        read["time_zone"],
        read["period"],
    )
    return DigestReport(window, read["total"], tuple((name, n) for name, n in read["lines"]))


def digest_event(report: DigestReport, delivery_id: str, closed_at: datetime) -> Event:
    """The digest as an event, whose subject and summary make sense anywhere."""
    window = report.window
    return Event(
        event_id=f"digest-{delivery_id}",
        type=EVENT_TYPE,
        severity=Severity.INFO,
        timestamp=closed_at,
        subject=f"{window.period.capitalize()} digest of {window.group}: {report.total} events",
        summary="\n".join(f"{count} × {name}" for name, count in report.lines),
        groups=(window.group,),
    )
