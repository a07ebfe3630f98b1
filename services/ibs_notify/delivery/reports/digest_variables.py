"""A digest as templates see it, and as webhooks are told: moments in its zone, and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from ibs_notify.delivery.reports.digest_lines import Occurrence, ReportLine
from ibs_notify.delivery.reports.digest_report import (
    DigestReport,
    ReportWindow,
    headline,
    line_words,
    took_words,
)
from ibs_notify.delivery.reports.digest_standing import Failing
from ibs_notify.delivery.reports.event_result import Result
from ibs_notify.delivery.reports.words import when, window_words
from ibs_notify.domain.clock import in_zone
from ibs_notify.domain.severity import Severity
from ibs_notify.domain.time_zone import zone_of


def digest_variables(report: DigestReport) -> Mapping[str, Any]:
    """The variable ``digest``, as ``report_shapes.DIGEST`` declares it."""
    window = report.window
    zone = zone_of(window.time_zone)
    severities: Counter[Severity] = Counter()
    for each in report.counts:
        severities[each.severity] += each.count
    by_severity = sorted(severities.items(), reverse=True)
    return {
        **window_variables(window, zone),
        "headline": headline(report),
        "total": report.total,
        **{result.value: report.count_of(result) for result in Result},
        "worst": by_severity[0][0].label if by_severity else "",
        "severities": [{"severity": each.label, "count": count} for each, count in by_severity],
        "failing": [_failing(each, window, zone) for each in report.failing],
        "more_failing": report.failing_count - len(report.failing),
        "lines": [_line(each, window, zone) for each in report.lines],
        "more_lines": report.more_lines,
        "more_events": report.total - report.listed,
    }


def window_variables(window: ReportWindow, zone: tzinfo) -> Mapping[str, Any]:
    """What every report says of its span."""
    return {
        "group": window.group,
        "target": window.target,
        "period": window.period,
        "opened_at": local_time(window.opened_at, zone),
        "closed_at": local_time(window.closed_at, zone),
        "time_zone": str(zone),
        "window": window_words(window.opened_at, window.closed_at, zone),
    }


def local_time(moment: datetime, zone: tzinfo) -> str:
    """``2026-05-21T04:14:35+02:00``: whole seconds (RFC 3339 section 5.6)."""
    return in_zone(moment, zone).isoformat(timespec="seconds")


def _line(line: ReportLine, window: ReportWindow, zone: tzinfo) -> Mapping[str, Any]:
    return {
        "severity": line.severity.label,
        "type": line.type,
        "place": line.place,
        "count": line.count,
        "text": line_words(line),
        "took": took_words(line),
        **_span(line.first_at, line.last_at, window, zone),
        "duration_seconds": line.duration / timedelta(seconds=1),
        "timed": line.timed,
        **_occurrence(line.latest),
        "event_ids": list(line.event_ids),
    }


def _failing(failing: Failing, window: ReportWindow, zone: tzinfo) -> Mapping[str, Any]:
    return {
        "severity": failing.severity.label,
        "type": failing.type,
        "count": failing.count,
        **_span(failing.first_at, failing.latest.at, window, zone),
        **_occurrence(failing.latest),
    }


def _span(
    first_at: datetime, last_at: datetime, window: ReportWindow, zone: tzinfo
) -> Mapping[str, str]:
    return {
        "first_at": local_time(first_at, zone),
        "last_at": local_time(last_at, zone),
        "when": when(first_at, last_at, window.closed_at, zone),
    }


def _occurrence(latest: Occurrence) -> Mapping[str, str]:
    return {
        "event_id": latest.event_id,
        "subject": latest.subject,
        "resource": latest.resource,
        "task_url": latest.task_url,
        "task_log": latest.task_log,
    }
