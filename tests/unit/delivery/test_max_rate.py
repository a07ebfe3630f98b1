"""No more messages in any minute than a target takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.delivery.targets.max_rate import WINDOW_MICROS, Passed, allowance, passed

SECOND = 1_000_000
MINUTE = 60 * SECOND


def test_what_passed_in_the_last_minute_is_held_against_the_limit() -> None:
    window = [Passed(0, 3), Passed(10 * SECOND, 1)]
    assert allowance(window, 5, 20 * SECOND).count == 1
    full = allowance(window, 4, 20 * SECOND)
    assert (full.count, full.next_at) == (0, WINDOW_MICROS)
    assert allowance(window, 4, WINDOW_MICROS).count == 3


@given(
    limit=st.integers(1, 50),
    steps=st.lists(st.tuples(st.integers(0, 20 * SECOND), st.integers(1, 30)), max_size=60),
)
def test_no_minute_has_more_than_the_limit(limit: int, steps: list[tuple[int, int]]) -> None:
    now, window = 0, tuple[Passed, ...]()
    sent: list[tuple[int, int]] = []
    for pause, wanted in steps:
        now += pause
        allowed = allowance(window, limit, now)
        count = min(wanted, allowed.count)
        if count:
            sent.append((now, count))
            window = passed(window, count, now)
        else:
            assert allowed.next_at is not None
            assert now < allowed.next_at <= now + WINDOW_MICROS
        assert len(window) <= 612
    for begin, _ in sent:
        assert sum(n for at, n in sent if begin <= at < begin + MINUTE) <= limit
