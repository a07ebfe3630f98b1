"""The Router without its wire: configuration and events in, decisions and rows out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock, to_micros
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.errors import Reason as ErrorReason
from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Group, InstallationSettings, Subscription
from ibs_notify.domain.severity import Severity
from ibs_notify.domain.target import InfluxDbSpec, SmtpSpec, Target, TargetSpec, WebhookSpec
from ibs_notify.router.dispositions import Decision, Reason
from ibs_notify.router.intake import arrival_of
from ibs_notify.router.match import RoutingTable, build_table, numbered
from ibs_notify.router.outbox import Outbox
from ibs_notify.router.pipeline import Routing
from ibs_notify.router.ports import DeliveryId, End, Ended, Handoff, Handover
from ibs_notify.router.repository import NewEvent, accept
from ibs_notify.router.routes import register
from ibs_notify.router.silences import SilenceBook
from ibs_notify.router.tables import EVENTS, LANES, OBLIGATIONS, ROUTES
from ibs_notify.rpc.convert import event_to_proto
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.store.database import Database
from ibs_notify.store.leases import Lease

NOW = datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC)
_SPECS: dict[str, TargetSpec] = {
    "chat": WebhookSpec("http://127.0.0.1/"),
    "pager": WebhookSpec("http://127.0.0.1/pager"),
    "mail": SmtpSpec("127.0.0.1", 25, recipients=("ops@example.com",)),
    "influx": InfluxDbSpec("http://127.0.0.1/", "o", "b"),
}
TARGETS = {name: Target(name, f"u-{name}", spec) for name, spec in _SPECS.items()}
"""Every target that a group of a test may name."""


def group(name: str, *targets: str, **fields: Any) -> Group:
    """A group whose targets hear every event, or what a rule says: ``chat: severity = info``."""
    parts = [each.partition(": ") for each in targets]
    return Group(
        name,
        f"u-{name}",
        subscriptions=tuple(
            Subscription(f"{name}-{target}", target, rule or "*") for target, _, rule in parts
        ),
        **fields,
    )


def failed(event_id: str, resource: str = "/datastore/a", **fields: Any) -> Event:
    """A failed backup; two of them on the same resource are identical."""
    given: dict[str, Any] = {
        "severity": Severity.ERROR,
        "type": "backup.failed",
        "timestamp": NOW,
    } | fields
    return Event(event_id=event_id, resource=resource, canonical_resource=resource, **given)


def completed(event_id: str, resource: str = "/datastore/a", **fields: Any) -> Event:
    """The all-clear after a failed backup."""
    given: dict[str, Any] = {"type": "backup.completed", "severity": Severity.INFO} | fields
    return failed(event_id, resource, **given)


class Core:
    """Decides on events and stores them, as a Router does that knows nothing but the database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.silences = SilenceBook()
        self.revision = 0
        self._table: RoutingTable | None = None

    @property
    def table(self) -> RoutingTable:
        assert self._table is not None, "configure first"
        return self._table

    async def configure(self, *groups: Group) -> None:
        """These groups are in force from now on."""
        self.revision += 1
        targets = {each.uid: each for each in TARGETS.values()}
        snapshot = Snapshot(self.revision, InstallationSettings(), targets, groups)
        table = build_table(snapshot)
        numbers = await self.database.write(lambda c: register(c, table.routes, table.groups))
        self._table = numbered(table, numbers)

    async def emit(self, *events: Event, now: datetime = NOW) -> list[Routing]:
        """One batch, in one transaction."""
        return [answer for (answer,) in await self.emit_all([[each] for each in events], now)]

    async def emit_all(self, batches: Sequence[Sequence[Event]], now: datetime) -> list[list[Any]]:
        new = [[self._new(event, now) for event in batch] for batch in batches]
        answers = await self.database.write(lambda c: accept(c, new, self.silences))
        return [list(each) for each in answers]

    def _new(self, event: Event, now: datetime) -> NewEvent:
        arrival = arrival_of(self.table, event, event.event_id, now)
        return NewEvent(arrival, self.revision, b"", event_to_proto(event).SerializeToString())

    async def decide(self, *events: Event, now: datetime = NOW) -> list[Decision]:
        """The decisions of a batch, of all events on all their routes."""
        routings = await self.emit(*events, now=now)
        return [each.decision for routing in routings for each in routing.obligations]

    async def reasons(self, *events: Event, now: datetime = NOW) -> list[Reason]:
        return [each.reason for each in await self.decide(*events, now=now)]

    async def lane_of(self, group_name: str) -> int:
        """The number of a group's queue."""
        query = sa.select(LANES.c.lane_id).where(LANES.c.group_uid == f"u-{group_name}")
        return await self.database.read(lambda c: c.execute(query).scalar_one())

    async def states(self) -> list[tuple[str, int, str, str]]:
        """Event, position, state and pointer of every obligation that has a row."""
        query = (
            sa.select(
                EVENTS.c.event_id,
                OBLIGATIONS.c.position,
                OBLIGATIONS.c.state,
                OBLIGATIONS.c.pointer,
            )
            .join(OBLIGATIONS, OBLIGATIONS.c.event_seq == EVENTS.c.seq)
            .order_by(EVENTS.c.seq, OBLIGATIONS.c.position)
        )
        return [tuple(row) for row in await self.database.read(lambda c: c.execute(query).all())]

    async def count(self, state: str) -> int:
        """How many obligations are in this state."""
        return sum(each == state for _, _, each, _ in await self.states())

    async def target_of(self, event_id: str) -> list[str]:
        """Where the obligations of an event lead."""
        query = (
            sa.select(ROUTES.c.target_name)
            .join(OBLIGATIONS, OBLIGATIONS.c.route_id == ROUTES.c.route_id)
            .join(EVENTS, OBLIGATIONS.c.event_seq == EVENTS.c.seq)
            .where(EVENTS.c.event_id == event_id)
            .order_by(OBLIGATIONS.c.position)
        )
        return list(await self.database.read(lambda c: c.execute(query).scalars().all()))


