"""The way of an event through the Router, in reading order. Pure: no clock, no database, no wire.

    validate ─ route(table, event) ─ one durable transaction ─ ack          intake, repository
        for each subscription whose rule matches, in a group that is in scope:   scope, match
            silenced? → digest? → duplicate? → ready                         STAGES
    release ─ coalesced? ─ handoff                                           release, outbox

Each stage is a file with one decision, which returns a named reason or passes the event on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ibs_notify.domain.event import Event
from ibs_notify.router.dispositions import Decision, Reason, State
from ibs_notify.router.match import Route, RoutingTable
from ibs_notify.router.scope import in_scope

Stage = Callable[[Route, Event], Decision | None]

STAGES: tuple[Stage, ...] = ()
"""What may keep a matching event from being told, first word counts: silence, digest, dedup."""


@dataclass(frozen=True, slots=True)
class Routed:
    """One obligation: the route that matched, and what was decided."""

    route: Route
    decision: Decision


@dataclass(frozen=True, slots=True)
class Routing:
    """All obligations of an event, and what its emitter should know. No obligation: unmatched."""

    obligations: tuple[Routed, ...]
    warnings: tuple[str, ...] = ()


def route(table: RoutingTable, event: Event) -> Routing:
    """Who hears of ``event``. Groups that hear everything come first, each kind by name."""
    heard = in_scope(table, event)
    obligations = [
        Routed(candidate, decide(candidate, event))
        for group in heard.groups
        for candidate in group.routes
        if candidate.matches(event)
    ]
    return Routing(tuple(obligations), heard.warnings)


def decide(candidate: Route, event: Event) -> Decision:
    """What becomes of a matching event. Metric servers record: nothing keeps an event from them."""
    if candidate.is_metric_server:
        return Decision(State.READY, Reason.RECORDED)
    for stage in STAGES:
        decision = stage(candidate, event)
        if decision is not None:
            return decision
    return Decision(State.READY, candidate.reason)
