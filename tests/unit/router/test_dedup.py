"""A repeat is suppressed; a change of state never is."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.dedup import Deduplicating, HiddenChange, InMemory, Known, Noise
from tests.system.dedup_sequences import Tally, play, run, sequence

from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.dedup import (
    DedupReason,
    Verdict,
    Window,
    changes_subject,
    deduplicate,
)
from ibs_notify.router.dispositions import Decision, Reason, State

START = datetime(2026, 5, 21, 2, 14, tzinfo=UTC)
FIVE = timedelta(minutes=5)
SECOND = timedelta(seconds=1)
FAILED = Event("evt-1", "backup.failed", Severity.ERROR, START)
TOLD = Window(START, "evt-1/0", "backup.failed", Severity.ERROR)


def ask(
    window: Window | None,
    after: timedelta = SECOND,
    *,
    event: Event = FAILED,
    length: timedelta = FIVE,
    changed: bool = False,
) -> Verdict:
    return deduplicate(window, length, event, "evt-2/0", changed=changed, now=START + after)


def event(event_type: str, severity: Severity = Severity.ERROR) -> Event:
    return Event("evt-2", event_type, severity, START)


def test_the_first_is_told_and_opens_a_window() -> None:
    verdict = ask(None, timedelta(0))
    assert verdict == Verdict(
        DedupReason.FIRST, Window(START, "evt-2/0", "backup.failed", Severity.ERROR)
    )
    assert verdict.decision is None


def test_a_repeat_within_the_window_is_suppressed_and_points_to_what_was_told() -> None:
    verdict = ask(TOLD)
    assert verdict.reason is DedupReason.REPEATED
    assert verdict.decision == Decision(State.SUPPRESSED, Reason.REPEATED, "evt-1/0")
    assert verdict.window == TOLD._replace(suppressed=1, suppressed_since=START + SECOND)


def test_repeats_do_not_prolong_the_window() -> None:
    window: Window | None = TOLD
    for after in (1, 100, 299):
        window = ask(window, after * SECOND).window
    ended = ask(window, FIVE)
    assert ended.reason is DedupReason.WINDOW_ENDED
    assert (ended.suppressed_before, ended.suppressed_since) == (3, START + SECOND)


@pytest.mark.parametrize(
    ("expected", "verdict"),
    [
        (DedupReason.WINDOW_ENDED, ask(TOLD._replace(suppressed=2), FIVE)),
        (DedupReason.STATE_CHANGED, ask(TOLD._replace(suppressed=2), changed=True)),
        (DedupReason.OFF, ask(TOLD._replace(suppressed=2), length=timedelta(0))),
    ],
)
def test_whatever_ended_the_window_what_it_suppressed_is_counted(
    expected: DedupReason, verdict: Verdict
) -> None:
    assert (verdict.reason, verdict.suppressed_before) == (expected, 2)
    assert verdict.decision is None
    assert verdict.window is None or verdict.window.suppressed == 0


def test_without_a_length_no_window_is_opened() -> None:
    assert ask(None, length=timedelta(0)) == Verdict(DedupReason.OFF, None)


def test_a_window_has_the_length_that_its_group_has_now() -> None:
    assert ask(TOLD, 2 * SECOND, length=SECOND).reason is DedupReason.WINDOW_ENDED
    assert ask(TOLD, 2 * FIVE, length=3 * FIVE).reason is DedupReason.REPEATED


@pytest.mark.parametrize(
    ("told", "other", "changes"),
    [
        (("backup.failed", Severity.ERROR), ("backup.failed", Severity.ERROR), False),
        (("backup.failed", Severity.ERROR), ("backup.completed", Severity.INFO), True),
        (("backup.failed", Severity.ERROR), ("backup.completed", Severity.ERROR), True),
        (("backup.failed", Severity.ERROR), ("backup.failed", Severity.CRITICAL), True),
        (("backup.failed", Severity.CRITICAL), ("backup.failed", Severity.ERROR), True),
        (("backup.failed", Severity.ERROR), ("backup.started", Severity.INFO), False),
        (("backup.completed", Severity.INFO), ("backup.started", Severity.INFO), False),
        (("backup.started", Severity.INFO), ("backup.failed", Severity.ERROR), True),
        (("a.online", Severity.INFO), ("a.offline", Severity.INFO), True),
        (("a.went", Severity.INFO), ("a.went", Severity.CRITICAL), True),
        (("system.service-stopped", Severity.NOTICE), ("system.service-started", Severity.INFO), 1),
    ],
)
def test_neutral_news_says_nothing_against_a_failure_but_something_against_neutral_news(
    told: tuple[str, Severity], other: tuple[str, Severity], changes: bool
) -> None:
    assert changes_subject(*told, event(*other)) == changes


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (event("backup.completed", Severity.INFO), DedupReason.STATE_CHANGED),
        (event("backup.failed", Severity.WARNING), DedupReason.STATE_CHANGED),
        (event("backup.failed", Severity.CRITICAL), DedupReason.STATE_CHANGED),
        (event("backup.started", Severity.INFO), DedupReason.REPEATED),
        (event("backup.started", Severity.CRITICAL), DedupReason.STATE_CHANGED),
    ],
)
def test_an_event_that_only_a_dedup_key_makes_identical_may_itself_be_the_change(
    other: Event, reason: DedupReason
) -> None:
    assert ask(TOLD, event=other).reason is reason


def test_a_change_of_status_is_told_each_time_since_only_its_words_say_which() -> None:
    window = Window(START, "evt-1/0", "datastore.status-change", Severity.WARNING)
    again = event("datastore.status-change", Severity.WARNING)
    assert ask(window, event=again).reason is DedupReason.STATE_CHANGED


def test_a_clock_a_little_behind_suppresses_and_the_window_begins_anew() -> None:
    verdict = ask(TOLD, -SECOND)
    assert verdict.reason is DedupReason.REPEATED
    assert verdict.window is not None
    assert verdict.window.opened_at == START - SECOND


def test_a_clock_that_went_back_further_than_the_window_ends_it() -> None:
    assert ask(TOLD, -FIVE).reason is DedupReason.WINDOW_ENDED


@given(
    steps=st.lists(st.tuples(st.integers(0, 400), st.integers(-2000, 900) | st.just(0))),
    length=st.integers(1, 600),
)
def test_however_the_clock_jumps_nothing_is_hidden_for_longer_than_the_window(
    steps: Sequence[tuple[int, int]], length: int
) -> None:
    real = error = 0
    window: Window | None = None
    first_hidden: int | None = None
    for passed, jump in steps:
        real, error = real + passed, error + jump
        if jump < 0:
            first_hidden = None
        verdict = ask(window, (real + error) * SECOND, length=length * SECOND)
        window = verdict.window
        if verdict.reason is DedupReason.REPEATED:
            first_hidden = real if first_hidden is None else first_hidden
            assert real - first_hidden < length
        else:
            first_hidden = None


async def test_no_random_sequence_hides_a_change_or_makes_noise() -> None:
    tally = Tally()
    assert await run(InMemory, 3000, 7, tally) == []
    assert min(tally.counts.values()) > 500
    assert tally.counts["suppressed"] > 5000


class Forgetful(InMemory):
    """Does not look at what came since."""

    def changed(self, known: Known, event: Event) -> bool:
        return False


class Nervous(InMemory):
    """Takes everything for a change."""

    def changed(self, known: Known, event: Event) -> bool:
        return True


class Trusting(InMemory):
    """Believes that what it told has arrived."""

    async def die(self, subscription: str, obligation: str) -> None:
        pass


class Stubborn(InMemory):
    """Keeps its window whatever is configured."""

    async def set_length(self, length: timedelta) -> None:
        pass


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (Forgetful, HiddenChange),
        (Trusting, HiddenChange),
        (Nervous, Noise),
        (Stubborn, (HiddenChange, Noise)),
    ],
)
async def test_the_judge_finds_a_router_that_breaks_the_promise(
    make: type[Deduplicating], fault: type[AssertionError] | tuple[type[AssertionError], ...]
) -> None:
    async def play_until_found() -> None:
        for index in range(500):
            await play(make(), sequence(random.Random(index), f"s{index}"), Tally())

    with pytest.raises(fault):
        await play_until_found()


@pytest.mark.parametrize("recovered", ["/datastore/a", "/datastore/b"])
async def test_a_key_shared_by_two_resources_hides_no_change_of_either(recovered: str) -> None:
    def of(resource: str, number: int, event_type: str, severity: Severity, key: str) -> Event:
        return Event(
            f"e-{number}", event_type, severity, START, canonical_resource=resource, dedup_key=key
        )

    failed = ("backup.failed", Severity.ERROR, "outage")
    events = [
        of("/datastore/a", 1, *failed),
        of("/datastore/b", 2, *failed),
        of(recovered, 3, "backup.completed", Severity.INFO, ""),
        of("/datastore/b", 4, *failed),
    ]
    answers = await InMemory().emit(events, START)
    assert [each["all"].told for each in answers] == [True, False, True, True]
