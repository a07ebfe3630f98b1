"""What becomes of what a group holds back, in words."""

from __future__ import annotations

import pytest

from ibs_notify.console.groups.holding import (
    Holding,
    holding_of,
    lets_go,
    said_of_change,
    said_of_deletion,
)
from ironcore.notification.v1.delivery_service_pb2 import DigestWindow
from ironcore.notification.v1.group_pb2 import Digest, Group
from ironcore.notification.v1.router_service_pb2 import GetGroupStatusResponse

DIGEST = Digest(rule="severity = info", time="09:00")
LIMITED = Group(rate_limit_per_minute=2, digest=DIGEST)
HOLDS = Holding(4, [DigestWindow(target="ops-smtp", event_count=3)])


def changed(**fields: object) -> Group:
    group = Group()
    group.CopyFrom(LIMITED)
    for name, value in fields.items():
        if name == "digest":
            group.ClearField("digest")
        elif name == "rate_limit":
            group.rate_limit_per_minute = int(str(value))
        else:
            setattr(group.digest, name, value)
    return group


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (changed(), []),
        (changed(rate_limit=5, rule="*", send_empty=True), []),
        (changed(rate_limit=0), ["Without a rate limit, 4 held events go at once."]),
        (
            changed(time="10:00"),
            ["What its digest has gathered goes by the new schedule: 3 events for ops-smtp."],
        ),
        (
            changed(digest=None),
            ["What its digest had gathered goes at once, as a last digest: 3 events for ops-smtp."],
        ),
    ],
)
def test_a_change_says_what_it_lets_go(after: Group, said: list[str]) -> None:
    assert said_of_change(HOLDS, LIMITED, after) == said
    assert lets_go(LIMITED, after) is bool(said)
    assert said_of_change(Holding(), LIMITED, after) == []


def test_a_group_that_had_no_limit_and_no_digest_lets_nothing_go() -> None:
    assert not lets_go(Group(), LIMITED)
    assert said_of_deletion(Holding()) == []
    assert said_of_deletion(Holding(1)) == [
        "1 event that its rate limit held goes by the usual one, 60 a minute."
    ]


def test_of_many_digests_the_first_are_named() -> None:
    windows = [DigestWindow(target=f"t{number}", event_count=number) for number in range(1, 6)]
    assert Holding(0, windows[:2]).gathered_words == "1 event for t1 and 2 events for t2"
    assert Holding(0, windows).gathered_words == (
        "1 event for t1, 2 events for t2, 3 events for t3 and what 2 more have"
    )


def test_what_nobody_answered_is_not_known() -> None:
    assert holding_of(None, ()).unknown
    assert holding_of(GetGroupStatusResponse(), None).unknown
    assert holding_of(GetGroupStatusResponse(), ()) == Holding()


@pytest.mark.parametrize(("held", "is_over"), [(900, False), (901, True)])
def test_the_usual_limit_collapses_what_a_quarter_of_an_hour_cannot_send(
    held: int, is_over: bool
) -> None:
    assert Holding(held).is_over_usual is is_over
