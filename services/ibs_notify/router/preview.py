"""What deduplication would have saved: past events, decided on anew. Pure.

The decisions are the pipeline's own; only what they remember is kept here, not in the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.digest import DigestReason, gather
from ibs_notify.router.dispositions import State
from ibs_notify.router.match import Route, RoutedGroup
from ibs_notify.router.memory import Change, Key, Memory, Remembered, keys_of, subject_of
from ibs_notify.router.pipeline import Arrival, settle
from ibs_notify.router.scope import IN_SCOPE, scope_reason
from ibs_notify.rules.evaluate import Predicate, compile_rule


@dataclass(frozen=True, slots=True)
class Past:
    """An event that was accepted: its number, itself, and when it was received."""

    seq: int
    event: Event
    received_at: datetime
    names_decide: bool


@dataclass(slots=True)
class Fingerprint:
    """Identical events for one target; the fields of the event are the newest one's."""

    type: str
    severity: Severity
    resource: str
    subject: str
    target: str
    event_id: str
    count: int = 0
    told: int = 0


class Replay:
    """A group with another window. ``take`` is called with events in order, some at a time.

    Silences, and notifications that died, are left out: they are not deduplication's doing; and so
    is what the group's digest gathers.
    """

    def __init__(self, group: RoutedGroup, window: timedelta) -> None:
        self._group = group
        self._window = window
        self._routes: Sequence[tuple[Route, Predicate]] = [
            (replace(route, dedup_window=window), compile_rule(route.rule))
            for route in group.routes
            if not route.is_metric_server
        ]
        self._windows = _Windows()
        self.fingerprints: dict[Key, Fingerprint] = {}
        self.examined = 0

    def take(self, events: Sequence[Past]) -> None:
        """Decide on these events, as if they came now."""
        arrivals = [(each.seq, *self._arrival(each)) for each in events]
        keys = {key for _, _, keys in arrivals for key in keys}
        memory = self._windows.memory(keys, (each.event for each in events))
        for seq, arrival, keys_of_routes in arrivals:
            routing = settle(arrival, memory, seq)
            for key, routed in zip(keys_of_routes, routing.obligations, strict=True):
                told = routed.decision.state is State.READY
                self._count(key, routed.route.target, arrival.event, told=told)
        self._windows.keep(memory, events)
        self.examined += len(events)

    def _arrival(self, past: Past) -> tuple[Arrival, Sequence[Key]]:
        event, routes = past.event, []
        if scope_reason(self._group, event, names_decide=past.names_decide) in IN_SCOPE:
            routes = [
                route
                for route, matches in self._routes
                if matches(event) and gather(route.gathers, event) is not DigestReason.GATHERED
            ]
        keys = keys_of(event, [each.subscription_uid for each in routes]) if routes else []
        asked = keys if self._window else [None] * len(keys)
        return Arrival(event.event_id, event, past.received_at, routes, asked), keys

    def _count(self, key: Key, target: str, event: Event, *, told: bool) -> None:
        found = self.fingerprints.get(key)
        if found is None:
            found = Fingerprint(
                event.type, event.severity, event.canonical_resource, "", target, ""
            )
            self.fingerprints[key] = found
        found.subject, found.event_id = event.subject, event.event_id
        found.count += 1
        found.told += told


@dataclass(slots=True)
class _Windows:
    """The memory between two batches, as the database keeps it."""

    _known: dict[Key, Remembered] = field(default_factory=dict)
    _open: dict[int, dict[int, set[Key]]] = field(default_factory=dict)
    """Those that no change has ended, by subject and standing."""
    _stood: dict[int, dict[tuple[str, Severity], int]] = field(default_factory=dict)

    def memory(self, keys: Iterable[Key], events: Iterable[Event]) -> Memory:
        windows = {key: self._known[key] for key in keys if key in self._known}
        keyed = {subject_of(each) for each in events if each.dedup_key}
        return Memory(windows, (), {each: self._stood.get(each, {}) for each in keyed})

    def keep(self, memory: Memory, events: Sequence[Past]) -> None:
        for change in memory.changes:
            self._end(change)
        for key, each in memory.written.items():
            before = self._known.get(key)
            if before is not None:
                self._open.get(before.subject, {}).get(before.standing, set()).discard(key)
            self._known[key] = each
            if not each.changed:
                standings = self._open.setdefault(each.subject, {})
                standings.setdefault(each.standing, set()).add(key)
        for past in events:
            stood = self._stood.setdefault(subject_of(past.event), {})
            stood[past.event.type, past.event.severity] = past.seq

    def _end(self, change: Change) -> None:
        standings = self._open.get(change.subject, {})
        for standing in list(standings):
            if standing < change.standing or change.standing < standing < change.limit:
                for key in standings.pop(standing):
                    self._known[key] = self._known[key]._replace(changed=True)
