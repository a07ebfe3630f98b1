"""What the dispatcher needs of the queue, and of whoever opens transports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.model import Accepted, Completion, Handoff, Work
from ibs_notify.delivery.reports.digest_report import ReportWindow
from ibs_notify.delivery.reports.weekly_report import DeliveryHealth, EventTotals
from ibs_notify.delivery.targets.breaker import Breaker, Hold
from ibs_notify.delivery.transports.base import Transport
from ibs_notify.domain.event import Event
from ibs_notify.domain.target import Target
from ibs_notify.snapshot.model import Snapshot

Admit = Callable[[str, int, bool], Admission]
"""(target uid, revision, whether it names recipients) to the admission, by the newest snapshot."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a lane has done, and how many more deliveries of its target it has room for.

    ``in_hand`` is how many it has beside those that are done. ``fallback`` are the recipients of
    mails that name none; ``max_rate`` is messages a minute, 0 for no bound.
    """

    target_uid: str
    wanted: int
    fallback: tuple[str, ...] = ()
    max_rate: int = 0
    in_hand: int = 0
    done: tuple[Completion, ...] = ()


@dataclass(frozen=True, slots=True)
class Turned:
    """``claimed`` are leased to the caller, most severe first. ``lost`` are the ``seq`` of those
    done whose lease was lost: somebody else has them by now, nothing was changed. ``next_at`` says
    when the rate or the breaker allows more, where it held something back; ``hold`` is what the
    breaker of the target says."""

    claimed: tuple[Work, ...]
    lost: frozenset[int] = frozenset()
    next_at: datetime | None = None
    hold: Hold = Hold.NONE


@dataclass(frozen=True, slots=True)
class Sweep:
    """``targets`` have deliveries that became due; ``next_due_at`` is the next that will."""

    targets: frozenset[str]
    next_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How all deliveries of a target stand.

    ``lacks_recipients``: mails that name none wait, but those of the groups in ``named``, which say
    by now who receives theirs.
    """

    admission: Admission
    lacks_recipients: bool = False
    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for something to be done to a target, by its name."""

    actor: str
    target: str


class Queue(Protocol):
    """The durable queue. Everything that returned is on disk.

    Any call raises ``Unavailable`` or ``ResourceExhausted`` while the storage cannot take it;
    repeating it is safe.
    """

    async def accept(self, handoffs: Sequence[Handoff], admit: Admit) -> Accepted:
        """Store what is not known by its id yet, each in the state that ``admit`` gives it.

        A turn that is asked for meanwhile comes after it, in the same transaction.
        """
        ...

    async def turn(self, turn: Turn) -> Turned:
        """Complete deliveries and claim others, in one transaction with whoever else asks.

        A claim is a lease by the database's clock with a fencing number, and counts as an attempt;
        no two callers, in whatever process, get the same delivery while a lease lasts. What two
        workers died with is claimed only by a lane with empty hands, and without anything else. A
        completion counts only while its lease does. The breaker of the target, one for all callers,
        hears of each end and bounds each claim.
        """
        ...

    async def heartbeat(self, works: Sequence[Work]) -> int:
        """Prolong the leases of what is in hand; how many are still held."""
        ...

    async def recover(self) -> None:
        """Take over what a former process of this database left, where there can be no other."""
        ...

    async def sweep(self) -> Sweep:
        """Queue what became due, and what a worker that died had in hand.

        Of very many only the first: then ``next_due_at`` has passed already.
        """
        ...

    async def examine(self, revision: int, standings: Mapping[str, Standing]) -> frozenset[str]:
        """Let every open delivery of a revision up to ``revision`` stand as its target does.

        ``standings`` is by target uid; a target that is not in it is deleted, and its deliveries
        are cancelled. Returns the targets that have something new to send.
        """
        ...

    async def is_astray(self, revision: int, standings: Mapping[str, Standing]) -> bool:
        """Whether ``examine`` has something to do: a delivery stands otherwise than its target."""
        ...

    async def blocked(self) -> Sequence[tuple[str, Admission]]:
        """The targets of deliveries that wait because some replica could not open a transport, each
        with the reason. Another replica may well be able to, by a key file that it has."""
        ...

    async def park(self, target_uid: str, reason: Admission) -> None:
        """Let everything that a target has to send wait for ``reason``."""
        ...

    async def unpark(self, target_uid: str, reason: Admission) -> int:
        """Queue what waits for ``reason``; how many."""
        ...

    async def held_since(self) -> datetime | None:
        """Since when the whole queue is held; ``None`` where it is not."""
        ...

    async def hold(self, actor: str) -> datetime:
        """Let nothing be claimed, by any replica, until it is released; since when that is."""
        ...

    async def release(self, actor: str, *, dry_run: bool) -> int:
        """End a hold, unless ``dry_run``; how many deliveries are sent then, or would be."""
        ...

    async def troubled(self) -> Mapping[str, Breaker]:
        """The breakers that are not closed, by the uid of their target."""
        ...

    async def try_again(self, target_uid: str, revision: int, asked: Asked | None = None) -> int:
        """Let a target that fails or is paused be probed at once; how many a pause kept waiting.

        Where somebody ``asked`` for it, the audit log says so. ``revision`` is the target's now:
        only a later one makes it be tried anew by itself.
        """
        ...


@dataclass(frozen=True, slots=True)
class Composed:
    """What a digest says: the event that it is, and the report as its delivery stores it."""

    event: Event
    body: bytes


class Summaries(Protocol):
    """Who makes the weekly summaries."""

    async def compose(self, window: ReportWindow, delivery_id: str) -> Composed:
        """The summary of a window. ``Unavailable`` where it cannot be made now: ask again."""
        ...


class EventSums(Protocol):
    """Who knows all events: the Router."""

    async def totals(self, after: datetime, before: datetime) -> EventTotals:
        """Counts of the events accepted from ``after`` until before ``before``.

        ``Unavailable`` where they cannot be had now: ask again, the events are kept for months.
        """
        ...


class Healths(Protocol):
    """Who knows how deliveries fared."""

    async def health(
        self, after: datetime, before: datetime, targets: Mapping[str, Target]
    ) -> DeliveryHealth:
        """Of the deliveries that ended from ``after`` until before ``before``, and which of the
        ``targets``, by uid, fail now. What metric servers recorded is no notification."""
        ...


class CannotOpen(Exception):
    """There is no transport to a target now. ``reason`` is what its deliveries wait for."""

    def __init__(self, reason: Admission, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Transports(Protocol):
    """One open transport for each target."""

    def concurrency(self, target: Target, snapshot: Snapshot) -> int:
        """How many attempts the target's transport takes at a time. Raises ``CannotOpen``."""
        ...

    def use(self, target: Target, snapshot: Snapshot) -> AbstractContextManager[Transport]:
        """The transport as ``snapshot`` wants it, kept open while in use. Raises ``CannotOpen``."""
        ...

    def retire(self, snapshot: Snapshot) -> None:
        """Close, once they are idle, the transports that ``snapshot`` has otherwise or not."""
        ...

    async def close(self) -> None:
        """Close all of them."""
        ...
