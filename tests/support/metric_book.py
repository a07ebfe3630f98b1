"""A book of metric servers in memory: the double of ``MetricBook``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ibs_notify.delivery.transports.metric_book import Metric, Sample, Series
from ibs_notify.delivery.transports.metric_labels import Label, Values, labels_of


class MemoryBook:
    """Admits everything, counts each sequence once; the turn is ``holder``'s, where set.

    ``on_count`` is called before anything is counted.
    """

    def __init__(self) -> None:
        self.holder = ""
        self.admissions = 0
        self.on_count: Callable[[], None] = lambda: None
        self.samples: dict[int, Sample] = {}

    async def admit(self, _target_uid: str, wanted: Values) -> Values:
        self.admissions += 1
        return wanted

    async def count(
        self, _target_uid: str, pusher: str, samples: Sequence[Sample]
    ) -> Sequence[Series] | None:
        self.on_count()
        if self.holder not in ("", pusher):
            return None
        self.holder = pusher
        for sample in samples:
            self.samples.setdefault(sample.sequence, sample)
        nothing = {label: frozenset[str]() for label in Label}
        totals: dict[tuple[str, ...], Series] = {}
        for each in self.samples.values():
            of = labels_of(each.event, nothing)
            labels = (of.type, of.severity, of.source, of.datastore)
            total = totals[labels].total + 1 if labels in totals else 1
            totals[labels] = Series(Metric.EVENTS, labels, total, each.event.timestamp)
        return list(totals.values())

    async def end_turn(self, _target_uid: str, pusher: str) -> None:
        if self.holder == pusher:
            self.holder = ""
