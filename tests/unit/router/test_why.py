"""Why a subscription hears of an event, or does not: every decision has a sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Scope
from ibs_notify.domain.severity import Severity
from ibs_notify.router.dedup import DedupReason
from ibs_notify.router.dispositions import Reason, State
from ibs_notify.router.match import Route, RoutedGroup
from ibs_notify.router.pipeline import SilenceReason
from ibs_notify.router.scope import ScopeReason
from ibs_notify.router.silence import Silence
from ibs_notify.router.standing import (
    Before,
    Queue,
    Standing,
    Told,
    ToldReason,
    sentence_of,
    span,
    steps_of,
)
from ibs_notify.router.why import why, why_not
from ibs_notify.rules.ast import Not
from ibs_notify.rules.parse import parse

AT = datetime(2026, 5, 21, 2, 14, 36, tzinfo=UTC)
EVENT = Event("e", "backup.failed", Severity.ERROR, AT, canonical_resource="/datastore/a/vm/1")
GROUP = RoutedGroup("ops", Scope.EVERYTHING, ("/datastore/a",), ())


def route(rule: str = "*", **fields: Any) -> Route:
    made = Route("ops", "chat", "u", "s", parse(rule), dedup_window=timedelta(minutes=5))
    return replace(made, **fields)


def standing(state: State = State.READY, **fields: Any) -> Standing:
    passed = {"silence": SilenceReason.NOT_SILENCED, "dedup": DedupReason.FIRST}
    return replace(Standing(state, Reason.RULE_MATCHED, passed), **fields)


@pytest.mark.parametrize("reason", ScopeReason)
def test_every_reason_of_scope_has_a_sentence_and_a_way_into_it(reason: ScopeReason) -> None:
    answer = why_not(GROUP, route("severity = critical"), EVENT, reason)
    assert not answer.hears
    assert answer.steps[0].reason == reason
    assert "ops" in answer.steps[0].sentence or "/datastore/a" in answer.steps[0].sentence
    assert answer.sentence.endswith("the rule wants severity = critical")


def test_where_only_scope_is_in_the_way_only_that_is_said() -> None:
    answer = why_not(GROUP, route(), EVENT, ScopeReason.NOT_NAMED_BY_EVENT)
    assert answer.sentence.startswith(
        "group ops hears only what names it, and the event names none"
    )
    assert answer.distance == 1


def test_a_rule_that_can_never_match_says_so() -> None:
    never = replace(route(), rule=Not(route().rule))
    answer = why_not(GROUP, never, EVENT, ScopeReason.HEARS_EVERYTHING)
    assert answer.sentence == "its rule can never match"


def test_of_many_differences_the_first_are_named() -> None:
    rule = "actor = a and subject = b and summary = c and task_id = d and labels.e = f"
    answer = why_not(GROUP, route(rule), EVENT, ScopeReason.HEARS_EVERYTHING)
    assert answer.sentence.startswith("5 things would have to differ: it has no actor")
    assert answer.sentence.endswith("; and 2 more")


def test_an_unreadable_rule_lets_everything_through_and_says_so() -> None:
    unreadable = route(reason=Reason.RULE_UNREADABLE)
    answer = why(GROUP, unreadable, EVENT, ScopeReason.HEARS_EVERYTHING, standing())
    assert answer.hears
    assert answer.steps[1].reason == "RULE_UNREADABLE"


@pytest.mark.parametrize(
    ("state", "hears"),
    [
        (State.READY, True),
        (State.HANDED_OFF, True),
        (State.COALESCED, True),
        (State.COLLAPSED, True),
        (State.SILENCED, False),
        (State.SUPPRESSED, False),
    ],
)
def test_every_state_has_a_sentence_also_where_its_pointer_is_gone(
    state: State, hears: bool
) -> None:
    answer = why(
        GROUP, route(), EVENT, ScopeReason.HEARS_EVERYTHING, standing(state, pointer="gone/0")
    )
    assert answer.hears is hears
    assert answer.sentence


@pytest.mark.parametrize("reason", [*SilenceReason, *DedupReason, *ToldReason])
def test_every_verdict_of_a_stage_has_a_sentence(reason: str) -> None:
    (step, *_) = steps_of(route(), standing(State.SUPPRESSED, verdicts={"stage": reason}))
    assert step.stage == "stage"
    assert step.reason == reason
    assert (step.sentence and step.sentence != reason) or reason == ToldReason.RELEASED


def test_a_stage_of_a_later_release_is_shown_by_its_reason() -> None:
    (step, *_) = steps_of(route(), standing(verdicts={"weather": "RAINY"}))
    assert (step.stage, step.sentence) == ("weather", "RAINY")


def test_without_a_window_there_was_nothing_to_repeat() -> None:
    told = {"dedup": ToldReason.NOT_REPEATED}
    (step, *_) = steps_of(route(dedup_window=timedelta()), standing(verdicts=told))
    assert step.reason == DedupReason.OFF


E1 = Told("e1", AT, "ops", "chat", "delivered")
DEAD = replace(E1, fate="dead: REFUSED", failed=True)


@pytest.mark.parametrize(
    ("before", "reason", "sentence"),
    [
        (
            Before(DedupReason.FIRST),
            DedupReason.FIRST,
            "nothing identical was told before it, as far back as events are kept",
        ),
        (
            Before(DedupReason.WINDOW_ENDED, E1),
            DedupReason.WINDOW_ENDED,
            "the last identical one was e1, told at 2026-05-21 02:14:36 UTC, "
            "more than 5 min before",
        ),
        (
            Before(DedupReason.STATE_CHANGED, E1, "c1 (backup.completed)"),
            DedupReason.STATE_CHANGED,
            "c1 (backup.completed) changed things since e1, told at 2026-05-21 02:14:36 UTC",
        ),
        (
            Before(DedupReason.STATE_CHANGED, E1),
            DedupReason.STATE_CHANGED,
            "it is itself a change since e1, told at 2026-05-21 02:14:36 UTC",
        ),
        (
            Before(DedupReason.REPEATED, DEAD),
            DedupReason.FIRST,
            "e1, told at 2026-05-21 02:14:36 UTC, did not arrive (dead: REFUSED)",
        ),
        (
            Before(DedupReason.REPEATED, E1),
            ToldReason.NOT_REPEATED,
            "e1, told at 2026-05-21 02:14:36 UTC (delivered), was not counted as told then",
        ),
    ],
)
def test_of_a_stored_event_it_is_said_why_it_was_no_repeat(
    before: Before, reason: str, sentence: str
) -> None:
    stored = standing(verdicts={"dedup": ToldReason.NOT_REPEATED}, before=before)
    (step, *_) = steps_of(route(), stored)
    assert (step.reason, step.sentence) == (reason, sentence)
    (mentioning, *_) = steps_of(route(), replace(stored, suppressed=2))
    assert mentioning.sentence.endswith("; 2 identical events were not told before, and it says so")


def test_what_was_suppressed_before_is_mentioned() -> None:
    verdicts = {"dedup": DedupReason.WINDOW_ENDED}
    (step, *_) = steps_of(route(), standing(verdicts=verdicts, suppressed=1))
    assert step.sentence == (
        "the last identical one was told more than 5 min ago; 1 identical event was not told "
        "before, and it says so"
    )


def test_a_silence_is_named_with_when_and_why() -> None:
    once = Silence("sil-1", "*", AT, AT + timedelta(hours=1), "", "", "disk swap", "alice", AT)
    weekly = replace(once, weekly="sat 22:00-24:00", end=None, time_zone="Europe/Vienna")
    said = [
        sentence_of(standing(State.SILENCED, pointer="sil-1", silence=each))
        for each in (once, weekly, None)
    ]
    assert said == [
        "silence sil-1 of alice keeps it quiet, until 2026-05-21 03:14:36 UTC: disk swap",
        "silence sil-1 of alice keeps it quiet, every sat 22:00-24:00 Europe/Vienna, until it is "
        "ended: disk swap",
        "silence sil-1 kept it quiet",
    ]


def test_a_repeat_says_what_was_told_and_when_it_may_be_told_again() -> None:
    told = Told("e0", AT, "ops", "chat", "delivered", "d")
    repeat = standing(
        State.SUPPRESSED,
        pointer="e0/0",
        told=told,
        verdicts={"dedup": DedupReason.REPEATED},
    )
    assert sentence_of(repeat) == "it repeats e0, told at 2026-05-21 02:14:36 UTC (delivered)"
    (step,) = steps_of(route(), repeat)
    assert step.sentence.endswith("the window of 5 min ends at 2026-05-21 02:19:36 UTC")
    assert step.pointer == "e0/0"


@pytest.mark.parametrize(
    ("queue", "reason", "sentence"),
    [
        (None, "RELEASED", "group ops let it go on to Delivery"),
        (Queue(0, None, 0), "UNLIMITED", "group ops has no rate limit"),
        (Queue(0, None, 60), "WITHIN_LIMIT", "the rate limit of 60 a minute has room"),
        (
            Queue(1, None, 60),
            "LIMIT_REACHED",
            "the rate limit of 60 a minute holds it; one goes first",
        ),
        (
            Queue(7, AT, 60),
            "LIMIT_REACHED",
            "the rate limit of 60 a minute holds it; 7 go first; "
            "the next may go at 2026-05-21 02:14:36 UTC",
        ),
    ],
)
def test_the_rate_limit_says_what_it_holds(queue: Queue | None, reason: str, sentence: str) -> None:
    step = steps_of(route(), standing(queue=queue))[-1]
    assert (step.stage, step.reason, step.sentence) == ("rate", reason, sentence)


def test_nothing_is_said_of_a_metric_server_but_that_it_records() -> None:
    steps = steps_of(route(is_metric_server=True), standing(verdicts={}))
    assert [each.stage for each in steps] == ["record"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (90, "90 s"), (300, "5 min"), (5400, "1 h 30 min"), (2 * 86_400, "2 d")],
)
def test_a_span_is_written_as_people_say_it(seconds: int, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text
