"""What the Router needs of the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


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
    """A released obligation with all that Delivery needs. ``body`` is the event's protobuf."""

    event_seq: int
    position: int
    event_id: str
    delivery_id: str
    body: bytes
    revision: int
    route: KnownRoute
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeliveryId:
    """An id that Delivery answers for. ``is_derived``: a digest, a summary or a test of its own."""

    delivery_id: str
    state: str
    is_derived: bool


class DeliveryPort(Protocol):
    """The Delivery service, as the Router uses it."""

    async def deliver(self, handoffs: Sequence[Handoff]) -> None:
        """Hand over. Returns once Delivery has them on disk; repeating it is harmless.

        ``Unavailable`` where it cannot be reached: nothing is known then, repeat it.
        """
        ...

    async def ids(self, after: str, limit: int) -> Sequence[DeliveryId]:
        """Up to ``limit`` ids that Delivery has, those behind ``after``, in bytewise order."""
        ...
