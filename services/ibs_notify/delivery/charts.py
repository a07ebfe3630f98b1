"""The rpc that charts deliveries: the counts of ``targets.hours``, with the targets' names."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.targets import hours
from ibs_notify.delivery.targets.hours import Chart, Counts
from ibs_notify.delivery.targets.target_state import last_names
from ibs_notify.domain.clock import Clock, to_micros
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.rpc.chart_spans import Unit, step_of
from ibs_notify.rpc.convert import is_moment, moment_from_proto
from ibs_notify.store.database import Database
from ironcore.notification.v1 import delivery_service_pb2 as pb

MOST_SERIES = 1000
DAY = timedelta(days=1) // timedelta(microseconds=1)


class DeliveryCharts:
    """What became of deliveries, by target and by span of time."""

    def __init__(self, database: Database, outlook: Outlook, clock: Clock) -> None:
        self._database = database
        self._outlook = outlook
        self._clock = clock

    async def of(self, request: pb.ChartDeliveriesRequest) -> pb.ChartDeliveriesResponse:
        """The targets with the most failures first."""
        after, before, step = self._bounds(request)
        uids = self._uids(request.targets) if request.targets else None
        chart = await self._database.read(lambda c: hours.chart(c, uids, after, before, step))
        gone = {uid for uid in chart if self._outlook.is_deleted(uid)}
        names = await self._database.read(lambda c: last_names(c, gone)) if gone else {}
        response = pb.ChartDeliveriesResponse()
        response.step.FromMicroseconds(step)
        for uid in sorted(chart, key=lambda uid: _rank(uid, chart))[:MOST_SERIES]:
            series = response.series.add(target_uid=uid, target=self._outlook.name_of(uid))
            series.last_name = names.get(uid, "")
            for start, counts in sorted(chart[uid].items()):
                span = series.spans.add(
                    delivered=counts.delivered,
                    dead=counts.dead,
                    failed_attempts=counts.failed_attempts,
                )
                span.start_time.FromMicroseconds(start)
        return response

    def _bounds(self, request: pb.ChartDeliveriesRequest) -> tuple[int, int, int]:
        """After, before and step in microseconds."""
        for name in ("after", "before"):
            if not is_moment(getattr(request, name)):
                fault = FieldViolation(name, "is not between the years 1 and 9999")
                raise InvalidArgument.of([fault])
        given = request.HasField("before")
        before = to_micros(moment_from_proto(request.before) if given else self._clock.now())
        given = request.HasField("after")
        after = to_micros(moment_from_proto(request.after)) if given else before - DAY
        step = request.step if request.HasField("step") else None
        return after, before, step_of(step, before - after, Unit.HOUR)

    def _uids(self, names: Collection[str]) -> set[str]:
        """Those of the targets with these names; a deleted one goes by its uid."""
        wanted = set(names)
        snapshot = self._outlook.snapshot
        named = () if snapshot is None else snapshot.targets.items()
        return wanted | {uid for uid, target in named if target.name in wanted}


def _rank(uid: str, chart: Chart) -> tuple[int, int, str]:
    total = sum(chart[uid].values(), Counts())
    return -total.dead - total.failed_attempts, -total.delivered, uid
