"""When a part of a page is sent again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from aiohttp.test_utils import make_mocked_request
from markupsafe import escape

from ibs_notify.console.changes import is_shown, knowing, mark_of
from ibs_notify.console.visit import Visit
from ironcore.notification.v1.delivery_pb2 import Delivery


def test_the_mark_is_of_what_is_shown() -> None:
    one, other = Delivery(delivery_id="a"), Delivery(delivery_id="b")
    assert mark_of(one, "x") == mark_of(Delivery(delivery_id="a"), "x")
    assert len({mark_of(one), mark_of(other), mark_of(one, other), mark_of(one, "x")}) == 4


def test_what_is_shown_is_kept_apart() -> None:
    assert mark_of("ab", "c") != mark_of("a", "bc")
    assert mark_of("a") != mark_of("a", "")


SHOWN = '<p>1 failed <time datetime="2026">3 min ago</time></p>'


def asks_for(known: str, *, is_partial: bool = True) -> Visit:
    headers = {"HX-Request": "true"} if is_partial else {}
    request = make_mocked_request("GET", f"/part?known={known}", headers=headers)
    return cast(Visit, SimpleNamespace(request=request, is_partial=is_partial))


def test_ages_that_go_on_by_themselves_make_no_part_new() -> None:
    assert knowing("/part", SHOWN) == knowing("/part", SHOWN.replace("3 min", "4 min"))
    assert knowing("/part", SHOWN) != knowing("/part", SHOWN.replace("1 failed", "2 failed"))
    assert knowing("/part?a=b", SHOWN).startswith("/part?a=b&known=")


def test_a_part_that_is_shown_already_is_not_sent_again() -> None:
    address = knowing("/part", SHOWN)
    mark, text = address.rpartition("=")[2], f'<div hx-get="{address}">{SHOWN}</div>'
    assert is_shown(asks_for(mark), text)
    assert not is_shown(asks_for(mark, is_partial=False), text)
    assert not is_shown(asks_for(""), text)
    assert not is_shown(asks_for(mark[:-1]), text)


def test_an_event_cannot_say_that_a_part_is_shown_already() -> None:
    mark = "0123456789abcdef"
    subject = escape(f'known={mark}"')
    assert not is_shown(asks_for(mark), f"<p>{subject}</p>")
