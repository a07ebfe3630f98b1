"""What became of an event, in a line: nothing is told that Delivery does not say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ibs_notify.console.events.told import (
    JUST_NOW,
    Outcome,
    Sent,
    kept_back,
    outcomes,
    sent_of,
    unknown,
)
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1 import delivery_pb2, disposition_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

DEAD, DELIVERED = delivery_pb2.DELIVERY_STATE_DEAD, delivery_pb2.DELIVERY_STATE_DELIVERED
NOW = datetime(2026, 5, 21, 2, 14, tzinfo=UTC)
SENT = [Sent(7, "d-mail", "ops-smtp"), Sent(7, "d-chat", "chat-ops")]


def record(*routes: tuple[str, str]) -> pb.EventRecord:
    return pb.EventRecord(
        sequence=7,
        receive_time=moment_to_proto(NOW - timedelta(minutes=1)),
        dispositions=[
            disposition_pb2.Disposition(
                target=target,
                state=disposition_pb2.DispositionState.Value(f"DISPOSITION_STATE_{state}"),
                delivery_id=f"d-{target}",
            )
            for state, target in routes
        ],
    )


def said(found: list[Outcome]) -> list[tuple[str, list[str]]]:
    return [(each.word, list(each.targets)) for each in found]


def delivery(name: str, state: int, digest: int = 0) -> delivery_pb2.Delivery:
    made = delivery_pb2.Delivery(
        delivery_id=name, state=delivery_pb2.DeliveryState.ValueType(state)
    )
    made.digest.state = delivery_pb2.DeliveryState.ValueType(digest)
    return made


def test_what_was_handed_off_was_sent_and_no_more_is_known() -> None:
    found = record(("HANDED_OFF", "ops-smtp"), ("HANDED_OFF", "chat-ops"))
    assert said(unknown(sent_of(found))) == [("sent to", ["ops-smtp", "chat-ops"])]
    assert not kept_back(found, NOW)


def test_the_dead_come_before_the_delivered() -> None:
    found = outcomes(SENT, [delivery("d-mail", DELIVERED), delivery("d-chat", DEAD)])
    assert said(found[7]) == [("given up", ["chat-ops"]), ("delivered", ["ops-smtp"])]
    assert [each.tone for each in found[7]] == ["bad", "good"]


def test_what_delivery_does_not_tell_of_was_sent() -> None:
    found = outcomes(SENT, [delivery("d-mail", DELIVERED)])
    assert said(found[7]) == [("sent to", ["chat-ops"]), ("delivered", ["ops-smtp"])]


def test_an_entry_shares_the_fate_of_its_digest() -> None:
    digested = delivery_pb2.DELIVERY_STATE_DIGESTED
    found = outcomes(SENT, [delivery("d-mail", digested, DEAD), delivery("d-chat", digested)])
    assert said(found[7]) == [("given up", ["ops-smtp"]), ("in a digest", ["chat-ops"])]


def test_what_waits_behind_a_failing_target_is_not_on_its_way() -> None:
    queued = delivery_pb2.DELIVERY_STATE_QUEUED
    behind = delivery("d-chat", queued)
    behind.reason = "TARGET_FAILING"
    found = outcomes(SENT, [delivery("d-mail", queued), behind])
    assert said(found[7]) == [("waiting", ["chat-ops"]), ("waiting", ["ops-smtp"])]
    assert [each.tone for each in found[7]] == ["warn", ""]
    assert found[7][0].meaning.startswith("Not sent yet: ")


def test_what_waits_for_several_reasons_is_one_line_with_all_of_them() -> None:
    behind = delivery("d-chat", delivery_pb2.DELIVERY_STATE_QUEUED)
    behind.reason = "TARGET_FAILING"
    found = outcomes(SENT, [delivery("d-mail", delivery_pb2.DELIVERY_STATE_WAITING), behind])
    assert said(found[7]) == [("waiting", ["ops-smtp", "chat-ops"])]
    assert found[7][0].tone == "warn"
    assert "until somebody changes something" in found[7][0].meaning
    assert "its target fails" in found[7][0].meaning


def test_what_another_group_takes_to_the_same_target_is_told_there() -> None:
    found = record(("HANDED_OFF", "chat"), ("COALESCED", "chat"), ("COALESCED", "metrics"))
    assert said(kept_back(found, NOW)) == [("sent by another group", ["metrics"])]


def ready(reason: str = "RULE_MATCHED", delivery_id: str = "") -> pb.EventRecord:
    found = record(("READY", "chat"))
    found.dispositions[0].reason, found.dispositions[0].delivery_id = reason, delivery_id
    return found


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (ready(), "held"),
        (ready("BACKLOG_COLLAPSED"), "held"),
        (ready(delivery_id="d-chat"), "waiting"),
        (ready("RECORDED"), "waiting"),
        (ready("GATHERED"), "for the digest"),
    ],
)
def test_what_a_rate_limit_holds_is_told_from_what_is_about_to_be_handed_on(
    found: pb.EventRecord, word: str
) -> None:
    assert said(kept_back(found, NOW)) == [(word, ["chat"])]


def test_what_came_just_now_is_not_said_to_be_held() -> None:
    found = ready()
    found.receive_time.FromDatetime(NOW - JUST_NOW / 2)
    assert said(kept_back(found, NOW)) == [("waiting", ["chat"])]
    assert said(kept_back(found, NOW + JUST_NOW)) == [("held", ["chat"])]


def test_every_state_has_its_meaning() -> None:
    names = [each for each, _ in disposition_pb2.DispositionState.items() if "UNSPEC" not in each]
    routes = [(each.removeprefix("DISPOSITION_STATE_"), each) for each in names]
    assert all(each.meaning for each in kept_back(record(*routes), NOW))
    for state in delivery_pb2.DeliveryState.values():
        assert all(each.meaning for each in outcomes(SENT, [delivery("d-mail", state)])[7])


def test_what_a_page_says_of_itself_is_read_as_it_was_written() -> None:
    assert [Sent.read(str(each)) for each in SENT] == SENT
    assert [Sent.read(each) for each in ("", "7", "7 d-1", "x d-1 chat", "7 d-1 a b")] == [
        *[None] * 4,
        Sent(7, "d-1", "a b"),
    ]
