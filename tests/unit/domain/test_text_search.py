"""A text that is looked for in others: found in any case, and shown where it stands."""

from __future__ import annotations

import random

import pytest

from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.text_search import (
    MOST_CHARACTERS,
    Piece,
    check_sought,
    contains,
    pieces,
)


def marked(text: str, sought: str) -> str:
    """What is found in square brackets."""
    return "".join(
        f"[{each.text}]" if each.is_found else each.text for each in pieces(text, sought)
    )


@pytest.mark.parametrize(
    ("text", "sought", "shown"),
    [
        ("nightly", "nightly", "[nightly]"),
        ('subject = "Nightly VMs"', "nightly", 'subject = "[Nightly] VMs"'),
        ("a, A and ä", "a", "[a], [A] [a]nd ä"),
        ("aaa", "aa", "[aa]a"),
        ("50% of a_b", "%", "50[%] of a_b"),
        ("axb, a_b", "A_B", "axb, [a_b]"),
        ("<b>", "<B>", "[<b>]"),
        ("die Straße", "STRASSE", "die [Straße]"),
        ("ßß", "s", "[ß][ß]"),
        ("ÜBUNG", "übung", "[ÜBUNG]"),
        ("nothing", "more", "nothing"),
        ("anything", "", "anything"),
        ("", "more", ""),
    ],
)
def test_what_is_found_is_cut_out_of_the_text(text: str, sought: str, shown: str) -> None:
    assert marked(text, sought) == shown


def test_the_pieces_are_the_text_and_one_is_found_where_it_is_contained() -> None:
    rng = random.Random(11)
    for _ in range(3000):
        text, sought = (
            "".join(rng.choices("aAsSßſﬀfİiÅ%_", k=rng.randint(0, most))) for most in (9, 3)
        )
        found = pieces(text, sought)
        assert "".join(each.text for each in found) == text
        assert all(each.text for each in found)
        if sought:
            assert any(each.is_found for each in found) == contains(text, sought)


def test_a_text_without_it_is_one_piece() -> None:
    assert pieces("ops-team", "night") == [Piece("ops-team")]


def test_a_text_is_at_most_as_long_as_in_the_inbox() -> None:
    check_sought("x" * MOST_CHARACTERS)
    with pytest.raises(InvalidArgument) as caught:
        check_sought("x" * (MOST_CHARACTERS + 1))
    assert [each.path for each in caught.value.violations] == ["text"]
