"""What other groups bring to a target anyhow: past events, routed by today's rules. Pure.

Who hears of an event is asked as where it is routed. Silences, deduplication and rate limits are
left out: they keep back what came at one time, and would pass the same at another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ibs_notify.domain.event import Event
from ibs_notify.router.digest import DigestReason, Gathers, gather
from ibs_notify.router.hearing import Effect, effect_of
from ibs_notify.router.match import Route, RoutingTable
from ibs_notify.router.scope import who_hears


@dataclass(slots=True)
class Brought:
    """What one group brings by ``route``: events sent at once, and those its digest gathers."""

    route: Route
    gathers: Gathers | None
    count: int = 0
    gathered: int = 0


class Overlap:
    """Of the group of this name, saved or not, and a target. ``take`` is called with its events."""

    def __init__(self, table: RoutingTable, group: str, target: str) -> None:
        # An event that selects the group goes by its names, and no more by attachments.
        names = table.group_names | {group} if group else table.group_names
        self._table = replace(table, group_names=names)
        self._target = target
        self._others = {
            route.group: Brought(route, _gathers(route))
            for route in table.routes
            if route.target == target and route.group != group and _reaches_anybody(route)
        }
        self.examined = 0
        self.count = 0
        """Of those examined so many are sent at once by some other group."""
        self.gathered = 0
        """So many more are only in digests."""

    def take(self, events: Iterable[Event]) -> None:
        """Count who else brings each of these."""
        for event in events:
            at_once, gathered = self._bring(event)
            self.examined += 1
            self.count += at_once
            self.gathered += gathered and not at_once

    def _bring(self, event: Event) -> tuple[bool, bool]:
        """Whether any other group sends ``event`` at once, and whether a digest gathers it."""
        at_once = gathered = False
        for route in who_hears(self._table, event).routes:
            if route.target != self._target or route.group not in self._others:
                continue
            other = self._others[route.group]
            if other.gathers and gather(other.gathers, event) is DigestReason.GATHERED:
                other.gathered += 1
                gathered = True
            else:
                other.count += 1
                at_once = True
        return at_once, gathered

    @property
    def groups(self) -> Sequence[Brought]:
        """Those that bring any, the most first."""
        found = (each for each in self._others.values() if each.count or each.gathered)
        return sorted(found, key=lambda each: (-each.count, -each.gathered, each.route.group))


def _reaches_anybody(route: Route) -> bool:
    """Mail for nobody does not; what waits for a target that is disabled will."""
    return effect_of(route) is not Effect.NO_RECIPIENTS


def _gathers(route: Route) -> Gathers | None:
    """A metric server counts at once, whatever the digest of its group gathers."""
    return None if route.is_metric_server else route.gathers
