"""What a weekly summary says: how the week's work went, where it went wrong, and how the
notifications themselves fared.

It is about the whole installation, whatever the group: the week of an executive sponsor who is told
of critical events alone has successes too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from ibs_notify.delivery.reports.codec import pack, unpack
from ibs_notify.delivery.reports.digest_report import ReportWindow
from ibs_notify.delivery.reports.event_result import Result, result_of
from ibs_notify.delivery.reports.words import counted, shortened, took
from ibs_notify.domain.catalogue import CATALOGUE, default_severity, outcome_of
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity

EVENT_TYPE: Final = "notification.weekly-summary"
MOST_DATASTORES: Final = 25
MOST_SOURCES: Final = 8
"""Of a datastore."""
MOST_OFFENDERS: Final = 20
MOST_TARGETS: Final = 20
MOST_OF_A_NAME: Final = 200
"""Characters of a text that others chose."""
_OWN: Final = "notification"
_JOBS: Final = frozenset(
    each.source for each in CATALOGUE.values() if each.name.endswith(".completed")
)
_SUMMARY_OFFENDERS: Final = 5

Results = Mapping[Result, int]


@dataclass(frozen=True, slots=True)
class EventCount:
    """So many events of a type and severity at a datastore; empty: of none."""

    datastore: str
    type: str
    severity: Severity
    count: int


@dataclass(frozen=True, slots=True)
class Offender:
    """So many problems of a type and severity that a resource had; ``resource`` is canonical."""

    resource: str
    type: str
    severity: Severity
    count: int


@dataclass(frozen=True, slots=True)
class EventTotals:
    """What the Router says of a window; ``other_count`` are events that ``counts`` leave out."""

    counts: Sequence[EventCount]
    offenders: Sequence[Offender]
    other_count: int = 0


@dataclass(frozen=True, slots=True)
class FailingTarget:
    """A target that does not accept, or is paused, when the report is made."""

    name: str
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class DeliveryHealth:
    """How the deliveries that ended in a window fared.

    ``retried`` are those delivered that took more than one attempt. ``median`` and ``p95`` are the
    time from the handoff to the delivery, which half, and 95 of 100, did not exceed.
    """

    delivered: int = 0
    retried: int = 0
    dead: int = 0
    cancelled: int = 0
    median: timedelta = timedelta()
    p95: timedelta = timedelta()
    failing: tuple[FailingTarget, ...] = ()
    more_failing: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """How many events there were of each result; ``parts`` are the same by source.

    ``jobs`` are the ends of jobs among them: backups, restores, syncs, verifications. ``sound`` are
    the jobs that succeeded.
    """

    name: str = ""
    failed: int = 0
    warned: int = 0
    succeeded: int = 0
    other: int = 0
    jobs: int = 0
    sound: int = 0
    parts: tuple[Tally, ...] = ()

    @property
    def total(self) -> int:
        return self.failed + self.warned + self.succeeded + self.other


@dataclass(frozen=True, slots=True)
class WeeklyReport:
    """What a weekly summary says; ``totals`` and ``more_events`` together count every event."""

    window: ReportWindow
    totals: Tally = Tally()
    datastores: tuple[Tally, ...] = ()
    more_datastores: int = 0
    offenders: tuple[Offender, ...] = ()
    more_events: int = 0
    health: DeliveryHealth = DeliveryHealth()


def weekly_report(
    window: ReportWindow, events: EventTotals, health: DeliveryHealth
) -> WeeklyReport:
    """The report of a week. The system's own events are left out: ``health`` tells of these."""
    stores: dict[str, dict[str, dict[Result, int]]] = defaultdict(lambda: defaultdict(dict))
    for each in events.counts:
        source = each.type.partition(".")[0]
        if source == _OWN:
            continue
        results = stores[each.datastore][source]
        result = result_of(outcome_of(each.type), each.severity)
        results[result] = results.get(result, 0) + each.count
    tallies = sorted((_tally(name, sources) for name, sources in stores.items()), key=_worst_first)
    return WeeklyReport(
        window,
        _sum("", tallies),
        tuple(tallies[:MOST_DATASTORES]),
        len(tallies[MOST_DATASTORES:]),
        tuple(
            replace(each, resource=shortened(each.resource, MOST_OF_A_NAME))
            for each in events.offenders
            if not each.type.startswith(f"{_OWN}.")
        )[:MOST_OFFENDERS],
        events.other_count,
        health,
    )


