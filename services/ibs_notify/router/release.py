"""Release: which obligations may go to Delivery now. Pure.

room of its group's rate limit? ─ coalesced? ─ released

Entries of digests go at once and by themselves: they take no destination, and none is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ibs_notify.router.digest import DIGEST_LANE
from ibs_notify.router.identity import Kind, delivery_id, entry_id, obligation_id


@dataclass(frozen=True, slots=True)
class Waiting:
    """A ready obligation. Order of a sequence: highest severity first, then oldest."""

    event_seq: int
    position: int
    event_id: str
    target_uid: str
    recipients: tuple[str, ...]
    kind: Kind = Kind.EVENT
    lane_id: int = 0

    @property
    def is_entry(self) -> bool:
        """Of a digest."""
        return self.lane_id == DIGEST_LANE


@dataclass(frozen=True, slots=True)
class Released:
    """It becomes this delivery, for the recipients that no other route has taken."""

    waiting: Waiting
    delivery_id: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coalesced:
    """Every destination of it was taken before; ``into`` is the obligation that took it."""

    waiting: Waiting
    into: str


@dataclass(frozen=True, slots=True)
class Decided:
    """``let_go`` counts the events that each lane let go now; one event counts once in a lane."""

    released: Sequence[Released]
    coalesced: Sequence[Coalesced]
    let_go: Mapping[int, int]


Destination = tuple[int, str, str]
"""Event, target uid and, for mail, the recipient."""


def release(
    waiting: Sequence[Waiting], already: Iterable[Released], room: Mapping[int, int]
) -> Decided:
    """Decide on ``waiting`` in order; ``already`` went before, for the same events.

    ``waiting`` has every ready obligation of its events. ``room`` is how many events a lane may let
    go; one that is not named is without limit. One event reaches one destination once, however many
    groups route it there: the first takes it, and what only waits for the same is coalesced at
    once, at no cost to its own group.
    """
    taken: dict[Destination, str] = {}
    for former in already:
        _take(taken, former)
    charged: dict[int, set[int]] = {}
    released: list[Released] = []
    held: list[Waiting] = []
    coalesced: list[Coalesced] = []
    for each in waiting:
        decision = _coalesce(each, taken)
        if isinstance(decision, Coalesced):
            coalesced.append(decision)
        elif _has_room(each, room, charged):
            charged.setdefault(each.lane_id, set()).add(each.event_seq)
            released.append(decision)
            _take(taken, decision)
        else:
            held.append(each)
    late = (_coalesce(each, taken) for each in held)
    coalesced += [each for each in late if isinstance(each, Coalesced)]
    return Decided(released, coalesced, {lane: len(events) for lane, events in charged.items()})


def _has_room(each: Waiting, room: Mapping[int, int], charged: Mapping[int, set[int]]) -> bool:
    most = room.get(each.lane_id)
    if most is None:
        return True
    let_go = charged.get(each.lane_id, ())
    return each.event_seq in let_go or len(let_go) < most


def _coalesce(waiting: Waiting, taken: dict[Destination, str]) -> Released | Coalesced:
    if waiting.is_entry:
        entry = entry_id(obligation_id(waiting.event_id, waiting.position))
        return Released(waiting, entry, waiting.recipients)
    if not waiting.recipients:
        place = (waiting.event_seq, waiting.target_uid, "")
        if place in taken:
            return Coalesced(waiting, taken[place])
        return _released(waiting, ())
    destinations = _destinations(waiting, waiting.recipients)
    free = {place: name for place, name in destinations.items() if place not in taken}
    if not free:
        return Coalesced(waiting, taken[next(iter(destinations))])
    return _released(waiting, tuple(free.values()))


def _released(waiting: Waiting, recipients: tuple[str, ...]) -> Released:
    identity = delivery_id(waiting.event_id, waiting.target_uid, waiting.kind, recipients)
    return Released(waiting, identity, recipients)


def _destinations(waiting: Waiting, recipients: Sequence[str]) -> dict[Destination, str]:
    """The recipient of each destination, once; addresses that differ in case are the same."""
    found: dict[Destination, str] = {}
    for recipient in recipients:
        found.setdefault((waiting.event_seq, waiting.target_uid, recipient.lower()), recipient)
    return found


def _take(taken: dict[Destination, str], released: Released) -> None:
    waiting = released.waiting
    if waiting.is_entry:
        return
    taker = obligation_id(waiting.event_id, waiting.position)
    for place in _destinations(waiting, released.recipients or ("",)):
        taken.setdefault(place, taker)
