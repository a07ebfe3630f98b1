"""When a part of a page is sent again."""

from __future__ import annotations

from ibs_notify.console.changes import mark_of
from ironcore.notification.v1.delivery_pb2 import Delivery


def test_the_mark_is_of_what_is_shown() -> None:
    one, other = Delivery(delivery_id="a"), Delivery(delivery_id="b")
    assert mark_of(one, "x") == mark_of(Delivery(delivery_id="a"), "x")
    assert len({mark_of(one), mark_of(other), mark_of(one, other), mark_of(one, "x")}) == 4


def test_what_is_shown_is_kept_apart() -> None:
    assert mark_of("ab", "c") != mark_of("a", "bc")
    assert mark_of("a") != mark_of("a", "")
