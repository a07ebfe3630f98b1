"""What a group's digest gathers goes to Delivery at once, whatever limits and repeats."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Digest, Group, Subscription
from ibs_notify.domain.severity import Severity
from ibs_notify.domain.target import InfluxDbSpec, Target, WebhookSpec
from ibs_notify.router.digest import DIGEST_LANE, DigestReason, gather, lane_of
from ibs_notify.router.dispositions import Reason, State
from ibs_notify.router.lanes import limit_of
from ibs_notify.router.match import RoutingTable, build_table
from ibs_notify.router.memory import Memory, keys_of
from ibs_notify.router.pipeline import Arrival, Routing, settle
from ibs_notify.router.release import Coalesced, Waiting, release
from ibs_notify.router.silence import Silence, armed
from ibs_notify.router.standing import Standing, steps_of
from ibs_notify.rules.evaluate import compile_rule
from ibs_notify.rules.parse import parse
from ibs_notify.snapshot.model import Snapshot

NOW = datetime(2026, 5, 21, tzinfo=UTC)
ROUTINE = Event("e1", "backup.completed", Severity.INFO, NOW, canonical_resource="/datastore/a")
ALERT = replace(ROUTINE, type="backup.failed", severity=Severity.ERROR)
TARGETS = {
    "u-chat": Target("chat", "u-chat", WebhookSpec("http://127.0.0.1/")),
    "u-influx": Target("influx", "u-influx", InfluxDbSpec("http://127.0.0.1/", "o", "b")),
}


def table(rule: str) -> RoutingTable:
    group = Group(
        "compliance",
        "u-compliance",
        subscriptions=(Subscription("s1", "chat", "*"), Subscription("s2", "influx", "*")),
        digest=Digest(rule),
    )
    return build_table(Snapshot(7, targets=TARGETS, groups=(group,)))


def routing(event: Event, known: Memory, rule: str = "severity in (info, notice)") -> Routing:
    routes = table(rule).hearing(event)
    keys = keys_of(event, [each.subscription_uid for each in routes])
    return settle(Arrival(event.event_id, event, NOW, routes, keys), known)


def test_the_rule_of_the_digest_decides_and_every_answer_has_a_name() -> None:
    gathers = compile_rule(parse("severity in (info, notice)"))
    assert gather(None, ROUTINE) is DigestReason.NO_DIGEST
    assert gather(gathers, ROUTINE) is DigestReason.GATHERED
    assert gather(gathers, ALERT) is DigestReason.NOT_GATHERED


def test_routine_events_are_gathered_and_a_metric_server_records_them_all_the_same() -> None:
    chat, influx = routing(ROUTINE, Memory({}, ())).obligations
    assert (chat.decision.state, chat.decision.reason) == (State.READY, Reason.GATHERED)
    assert (influx.decision.state, influx.decision.reason) == (State.READY, Reason.RECORDED)


def test_what_the_digest_does_not_gather_is_sent_at_once() -> None:
    chat, _ = routing(ALERT, Memory({}, ())).obligations
    assert chat.decision.reason is Reason.RULE_MATCHED


def test_entries_are_never_duplicates() -> None:
    known = Memory({}, ())
    for _ in range(3):
        chat, _ = routing(ROUTINE, known).obligations
        assert chat.decision.reason is Reason.GATHERED
    assert not known.written


def test_a_silence_comes_before_the_digest() -> None:
    quiet = Silence("sil-1", "*", NOW, NOW + timedelta(hours=1), "", "", "works", "alice", NOW)
    chat, _ = routing(ROUTINE, Memory({}, armed([quiet]))).obligations
    assert chat.decision.state is State.SILENCED


def test_a_digest_whose_rule_cannot_be_read_gathers_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chat, _ = routing(ROUTINE, Memory({}, ()), rule="of a later release").obligations
    assert chat.decision.reason is Reason.RULE_MATCHED
    assert "group compliance: its digest gathers nothing" in caplog.text


@pytest.mark.parametrize(
    ("event", "verdict", "sentence"),
    [
        (ROUTINE, DigestReason.GATHERED, "gathers it: its rule is severity in (info, notice)"),
        (ALERT, DigestReason.NOT_GATHERED, "does not gather it: its rule is severity in"),
    ],
)
def test_the_rule_that_gathers_or_does_not_is_named(
    event: Event, verdict: DigestReason, sentence: str
) -> None:
    chat, _ = table("severity in\n(info, notice)").hearing(event)
    standing = Standing(State.READY, Reason.GATHERED, {"digest": verdict})
    digest = steps_of(chat, standing)[0]
    assert digest.sentence.startswith(f"the digest of group compliance {sentence}")


def test_entries_wait_in_a_lane_that_nobody_limits() -> None:
    gathered, alert = (
        routing(each, Memory({}, ())).obligations[0].decision for each in (ROUTINE, ALERT)
    )
    assert (lane_of(gathered, 5), lane_of(alert, 5)) == (DIGEST_LANE, 5)
    assert limit_of(DIGEST_LANE, {}) == 0


def test_an_entry_takes_no_destination_and_none_is_taken_from_it() -> None:
    """One group sends at once, two gather: each of them has it, under an id of its own."""
    at_once, first, second, other = (
        Waiting(1, position, "e1", "u-mail", ("a@x",), lane_id=lane)
        for position, lane in enumerate((3, DIGEST_LANE, DIGEST_LANE, 4))
    )
    decided = release([first, at_once, second, other], (), {3: 1, 4: 1})
    assert [each.waiting for each in decided.released] == [first, at_once, second]
    assert len({each.delivery_id for each in decided.released}) == 3
    assert all(each.recipients == ("a@x",) for each in decided.released)
    assert decided.coalesced == [Coalesced(other, "e1/0")]
    assert decided.let_go == {DIGEST_LANE: 1, 3: 1}


def test_what_was_released_as_an_entry_leaves_the_destination_to_the_others() -> None:
    entry = Waiting(1, 0, "e1", "u-mail", ("a@x",), lane_id=DIGEST_LANE)
    (released,) = release([entry], (), {}).released
    late = Waiting(1, 1, "e1", "u-mail", ("a@x",), lane_id=3)
    assert [each.waiting for each in release([late], [released], {3: 1}).released] == [late]
