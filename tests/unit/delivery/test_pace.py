"""How many deliveries a lane claims ahead."""

from __future__ import annotations

import math

import pytest

from ibs_notify.delivery.sending.pace import MOST_AHEAD, most_ahead, smoothed


@pytest.mark.parametrize(
    ("attempt_seconds", "concurrency", "most"),
    [
        (math.inf, 16, 0),
        (1.0, 16, 0),
        (0.2, 16, 0),
        (0.1, 16, 1),
        (0.01, 16, 16),
        (0.001, 16, MOST_AHEAD),
        (0.0, 16, MOST_AHEAD),
        (0.02, 4, 2),
    ],
)
def test_what_is_ahead_is_sent_within_a_hundredth_of_a_second(
    attempt_seconds: float, concurrency: int, most: int
) -> None:
    assert most_ahead(attempt_seconds, concurrency) == most


def test_the_first_attempt_is_the_average() -> None:
    assert smoothed(math.inf, 0.25) == 0.25


def test_a_target_that_becomes_slow_or_fast_is_known_as_such_after_a_few_attempts() -> None:
    average = 0.001
    for _ in range(4):
        average = smoothed(average, 1.0)
    assert most_ahead(average, 16) == 0
    for _ in range(100):
        average = smoothed(average, 0.001)
    assert most_ahead(average, 16) == MOST_AHEAD
