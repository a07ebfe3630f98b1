"""Subjects as lists of deliveries show them."""

from __future__ import annotations

from ibs_notify.delivery.messages import listed_subject


def test_a_subject_of_200_characters_is_whole() -> None:
    assert listed_subject("a" * 200) == "a" * 200


def test_a_longer_one_says_that_it_is_cut() -> None:
    assert listed_subject("a" * 201) == "a" * 199 + "…"


def test_it_is_one_line() -> None:
    assert listed_subject("a\nb") == "a b"