class DeliveryDouble:
    """Delivery in this process: keeps what it is handed, refuses and fails when told to."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.taken: list[Handoff] = []
        self.error: Exception | None = None
        self.refused: set[str] = set()
        self.called = asyncio.Event()

    async def deliver(self, handoffs: Sequence[Handoff]) -> None:
        self.calls.append([each.event_id for each in handoffs])
        self.called.set()
        if self.error is not None:
            raise self.error
        if self.refused.intersection(self.calls[-1]):
            raise InvalidArgument(ErrorReason.FIELD_INVALID, "handoffs: refused on purpose")
        self.taken += handoffs

    @property
    def told(self) -> list[tuple[str, str]]:
        """Event and target of all that it took, in order."""
        return [(each.event_id, each.route.target) for each in self.taken]

    async def ids(self, _after: str, _limit: int) -> Sequence[DeliveryId]:
        return []

    async def retired_before(self) -> int:
        return 0

    async def outcomes(self, cursor: str) -> AsyncGenerator[tuple[str, Sequence[Ended]], None]:
        yield cursor, []


class ShiftedClock:
    """Runs on from ``NOW``, and jumps when it is told to."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.shift = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return time.monotonic() - self._began + self.shift


class TimedOutbox(Outbox):
    """Goes by its clock on every database; ``drain`` works until there is nothing to do."""

    def __init__(self, core: Core, delivery: Handover, clock: Clock, holder: str = "one") -> None:
        super().__init__(core.database, delivery, lambda: core.table, clock, holder)

    def _now(self, connection: sa.Connection, lease: Lease) -> int:
        return to_micros(self._clock.now())

    async def drain(self) -> None:
        while await self.work_once():
            pass


def death(
    obligation: str, *, target: str = "chat", end: End = End.DEAD, at: datetime = NOW
) -> Ended:
    """A delivery that ended, as Delivery reports it."""
    return Ended(
        delivery_id=f"d-{obligation}",
        obligation_id=obligation,
        event_id=obligation.rpartition("/")[0],
        event_type="backup.failed",
        target=target,
        target_uid=f"u-{target}",
        group="ops",
        state=end,
        reason="REFUSED",
        detail="410 Gone",
        closed_at=at,
    )
