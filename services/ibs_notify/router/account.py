"""What became of the obligations of an event, or would: read from the database for ``explain``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from ibs_notify.router.digest import DigestReason, lane_of
from ibs_notify.router.dispositions import Reason, State
from ibs_notify.router.explain_reads import (
    Place,
    find_silences,
    follow,
    places_of,
    pointed_to,
    queues_of,
)
from ibs_notify.router.identity import kind_of
from ibs_notify.router.match import Route
from ibs_notify.router.pipeline import Arrival, Routing, SilenceReason, Verdict, settle
from ibs_notify.router.release import Waiting, release
from ibs_notify.router.silence import Armed
from ibs_notify.router.standing import Before, Queue, Standing, Told, ToldReason
from ibs_notify.router.views import fill_disposition, state_of
from ibs_notify.router.windows import read_memory
from ironcore.notification.v1 import disposition_pb2

Key = tuple[str, str]
"""Group and target: a group holds a target once."""

_BEHIND_ALL = 2**62
"""The number of an event that has none yet."""
_GOES_ON = {
    "silence": SilenceReason.NOT_SILENCED,
    "digest": DigestReason.NOT_GATHERED,
    "dedup": ToldReason.NOT_REPEATED,
}
"""What the stages said, as far as that is stored, of an event that passed all of them."""


@dataclass(frozen=True, slots=True)
class Obliged:
    """An obligation: as the API shows it, and what is known of where it stands."""

    disposition: disposition_pb2.Disposition
    standing: Standing

    @property
    def key(self) -> Key:
        return self.disposition.group, self.disposition.target

    @property
    def is_no_repeat(self) -> bool:
        """Whether it was told for a reason of deduplication that is not stored."""
        return self.standing.verdicts.get("dedup") == ToldReason.NOT_REPEATED

    def with_before(self, found: Mapping[str, Before]) -> Obliged:
        """The same with what its subscription, found by uid, was told before."""
        if not self.is_no_repeat:
            return self
        before = found.get(self.disposition.subscription_uid)
        return replace(self, standing=replace(self.standing, before=before))


def look_ahead(
    connection: sa.Connection,
    arrival: Arrival,
    silences: Sequence[Armed],
    limits: Mapping[int, int],
) -> list[Obliged]:
    """Of an event that is only looked at: what it would become now, by the calls that decide.

    ``limits`` are events a minute, by lane. What the decisions would remember is thrown away.
    """
    verdicts: dict[Key, dict[str, str]] = {}

    def record(route: Route, stage: str, verdict: Verdict) -> None:
        verdicts.setdefault((route.group, route.target), {})[stage] = verdict.reason

    memory = read_memory(connection, [arrival], silences)
    routing = settle(arrival, memory, record=record)
    obliged = []
    for position, routed in enumerate(routing.obligations):
        disposition = disposition_pb2.Disposition()
        fill_disposition(disposition, arrival.event_id, position, routed)
        said = verdicts.get((routed.route.group, routed.route.target), {})
        obliged.append(Obliged(disposition, _standing(disposition, said)))
    obliged = _with_pointers(connection, obliged)
    return _released(connection, arrival, routing, obliged, limits)


def look_back(
    connection: sa.Connection,
    dispositions: Iterable[disposition_pb2.Disposition],
    event_seq: int,
    limits: Mapping[int, int],
    now: datetime,
) -> list[Obliged]:
    """Of an event that is stored: what became of it, and what it waits for."""
    obliged = _with_pointers(
        connection,
        [Obliged(each, _standing(each, _stored_verdicts(each))) for each in dispositions],
    )
    places = places_of(connection, event_seq)
    queues = queues_of(connection, set(places.values()), limits, now)
    return [
        _queued(each, queues[places[position]]) if position in places else each
        for each in obliged
        for position in [_position(each)]
    ]


def _standing(disposition: disposition_pb2.Disposition, verdicts: Mapping[str, str]) -> Standing:
    return Standing(
        state_of(disposition),
        disposition.reason,
        verdicts,
        disposition.pointer,
        disposition.suppressed_count,
    )


def _stored_verdicts(disposition: disposition_pb2.Disposition) -> Mapping[str, str]:
    state = state_of(disposition)
    if state is State.SILENCED:
        return {"silence": SilenceReason.SILENCED}
    if state is State.SUPPRESSED:
        return _GOES_ON | {"dedup": Reason.REPEATED}
    if disposition.reason == Reason.GATHERED:
        return {"silence": SilenceReason.NOT_SILENCED, "digest": DigestReason.GATHERED}
    return _GOES_ON


def _with_pointers(connection: sa.Connection, obliged: Sequence[Obliged]) -> list[Obliged]:
    """With the silences, and with what was told instead."""
    standings = [each.standing for each in obliged]
    silences = find_silences(
        connection, (each.pointer for each in standings if each.state is State.SILENCED)
    )
    pointers = [pointed_to(each.state, each.pointer) for each in standings]
    told = follow(connection, {each for each in pointers if each})
    return [
        replace(
            each,
            standing=replace(
                each.standing,
                silence=silences.get(each.standing.pointer),
                told=told.get(pointer),
            ),
        )
        for each, pointer in zip(obliged, pointers, strict=True)
    ]


def _released(
    connection: sa.Connection,
    arrival: Arrival,
    routing: Routing,
    obliged: Sequence[Obliged],
    limits: Mapping[int, int],
) -> list[Obliged]:
    """With what the release would say of those that are ready."""
    waiting = [
        Waiting(
            0,
            position,
            arrival.event_id,
            routed.route.target_uid,
            routed.route.recipients,
            kind_of(arrival.event.type),
            lane_of(routed.decision, routed.route.lane_id),
        )
        for position, routed in enumerate(routing.obligations)
        if routed.decision.state is State.READY
    ]
    severity = arrival.event.severity.value
    places = {each.lane_id: Place(each.lane_id, severity, _BEHIND_ALL) for each in waiting}
    places.pop(0, None)
    found = queues_of(connection, places.values(), limits, arrival.now)
    queues = {place.lane_id: queue for place, queue in found.items()}
    room = {lane: 0 if queue.holds else 1 for lane, queue in queues.items() if queue.limit}
    taken = {each.waiting.position: each.into for each in release(waiting, (), room).coalesced}
    lanes = {each.position: each.lane_id for each in waiting}
    return [
        _coalesced(each, taken[position], routing)
        if position in taken
        else _queued(each, queues.get(lanes.get(position, 0)))
        for position, each in enumerate(obliged)
    ]


def _coalesced(each: Obliged, into: str, routing: Routing) -> Obliged:
    event_id, _, position = into.rpartition("/")
    route = routing.obligations[int(position)].route
    told = Told(event_id, None, route.group, route.target, "it would take it")
    standing = replace(
        each.standing,
        state=State.COALESCED,
        reason=Reason.DESTINATION_TAKEN,
        pointer=into if event_id else "",
        told=told,
    )
    return replace(each, standing=standing)


def _queued(each: Obliged, queue: Queue | None) -> Obliged:
    return replace(each, standing=replace(each.standing, queue=queue))


def _position(each: Obliged) -> int:
    return int(each.disposition.obligation_id.rpartition("/")[2])
