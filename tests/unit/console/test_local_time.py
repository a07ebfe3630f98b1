"""Moments in forms and addresses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ibs_notify.console.wording.local_time import read_moment, written_moment
from ibs_notify.domain.errors import InvalidArgument

VIENNA = "Europe/Vienna"


def test_what_names_no_zone_is_of_the_installations() -> None:
    read = read_moment("2026-05-21T22:00", VIENNA, "until")
    assert read == datetime(2026, 5, 21, 20, tzinfo=UTC)
    assert written_moment(read, VIENNA) == "2026-05-21T22:00"


def test_what_names_a_zone_is_of_that() -> None:
    assert read_moment("2026-05-21T22:00Z", VIENNA, "until") == datetime(
        2026, 5, 21, 22, tzinfo=UTC
    )


def test_nothing_is_no_moment() -> None:
    assert read_moment("", VIENNA, "until") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tomorrow", "is no time"),
        ("2026-05-21T25:00", "is no time"),
        ("0001-01-01T00:00+14:00", "is no time"),
        ("9999-12-31T23:59", "is no time"),
        ("2026-03-29T02:30", "the clocks are put forward"),
    ],
)
def test_what_is_no_moment_is_said_at_its_field(text: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said) as caught:
        read_moment(text, VIENNA, "until")
    assert [each.path for each in caught.value.violations] == ["until"]
