"""A weekly summary as templates see it, and as webhooks are told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from ibs_notify.delivery.reports.digest_variables import local_time, window_variables
from ibs_notify.delivery.reports.weekly_report import (
    DeliveryHealth,
    Tally,
    WeeklyReport,
    headline,
    health_words,
    results_words,
    success_rate,
)
from ibs_notify.delivery.reports.words import took, when
from ibs_notify.domain.time_zone import zone_of


def weekly_variables(report: WeeklyReport) -> Mapping[str, Any]:
    """The variable ``weekly``, as ``report_shapes.WEEKLY`` declares it."""
    zone = zone_of(report.window.time_zone)
    return {
        **window_variables(report.window, zone),
        "headline": headline(report),
        **_results(report.totals),
        "datastores": [
            {
                "name": each.name,
                **_results(each),
                "sources": [{"name": part.name, **_results(part)} for part in each.parts],
            }
            for each in report.datastores
        ],
        "more_datastores": report.more_datastores,
        "more_events": report.more_events,
        "offenders": [
            {
                "resource": each.resource,
                "type": each.type,
                "severity": each.severity.label,
                "count": each.count,
            }
            for each in report.offenders
        ],
        "delivery": _health(report.health, report.window.closed_at, zone),
    }


def _results(tally: Tally) -> Mapping[str, Any]:
    return {
        "total": tally.total,
        "failed": tally.failed,
        "warned": tally.warned,
        "succeeded": tally.succeeded,
        "other": tally.other,
        "jobs": tally.jobs,
        "success_rate": success_rate(tally),
        "text": results_words(tally),
    }


def _health(health: DeliveryHealth, closed_at: datetime, zone: tzinfo) -> Mapping[str, Any]:
    second = timedelta(seconds=1)
    return {
        "text": health_words(health),
        "delivered": health.delivered,
        "retried": health.retried,
        "dead": health.dead,
        "cancelled": health.cancelled,
        "median_seconds": health.median / second,
        "p95_seconds": health.p95 / second,
        "median": took(health.median) if health.delivered else "",
        "p95": took(health.p95) if health.delivered else "",
        "failing_targets": [
            {
                "name": each.name,
                "since": local_time(each.since, zone),
                "when": when(each.since, each.since, closed_at, zone),
                "reason": each.reason,
            }
            for each in health.failing
        ],
        "more_failing_targets": health.more_failing,
    }
