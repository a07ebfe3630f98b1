"""Ids sort, never repeat, and are the same for the same thing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.domain.bounds import MAX_EVENT_ID
from ibs_notify.router.identity import EventIds, Kind, delivery_id, obligation_id

START = datetime(2026, 5, 21, 23, 59, 59, 999_000, tzinfo=UTC)
people = st.lists(st.emails(), max_size=4, unique=True)


def test_an_event_id_shows_its_day_and_is_within_the_bounds_of_the_api() -> None:
    first = EventIds().next(START)
    assert re.fullmatch(r"evt-2026-05-21-[0-9a-f]{27}", first)
    assert len(first) <= MAX_EVENT_ID


@given(st.lists(st.integers(-100_000, 100_000), max_size=50))
def test_event_ids_sort_as_they_were_given_and_are_unique_whatever_the_clock_does(
    steps: list[int],
) -> None:
    ids, now, given_out = EventIds(), START, []
    for milliseconds in [0, 0, *steps]:
        now += timedelta(milliseconds=milliseconds)
        given_out.append(ids.next(now))
    assert given_out == sorted(given_out)
    assert len(set(given_out)) == len(given_out)


def test_a_day_that_the_clock_went_back_over_is_not_shown_again() -> None:
    ids = EventIds()
    ids.next(START + timedelta(seconds=1))
    assert ids.next(START).startswith("evt-2026-05-22-")


def test_two_routers_do_not_give_the_same_id() -> None:
    assert EventIds().next(START) != EventIds().next(START)


def test_an_obligation_is_named_by_its_event_and_position() -> None:
    assert obligation_id("evt-1", 3) == "evt-1/3"


@given(people)
def test_a_delivery_id_does_not_depend_on_the_order_of_recipients(recipients: list[str]) -> None:
    one = delivery_id("evt-1", "u", Kind.EVENT, recipients)
    assert one == delivery_id("evt-1", "u", Kind.EVENT, list(reversed(recipients)))
    assert re.fullmatch(r"[0-9a-f]{32}", one)


keys = st.tuples(st.sampled_from(["e", "e1"]), st.sampled_from(["u", "1u"]), st.sampled_from(Kind))


@given(st.tuples(keys, people), st.tuples(keys, people))
def test_different_deliveries_have_different_ids(
    one: tuple[tuple[str, str, Kind], list[str]], other: tuple[tuple[str, str, Kind], list[str]]
) -> None:
    same = one[0] == other[0] and sorted(one[1]) == sorted(other[1])
    assert (delivery_id(*one[0], one[1]) == delivery_id(*other[0], other[1])) is same
