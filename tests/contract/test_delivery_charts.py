"""Charts of deliveries count each end in its hour, once, on every database."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from tests.support.delivery import START, FakeClock, completion, handoff, sendable

from ibs_notify.delivery.charts import DeliveryCharts
from ibs_notify.delivery.model import Filter, Work
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.ports import Turn
from ibs_notify.delivery.queue.by_request import Requests
from ibs_notify.delivery.queue.housekeeping import Housekeeping
from ibs_notify.delivery.repository import DeliveryQueue
from ibs_notify.delivery.tables import DELIVERIES, HOURS, TARGETS
from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.rpc.convert import moment_to_proto
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.store.database import Database
from ibs_notify.store.migrate import downgrade, upgrade
from ironcore.notification.v1 import delivery_service_pb2 as pb

pytestmark = pytest.mark.tables("delivery")

OK = Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED, 200, "ok")
LATER = Outcome(Verdict.RETRY, OutcomeReason.HTTP_5XX, 503, "busy")
NEVER = Outcome(Verdict.REFUSED, OutcomeReason.HTTP_4XX, 404, "no such hook")
HOUR = timedelta(hours=1)
FIRST = START.replace(minute=0)
Line = dict[datetime, tuple[int, int, int]]
"""Delivered, dead and failed attempts by the beginning of the span."""


class Desk:
    """A worker at the queue, and the chart of what it does."""

    def __init__(self, database: Database, lease: float = 60.0) -> None:
        self.database = database
        self.clock = FakeClock()
        self.queue = DeliveryQueue(database, self.clock, "worker-a", lease_seconds=lease)
        self.outlook = Outlook()
        self.charts = DeliveryCharts(database, self.outlook, self.clock)

    async def accept(self, *numbers: int, uid: str = "t1") -> None:
        await self.queue.accept([handoff(each, target_uid=uid) for each in numbers], sendable)

    async def claim(self, uid: str = "t1", wanted: int = 1) -> list[Work]:
        return list((await self.queue.turn(Turn(uid, wanted))).claimed)

    async def end(self, outcome: Outcome, uid: str = "t1", wanted: int = 1) -> None:
        """Send ``wanted`` of what waits."""
        await self.settle(outcome, *await self.claim(uid, wanted))

    async def settle(self, outcome: Outcome, *works: Work) -> None:
        for uid in {each.target_uid for each in works}:
            done = tuple(
                completion(each, outcome, self.clock.now())
                for each in works
                if each.target_uid == uid
            )
            await self.queue.turn(Turn(uid, 0, done=done))

    async def chart(self, request: pb.ChartDeliveriesRequest | None = None) -> dict[str, Line]:
        answer = await self.charts.of(request or pb.ChartDeliveriesRequest())
        return {
            series.target: {
                span.start_time.ToDatetime(START.tzinfo): (
                    span.delivered,
                    span.dead,
                    span.failed_attempts,
                )
                for span in series.spans
            }
            for series in answer.series
        }


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


async def test_each_end_is_counted_in_its_hour_and_at_its_target(desk: Desk) -> None:
    await desk.accept(1, 2, 3)
    await desk.accept(4, uid="t2")
    await desk.end(OK, wanted=2)
    await desk.end(NEVER, "t2")
    desk.clock.pass_time(hours=1)
    await desk.end(LATER)
    assert await desk.chart() == {
        "t1": {FIRST: (2, 0, 0), FIRST + HOUR: (0, 0, 1)},
        "t2": {FIRST: (0, 1, 1)},
    }


async def test_a_delivery_that_is_sent_again_counts_again(desk: Desk) -> None:
    await desk.accept(1)
    await desk.end(NEVER)
    which = Filter(delivery_ids=(handoff(1).delivery_id,))
    await Requests(desk.database, desk.clock).retry(which, sendable, "alice", dry_run=False)
    await desk.end(OK)
    assert await desk.chart() == {"t1": {FIRST: (1, 1, 1)}}


async def test_what_was_settled_too_late_counts_for_whoever_has_it_now(database: Database) -> None:
    late = Desk(database, lease=-1.0)
    await late.accept(1)
    lost = await late.claim()
    await late.queue.sweep()
    desk = Desk(database)
    await desk.end(OK)
    await late.settle(OK, *lost)
    assert await desk.chart() == {"t1": {FIRST: (1, 0, 0)}}


async def test_one_that_every_worker_dies_with_counts_as_dead(database: Database) -> None:
    doomed = Desk(database, lease=-1.0)
    await doomed.accept(1)
    for _ in range(3):
        assert await doomed.claim()
        await doomed.queue.sweep()
        doomed.clock.pass_time(minutes=1)
        await doomed.queue.sweep()
    assert await doomed.chart() == {"t1": {FIRST: (0, 1, 0)}}


async def test_hours_are_summed_up_to_spans_of_utc(desk: Desk) -> None:
    await desk.accept(1, 2, 3)
    for _ in range(3):
        await desk.end(OK)
        desk.clock.pass_time(hours=11)
    midnight = START.replace(hour=0, minute=0)
    request = pb.ChartDeliveriesRequest(after=moment_to_proto(START - timedelta(days=2)))
    request.step.FromTimedelta(timedelta(days=1))
    assert await desk.chart(request) == {
        "t1": {midnight: (2, 0, 0), midnight + timedelta(days=1): (1, 0, 0)}
    }


async def test_only_what_is_asked_for_is_counted_the_most_failures_first(desk: Desk) -> None:
    for number, uid in enumerate(("t1", "t2", "t3")):
        await desk.accept(number, uid=uid)
        await desk.end(NEVER if uid == "t3" else OK, uid)
    assert list(await desk.chart()) == ["t3", "t1", "t2"]
    assert list(await desk.chart(pb.ChartDeliveriesRequest(targets=["t2", "nothing"]))) == ["t2"]
    past = pb.ChartDeliveriesRequest(before=moment_to_proto(FIRST))
    assert await desk.chart(past) == {}


async def test_two_replicas_that_count_at_the_same_time_lose_nothing(database: Database) -> None:
    desks = [Desk(database), Desk(database)]
    await desks[0].accept(*range(20))
    works = [await each.claim(wanted=10) for each in desks]
    await asyncio.gather(
        *(desk.settle(OK, work) for desk, mine in zip(desks, works, strict=True) for work in mine)
    )
    assert await desks[0].chart() == {"t1": {FIRST: (20, 0, 0)}}


async def test_the_hours_go_with_what_was_delivered_in_them(desk: Desk) -> None:
    await desk.accept(1, 2)
    await desk.end(OK)
    desk.clock.pass_time(days=91)
    await desk.end(OK)
    keep = timedelta(days=90)
    await Housekeeping(desk.database, desk.clock, keep=keep, most=0).tidy()
    left = await desk.database.read(lambda c: c.execute(sa.select(HOURS.c.hour)).scalars().all())
    assert len(left) == 1


async def test_what_ended_before_the_hours_were_counted_is_counted_from_what_is_kept(
    desk: Desk,
) -> None:
    await desk.accept(1, 2, 3)
    await desk.end(OK)
    await desk.end(NEVER)
    await desk.end(LATER)
    counted = await desk.chart()
    await downgrade(desk.database, "delivery", "0007")
    await upgrade(desk.database, "delivery")
    assert await desk.chart() == counted


async def test_a_deleted_target_has_the_name_that_it_had_last(desk: Desk) -> None:
    await desk.accept(1, 2, uid="gone")
    await desk.end(OK, uid="gone")
    asked = pb.ChartDeliveriesRequest()
    # Without a snapshot nobody knows that it is deleted.
    assert [each.last_name for each in (await desk.charts.of(asked)).series] == [""]
    desk.outlook.snapshot = Snapshot(revision=1)
    (series,) = (await desk.charts.of(asked)).series
    assert (series.target, series.last_name) == ("gone", handoff(1).target)


async def last_name(desk: Desk, uid: str) -> str:
    desk.outlook.snapshot = Snapshot(revision=1)
    answer = await desk.charts.of(pb.ChartDeliveriesRequest(targets=[uid]))
    (series,) = answer.series
    return series.last_name


async def test_it_has_it_however_long_ago_that_was_and_without_its_deliveries(desk: Desk) -> None:
    await desk.accept(1, uid="gone")
    await desk.end(OK, uid="gone")
    await desk.database.write(lambda c: c.execute(sa.delete(DELIVERIES)))
    assert await last_name(desk, "gone") == handoff(1).target


async def test_one_that_was_only_given_up_has_the_name_of_what_was(desk: Desk) -> None:
    for number in (1, 2):
        await desk.accept(number, uid="gone")
        await desk.end(NEVER, uid="gone")
    renamed = sa.update(DELIVERIES).where(DELIVERIES.c.delivery_id == handoff(1).delivery_id)
    await desk.database.write(lambda c: c.execute(renamed.values(target_name="zeta-before")))
    await desk.database.write(lambda c: c.execute(sa.delete(TARGETS)))
    assert await last_name(desk, "gone") == handoff(2).target


async def test_the_names_of_before_are_those_of_what_is_kept(desk: Desk) -> None:
    for number, uid in ((1, "gone"), (2, "t1"), (3, "gone")):
        await desk.accept(number, uid=uid)
        await desk.end(OK, uid=uid)
    renamed = sa.update(DELIVERIES).where(DELIVERIES.c.delivery_id == handoff(3).delivery_id)
    await desk.database.write(lambda c: c.execute(renamed.values(target_name="renamed")))
    await downgrade(desk.database, "delivery", "0008")
    await upgrade(desk.database, "delivery")
    assert await last_name(desk, "gone") == "renamed"
    assert await last_name(desk, "t1") == handoff(2).target


async def test_a_replica_of_the_release_before_adds_targets_all_the_same(desk: Desk) -> None:
    added = sa.text(
        "INSERT INTO delivery_target_state (target_uid, delivered_count, last_failure, last_code, "
        "rate_window) VALUES ('gone', 0, '', 0, '[]')"
    )
    await desk.database.write(lambda c: c.execute(added))
    await desk.accept(1, uid="gone")
    await desk.end(OK, uid="gone")
    assert await last_name(desk, "gone") == handoff(1).target


@pytest.mark.parametrize("seconds", [0, -3600, 1800, 5400])
async def test_a_step_of_no_whole_hours_is_refused(desk: Desk, seconds: int) -> None:
    request = pb.ChartDeliveriesRequest()
    request.step.FromSeconds(seconds)
    with pytest.raises(InvalidArgument, match="step"):
        await desk.charts.of(request)


async def test_too_many_spans_are_refused(desk: Desk) -> None:
    after = moment_to_proto(START - timedelta(hours=1001))
    with pytest.raises(InvalidArgument, match="step"):
        await desk.charts.of(pb.ChartDeliveriesRequest(after=after))
