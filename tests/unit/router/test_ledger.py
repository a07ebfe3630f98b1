"""The books balance, or name the ids that do not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.router.ledger import Books, balance
from ibs_notify.router.ports import DeliveryId

NONE: frozenset[str] = frozenset()


def books(
    handed_off: frozenset[str],
    *,
    accepted: int = 3,
    unmatched: int = 1,
    astray: tuple[str, ...] = (),
) -> Books:
    return Books(accepted, unmatched, {"handed_off": len(handed_off)}, handed_off, astray)


def delivery(name: str, state: str = "queued", *, derived: bool = False) -> DeliveryId:
    return DeliveryId(name, state, derived)


def test_equal_books_balance() -> None:
    result = balance(books(frozenset({"a", "b"})), [delivery("a"), delivery("b")], NONE)
    assert result.balanced
    assert (result.accepted, result.routed, result.unmatched) == (3, 2, 1)


def test_a_handed_off_id_that_delivery_does_not_have_is_a_gap() -> None:
    result = balance(books(frozenset({"a", "b"})), [delivery("a")], frozenset({"a", "b"}))
    assert not result.balanced
    assert result.unaccounted == ("b",)


def test_a_delivery_that_was_never_released_is_a_gap() -> None:
    result = balance(books(frozenset({"a"})), [delivery("a"), delivery("x")], frozenset({"a"}))
    assert result.unaccounted == ("x",)


def test_a_delivery_stored_but_not_yet_marked_is_none() -> None:
    result = balance(books(NONE), [delivery("a")], frozenset({"a"}))
    assert result.balanced


def test_an_obligation_released_but_not_yet_stored_is_none() -> None:
    assert balance(books(NONE), [], frozenset({"a"})).balanced


def test_events_without_their_obligations_are_gaps() -> None:
    assert balance(books(NONE, astray=("evt-1",)), [], NONE).unaccounted == ("evt-1",)


def test_digests_and_tests_are_counted_apart_and_are_no_gap() -> None:
    result = balance(books(NONE), [delivery("d", "delivered", derived=True)], NONE)
    assert result.balanced
    assert result.delivery_states == {"derived delivered": 1}


def test_a_derived_delivery_does_not_answer_for_an_obligation() -> None:
    result = balance(books(frozenset({"d"})), [delivery("d", derived=True)], NONE)
    assert result.unaccounted == ("d",)


ids = st.frozensets(st.sampled_from("abcdef"))


@given(ids, ids, ids)
def test_the_gaps_are_exactly_those_ids(
    handed: frozenset[str], theirs: frozenset[str], since: frozenset[str]
) -> None:
    result = balance(books(handed), [delivery(each) for each in sorted(theirs)], since)
    gaps = {each for each in handed if each not in theirs}
    gaps |= {each for each in theirs if each not in handed and each not in since}
    assert set(result.unaccounted) == gaps
    assert result.balanced is (not gaps)
    assert sum(result.delivery_states.values()) == len(theirs)
