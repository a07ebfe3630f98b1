"""Names as segments of addresses, and back."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from ibs_notify.console.rendering import named, segment

NAMES = ["", "a", ".", "..", "...", "~", "~.", "~..", "~~.", ".~", "~a", "a/../b", "%2e", "ü\0\n"]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_comes_back_from_its_segment(name: str) -> None:
    assert named(unquote(segment(name))) == name


@pytest.mark.parametrize("name", NAMES)
def test_no_segment_is_a_step_in_the_path(name: str) -> None:
    assert unquote(segment(name)) not in (".", "..")
    assert "/" not in segment(name)


def test_no_two_names_have_the_same_segment() -> None:
    assert len({segment(each) for each in NAMES}) == len(NAMES)
