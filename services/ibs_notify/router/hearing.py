"""Who would be told of a bare event, and what keeps it from whom. Pure.

Coverage, ListHearings and all that show them ask here, so that no summary says other than its
detail. A metric server records and tells nobody; neither does a target that has no recipient, or
is disabled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from ibs_notify.domain.catalogue import EventType
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.audience import GRAVEST_FIRST, Audience, InPart
from ibs_notify.router.digest import DigestReason, gather
from ibs_notify.router.match import Route, RoutingTable
from ibs_notify.router.silence import Armed, silenced_by


class Effect(StrEnum):
    """What a subscription does with an event that it hears of."""

    TELLS = "TELLS"
    COUNTS = "COUNTS"
    NO_RECIPIENTS = "NO_RECIPIENTS"
    TARGET_DISABLED = "TARGET_DISABLED"


@dataclass(frozen=True, slots=True)
class TypeHearing:
    """What would become of an event of a type about a place.

    ``routes`` are all that match it bare. ``in_part`` are those that hear of some such events and
    not of others, by what else these say, or the part of the place that they are about: some are
    among ``routes``. Who is in neither hears of none. ``gathered`` are those of both whose digest
    takes it. ``silence_id`` names the silence that keeps it quiet now; who hears of it else is the
    same with and without. ``out_of_scope``: those whose rule would match it bare, but whose group
    does not hear of the place.
    """

    type: EventType
    routes: tuple[Route, ...]
    gathered: tuple[Route, ...] = ()
    silence_id: str = ""
    out_of_scope: tuple[Route, ...] = ()
    in_part: tuple[InPart, ...] = ()

    @property
    def is_told(self) -> bool:
        """Whether somebody would be told, were it not for the silence."""
        return tells_any(self.routes)


def effect_of(route: Route) -> Effect:
    """The same for every event that ``route`` matches."""
    if route.is_metric_server:
        return Effect.COUNTS
    if route.is_disabled:
        return Effect.TARGET_DISABLED
    return Effect.NO_RECIPIENTS if route.lacks_recipients else Effect.TELLS


def tells(route: Route) -> bool:
    """Whether somebody is told by it."""
    return effect_of(route) is Effect.TELLS


def tells_any(routes: Iterable[Route]) -> bool:
    """Whether anybody is told by one of ``routes``."""
    return any(map(tells, routes))


def is_told(
    table: RoutingTable, event_type: str, severity: Severity, resource: str, now: datetime
) -> bool:
    """Whether a bare event would be told to anybody; no silence is asked."""
    return bool(telling(table, event_type, severity, resource, now))


def telling(
    table: RoutingTable, event_type: str, severity: Severity, resource: str, now: datetime
) -> tuple[Route, ...]:
    """The routes by which somebody would be told of a bare event; no silence is asked."""
    routes = table.hearing(_bare(event_type, severity, resource, now))
    return tuple(filter(tells, routes))


def hearings_of(
    audience: Audience,
    resource: str,
    silences: Sequence[Armed],
    now: datetime,
    *,
    with_out_of_scope: bool = False,
) -> list[TypeHearing]:
    """Of every type that can be about a datastore, the gravest first."""
    table, in_part = audience.table, audience.in_part(resource)
    found = []
    for each in GRAVEST_FIRST:
        event = _bare(each.name, each.severity, resource, now)
        routes = table.hearing(event)
        some = tuple(in_part.get(each.name, ()))
        silenced = silenced_by(silences, event, now)
        silence_id = silenced.pointer if silenced is not None else ""
        beyond = _out_of_scope(table, event, routes) if with_out_of_scope else ()
        gathered = _gathered(event, routes, some)
        found.append(TypeHearing(each, routes, gathered, silence_id, beyond, some))
    return found


def _gathered(
    event: Event, routes: Iterable[Route], in_part: Iterable[InPart]
) -> tuple[Route, ...]:
    """Those whose digest takes it; what a metric server records is never gathered."""
    places = {(each.group, each.target): each for each in routes}
    places |= {(each.route.group, each.route.target): each.route for each in in_part}
    return tuple(
        route
        for route in places.values()
        if not route.is_metric_server
        and route.gathers is not None
        and gather(route.gathers, event) is DigestReason.GATHERED
    )


def _out_of_scope(
    table: RoutingTable, event: Event, routes: Collection[Route]
) -> tuple[Route, ...]:
    """Those beside ``routes`` that would match ``event`` if every group heard of it."""
    named = replace(event, groups=tuple(table.group_names))
    heard = {(each.group, each.target) for each in routes}
    return tuple(each for each in table.hearing(named) if (each.group, each.target) not in heard)


def _bare(event_type: str, severity: Severity, resource: str, now: datetime) -> Event:
    return Event("", event_type, severity, now, resource=resource, canonical_resource=resource)
