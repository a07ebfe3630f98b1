"""What the Router needs of the world."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from ibs_notify.router.identity import Kind


@dataclass(frozen=True, slots=True)
class KnownRoute:
    """A route as it was when its events were routed."""

    group: str
    target: str
    target_uid: str
    subscription_uid: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Handoff:
    """A released obligation with all that Delivery needs. ``body`` is the event's protobuf.

    ``suppressed`` identical events were not told since the last one that was; the first of them
    came at ``suppressed_since``, in microseconds. ``digest``: it is an entry of its group's.
    """

    event_seq: int
    position: int
    event_id: str
    delivery_id: str
    kind: Kind
    body: bytes
    revision: int
    route: KnownRoute
    recipients: tuple[str, ...]
    suppressed: int = 0
    suppressed_since: int | None = None
    digest: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryId:
    """An id that Delivery answers for. ``is_derived``: a digest, a summary or a test of its own.

    ``accepted_at`` is by Delivery's clock, in microseconds; 0 where it does not tell.
    """

    delivery_id: str
    state: str
    is_derived: bool
    accepted_at: int = 0


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """How a target fares. ``failing_since``: since when every attempt failed."""

    paused_reason: str = ""
    failing_since: datetime | None = None
    last_failure: str = ""


class End(StrEnum):
    """How a delivery ended that did not arrive."""

    DEAD = "dead"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Ended:
    """A delivery that ended without having arrived; ``reason`` and ``detail`` are Delivery's."""

    delivery_id: str
    obligation_id: str
    event_id: str
    event_type: str
    target: str
    target_uid: str
    group: str
    state: End
    reason: str
    detail: str
    closed_at: datetime


class Turn(StrEnum):
    """How a target changed."""

    FAILING = "failing"
    RECOVERED = "recovered"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class TargetTurned:
    """A target changed ``at`` a moment; its trouble began ``since``. The rest is Delivery's."""

    target: str
    target_uid: str
    turn: Turn
    at: datetime
    since: datetime
    reason: str
    detail: str


Outcome = Ended | TargetTurned


class DeliveryIds(Protocol):
    """What Delivery answers for, as the ledger asks for it."""

    async def ids(self, after: str, limit: int) -> Sequence[DeliveryId]:
        """Up to ``limit`` ids that Delivery has, those behind ``after``, in bytewise order."""
        ...

    async def retired_before(self) -> int:
        """What Delivery accepted up to then may be kept there no more; microseconds, 0 for none."""
        ...


class Handover(Protocol):
    """Where released obligations go."""

    async def deliver(self, handoffs: Sequence[Handoff]) -> None:
        """Hand over. Returns once Delivery has them on disk; repeating it is harmless.

        ``Unavailable`` where it cannot be reached: nothing is known then, repeat it.
        """
        ...


class DeliveryPort(Handover, Protocol):
    """The Delivery service, as the Router's own work uses it."""

    def outcomes(self, cursor: str) -> AsyncGenerator[tuple[str, Sequence[Outcome]], None]:
        """What ended or turned behind ``cursor``, in order, then what does, until Delivery stops.

        Each item is what is known by then, with the cursor behind it; the first may be empty. An
        empty cursor: all that Delivery keeps. ``OutOfRange`` where it does not know the cursor, or
        no longer; ``Unavailable`` where it cannot be reached, at any time.
        """
        ...


class DeliveryAnswers(DeliveryIds, Protocol):
    """What Delivery knows, as people who ask the Router want to know it."""

    async def target_healths(self, target_uids: Sequence[str]) -> Mapping[str, TargetHealth]:
        """How each of the targets fares. ``Unavailable`` where Delivery cannot be reached."""
        ...

    async def deliveries(self, delivery_ids: Sequence[str]) -> Mapping[str, bytes]:
        """Those of the ids that Delivery still has: each the API's ``Delivery`` with its attempts,

        as protobuf. ``Unavailable`` where it cannot be reached.
        """
        ...
