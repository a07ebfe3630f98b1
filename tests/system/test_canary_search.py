"""The search for canaries finds what it is to find: each way of writing one, and a part of one."""

from __future__ import annotations

import base64
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.system.canaries import DECOY, DECOY_MARK, MARK, Canaries, Search, decoy

PLACES: dict[str, Callable[[str], bytes]] = {
    "raw": lambda text: f"password={text};".encode(),
    "base64": lambda text: base64.b64encode(f"user:{text}".encode()),
    "base64 one further": lambda text: base64.b64encode(f"user1:{text}!".encode()),
    "base64 two further": lambda text: base64.b64encode(f"user12:{text}!!".encode()),
    "base64 of a login": lambda text: base64.b64encode(f"\0ibs\0{text}".encode()),
    "urlsafe": lambda text: base64.urlsafe_b64encode(f"???{text}".encode()),
    "quoted": lambda text: quote(f"ü {text}/").encode(),
    "utf-16": lambda text: f"a{text}b".encode("utf-16"),
    "hex": lambda text: f"a{text}".encode().hex().encode(),
    "reversed": lambda text: text[::-1].encode(),
    "cut off": lambda text: text[: len(MARK) + 2].encode(),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_canary_is_found_however_it_is_written(place: str) -> None:
    canaries = Canaries()
    canary = canaries.plant("a password")
    search = Search(canaries)
    search.look("a log", b"\0" * 100 + PLACES[place](canary) + b"\0" * 100)
    assert search.hits, place


def test_what_was_found_is_named() -> None:
    canaries = Canaries()
    canaries.plant("a token")
    canary = canaries.plant("a password")
    search = Search(canaries)
    search.look("a log", f"x{canary}x")
    (hit,) = search.hits
    assert (hit.canary, hit.form, hit.surface) == ("a password", "raw", "a log")


@pytest.mark.parametrize("length", range(len(DECOY_MARK), len(DECOY_MARK) + 13))
def test_what_is_left_of_the_decoy_is_no_canary(length: int) -> None:
    """SQLite leaves the beginning of a row where it wrote over the rest."""
    canaries = Canaries()
    canaries.plant("a password")
    left = decoy()[:length]
    search = Search(canaries)
    search.look("a database", f"Backup failed {left}".encode() + b"\0\0\x08\xff" + bytes(60))
    assert {hit.canary for hit in search.hits} == {DECOY}


def test_where_there_is_none_none_is_found() -> None:
    canaries = Canaries()
    canaries.plant("a password")
    search = Search(canaries)
    search.look("a log", bytes(range(256)) * 100)
    assert search.hits == []
    assert search.sizes["a log"] == 25600
