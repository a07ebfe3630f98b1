"""A quota lets a minute's calls through at once, then evenly, and says exactly when."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.domain.quota import Bucket, charge

NOTHING = timedelta(0)


def let_through(quota: int, calls: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Which of the calls, each at a time and of a count, are let through."""
    bucket: Bucket | None = None
    passed: list[tuple[float, int]] = []
    for at, count in calls:
        charged = charge(bucket, quota, count, at)
        bucket = charged.bucket
        if charged.wait == NOTHING:
            passed.append((at, count))
    return passed


def test_a_minutes_calls_may_come_at_once_and_the_next_one_waits_for_its_turn() -> None:
    bucket = charge(None, 60, 1, 0.0).bucket
    for _ in range(59):
        charged = charge(bucket, 60, 1, 0.0)
        assert charged.wait == NOTHING
        bucket = charged.bucket
    refused = charge(bucket, 60, 1, 0.0)
    assert refused.wait == timedelta(seconds=1)
    assert charge(refused.bucket, 60, 1, 0.999).wait > NOTHING
    assert charge(refused.bucket, 60, 1, 1.0).wait == NOTHING


def test_a_batch_larger_than_the_quota_passes_and_is_paid_for_afterwards() -> None:
    charged = charge(None, 10, 1000, 0.0)
    assert charged.wait == NOTHING
    refused = charge(charged.bucket, 10, 1, 0.0)
    assert refused.wait == timedelta(seconds=991 * 6)
    assert charge(refused.bucket, 10, 1, 991 * 6.0).wait == NOTHING


def test_a_call_that_is_refused_costs_nothing() -> None:
    bucket = charge(None, 1, 1, 0.0).bucket
    for second in range(59):
        charged = charge(bucket, 1, 1, float(second))
        assert charged.wait > NOTHING
        bucket = charged.bucket
    assert charge(bucket, 1, 1, 60.0).wait == NOTHING


def test_a_clock_that_stands_still_fills_nothing() -> None:
    assert charge(Bucket(0.0, 10.0), 60, 1, 5.0).wait == timedelta(seconds=1)


@given(
    st.integers(1, 1000),
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 50)), max_size=200),
)
def test_over_any_time_nobody_gets_more_than_the_quota_and_one_burst_and_one_batch(
    quota: int, gaps: list[tuple[float, int]]
) -> None:
    at, calls = 0.0, []
    for gap, count in gaps:
        at += gap
        calls.append((at, count))
    passed = let_through(quota, calls)
    total = sum(count for _, count in passed)
    assert total <= quota + at * quota / 60 + 50 + 1e-6


@given(st.integers(1, 10_000), st.floats(-1000, 0.9), st.floats(0, 1e6))
def test_who_waits_as_long_as_told_is_let_through(quota: int, level: float, now: float) -> None:
    told = charge(Bucket(level, now), quota, 1, now)
    later = now + told.wait.total_seconds() + 1e-5
    assert charge(told.bucket, quota, 1, later).wait <= timedelta(microseconds=1)
