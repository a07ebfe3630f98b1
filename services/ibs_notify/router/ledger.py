"""The ledger: every accepted event accounted for, here and in Delivery. The comparison is pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ibs_notify.router.ports import DeliveryId


@dataclass(frozen=True, slots=True)
class Books:
    """What the Router has written, in sums."""

    accepted: int
    unmatched: int
    states: Mapping[str, int]
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


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of ids in bytewise order, with what each side has of it.

    It lies behind ``after`` and ends with ``end``, which is ``None`` for the last one.
    ``handed_off`` are the ids that Delivery must answer for.
    """

    after: str
    end: str | None
    handed_off: frozenset[str]
    deliveries: Sequence[DeliveryId]

    @property
    def missing(self) -> list[str]:
        """What Delivery should have and has not."""
        return sorted(self.handed_off - self._theirs())

    @property
    def surplus(self) -> list[str]:
        """What Delivery has beyond what the Router has marked: it must have been released."""
        return sorted(self._theirs() - self.handed_off)

    def _theirs(self) -> set[str]:
        return {each.delivery_id for each in self.deliveries if not each.is_derived}


def span_after(
    after: str, handed_off: Sequence[str], deliveries: Sequence[DeliveryId], limit: int
) -> Span:
    """The longest stretch of which both sides are known whole.

    Each was asked for up to ``limit`` ids behind ``after``, in order.
    """
    ends = [handed_off[-1]] if len(handed_off) >= limit else []
    if len(deliveries) >= limit:
        ends.append(deliveries[-1].delivery_id)
    end = min(ends, default=None)
    return Span(
        after,
        end,
        frozenset(each for each in handed_off if end is None or each <= end),
        [each for each in deliveries if end is None or each.delivery_id <= end],
    )


class Comparison:
    """Compares span by span, so that it holds no more than one of them.

    Of each span the Router's marked ids are read first, then Delivery's, then those that the Router
    has released. Delivery stores before the Router marks, so what was marked at the first read must
    be among Delivery's; what Delivery has beyond that must be released here by the last.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._delivery_states: Counter[str] = Counter()
        self._unaccounted = list(books.events_astray)

    def add(
        self,
        span: Span,
        released: Collection[str],
        retired_before: int = 0,
        given_up: Collection[str] = (),
    ) -> None:
        """``released`` are the Router's ids of the span, marked or not, read last.

        What Delivery accepted before ``retired_before``, in microseconds and read with them, may
        be of events that are kept no longer. Only a span with a ``surplus`` needs either.
        ``given_up`` are those ``missing`` that Delivery may have finished and keep no longer.
        """
        accepted_at = {each.delivery_id: each.accepted_at for each in span.deliveries}
        self._unaccounted += [each for each in span.missing if each not in given_up]
        self._unaccounted += [
            each
            for each in span.surplus
            if each not in released and accepted_at[each] >= retired_before
        ]
        self._delivery_states.update(
            f"derived {each.state}" if each.is_derived else each.state for each in span.deliveries
        )

    def balance(self) -> Balance:
        """The result, once every span was added."""
        return Balance(
            accepted=self._books.accepted,
            routed=self._books.accepted - self._books.unmatched,
            unmatched=self._books.unmatched,
            router_states=self._books.states,
            delivery_states=self._delivery_states,
            unaccounted=tuple(self._unaccounted),
        )
