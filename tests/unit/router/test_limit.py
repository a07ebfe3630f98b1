"""No more releases in any 60 seconds than the limit, and no fewer than it allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.router.limit import (
    MOST_RUNS,
    PERIOD_MICROS,
    LimitReason,
    Past,
    Run,
    allowance,
    from_bytes,
    record,
    to_bytes,
)

SECOND = 1_000_000
GRAIN = PERIOD_MICROS // MOST_RUNS
NOW = 1_800_000_000 * SECOND

pasts = st.lists(st.tuples(st.integers(0, 2**52), st.integers(1, 10**6)), max_size=40).map(
    lambda pairs: tuple(Run(at, count) for at, count in sorted(dict(pairs).items()))
)
pauses = st.one_of(
    st.sampled_from([0, 1, SECOND, 30 * SECOND, PERIOD_MICROS - 1, PERIOD_MICROS]),
    st.integers(0, 20 * SECOND),
    st.integers(0, 1000),
)


def test_a_minute_counts_from_each_release() -> None:
    past = (Run(NOW, 2), Run(NOW + 10 * SECOND, 1))
    within = allowance(past, 5, NOW + 20 * SECOND)
    assert (within.reason, within.count, within.next_at) == (LimitReason.WITHIN_LIMIT, 2, None)
    reached = allowance(past, 3, NOW + 20 * SECOND)
    assert (reached.reason, reached.count) == (LimitReason.LIMIT_REACHED, 0)
    assert reached.next_at == NOW + PERIOD_MICROS
    assert allowance(past, 3, NOW + PERIOD_MICROS - 1).count == 0
    assert allowance(past, 3, NOW + PERIOD_MICROS).count == 2


def test_sixty_at_the_end_of_a_minute_leave_none_for_the_beginning_of_the_next() -> None:
    past = record((), 60, NOW + 59 * SECOND)
    assert allowance(past, 60, NOW + 61 * SECOND).count == 0
    assert allowance(past, 60, NOW + 119 * SECOND).count == 60


def test_without_a_limit_any_number_may_go_and_is_remembered_for_the_limit_to_come() -> None:
    free = allowance((), 0, NOW)
    assert (free.reason, free.next_at) == (LimitReason.UNLIMITED, None)
    assert free.count > 10**9
    past = record((), 1000, NOW)
    assert allowance(past, 60, NOW + SECOND).next_at == NOW + PERIOD_MICROS


def test_a_lowered_limit_waits_until_enough_have_expired() -> None:
    past = tuple(Run(NOW + second * SECOND, 1) for second in range(10))
    lowered = allowance(past, 3, NOW + 20 * SECOND)
    assert lowered.next_at == NOW + 7 * SECOND + PERIOD_MICROS
    assert allowance(past, 3, lowered.next_at).count == 1
    assert allowance(past, 3, lowered.next_at - 1).count == 0


def test_a_clock_that_went_back_an_hour_holds_a_group_up_for_a_minute_at_most() -> None:
    past = record((), 60, NOW)
    back = NOW - 3600 * SECOND
    held = allowance(past, 60, back)
    assert held.count == 0
    assert held.next_at == back + PERIOD_MICROS
    assert held.went_back
    assert held.past == (Run(back, 60),)
    assert allowance(held.past, 60, back + PERIOD_MICROS).count == 60


def test_releases_of_one_moment_are_one_run() -> None:
    assert record(record((), 2, NOW), 3, NOW) == (Run(NOW, 5),)
    assert record((Run(NOW, 1),), 0, NOW) == (Run(NOW, 1),)


@given(
    steps=st.lists(
        st.tuples(pauses, st.integers(1, 30), st.none() | st.integers(0, 25)), max_size=80
    ),
    first=st.integers(0, 25),
)
def test_no_minute_holds_more_than_its_largest_limit_and_no_release_waits_needlessly(
    steps: list[tuple[int, int, int | None]], first: int
) -> None:
    now, limit = NOW, first
    past: Past = ()
    released: list[tuple[int, int, int]] = []
    for pause, wanted, changed in steps:
        now, limit = now + pause, limit if changed is None else changed
        past = from_bytes(to_bytes(past))
        allowed = allowance(past, limit, now)
        assert not allowed.went_back
        in_minute = sum(count for at, count, _ in released if at > now - PERIOD_MICROS)
        if limit:
            assert allowed.count == max(limit - in_minute, 0)
        if not allowed.count:
            assert allowed.next_at is not None
            assert now < allowed.next_at <= now + PERIOD_MICROS
            assert allowance(allowed.past, limit, allowed.next_at - 1).count == 0
            assert allowance(allowed.past, limit, allowed.next_at).count > 0
        count = min(wanted, allowed.count)
        past = record(past, count, now)
        if count:
            released.append((now, count, limit or 10**9))
    for end, _, _ in released:
        minute = [each for each in released if end - PERIOD_MICROS < each[0] <= end]
        assert sum(count for _, count, _ in minute) <= max(most for _, _, most in minute)


@given(
    steps=st.lists(st.tuples(pauses, st.integers(-7200, 7200) | st.just(0)), max_size=60),
    limit=st.integers(1, 5),
)
def test_however_the_clock_goes_back_no_real_minute_holds_more_and_no_wait_is_longer_than_one(
    steps: list[tuple[int, int]], limit: int
) -> None:
    real = error = 0
    past: Past = ()
    released: list[int] = []
    for pause, jump in steps:
        real, error = real + pause, error + min(jump, 0) * SECOND
        allowed = allowance(past, limit, NOW + real + error)
        if allowed.went_back:
            past = allowed.past
        if not allowed.count:
            assert allowed.next_at is not None
            assert allowed.next_at <= NOW + real + error + PERIOD_MICROS
            continue
        past = record(past, 1, NOW + real + error)
        released.append(real)
    for end in released:
        assert sum(end - PERIOD_MICROS < at <= end for at in released) <= limit


def test_however_many_moments_there_are_few_are_kept_and_none_counts_too_short() -> None:
    past: Past = ()
    released = 5000
    for index in range(released):
        past = record(past, 1, NOW + index * 10_000)
        assert len(past) <= MOST_RUNS + 1
    end = NOW + (released - 1) * 10_000
    for later in range(0, PERIOD_MICROS + 1, PERIOD_MICROS // 97):
        truly = sum(NOW + index * 10_000 > end + later - PERIOD_MICROS for index in range(released))
        counted = 10_000 - allowance(past, 10_000, end + later).count
        assert truly <= counted <= truly + GRAIN // 10_000


def test_as_many_moments_as_the_default_limit_has_are_kept_in_300_bytes() -> None:
    past: Past = ()
    for second in range(60):
        past = record(past, 1, NOW + second * 999_983)
    assert len(past) == 60
    assert len(to_bytes(past)) < 300


@given(past=pasts)
def test_what_was_stored_is_read_back(past: Past) -> None:
    assert from_bytes(to_bytes(past)) == past


@pytest.mark.parametrize("stored", [b"\x02", b"\x01\x05", b"\x01\x85", b"\x01\x05\x01\x85"])
def test_what_cannot_be_read_is_said(stored: bytes) -> None:
    with pytest.raises(ValueError, match="releases"):
        from_bytes(stored)
