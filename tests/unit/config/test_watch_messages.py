"""A watcher gets each state whole, and resumes where it was."""

from __future__ import annotations

import asyncio

import pytest

from ibs_notify.config.ports import Deleted, Delta, Place
from ibs_notify.config.watch import RevisionSignal, read_token, responses, token_of
from ibs_notify.domain.errors import OutOfRange, Reason
from ironcore.notification.v1.config_service_pb2 import WatchedTarget
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.target_pb2 import Target


def test_a_token_reads_back_as_its_place() -> None:
    place = Place("a" * 32, 17)
    assert read_token(token_of(place)) == place


@pytest.mark.parametrize("token", ["x", "17", "-17", "a-", "a-x", "a-²", "a-" + "9" * 19])
def test_what_is_no_token_is_expired(token: str) -> None:
    with pytest.raises(OutOfRange) as caught:
        read_token(token)
    assert caught.value.reason is Reason.RESUME_TOKEN_EXPIRED


def test_items_come_by_revision_and_only_the_marker_moves_the_token() -> None:
    delta = Delta(
        Place("log", 9),
        targets=(WatchedTarget(target=Target(uid="t", revision=8)),),
        groups=(Group(uid="g", revision=7),),
        deleted_targets=(Deleted("d", 9),),
    )
    sent = responses(delta, "log-6")
    assert [each.WhichOneof("item") for each in sent] == [
        "group",
        "target",
        "deleted_target_uid",
        "current",
    ]
    assert [each.resume_token for each in sent] == ["log-6", "log-6", "log-6", "log-9"]
    assert [each.revision for each in sent] == [7, 8, 9, 9]


async def test_a_signal_wakes_who_waits_for_an_earlier_revision() -> None:
    signal = RevisionSignal()
    waiting = asyncio.ensure_future(signal.after(3))
    await asyncio.sleep(0)
    signal.advance(3)
    await asyncio.sleep(0)
    assert not waiting.done()
    signal.advance(4)
    assert await waiting is True


async def test_a_closed_signal_ends_every_wait() -> None:
    signal = RevisionSignal()
    waiting = asyncio.ensure_future(signal.after(3))
    await asyncio.sleep(0)
    signal.close()
    assert await waiting is False
    assert await signal.after(0) is False