def _tally(name: str, sources: Mapping[str, Results]) -> Tally:
    parts = sorted(
        (_part(source, results) for source, results in sources.items()), key=_worst_first
    )
    return _sum(shortened(name, MOST_OF_A_NAME), parts, tuple(parts[:MOST_SOURCES]))


def _part(source: str, results: Results) -> Tally:
    failed, warned, succeeded, other = (
        results.get(each, 0)
        for each in (Result.FAILED, Result.WARNED, Result.SUCCEEDED, Result.OTHER)
    )
    is_job = source in _JOBS
    jobs, sound = (failed + warned + succeeded, succeeded) if is_job else (0, 0)
    return Tally(source, failed, warned, succeeded, other, jobs, sound)


def _sum(name: str, tallies: Sequence[Tally], parts: tuple[Tally, ...] = ()) -> Tally:
    return Tally(
        name,
        sum(each.failed for each in tallies),
        sum(each.warned for each in tallies),
        sum(each.succeeded for each in tallies),
        sum(each.other for each in tallies),
        sum(each.jobs for each in tallies),
        sum(each.sound for each in tallies),
        parts,
    )


def _worst_first(tally: Tally) -> tuple[int, int, int, str]:
    return -tally.failed, -tally.warned, -tally.total, tally.name


def to_bytes(report: WeeklyReport) -> bytes:
    """The report as it is stored."""
    return pack(EVENT_TYPE, report)


def from_bytes(stored: bytes) -> WeeklyReport:
    """The report of ``to_bytes``. Raises ValueError where it is none."""
    return unpack(EVENT_TYPE, WeeklyReport, stored)


def weekly_event(report: WeeklyReport, delivery_id: str, closed_at: datetime) -> Event:
    """The summary as an event, whose subject and summary make sense anywhere."""
    return Event(
        event_id=f"weekly-{delivery_id}",
        type=EVENT_TYPE,
        severity=default_severity(EVENT_TYPE),
        timestamp=closed_at,
        subject=f"Weekly summary for {report.window.group}: {headline(report)}",
        summary="\n".join(_summary(report)),
        groups=(report.window.group,),
    )


def headline(report: WeeklyReport) -> str:
    """``99.1 % of 1,240 jobs succeeded, 12 failed, 5 warned``."""
    totals = report.totals
    if not totals.total:
        return "no events"
    jobs = f"{success_rate(totals)} of {counted(totals.jobs, 'job')} succeeded"
    first = jobs if totals.jobs else counted(totals.total, "event")
    if not totals.failed and not totals.warned:
        return f"{first}, no problems"
    problems = ((totals.failed, "failed"), (totals.warned, "warned"))
    return ", ".join([first, *(f"{count:,} {word}" for count, word in problems if count)])


def success_rate(tally: Tally) -> str:
    """``99.1 %`` of the jobs; rounded down, so 100 % is all of them. Empty: there was none."""
    if not tally.jobs:
        return ""
    tenths = tally.sound * 1000 // tally.jobs
    return "100 %" if tenths == 1000 else f"{tenths // 10}.{tenths % 10} %"


def results_words(tally: Tally) -> str:
    """``12 failed, 5 warned, 1,223 succeeded``, without what there is none of."""
    counts = (
        (tally.failed, "failed"),
        (tally.warned, "warned"),
        (tally.succeeded, "succeeded"),
        (tally.other, "other"),
    )
    return ", ".join(f"{count:,} {word}" for count, word in counts if count)


def health_words(health: DeliveryHealth) -> str:
    """``1,204 notifications delivered, half of them within 0.4 s``, and what did not go well."""
    words = counted(health.delivered, "notification") + " delivered"
    if health.delivered:
        words += f", half of them within {took(health.median)}"
    if health.dead:
        words += f"; {health.dead:,} given up"
    failing = len(health.failing) + health.more_failing
    return f"{words}; {counted(failing, 'target')} failing now" if failing else words


def _summary(report: WeeklyReport) -> Iterator[str]:
    yield f"{headline(report).capitalize()}."
    if report.datastores:
        yield ""
    for each in report.datastores:
        where = each.name or "Outside of datastores"
        yield f"- {where}: {results_words(each)}"
    if report.more_datastores:
        yield f"- and {counted(report.more_datastores, 'more datastore')}"
    if report.offenders:
        yield "\nWorst offenders:"
    for offender in report.offenders[:_SUMMARY_OFFENDERS]:
        yield f"- {offender.resource}: {offender.count:,} × {offender.type}"
    yield f"\n{health_words(report.health)}."
