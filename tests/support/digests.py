"""Delivery's digests without its wire: a queue, a scheduler, a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from ibs_notify.delivery.digests import store as digest_store
from ibs_notify.delivery.digests.desk import DigestDesk
from ibs_notify.delivery.digests.maker import DigestMaker
from ibs_notify.delivery.digests.scheduler import DigestScheduler
from ibs_notify.delivery.digests.windows import Window
from ibs_notify.delivery.model import DeliveryRecord, Filter, Handoff, Kind, State
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.ports import Composed
from ibs_notify.delivery.queue.by_request import Requests
from ibs_notify.delivery.queue.listing import Listing
from ibs_notify.delivery.reports import digest_report
from ibs_notify.delivery.reports.digest_report import DigestReport, ReportWindow
from ibs_notify.delivery.repository import DeliveryQueue
from ibs_notify.delivery.tables import DELIVERIES
from ibs_notify.domain.errors import NotificationError
from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Digest, Group, InstallationSettings, Subscription
from ibs_notify.domain.severity import Severity
from ibs_notify.domain.target import SmtpSpec, Target, WebhookSpec
from ibs_notify.rpc.convert import event_to_proto
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.store.database import Database
from tests.support.delivery import FakeClock, handoff

NOON = datetime(2026, 5, 21, 12, tzinfo=UTC)
CHAT = Target("chat", "t1", WebhookSpec("http://127.0.0.1/"))
MAIL = Target("mail", "t2", SmtpSpec("127.0.0.1", 25, recipients=("team@x",)))


def entry(number: int, **changes: Any) -> Handoff:
    """What the digest of group ``compliance`` gathers for the target ``chat``."""
    given = {"digest": True, "group": "compliance", "severity": Severity.INFO.value}
    return handoff(number, **{**given, **changes})


def group(digest: Digest | None = None, **fields: Any) -> Group:
    """The group ``compliance``, which tells chat."""
    subscriptions = (Subscription("s1", "chat", "*"),)
    made = Group("compliance", "g1", subscriptions=subscriptions, digest=digest)
    return replace(made, **fields)


DAILY = group(Digest("*"))


class FakeSummaries:
    """Makes weekly summaries, or cannot."""

    def __init__(self) -> None:
        self.error: NotificationError | None = None
        self.windows: list[ReportWindow] = []

    async def compose(self, window: ReportWindow, delivery_id: str) -> Composed:
        if self.error is not None:
            raise self.error
        self.windows.append(window)
        event = Event(
            f"weekly-{delivery_id}", "notification.summary", Severity.INFO, window.closed_at
        )
        return Composed(event, event_to_proto(event).SerializeToString())


@dataclass(slots=True)
class FakeLanes:
    """Whom the dispatcher would wake."""

    changes: int = 0
    woken: set[str] = field(default_factory=set)

    def noticed(self, targets: Iterable[str], _changes: int) -> None:
        self.woken |= set(targets)


class TimedScheduler(DigestScheduler):
    """Goes by its clock on every database."""

    def _now(self, _connection: sa.Connection) -> datetime:
        return self._clock.now()


class Replica:
    """A Delivery that shares ``database`` with others."""

    def __init__(self, database: Database, clock: FakeClock, holder: str = "a") -> None:
        self.database, self.clock = database, clock
        self.outlook, self.lanes, self.summaries = Outlook(), FakeLanes(), FakeSummaries()
        self.queue = DeliveryQueue(database, clock, holder)
        self.listing = Listing(database)
        self.requests = Requests(database, clock)
        self.maker = DigestMaker(database, self.summaries, self.lanes, self.outlook.admit)
        self.scheduler = TimedScheduler(database, clock, self.maker, holder)
        self.desk = DigestDesk(database, self.scheduler, self.maker, self.outlook, clock)
        self.revision = 0

    def configure(
        self,
        *groups: Group,
        targets: Sequence[Target] = (CHAT, MAIL),
        unreadable: Mapping[str, str] | None = None,
    ) -> None:
        self.revision += 1
        by_uid = {each.uid: each for each in targets}
        snapshot = Snapshot(
            self.revision, InstallationSettings(), by_uid, groups, unreadable=unreadable or {}
        )
        self.outlook.snapshot = snapshot
        self.scheduler.set_snapshot(snapshot)

    async def accept(self, *handoffs: Handoff) -> None:
        await self.queue.accept(handoffs, self.outlook.admit)

    async def pass_time(self, **by: float) -> None:
        """Later, after a look."""
        self.clock.pass_time(**by)
        await self.scheduler.tick()

    async def windows(self) -> list[Window]:
        """All of them, oldest first."""
        pages = await self.database.read(
            lambda c: digest_store.page(c, "", None, 1000, open_only=False)
        )
        return [window for window, _ in reversed(pages)]

    async def see(self, number: int) -> DeliveryRecord:
        return await self.listing.find(entry(number).delivery_id)

    async def states(self) -> dict[State, int]:
        """How many entries stand how."""
        query = (
            sa.select(DELIVERIES.c.state, sa.func.count())
            .where(DELIVERIES.c.digest == 1)
            .group_by(DELIVERIES.c.state)
        )
        rows = await self.database.read(lambda c: c.execute(query).all())
        return {State(state): count for state, count in rows}

    async def digests(self) -> list[DeliveryRecord]:
        """What was made, oldest first."""
        page = await self.listing.page(Filter(), size=1000, before_seq=None)
        return [each for each in reversed(page) if each.kind in (Kind.DIGEST, Kind.SUMMARY)]

    async def reports(self) -> list[DigestReport]:
        """What the digests say."""
        query = (
            sa.select(DELIVERIES.c.body)
            .where(DELIVERIES.c.kind == Kind.DIGEST.value)
            .order_by(DELIVERIES.c.seq)
        )
        bodies = await self.database.read(lambda c: c.execute(query).scalars().all())
        return [digest_report.from_bytes(each) for each in bodies]
