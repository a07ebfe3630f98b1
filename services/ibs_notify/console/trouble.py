"""What needs somebody now, for every page: counted once for all who look."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from ibs_notify.console import freshness
from ibs_notify.console.api import QUICK_SECONDS
from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.configured import every_target
from ibs_notify.console.shared import Found
from ibs_notify.console.targets.health import Standing, ask_health
from ibs_notify.domain.errors import NotificationError
from ironcore.notification.v1 import delivery_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2 import (
    ListGroupStatusesRequest,
    ListGroupStatusesResponse,
)
from ironcore.notification.v1.target_pb2 import Target

if TYPE_CHECKING:
    from ibs_notify.console.visit import Visit

NAME = "trouble"
HELD_SECONDS = 2.0
"""Who wants to know of deliveries does not wait for the Router any longer."""
MOST_GROUPS = 1000
"""So many queues does the Router tell of in one answer."""


@dataclass(frozen=True, slots=True)
class Held:
    """What all rate limits together hold back: events, and the notifications of them."""

    events: int
    notifications: int

    @classmethod
    def of(cls, found: ListGroupStatusesResponse) -> Held:
        """By what the Router answered."""
        queues = [each.status for each in found.group_statuses]
        return cls(
            sum(of_severity.count for each in queues for of_severity in each.waiting),
            sum(each.ready_count for each in queues),
        )


@dataclass(frozen=True, slots=True)
class Trouble:
    """``standings``: of the targets that are listed where only what is wrong is.

    ``dead``: what is given up now, whenever that was, by target and reason; None where that is not
    known. ``by_limits``: what rate limits hold, likewise. ``unknown`` says why it is not known how
    targets fare.
    """

    targets: Sequence[Target]
    standings: Sequence[tuple[Target, Standing]]
    used: int
    dead: Sequence[pb.DeliveryCount] | None
    held: pb.ListTroubledTargetsResponse | None
    by_limits: Held | None = None
    unknown: str = ""

    @property
    def troubled(self) -> int:
        """How many targets do not take what they are sent, as far as that is known."""
        return sum(not target.disabled for target, _ in self.standings)

    @property
    def taking_nothing(self) -> Mapping[str, Standing] | None:
        """Those that fail or are paused, by name; None where it is not known how targets fare."""
        if self.unknown:
            return None
        return {target.name: it for target, it in self.standings if it.takes_nothing}

    @property
    def waited_for(self) -> int:
        """How many targets are disabled though something waits for them, likewise."""
        return sum(target.disabled and it.status.open_count > 0 for target, it in self.standings)

    @property
    def events_held(self) -> int:
        """How many events rate limits hold back now, as far as that is known."""
        return 0 if self.by_limits is None else self.by_limits.events

    @property
    def given_up(self) -> int:
        """How many deliveries are given up now, as far as that is known."""
        return sum(each.count for each in self.dead or ())

    @property
    def answers(self) -> Mapping[str, str]:
        """What targets answered last that did not take what they were sent, in a few words."""
        return {target.name: answer for target, it in self.standings if (answer := it.last_answer)}

    def dead_of(self, uid: str) -> Sequence[pb.DeliveryCount]:
        """Those of a target, the most first; none of another that had its name before."""
        return [each for each in self.dead or () if each.target_uid == uid]


async def find(visit: Visit) -> Found:
    """``trouble``, as far as Delivery answers. Where Config does not, it raises."""
    api = visit.api
    dead = pb.CountDeliveriesRequest(
        filter=delivery_pb2.DeliveryFilter(states=[delivery_pb2.DELIVERY_STATE_DEAD])
    )
    targets = await every_target(api)
    health, counted, held, by_limits = await asyncio.gather(
        ask_health(api, targets, visit.now(), with_lines=False),
        unless_failed(api.call(api.delivery.CountDeliveries, dead)),
        unless_failed(api.call(api.delivery.ListTroubledTargets, pb.ListTroubledTargetsRequest())),
        unless_failed(_held_by_limits(visit)),
    )
    standings = [(each, health.standings[each.uid]) for each in targets if health.standings]
    return {
        "trouble": Trouble(
            targets,
            [(each, it) for each, it in standings if it.is_in_trouble],
            sum(it.was_tried for _, it in standings),
            None if counted is None else counted.counts,
            held,
            by_limits,
            health.unknown,
        )
    }


async def _held_by_limits(visit: Visit) -> Held:
    request = ListGroupStatusesRequest(waiting_only=True, page_size=MOST_GROUPS)
    found = await visit.within(HELD_SECONDS).api.call(visit.api.router.ListGroupStatuses, request)
    return Held.of(found)


async def look(visit: Visit) -> Found:
    """As ``find``, for a part of a page."""
    answer = await visit.shared.ask(visit, NAME, find, freshness.of_parts(visit))
    if isinstance(answer.found, NotificationError):
        raise answer.found
    return answer.found


async def now_or_lately(visit: Visit, keep: timedelta = freshness.LATELY) -> Trouble | None:
    """How it is, at most ``keep`` old; None where that is not known."""
    await visit.shared.ask(visit.within(QUICK_SECONDS), NAME, find, keep)
    return last(visit)


def last(visit: Visit) -> Trouble | None:
    """How it was last, where that is not long ago; None where it is not known."""
    answer = visit.shared.known(visit, NAME)
    is_old = answer is None or visit.now() >= answer.asked_at + freshness.STILL
    if answer is None or is_old or isinstance(answer.found, NotificationError):
        return None
    found: Trouble = answer.found["trouble"]
    return found


def with_held(visit: Visit, held: Held) -> Trouble | None:
    """As ``last``, on a page that has just been told what rate limits hold."""
    found = last(visit)
    return None if found is None else replace(found, by_limits=held)
