"""What a digest says: gathered from its events in bounded memory, and small whatever their number.

The report is what a digest's delivery stores: a retry, a preview and a later release all render the
same one.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

from ibs_notify.delivery.reports.codec import pack, to_json, unpack
from ibs_notify.delivery.reports.digest_durations import TaskTimes
from ibs_notify.delivery.reports.digest_lines import LineTallies, ReportLine
from ibs_notify.delivery.reports.digest_standing import Failing, Standings
from ibs_notify.delivery.reports.event_result import Result, result_of
from ibs_notify.delivery.reports.words import counted, shortened, took
from ibs_notify.domain.catalogue import default_severity, outcome_of
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity

EVENT_TYPE: Final = "notification.digest"
MOST_LINES: Final = 100
MOST_FAILING: Final = 50
_LINES_ROOM: Final = 170 * 1024
_FAILING_ROOM: Final = 70 * 1024
_MARKUP: Final = 1000
"""What an entry takes in the HTML beside its own texts, at most."""
_SUMMARY_LINES: Final = 20
_SUMMARY_FAILING: Final = 10
_MOST_OF_A_LINE: Final = 200

_EPOCH: Final = datetime(1970, 1, 2, tzinfo=UTC)

Entry = TypeVar("Entry", ReportLine, Failing)


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
class Count:
    """So many events of a severity and a result."""

    severity: Severity
    result: str
    count: int


@dataclass(frozen=True, slots=True)
class DigestReport:
    """What a digest says, at most 256 KiB as bytes and as HTML, whatever the number of events.

    ``counts`` hold of all events; ``lines`` are the worst, and ``more_lines`` says how many others
    there are, at least. ``failing_count`` counts also those that ``failing`` does not name.
    """

    window: ReportWindow
    counts: tuple[Count, ...] = ()
    lines: tuple[ReportLine, ...] = ()
    more_lines: int = 0
    failing: tuple[Failing, ...] = ()
    failing_count: int = 0

    @property
    def total(self) -> int:
        return sum(each.count for each in self.counts)

    @property
    def listed(self) -> int:
        """The events that ``lines`` stand for."""
        return sum(each.count for each in self.lines)

    def count_of(self, result: Result) -> int:
        return sum(each.count for each in self.counts if each.result == result)


class ReportBuilder:
    """Adds up the events of a window. A hundred thousand take a few megabytes."""

    def __init__(self, window: ReportWindow) -> None:
        self._window = window
        self._counts: Counter[tuple[Severity, Result]] = Counter()
        self._lines = LineTallies()
        self._times = TaskTimes()
        self._standings = Standings()

    def add(self, event: Event, received_at: datetime) -> None:
        """Count an event of the window, in any order."""
        # A clock that is ahead, or was never set, is not believed.
        at = max(_EPOCH, min(event.timestamp, received_at))
        outcome = outcome_of(event.type)
        self._counts[event.severity, result_of(outcome, event.severity)] += 1
        line = self._lines.add(event, at)
        if line is not None:
            self._times.add(event, outcome, at, line)
        self._standings.add(event, outcome, at, received_at)

    def build(self) -> DigestReport:
        """The report of what was added so far."""
        lines = self._lines.worst_first()
        shown = tuple(_fitting(lines, MOST_LINES, _LINES_ROOM))
        failing, failing_count = self._standings.failing()
        return DigestReport(
            self._window,
            self._worst_first(),
            shown,
            len(lines) - len(shown),
            tuple(_fitting(failing, MOST_FAILING, _FAILING_ROOM)),
            failing_count,
        )

    def _worst_first(self) -> tuple[Count, ...]:
        order = list(Result)
        counts = sorted(
            self._counts.items(), key=lambda item: (-item[0][0], order.index(item[0][1]))
        )
        return tuple(Count(*key, count) for key, count in counts)


def to_bytes(report: DigestReport) -> bytes:
    """The report as it is stored."""
    return pack(EVENT_TYPE, report)


def from_bytes(stored: bytes) -> DigestReport:
    """The report of ``to_bytes``. Raises ValueError where it is none."""
    return unpack(EVENT_TYPE, DigestReport, stored)


def digest_event(report: DigestReport, delivery_id: str, closed_at: datetime) -> Event:
    """The digest as an event, whose subject and summary make sense anywhere."""
    window = report.window
    return Event(
        event_id=f"digest-{delivery_id}",
        type=EVENT_TYPE,
        severity=default_severity(EVENT_TYPE),
        timestamp=closed_at,
        subject=f"{window.period.capitalize()} digest of {window.group}: {headline(report)}",
        summary="\n".join(_summary(report)),
        groups=(window.group,),
    )


def headline(report: DigestReport) -> str:
    """``3 failed, 2 warned, 214 others``."""
    failed, warned = report.count_of(Result.FAILED), report.count_of(Result.WARNED)
    if not report.total:
        return "no events"
    if not failed and not warned:
        return f"{counted(report.total, 'event')}, no problems"
    others = report.total - failed - warned
    parts = [
        f"{count:,} {word}" for count, word in ((failed, "failed"), (warned, "warned")) if count
    ]
    return ", ".join(parts + ([counted(others, "other")] if others else []))


def line_words(line: ReportLine) -> str:
    """``37 × backup.completed on ibs-primary, 2 h 10 min in all``."""
    words = f"{line.count:,} × {line.type}" + (
        f" on {shortened(line.place, _MOST_OF_A_LINE)}" if line.place else ""
    )
    return f"{words}, {took_words(line)}" if line.timed else words


def took_words(line: ReportLine) -> str:
    """``2 h 10 min in all``; where only some events tell, of how many it is. Empty: none does."""
    if not line.timed:
        return ""
    if line.timed < line.count:
        return f"{took(line.duration)} for {line.timed:,} of them"
    return f"{took(line.duration)} in all" if line.count > 1 else took(line.duration)


def _summary(report: DigestReport) -> Iterator[str]:
    yield headline(report).capitalize() + "."
    if report.failing:
        yield "\nStill failing:"
        for each in report.failing[:_SUMMARY_FAILING]:
            yield f"- {each.type} on {shortened(each.latest.resource, _MOST_OF_A_LINE)}"
        hidden = report.failing_count - len(report.failing[:_SUMMARY_FAILING])
        if hidden:
            yield f"- and {hidden:,} more"
    if report.lines:
        yield ""
        shown = report.lines[:_SUMMARY_LINES]
        for line in shown:
            yield f"- {line.severity.label}: {line_words(line)}"
        hidden = report.total - sum(each.count for each in shown)
        if hidden:
            yield f"- and {counted(hidden, 'more event')}"


def _fitting(entries: Sequence[Entry], most: int, room: int) -> Iterator[Entry]:
    """The first entries that fit, escaped as HTML needs it, which is their longest form."""
    for entry in entries[:most]:
        room -= _MARKUP + len(html.escape(to_json(entry)).encode("utf-8", errors="replace"))
        if room < 0:
            return
        yield entry
