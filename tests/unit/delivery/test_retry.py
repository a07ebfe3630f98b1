"""When to try again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.delivery import START

from ibs_notify.delivery.sending.retry import (
    FIRST_CEILING,
    LAST_CEILING,
    LONGEST_WISH,
    ceiling,
    next_attempt,
)

EXPIRES = START + timedelta(days=5)
jitters = st.floats(0.0, 1.0, exclude_max=True)
ages = st.timedeltas(timedelta(0), timedelta(days=6))
wishes = st.none() | st.timedeltas(timedelta(0), timedelta(days=3))


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(1, 5), (2, 10), (3, 20), (4, 40), (10, 2560), (11, 3600), (12, 3600), (10**6, 3600)],
)
def test_the_longest_wait_doubles_from_five_seconds_to_an_hour(failures: int, seconds: int) -> None:
    assert ceiling(failures) == timedelta(seconds=seconds)


def test_the_wait_is_anywhere_between_nothing_and_the_ceiling() -> None:
    def wait(jitter: float) -> timedelta:
        decision = next_attempt(
            failures=3, now=START, expires_at=EXPIRES, retry_after=None, jitter=jitter
        )
        assert decision.due_at is not None
        return decision.due_at - START

    assert [wait(jitter) for jitter in (0.0, 0.25, 0.5)] == [
        timedelta(0),
        timedelta(seconds=5),
        timedelta(seconds=10),
    ]


def test_the_peers_wish_is_a_minimum_of_at_most_a_day() -> None:
    def wait(wish: timedelta) -> timedelta:
        decision = next_attempt(
            failures=1, now=START, expires_at=EXPIRES, retry_after=wish, jitter=0.9
        )
        assert decision.due_at is not None
        return decision.due_at - START

    assert wait(timedelta(minutes=7)) == timedelta(minutes=7)
    assert wait(timedelta(seconds=1)) == timedelta(seconds=4.5)
    assert wait(timedelta(days=2)) == timedelta(days=1)


def test_it_gives_up_when_the_next_attempt_would_come_after_five_days() -> None:
    late = EXPIRES - timedelta(minutes=10)

    def due(jitter: float) -> bool:
        return (
            next_attempt(
                failures=50, now=late, expires_at=EXPIRES, retry_after=None, jitter=jitter
            ).due_at
            is not None
        )

    assert due(0.1)
    assert not due(0.2)


@given(failures=st.integers(1, 1000), age=ages, wish=wishes, jitter=jitters)
def test_every_retry_is_in_bounds(
    failures: int, age: timedelta, wish: timedelta | None, jitter: float
) -> None:
    now = START + age
    due_at = next_attempt(
        failures=failures, now=now, expires_at=EXPIRES, retry_after=wish, jitter=jitter
    ).due_at
    asked = min(wish, LONGEST_WISH) if wish is not None else timedelta(0)
    if due_at is None:
        assert now + max(asked, ceiling(failures)) >= EXPIRES
    else:
        assert now + asked <= due_at < EXPIRES
        assert due_at <= now + max(asked, ceiling(failures))
    assert FIRST_CEILING <= ceiling(failures) <= LAST_CEILING
