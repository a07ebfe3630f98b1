"""The way of an event through the Router, in reading order. Pure: no clock, no database, no wire.

    validate ─ match(table, event) ─ one durable transaction ─ ack          intake, repository
        for each subscription whose rule matches, in a group that is in scope:   scope, match
            silenced? → digest? → duplicate? → ready                         STAGES
    release ─ room in the rate limit? ─ coalesced? ─ handoff                 release, outbox

Each stage is a file with one decision, which returns a named reason and either ends the event's way
or passes it on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from ibs_notify.domain.event import Event
from ibs_notify.router.dedup import DedupReason, deduplicate
from ibs_notify.router.digest import ENTRY, DigestReason, gather
from ibs_notify.router.dispositions import Decision, Reason, State
from ibs_notify.router.identity import obligation_id
from ibs_notify.router.match import Route
from ibs_notify.router.memory import NEVER, Key, Memory
from ibs_notify.router.silence import silenced_by


class SilenceReason(StrEnum):
    """Whether a silence keeps an event from being told."""

    SILENCED = "SILENCED"
    NOT_SILENCED = "NOT_SILENCED"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A valid event on its way, and the routes that match it, in order.

    ``event_id`` is the event's, or ours where it has none. ``keys`` are the routes' windows of
    deduplication, ``None`` where there is none. ``now`` is when it was received. ``notices`` are
    what the inbox should say beside it.
    """

    event_id: str
    event: Event
    now: datetime
    routes: Sequence[Route]
    keys: Sequence[Key | None]
    warnings: tuple[str, ...] = ()
    notices: Sequence[Event] = ()


class Verdict(NamedTuple):
    """What a stage says: why, and what becomes of the event if its way ends here.

    If it goes on, ``suppressed`` identical ones were not told before it, since then.
    """

    reason: StrEnum
    decision: Decision | None = None
    suppressed: int = 0
    suppressed_since: datetime | None = None


class Routed(NamedTuple):
    """One obligation: the route that matched, and what was decided."""

    route: Route
    decision: Decision


@dataclass(frozen=True, slots=True)
class Routing:
    """All obligations of an event, and what its emitter should know. No obligation: unmatched."""

    obligations: tuple[Routed, ...]
    warnings: tuple[str, ...] = ()


NOTHING = Routing(())


class Candidate(NamedTuple):
    """A matching route on its way through the stages; ``obligation`` is what it would become."""

    route: Route
    key: Key | None
    obligation: str
    seq: int
    subject: int


Stage = Callable[[Arrival, Candidate, Memory], Verdict]


def silenced(arrival: Arrival, _candidate: Candidate, memory: Memory) -> Verdict:
    """A silence that is in force and whose rule matches ends the way of an event."""
    decision = silenced_by(memory.silences, arrival.event, arrival.now)
    if decision is None:
        return _NOT_SILENCED
    return Verdict(SilenceReason.SILENCED, decision)


def gathered(arrival: Arrival, candidate: Candidate, _memory: Memory) -> Verdict:
    """What the digest of the group gathers goes to Delivery at once, and is never a duplicate."""
    return _GATHERED[gather(candidate.route.gathers, arrival.event)]


def repeated(arrival: Arrival, candidate: Candidate, memory: Memory) -> Verdict:
    """An event identical to the one that was told last, within its window, is not told again."""
    key = candidate.key
    if key is None:
        return _DEDUP_OFF
    known = memory.recall(key, candidate.subject)
    verdict = deduplicate(
        known.window if known is not None else None,
        candidate.route.dedup_window,
        arrival.event,
        candidate.obligation,
        changed=known is not None and known.changed,
        now=arrival.now,
    )
    if verdict.window is not None:
        memory.remember(key, verdict.window, arrival.event, candidate.seq, candidate.subject)
    return Verdict(
        verdict.reason, verdict.decision, verdict.suppressed_before, verdict.suppressed_since
    )


STAGES: tuple[tuple[str, Stage], ...] = (
    ("silence", silenced),
    ("digest", gathered),
    ("dedup", repeated),
)
"""What may keep a matching event from being told. The first that ends its way has the last word."""

Record = Callable[[Route, str, Verdict], None]
"""Hears each stage's verdict on a route, for explanations."""


def settle(
    arrival: Arrival, memory: Memory, seq: int = NEVER, record: Record | None = None
) -> Routing:
    """Decide what becomes of the event of this number on each route that matches it.

    The same call decides for an event that is only explained: its memory is then thrown away.
    """
    subject = memory.hear(arrival.event, seq)
    obligations: list[Routed] = []
    for route, key in zip(arrival.routes, arrival.keys, strict=True):
        obligation = obligation_id(arrival.event_id, len(obligations))
        candidate = Candidate(route, key, obligation, seq, subject)
        obligations.append(Routed(route, _decide(arrival, candidate, memory, record)))
    return Routing(tuple(obligations), arrival.warnings)


def _decide(
    arrival: Arrival, candidate: Candidate, memory: Memory, record: Record | None
) -> Decision:
    route = candidate.route
    if route.is_metric_server:
        # Metric servers record, they do not notify: nothing keeps an event from them.
        return _RECORDED
    suppressed, since = 0, None
    for name, stage in STAGES:
        verdict = stage(arrival, candidate, memory)
        if record is not None:
            record(route, name, verdict)
        if verdict.decision is not None:
            return verdict.decision
        if verdict.suppressed:
            suppressed, since = verdict.suppressed, verdict.suppressed_since
    if suppressed:
        return Decision(State.READY, route.reason, "", suppressed, since)
    return _READY[route.reason]


_READY = {reason: Decision(State.READY, reason) for reason in Reason}
_RECORDED = _READY[Reason.RECORDED]
_NOT_SILENCED = Verdict(SilenceReason.NOT_SILENCED)
_DEDUP_OFF = Verdict(DedupReason.OFF)
_GATHERED = {
    DigestReason.NO_DIGEST: Verdict(DigestReason.NO_DIGEST),
    DigestReason.NOT_GATHERED: Verdict(DigestReason.NOT_GATHERED),
    DigestReason.GATHERED: Verdict(DigestReason.GATHERED, ENTRY),
}
