"""The ledger: every accepted event accounted for, here and in Delivery. The comparison is pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ibs_notify.router.ports import DeliveryId


@dataclass(frozen=True, slots=True)
class Books:
    """What the Router has written. ``handed_off`` are the ids that Delivery must answer for."""

    accepted: int
    unmatched: int
    states: Mapping[str, int]
    handed_off: frozenset[str]
    events_astray: Sequence[str] = ()
    """Events that do not have as many obligations as were opened."""


@dataclass(frozen=True, slots=True)
class Balance:
    """``unaccounted`` are ids of events and deliveries; none where the ledger balances."""

    accepted: int
    routed: int
    unmatched: int
    router_states: Mapping[str, int]
    delivery_states: Mapping[str, int]
    unaccounted: tuple[str, ...]

    @property
    def balanced(self) -> bool:
        return not self.unaccounted


def balance(
    books: Books, deliveries: Collection[DeliveryId], released_since: frozenset[str]
) -> Balance:
    """Compare. ``books`` were read first, then ``deliveries``, then ``released_since``.

    Delivery stores before the Router marks, so what was marked when ``books`` were read must be
    among ``deliveries``; what Delivery has beyond that must be released here by now.
    ``released_since`` are the Router's ids, marked or not, read last.
    """
    theirs = {each.delivery_id for each in deliveries if not each.is_derived}
    missing = sorted(books.handed_off - theirs)
    unexpected = sorted(theirs - books.handed_off - released_since)
    delivery_states: Counter[str] = Counter(
        f"derived {each.state}" if each.is_derived else each.state for each in deliveries
    )
    return Balance(
        accepted=books.accepted,
        routed=books.accepted - books.unmatched,
        unmatched=books.unmatched,
        router_states=books.states,
        delivery_states=delivery_states,
        unaccounted=(*books.events_astray, *missing, *unexpected),
    )
