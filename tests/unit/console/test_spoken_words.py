"""Words of pages: moments, and why a digest was closed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ibs_notify.console.wording import words


@pytest.mark.parametrize(
    ("ahead", "text"),
    [
        (timedelta(seconds=1), "now"),
        (timedelta(seconds=-1), "now"),
        (timedelta(minutes=4, seconds=53), "in 4 min 53 s"),
        (timedelta(hours=3, minutes=59, seconds=52), "in 3 h 59 min"),
        (timedelta(hours=4), "in 4 h"),
        (timedelta(days=2, hours=3), "in 2 d 3 h"),
        (timedelta(minutes=-4, seconds=-53), "4 min ago"),
        (timedelta(days=-1, hours=-23), "1 d ago"),
    ],
)
def test_what_is_awaited_is_told_more_exactly_than_what_is_past(
    ahead: timedelta, text: str
) -> None:
    assert words.relative(ahead) == text


def test_why_a_digest_was_closed_is_said_in_words() -> None:
    assert words.close_reason("FLUSHED") == "before its time, by hand"
    assert words.close_reason("OF_LATER") == "OF_LATER"
