"""What the transports of metric servers need remembered: a port."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from ibs_notify.delivery.transports.metric_labels import Values
from ibs_notify.domain.event import Event


class Metric(StrEnum):
    """What a series is of. Stored: never renamed."""

    EVENTS = "events"
    """Labels: type, severity, source, datastore."""
    SUCCESSES = "successes"
    """Labels: source, datastore, resource."""


@dataclass(frozen=True, slots=True)
class Series:
    """How many events there were, and when the last of them happened (aware UTC)."""

    metric: Metric
    labels: tuple[str, ...]
    total: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Sample:
    """An event to be counted, once. ``sequence`` is its delivery's, which never changes."""

    sequence: int
    event: Event


class MetricBook(Protocol):
    """Durable, and shared by all replicas. Any call raises ``Unavailable`` or
    ``ResourceExhausted`` while the storage is away; repeating it is safe."""

    async def admit(self, target_uid: str, wanted: Values) -> Values:
        """Give those of ``wanted`` names of their own that there is room for.

        Returns all values of the target that have one. They keep it for good.
        """
        ...

    async def count(
        self, target_uid: str, pusher: str, samples: Sequence[Sample]
    ) -> Sequence[Series] | None:
        """Count those ``samples`` that are not counted yet, and take the target's turn to push.

        Returns all series of the target, which hold every sample that was ever counted. ``None``:
        another pusher has its turn, and nothing was counted. A turn is ``TURN_SECONDS`` long and
        lasts until it ends or is given back; who has it may take it anew.
        """
        ...

    async def end_turn(self, target_uid: str, pusher: str) -> None:
        """Give the turn back, so that the next need not wait for its end."""
        ...


TURN_SECONDS = 25.0
"""A push takes less: whoever is later has newer totals."""
