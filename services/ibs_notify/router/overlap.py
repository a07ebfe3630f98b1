"""What other groups bring to a target anyhow: past events, routed by today's rules. Pure.

Who hears of an event is asked as where it is routed. Silences, deduplication and rate limits are
left out: they keep back what came at one time, and would pass the same at another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ibs_notify.domain.event import Event
from ibs_notify.router.digest import DigestReason, gather
from ibs_notify.router.hearing import Effect, effect_of
from ibs_notify.router.match import Route, RoutingTable
from ibs_notify.router.scope import who_hears


@dataclass(slots=True)
class Brought:
    """What one group brings by ``route``: events sent at once, and those its digest gathers."""

    route: Route
    count: int = 0
    gathered: int = 0


class Overlap:
    """Of the group of this name, saved or not, and a target. ``take`` is called with its events."""

    def __init__(self, table: RoutingTable, group: str, target: str) -> None:
        # An event that selects the group goes by its names, and no more by attachments.
        names = table.group_names | {group} if group else table.group_names
        self._table = replace(table, group_names=names)
        self._group = group
        self._target = target
        self._brought: dict[str, Brought] = {}
        self.examined = 0
        self.count = 0
        """Of those examined so many are sent at once by some other group."""
        self.gathered = 0
        """So many more are only in digests."""

    def take(self, events: Iterable[Event]) -> None:
        """Count who else brings each of these."""
        for event in events:
            self.examined += 1
            at_once = gathered = False
            for route in self._others(event):
                brought = self._brought.setdefault(route.group, Brought(route))
                if _is_gathered(route, event):
                    brought.gathered += 1
                    gathered = True
                else:
                    brought.count += 1
                    at_once = True
            self.count += at_once
            self.gathered += gathered and not at_once

    @property
    def groups(self) -> Sequence[Brought]:
        """Those that bring any, the most first."""
        return sorted(
            self._brought.values(), key=lambda each: (-each.count, -each.gathered, each.route.group)
        )

    def _others(self, event: Event) -> Iterable[Route]:
        for route in who_hears(self._table, event).routes:
            if route.target != self._target or route.group == self._group:
                continue
            if effect_of(route) is not Effect.NO_RECIPIENTS:
                yield route


def _is_gathered(route: Route, event: Event) -> bool:
    """A metric server counts at once, whatever the digest of its group gathers."""
    return not route.is_metric_server and (gather(route.gathers, event) is DigestReason.GATHERED)
