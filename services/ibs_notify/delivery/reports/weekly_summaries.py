"""The weekly summary: the Router's totals and this service's own, put into words."""

from __future__ import annotations

from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.ports import Composed, EventSums, Healths
from ibs_notify.delivery.reports.digest_report import ReportWindow
from ibs_notify.delivery.reports.weekly_report import to_bytes, weekly_event, weekly_report


class WeeklySummaries:
    """See ``ports.Summaries``."""

    def __init__(self, sums: EventSums, healths: Healths, outlook: Outlook) -> None:
        self._sums = sums
        self._healths = healths
        self._outlook = outlook

    async def compose(self, window: ReportWindow, delivery_id: str) -> Composed:
        after, before = window.opened_at, window.closed_at
        snapshot = self._outlook.snapshot
        targets = {} if snapshot is None else snapshot.targets
        totals = await self._sums.totals(after, before)
        health = await self._healths.health(after, before, targets)
        report = weekly_report(window, totals, health)
        return Composed(weekly_event(report, delivery_id, before), to_bytes(report))
