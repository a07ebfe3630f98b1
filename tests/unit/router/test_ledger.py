"""The books balance, or name the ids that do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.router.ledger import Balance, Books, Comparison, span_after
from ibs_notify.router.ports import DeliveryId

NONE: frozenset[str] = frozenset()


def delivery(name: str, state: str = "queued", *, derived: bool = False) -> DeliveryId:
    return DeliveryId(name, state, derived)


def balance(
    handed_off: frozenset[str],
    deliveries: list[DeliveryId],
    released: frozenset[str],
    *,
    limit: int = 100,
    astray: tuple[str, ...] = (),
) -> Balance:
    """Compare in spans of up to ``limit`` ids."""
    comparison = Comparison(Books(3, 1, {"handed_off": len(handed_off)}, astray))
    after: str | None = ""
    while after is not None:
        behind = after
        span = span_after(
            behind,
            sorted(each for each in handed_off if each > behind)[:limit],
            [each for each in deliveries if each.delivery_id > behind][:limit],
            limit,
        )
        comparison.add(span, released)
        after = span.end
    return comparison.balance()


def test_equal_books_balance() -> None:
    result = balance(frozenset({"a", "b"}), [delivery("a"), delivery("b")], NONE)
    assert result.balanced
    assert (result.accepted, result.routed, result.unmatched) == (3, 2, 1)


def test_a_handed_off_id_that_delivery_does_not_have_is_a_gap() -> None:
    result = balance(frozenset({"a", "b"}), [delivery("a")], frozenset({"a", "b"}))
    assert not result.balanced
    assert result.unaccounted == ("b",)


def test_a_delivery_that_was_never_released_is_a_gap() -> None:
    result = balance(frozenset({"a"}), [delivery("a"), delivery("x")], frozenset({"a"}))
    assert result.unaccounted == ("x",)


def test_a_delivery_stored_but_not_yet_marked_is_none() -> None:
    assert balance(NONE, [delivery("a")], frozenset({"a"})).balanced


def test_an_obligation_released_but_not_yet_stored_is_none() -> None:
    assert balance(NONE, [], frozenset({"a"})).balanced


def test_events_without_their_obligations_are_gaps() -> None:
    assert balance(NONE, [], NONE, astray=("evt-1",)).unaccounted == ("evt-1",)


def test_digests_and_tests_are_counted_apart_and_are_no_gap() -> None:
    result = balance(NONE, [delivery("d", "delivered", derived=True)], NONE)
    assert result.balanced
    assert result.delivery_states == {"derived delivered": 1}


def test_a_derived_delivery_does_not_answer_for_an_obligation() -> None:
    result = balance(frozenset({"d"}), [delivery("d", derived=True)], NONE)
    assert result.unaccounted == ("d",)


@pytest.mark.parametrize(
    ("handed_off", "deliveries", "end"),
    [
        (["a", "b"], ["a"], "b"),
        (["a"], ["a", "c"], "c"),
        (["a", "d"], ["a", "c"], "c"),
        (["a"], ["a"], None),
        ([], [], None),
    ],
)
def test_a_span_ends_where_the_first_side_may_have_more(
    handed_off: list[str], deliveries: list[str], end: str | None
) -> None:
    span = span_after("", handed_off, [delivery(each) for each in deliveries], 2)
    assert span.end == end
    known = {*span.handed_off, *(each.delivery_id for each in span.deliveries)}
    assert known == {each for each in (*handed_off, *deliveries) if end is None or each <= end}


ids = st.frozensets(st.sampled_from("abcdef"))


@given(ids, ids, ids, st.integers(1, 7))
def test_the_gaps_are_exactly_those_ids(
    handed: frozenset[str], theirs: frozenset[str], since: frozenset[str], limit: int
) -> None:
    result = balance(handed, [delivery(each) for each in sorted(theirs)], since, limit=limit)
    gaps = [each for each in handed if each not in theirs]
    gaps += [each for each in theirs if each not in handed and each not in since]
    assert sorted(result.unaccounted) == sorted(gaps)
    assert result.balanced is (not gaps)
    assert sum(result.delivery_states.values()) == len(theirs)
