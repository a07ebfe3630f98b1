"""A weekly summary is made of the Router's totals and of how our own deliveries fared."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

import pytest
from tests.support.reports import CLOSED
from tests.unit.delivery_reports.test_weekly_report import COUNTS, HEALTH, OFFENDERS, WINDOW, report

from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.reports.stored import read_report
from ibs_notify.delivery.reports.weekly_report import DeliveryHealth, EventTotals, from_bytes
from ibs_notify.delivery.reports.weekly_summaries import WeeklySummaries
from ibs_notify.domain.errors import Reason, Unavailable
from ibs_notify.domain.target import Target, WebhookSpec
from ibs_notify.snapshot.model import Snapshot


class Sums:
    """Answers for a window, or is away."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[datetime, datetime]] = []

    async def totals(self, after: datetime, before: datetime) -> EventTotals:
        self.asked.append((after, before))
        if self.error is not None:
            raise self.error
        return EventTotals(COUNTS, OFFENDERS)


class Healths:
    def __init__(self) -> None:
        self.targets: Mapping[str, Target] = {}

    async def health(
        self, after: datetime, before: datetime, targets: Mapping[str, Target]
    ) -> DeliveryHealth:
        assert (after, before) == (WINDOW.opened_at, WINDOW.closed_at)
        self.targets = targets
        return HEALTH


def test_a_summary_is_composed_of_the_routers_totals_and_our_own() -> None:
    sums, healths, outlook = Sums(), Healths(), Outlook()
    chat = Target("chat-ops", "t1", WebhookSpec("https://x"))
    outlook.snapshot = Snapshot(revision=1, targets={"t1": chat})
    composed = asyncio.run(WeeklySummaries(sums, healths, outlook).compose(WINDOW, "d-1"))
    assert sums.asked == [(WINDOW.opened_at, WINDOW.closed_at)]
    assert healths.targets == {"t1": chat}
    assert from_bytes(composed.body) == report()
    told = read_report(composed.body, "d-1", CLOSED)
    assert told is not None
    assert told[0] == composed.event


def test_while_the_router_is_away_there_is_no_summary_and_whoever_asks_is_told_so() -> None:
    away = Unavailable(Reason.SERVICE_UNREACHABLE, "the Router service cannot be reached")
    summaries = WeeklySummaries(Sums(away), Healths(), Outlook())
    with pytest.raises(Unavailable):
        asyncio.run(summaries.compose(WINDOW, "d-1"))
