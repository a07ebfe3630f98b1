"""How old an answer may be: new for who opens a page, shared by pages that are open."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from ibs_notify.console import freshness
from ibs_notify.console.visit import Visit

NOTHING = timedelta()


def visit(**query: str) -> Visit:
    return cast(Visit, SimpleNamespace(request=SimpleNamespace(query=query)))


def test_who_opens_a_page_is_told_how_it_is_now() -> None:
    assert freshness.of_page(visit(period="7d")) == freshness.of_parts(visit()) == NOTHING


@pytest.mark.parametrize("seconds", [5, 10, 60])
def test_a_page_that_is_open_sees_something_new_each_time_that_it_asks(seconds: int) -> None:
    every = timedelta(seconds=seconds)
    assert NOTHING < freshness.of_page(visit(known="0" * 16), every) < every


def test_what_parts_are_made_of_is_as_old_as_they_are() -> None:
    of_parts = freshness.of_parts(visit(known="0" * 16))
    assert NOTHING < of_parts < freshness.EVERY - freshness.of_page(visit(known="0" * 16))
