"""How many events a view has: counted where that is quick, else looked at one by one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ibs_notify.console.events.view import View
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording import words
from ibs_notify.rpc.event_filter import countable
from ironcore.notification.v1 import router_service_pb2 as pb

MOST = 1000
_AT_ONCE = 500
_LOOK_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of each severity, the worst first. Without ``is_whole`` there are at least so
    many. ``up_to`` is the newest sequence of all when they were counted.
    """

    counts: Sequence[pb.SeverityCount] = ()
    is_whole: bool = True
    up_to: int = 0

    @property
    def total(self) -> int:
        return sum(each.count for each in self.counts)


@dataclass(frozen=True, slots=True)
class Look:
    """The first events of a view; ``is_whole`` where these are all of it."""

    events: Sequence[pb.EventRecord]
    is_whole: bool = True


async def tally(visit: Visit, view: View) -> Tally:
    """Of a rule, a text, a group or an outcome only a look at each event tells."""
    chosen = view.filter(visit.now(), visit.renderer.time_zone)
    # CountEvents has a line for each severity, so that one alone needs no rule.
    plain = view.with_(severity="") if view.only else view
    asked = plain.filter(visit.now(), visit.renderer.time_zone)
    part = countable(asked)
    found = await visit.api.call(visit.api.router.CountEvents, pb.CountEventsRequest(filter=part))
    if part == asked:
        wanted = [each for each in found.counts if not view.only or _is(each, view.only)]
        return Tally(wanted, up_to=found.newest_sequence)
    seen = await look(visit, chosen, found.newest_sequence)
    return Tally(_counted(seen.events), seen.is_whole, found.newest_sequence)


async def look(visit: Visit, chosen: pb.EventFilter, up_to: int) -> Look:
    """At most ``MOST`` events that match, newest first, none behind the sequence ``up_to``; fewer
    where that takes too long.
    """
    events: list[pb.EventRecord] = []
    request = pb.ListEventsRequest(filter=chosen, page_size=_AT_ONCE)
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            while len(events) < MOST:
                found = await visit.api.call(visit.api.router.ListEvents, request)
                events += [each for each in found.events if each.sequence <= up_to]
                request.page_token = found.next_page_token
                if not request.page_token:
                    return Look(events)
    except TimeoutError:
        pass
    return Look(events, is_whole=False)


def _counted(events: Sequence[pb.EventRecord]) -> Sequence[pb.SeverityCount]:
    counts = Counter(each.event.severity for each in events)
    unread = Counter(
        each.event.severity for each in events if each.inbox_state == pb.INBOX_STATE_UNREAD
    )
    return [
        pb.SeverityCount(severity=each, count=counts[each], unread=unread[each])
        for each in sorted(counts, reverse=True)
    ]


def _is(count: pb.SeverityCount, word: str) -> bool:
    return words.severity(count.severity) == word.lower()
