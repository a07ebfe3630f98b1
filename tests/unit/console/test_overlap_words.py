"""What other groups bring anyhow is said in words that are true of what then happens."""

from __future__ import annotations

import pytest

from ibs_notify.console.groups.overlap import Overlap
from ironcore.notification.v1 import router_service_pb2 as pb


def answer(examined: int = 84, count: int = 84, **fields: object) -> pb.PreviewOverlapResponse:
    given = {"effect": pb.HEARING_EFFECT_TELLS} | fields
    return pb.PreviewOverlapResponse(examined=examined, count=count, **given)  # type: ignore[arg-type]


def sends(group: str, *recipients: str, gathered: int = 0, more: int = 0) -> pb.OverlappingGroup:
    return pb.OverlappingGroup(
        group=group,
        count=0 if gathered else 1,
        gathered_count=gathered,
        recipients=recipients,
        recipient_count=len(recipients) + more,
    )


@pytest.mark.parametrize(
    ("examined", "count", "truncated", "total", "words"),
    [
        (90, 84, False, 90, "84 of these reach"),
        (90, 1, False, 90, "1 of these reaches"),
        (90, 0, False, 90, "None of these reaches"),
        (90, 90, False, 90, "All of these reach"),
        (1, 1, False, 1, "It reaches"),
        (500, 84, True, 1200, "84 of the newest 500 reach"),
        (500, 500, True, 1200, "All of the newest 500 reach"),
        (500, 500, True, 500, "All of these reach"),
        (1500, 1, True, 0, "1 of the newest 1,500 reaches"),
    ],
)
def test_how_many_of_how_many(
    examined: int, count: int, truncated: bool, total: int, words: str
) -> None:
    overlap = Overlap("chat", answer(examined, count, truncated=truncated))
    assert overlap.at_once(total) == words


def test_who_brings_them_is_named_with_the_recipients_of_mail() -> None:
    two = [sends("ops", "a@x", "b@x"), sends("night", "c@x", more=9)]
    assert Overlap("mail", answer(groups=two)).senders == (
        "ops (to a@x and b@x) and night (to c@x and 9 more)"
    )
    same = [sends("ops", "a@x"), sends("night", "a@x")]
    assert Overlap("mail", answer(groups=same)).senders == "ops and night (to a@x)"
    five = [sends(f"g{number}") for number in range(5)]
    assert Overlap("chat", answer(groups=five)).senders == "g0, g1, g2 and others"


@pytest.mark.parametrize(
    ("effect", "group", "words"),
    [
        (pb.HEARING_EFFECT_TELLS, sends("ops"), "An event is sent there once"),
        (pb.HEARING_EFFECT_TELLS, sends("ops", "a@x"), "Each recipient gets an event once"),
        (pb.HEARING_EFFECT_COUNTS, sends("ops"), "It counts an event once"),
    ],
)
def test_what_a_target_does_with_an_event_that_two_groups_bring(
    effect: pb.HearingEffect.ValueType, group: pb.OverlappingGroup, words: str
) -> None:
    overlap = Overlap("it", answer(groups=[group], effect=effect))
    assert overlap.once == f"{words}, whichever group brings it."


def test_a_digest_has_what_was_sent_and_a_disabled_target_waits() -> None:
    digest = "What a digest gathers is in it as well."
    theirs = Overlap("chat", answer(count=2, gathered_count=12, groups=[sends("d", gathered=12)]))
    assert digest in theirs.once
    assert (theirs.gathered, theirs.gatherers, theirs.senders) == ("12 more come", "d", "")
    assert digest in Overlap("chat", answer(groups=[sends("ops")]), has_digest=True).once
    counts = answer(groups=[sends("ops")], effect=pb.HEARING_EFFECT_COUNTS)
    assert digest not in Overlap("influx", counts, has_digest=True).once
    off = answer(groups=[sends("ops")], effect=pb.HEARING_EFFECT_TARGET_DISABLED)
    assert "what is sent there waits" in Overlap("chat", off).once
    alone = answer(count=0, gathered_count=1, groups=[sends("d", gathered=1)])
    assert Overlap("chat", alone).gathered == "1 comes"
