"""Release: which obligations may go to Delivery now. Pure.

The rate limit's place is before coalescing; until it is in force every obligation may go at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ibs_notify.router.identity import delivery_id, obligation_id

KIND_EVENT = "event"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A ready obligation. Order of a sequence: highest severity first, then oldest."""

    event_seq: int
    position: int
    event_id: str
    target_uid: str
    recipients: tuple[str, ...]


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


Destination = tuple[int, str, str]
"""Event, target uid and, for mail, the recipient."""


def release(
    waiting: Iterable[Waiting], already: Iterable[Released]
) -> Sequence[Released | Coalesced]:
    """Decide for each of ``waiting`` in order; ``already`` went before, for the same events.

    One event reaches one destination once, however many groups route it there: the first takes it.
    """
    taken: dict[Destination, str] = {}
    for former in already:
        _take(taken, former)
    decisions: list[Released | Coalesced] = []
    for each in waiting:
        decision = _coalesce(each, taken)
        if isinstance(decision, Released):
            _take(taken, decision)
        decisions.append(decision)
    return decisions


def _coalesce(waiting: Waiting, taken: dict[Destination, str]) -> Released | Coalesced:
    destinations = _destinations(waiting, waiting.recipients or ("",))
    free = {place: name for place, name in destinations.items() if place not in taken}
    if not free:
        return Coalesced(waiting, taken[next(iter(destinations))])
    recipients = tuple(name for name in free.values() if name)
    identity = delivery_id(waiting.event_id, waiting.target_uid, KIND_EVENT, recipients)
    return Released(waiting, identity, recipients)


def _destinations(waiting: Waiting, recipients: Sequence[str]) -> dict[Destination, str]:
    """The recipient of each destination, once; addresses that differ in case are the same."""
    found: dict[Destination, str] = {}
    for recipient in recipients:
        found.setdefault((waiting.event_seq, waiting.target_uid, recipient.lower()), recipient)
    return found


def _take(taken: dict[Destination, str], released: Released) -> None:
    waiting = released.waiting
    taker = obligation_id(waiting.event_id, waiting.position)
    for place in _destinations(waiting, released.recipients or ("",)):
        taken.setdefault(place, taker)
