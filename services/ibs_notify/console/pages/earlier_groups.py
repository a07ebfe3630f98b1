"""Of an inbox that is filtered by group: what of it another group of that name was told of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.bearers import bearers_of_today
from ibs_notify.console.events.view import View
from ibs_notify.console.rendering import moment_of
from ibs_notify.console.visit import Visit
from ibs_notify.rpc.convert import moment_from_proto
from ironcore.notification.v1 import router_service_pb2 as pb

LOOK_SECONDS = 0.3
"""So long does the page wait for what is further back: some ten thousands of events."""


@dataclass(frozen=True, slots=True)
class EarlierGroup:
    """``made``: when today's group was; None where there is none. ``own``: the view of it alone."""

    name: str
    made: datetime | None = None
    own: str = ""


async def earlier_groups(
    visit: Visit,
    view: View,
    chosen: pb.EventFilter,
    events: Sequence[pb.EventRecord],
    *,
    goes_on: bool,
) -> list[EarlierGroup]:
    """Those that are asked for, as far as it is known that they are not all today's.

    An event is of the group that there was when it was accepted.
    """
    if not chosen.groups:
        return []
    made = (await bearers_of_today(visit)).groups
    if made is None:
        return []
    found = []
    for name in chosen.groups:
        at = made.get(name)
        if name not in made:
            found.append(EarlierGroup(name))
        elif at is not None and await _is_older(visit, chosen, name, at, events, goes_on=goes_on):
            found.append(EarlierGroup(name, at, view.with_(after=at.isoformat()).address()))
    return found


async def _is_older(
    visit: Visit,
    chosen: pb.EventFilter,
    name: str,
    made: datetime,
    events: Sequence[pb.EventRecord],
    *,
    goes_on: bool,
) -> bool:
    """Whether any of the view was accepted for a group of that name before today's was ``made``."""
    after, before = moment_of(chosen.after), moment_of(chosen.before)
    if after is not None and after >= made:
        return False
    if len(chosen.groups) == 1:
        if any(moment_from_proto(each.receive_time) < made for each in events):
            return True
        if not goes_on:
            return False
    further = pb.EventFilter()
    further.CopyFrom(chosen)
    further.groups[:] = [name]
    further.before.FromDatetime(min(before or made, made))
    request = pb.ListEventsRequest(filter=further, page_size=1)
    found = await unless_failed(
        visit.api.call(visit.api.router.ListEvents, request, timeout=LOOK_SECONDS)
    )
    return found is not None and bool(found.events)
