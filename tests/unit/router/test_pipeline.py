"""What becomes of an event on each route that matches it: every decision has a named reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router import pipeline
from ibs_notify.router.dedup import DedupReason
from ibs_notify.router.digest import DigestReason
from ibs_notify.router.dispositions import Decision, Reason, State
from ibs_notify.router.match import Route
from ibs_notify.router.memory import Memory, keys_of
from ibs_notify.router.pipeline import (
    Arrival,
    Candidate,
    Routing,
    SilenceReason,
    Verdict,
    settle,
)
from ibs_notify.router.silence import Silence, armed
from ibs_notify.rules.ast import Always

NOW = datetime(2026, 5, 21, tzinfo=UTC)
FIVE = timedelta(minutes=5)
ERROR = Event("e1", "backup.failed", Severity.ERROR, NOW, canonical_resource="/datastore/a")


def route(target: str, *, records: bool = False, window: timedelta = FIVE) -> Route:
    return Route(
        "ops",
        target,
        f"u-{target}",
        f"s-{target}",
        Always(),
        is_metric_server=records,
        dedup_window=window,
    )


CHAT, PAGER, INFLUX = route("chat"), route("pager"), route("influx", records=True)


def arrival(*routes: Route, event: Event = ERROR, after: timedelta = timedelta(0)) -> Arrival:
    keys = [
        keys_of(event, [each.subscription_uid])[0] if each.dedup_window else None for each in routes
    ]
    return Arrival(event.event_id, event, NOW + after, routes, keys)


def memory(*silences: str) -> Memory:
    """Nothing was told yet; silences of these rules hold."""
    quiet = [
        Silence("quiet-1", each, NOW, None, "", "", "works", "alice", NOW) for each in silences
    ]
    return Memory({}, armed(quiet))


def decisions(routing: Routing) -> list[Decision]:
    return [each.decision for each in routing.obligations]


READY = Decision(State.READY, Reason.RULE_MATCHED)


def test_a_matching_route_is_ready() -> None:
    assert decisions(settle(arrival(CHAT), memory())) == [READY]


def test_an_obligation_is_made_for_each_route_with_the_routes_own_reason() -> None:
    unreadable = replace(PAGER, reason=Reason.RULE_UNREADABLE)
    routing = settle(arrival(CHAT, unreadable, INFLUX), memory())
    assert [each.route.target for each in routing.obligations] == ["chat", "pager", "influx"]
    assert [each.decision.reason for each in routing.obligations] == [
        "RULE_MATCHED",
        "RULE_UNREADABLE",
        "RECORDED",
    ]


def test_an_event_that_nobody_hears_of_is_unmatched_but_its_warnings_stay() -> None:
    routing = settle(replace(arrival(), warnings=("there is no group 'nobody'",)), memory())
    assert routing == Routing((), ("there is no group 'nobody'",))


def test_a_silence_that_matches_ends_the_way_of_an_event_and_another_does_not() -> None:
    silenced = Decision(State.SILENCED, Reason.SILENCE_MATCHED, "quiet-1")
    assert decisions(settle(arrival(CHAT), memory("severity = error"))) == [silenced]
    assert decisions(settle(arrival(CHAT), memory("severity = info"))) == [READY]


def test_a_repeat_is_suppressed_and_points_to_the_obligation_that_was_told() -> None:
    known = memory()
    settle(arrival(CHAT, PAGER), known)
    again = arrival(PAGER, CHAT, event=replace(ERROR, event_id="e2"))
    assert decisions(settle(again, known)) == [
        Decision(State.SUPPRESSED, Reason.REPEATED, "e1/1"),
        Decision(State.SUPPRESSED, Reason.REPEATED, "e1/0"),
    ]


def test_what_is_told_again_says_how_many_were_not_and_since_when() -> None:
    known = memory()
    for second in range(3):
        settle(arrival(CHAT, after=timedelta(seconds=second)), known)
    (told,) = decisions(settle(arrival(CHAT, after=FIVE), known))
    assert told == READY._replace(suppressed=2, suppressed_since=NOW + timedelta(seconds=1))


def test_a_change_of_the_subject_in_the_same_batch_is_heard() -> None:
    known = memory()
    over = replace(ERROR, event_id="e2", type="backup.completed", severity=Severity.INFO)
    for event in (ERROR, over, replace(ERROR, event_id="e3")):
        assert decisions(settle(arrival(CHAT, event=event), known)) == [READY]


def test_a_silenced_event_opens_no_window_but_its_change_is_heard() -> None:
    known = memory("type = backup.completed")
    settle(arrival(CHAT), known)
    over = replace(ERROR, event_id="e2", type="backup.completed", severity=Severity.INFO)
    settle(arrival(CHAT, event=over), known)
    assert decisions(settle(arrival(CHAT, event=replace(ERROR, event_id="e3")), known)) == [READY]
    assert len(known.written) == 1


def test_without_a_window_every_event_is_told() -> None:
    known, never = memory(), route("chat", window=timedelta(0))
    for _ in range(3):
        assert decisions(settle(arrival(never), known)) == [READY]
    assert known.written == {}


def test_nothing_keeps_an_event_from_a_metric_server() -> None:
    known = memory("*")
    for _ in range(3):
        recorded = Decision(State.READY, Reason.RECORDED)
        assert decisions(settle(arrival(INFLUX), known)) == [recorded]
    assert known.written == {}


def test_the_first_stage_that_ends_the_way_has_the_last_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def passes(_arrival: Arrival, _candidate: Candidate, _memory: Memory) -> Verdict:
        return Verdict(SilenceReason.NOT_SILENCED)

    def ends(_arrival: Arrival, _candidate: Candidate, _memory: Memory) -> Verdict:
        decision = Decision(State.SILENCED, Reason.SILENCE_MATCHED, "quiet-1")
        return Verdict(SilenceReason.SILENCED, decision)

    def never(_arrival: Arrival, _candidate: Candidate, _memory: Memory) -> Verdict:
        raise AssertionError("a later stage was asked")

    stages = (("one", passes), ("two", ends), ("three", never))
    monkeypatch.setattr(pipeline, "STAGES", stages)
    assert [each.pointer for each in decisions(settle(arrival(CHAT), memory()))] == ["quiet-1"]


def test_every_verdict_on_the_way_can_be_heard_for_an_explanation() -> None:
    heard: list[tuple[str, str, str]] = []

    def record(of: Route, stage: str, verdict: Verdict) -> None:
        heard.append((of.target, stage, verdict.reason))

    known = memory("severity = info")
    settle(arrival(CHAT), known)
    never = route("pager", window=timedelta(0))
    settle(arrival(CHAT, never, INFLUX), known, record=record)
    assert heard == [
        ("chat", "silence", SilenceReason.NOT_SILENCED),
        ("chat", "digest", DigestReason.NO_DIGEST),
        ("chat", "dedup", DedupReason.REPEATED),
        ("pager", "silence", SilenceReason.NOT_SILENCED),
        ("pager", "digest", DigestReason.NO_DIGEST),
        ("pager", "dedup", DedupReason.OFF),
    ]


@pytest.mark.parametrize(
    ("event_type", "severity"),
    [("backup.failed", Severity.CRITICAL), ("backup.completed", Severity.INFO)],
)
def test_the_windows_that_a_batch_knows_are_changed_before_anything_is_decided(
    event_type: str, severity: Severity
) -> None:
    """Also where the change itself is of a subscription's own and not heard by this one."""
    known = memory()
    settle(arrival(CHAT), known)
    change = replace(ERROR, event_id="e2", type=event_type, severity=severity)
    nobody: Sequence[Route] = ()
    settle(arrival(*nobody, event=change), known)
    assert [each.changed for each in known.written.values()] == [True]
