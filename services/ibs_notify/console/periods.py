"""Stretches of time, cut into the spans of a chart. Pure.

Spans of an hour or less begin at whole multiples of their length in UTC. Longer ones begin on the
clocks of a time zone, so that a day is that zone's day: of 23 hours, or of 25, where they are
changed. The services count in UTC; for such spans they are asked for finer ones, which are summed
up.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise

from google.protobuf.timestamp_pb2 import Timestamp

from ibs_notify.domain.clock import in_zone
from ironcore.notification.v1.delivery_service_pb2 import ChartDeliveriesRequest
from ironcore.notification.v1.router_service_pb2 import ChartEventsRequest, EventFilter

MOST_BARS = 180
MOST_SPANS = 1000
"""So many are told in one answer."""
MOST_ANSWERS = 4
HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
"""Clocks differ from UTC by multiples of this."""
_MINUTES = (1, 5, 15, 30, 60, 180, 360, 720, 1440, 10_080)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """From ``after`` until before ``before``, in spans of ``step``, longer ones on the clocks of
    ``zone``. ``edges`` are where the spans begin, and where the last one ends.
    """

    after: datetime
    before: datetime
    step: timedelta
    zone: tzinfo = UTC
    edges: Sequence[datetime] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges", tuple(self._edges()))

    @classmethod
    def of(
        cls,
        after: datetime,
        before: datetime,
        least: timedelta = timedelta(0),
        zone: tzinfo = UTC,
        finest: timedelta = QUARTER,
    ) -> Period:
        """In spans of at least ``least`` that are not too many to be told apart.

        They are in UTC after all where that many of ``finest`` are more than can be asked for.
        """
        wanted = max(least, (before - after) / MOST_BARS)
        minutes = next((each for each in _MINUTES if timedelta(minutes=each) >= wanted), None)
        step = timedelta(minutes=minutes) if minutes else timedelta(days=wanted.days + 1)
        return cls(after, before, step, zone)._askable(finest)

    @classmethod
    def up_to(
        cls,
        now: datetime,
        length: timedelta,
        least: timedelta = timedelta(0),
        zone: tzinfo = UTC,
        finest: timedelta = QUARTER,
    ) -> Period:
        """The last spans that together are ``length`` long, the one that has begun included."""
        step = cls.of(now - length, now, least).step
        clock = zone if step > HOUR else UTC
        end = _floor(_wall(now, clock), step) + step
        found = cls(_instant(end - length, clock), _instant(end, clock), step, zone)
        return found if found._is_askable(finest) else cls.up_to(now, length, least)

    @property
    def starts(self) -> Sequence[datetime]:
        """When each span begins."""
        return self.edges[:-1]

    def place(self, moment: datetime) -> int | None:
        """The number of the span that it is in; None outside."""
        place = bisect_right(self.edges, moment) - 1
        return place if 0 <= place < len(self.starts) else None

    def of_events(self, chosen: EventFilter) -> Sequence[ChartEventsRequest]:
        """What the Router is asked for, in one or a few requests; the bounds of ``chosen`` become
        the period's.
        """
        bounds = [self.after, *self._cuts(), self.before]
        requests = []
        for after, before in pairwise(bounds):
            request = ChartEventsRequest(filter=chosen)
            request.filter.after.CopyFrom(_stamp(after))
            request.filter.before.CopyFrom(_stamp(before))
            request.step.FromTimedelta(self._grain)
            requests.append(request)
        return requests

    def of_deliveries(self, *targets: str) -> ChartDeliveriesRequest:
        """What Delivery is asked for. It counts by the hour: the period's ``finest`` is that."""
        request = ChartDeliveriesRequest(
            after=_stamp(self.after), before=_stamp(self.before), targets=targets
        )
        request.step.FromTimedelta(self._grain)
        return request

    def _edges(self) -> list[datetime]:
        zone = self.zone if self.step > HOUR else UTC
        wall = _floor(_wall(self.after, zone), self.step)
        edges = [_instant(wall, zone)]
        while len(edges) < 2 or edges[-1] < self.before:
            wall += self.step
            edges.append(_instant(wall, zone))
        return edges

    @property
    def _grain(self) -> timedelta:
        """The longest span of UTC that none of the edges cuts."""
        for each in (self.step, HOUR, HOUR / 2, QUARTER):
            if each <= self.step and not any((edge - _EPOCH) % each for edge in self.edges):
                return each
        return timedelta(minutes=1)

    def _cuts(self) -> list[datetime]:
        """Where one answer would be too long."""
        length = MOST_SPANS * self._grain
        count = -(-(self.before - self.after) // length)
        first = self.after - (self.after - _EPOCH) % self._grain
        return [first + number * length for number in range(1, count)]

    def _is_askable(self, finest: timedelta) -> bool:
        return self._grain >= min(finest, self.step) and len(self._cuts()) < MOST_ANSWERS

    def _askable(self, finest: timedelta) -> Period:
        return self if self._is_askable(finest) else replace(self, zone=UTC)


def _wall(moment: datetime, zone: tzinfo) -> datetime:
    """What clocks there show."""
    return in_zone(moment, zone).replace(tzinfo=None)


def _instant(wall: datetime, zone: tzinfo) -> datetime:
    """The first time that clocks there show it; where they leave it out, when they do so."""
    return wall.replace(tzinfo=zone).astimezone(UTC)


def _floor(wall: datetime, step: timedelta) -> datetime:
    return wall - (wall - _EPOCH.replace(tzinfo=None)) % step


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
