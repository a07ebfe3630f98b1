"""Globs: their meaning, and a bound on what the worst of them costs."""

from __future__ import annotations

import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.rules.glob import SEGMENT_LIMIT, compile_glob

SMALL = st.text("ab/", max_size=12)
PATTERN = st.lists(
    st.sampled_from(["a", "b", "/", "*", "?", "[ab]", "[!a]", "[a-b/]"]), max_size=10
).map("".join)


@given(PATTERN, SMALL)
def test_a_glob_means_what_the_standard_library_says(pattern: str, text: str) -> None:
    expected = re.match(fnmatch.translate(pattern), text) is not None
    assert compile_glob(pattern)(text) is expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("*", "", True),
        ("?", "\n", True),
        ("a*a", "a", False),
        ("*ab*ab", "xab", False),
        ("[*]", "*", True),
        ("[*]", "x", False),
        ("[]]", "]", True),
        ("[!]]", "]", False),
        ("[a-]", "-", True),
        ("[^a]", "^", True),
        ("[\\d]", "5", False),
        ("a.c", "abc", False),
        ("A", "a", False),
    ],
)
def test_the_corners_of_globs(pattern: str, text: str, expected: bool) -> None:
    assert compile_glob(pattern)(text) is expected


def test_a_long_wild_segment_is_refused_between_stars_but_not_at_the_ends() -> None:
    wild = "?" * (SEGMENT_LIMIT + 1)
    with pytest.raises(ValueError, match="more than 40 characters"):
        compile_glob(f"*{wild}*")
    assert compile_glob(f"{wild}*{wild}")("x" * 200)
    assert compile_glob(f"*{wild[1:]}*")("x" * SEGMENT_LIMIT)


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 1_000 + "b",
        "*a" * 1_000 + "*b*",
        "*" * 1_000 + "b",
        "*" + "a" * 4_000 + "b*",
        "*" + "a" * 90 + "b*",
        "*b" + "a" * 4_000 + "*",
        "*?" + "a" * (SEGMENT_LIMIT - 2) + "b*",
        "*" + "[ab]" * (SEGMENT_LIMIT - 1) + "c*",
        ("*" + "?" * 15 + "a") * 200 + "b",
    ],
    ids=lambda pattern: pattern[:12],
)
def test_the_worst_glob_on_32_kib_takes_at_most_ten_milliseconds(pattern: str) -> None:
    holds, text = compile_glob(pattern), "a" * 32_768
    spent = []
    for _ in range(5):
        start = time.process_time()
        assert holds(text) is False
        spent.append(time.process_time() - start)
    assert min(spent) < 0.010
