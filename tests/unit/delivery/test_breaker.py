"""When a target is given deliveries, and how many."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.delivery import START, work

from ibs_notify.delivery.model import State
from ibs_notify.delivery.sending.retry import LONGEST_WISH
from ibs_notify.delivery.sending.settle import settle
from ibs_notify.delivery.targets.breaker import (
    FAILURES_TO_OPEN,
    FIRST_DELAY,
    FULL_RAMP,
    LONGEST_DELAY,
    Breaker,
    Hold,
    Phase,
    Seen,
    Sign,
    Turning,
    after,
    delay,
    drained,
    room,
    sign_of,
    signs_of,
    tried_again,
    turning,
)
from ibs_notify.delivery.transports.base import (
    Outcome,
    OutcomeReason,
    RecipientOutcome,
    Verdict,
)

OUT_OF_REACH = Outcome(Verdict.RETRY, OutcomeReason.CONNECT_FAILED)


def seen(breaker: Breaker, sign: Sign, wish: timedelta | None = None, epoch: int = 0) -> Seen:
    return Seen(sign, sign.value, breaker.epoch - epoch, 7, wish)


def fail(breaker: Breaker, times: int = 1) -> Breaker:
    for _ in range(times):
        breaker = after(breaker, seen(breaker, Sign.FAILS), START)
    return breaker


def succeed(breaker: Breaker, times: int = 1) -> Breaker:
    for _ in range(times):
        breaker = after(breaker, seen(breaker, Sign.WORKS), START)
    return breaker


def test_a_clock_that_was_years_ahead_puts_no_probe_off_by_years() -> None:
    opened = fail(Breaker(), FAILURES_TO_OPEN)
    assert room(opened, START - timedelta(days=400)).hold is Hold.PROBE
    polite = fail(Breaker(), FAILURES_TO_OPEN - 1)
    polite = after(polite, seen(polite, Sign.FAILS, LONGEST_WISH), START)
    assert room(polite, START).hold is Hold.TARGET_FAILING


OPEN = fail(Breaker(), FAILURES_TO_OPEN)


def test_it_opens_on_failures_in_a_row_and_not_one_sooner() -> None:
    almost = fail(Breaker(), FAILURES_TO_OPEN - 1)
    assert almost.phase is Phase.CLOSED
    assert fail(succeed(almost), FAILURES_TO_OPEN - 1).phase is Phase.CLOSED
    opened = fail(almost)
    assert (opened.phase, opened.since, opened.reason) == (Phase.OPEN, START, "FAILS")
    assert (opened.probe_at, opened.revision) == (START + FIRST_DELAY, 7)


def test_an_open_one_lets_nothing_through_until_its_probe_and_then_one() -> None:
    assert room(OPEN, START).hold is Hold.TARGET_FAILING
    assert (room(OPEN, START).limit, room(OPEN, START).next_at) == (0, START + FIRST_DELAY)
    assert (room(OPEN, START + FIRST_DELAY).hold, room(OPEN, START + FIRST_DELAY).limit) == (
        Hold.PROBE,
        1,
    )


def test_each_probe_that_fails_doubles_the_wait_up_to_five_minutes() -> None:
    waits, breaker = [], OPEN
    for _ in range(8):
        assert breaker.probe_at is not None
        waits.append((breaker.probe_at - START).total_seconds())
        breaker = fail(breaker)
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300]
    assert breaker.since == START
    assert delay(10**9) == LONGEST_DELAY


def test_the_peers_own_wish_is_a_minimum_up_to_a_day() -> None:
    for wish, wait in ((timedelta(minutes=30), timedelta(minutes=30)), (LONGEST_WISH * 9, None)):
        breaker = fail(Breaker(), FAILURES_TO_OPEN - 1)
        opened = after(breaker, seen(breaker, Sign.FAILS, wish), START)
        assert opened.probe_at == START + (wait or LONGEST_WISH)


def test_a_probe_that_succeeds_begins_a_ramp_of_2_4_and_8_at_a_time() -> None:
    breaker, limits = succeed(OPEN), []
    while breaker.phase is Phase.RAMPING:
        limits.append(room(breaker, START).limit)
        breaker = succeed(breaker)
    assert limits == [2] * 2 + [4] * 4 + [8] * 8
    assert (breaker.phase, breaker.openings, breaker.since) == (Phase.CLOSED, 0, None)


def test_a_failure_on_the_ramp_opens_it_again_and_is_the_same_trouble() -> None:
    ramp = succeed(fail(OPEN))
    again = fail(ramp)
    assert (again.phase, again.since) == (Phase.OPEN, START)
    assert again.probe_at == START + delay(3)


def test_a_ramp_with_nothing_left_to_send_is_over() -> None:
    assert drained(succeed(OPEN)).phase is Phase.CLOSED
    assert drained(OPEN) is OPEN


def test_what_was_under_way_when_it_opened_counts_no_further_failure_but_a_success_does() -> None:
    late = after(OPEN, seen(OPEN, Sign.FAILS, epoch=1), START + timedelta(seconds=9))
    assert late is OPEN
    assert after(OPEN, seen(OPEN, Sign.WORKS, epoch=1), START).phase is Phase.RAMPING
    ramp = succeed(OPEN)
    assert after(ramp, seen(ramp, Sign.FAILS, epoch=1), START) is ramp


def test_what_says_nothing_changes_nothing() -> None:
    for breaker in (Breaker(), Breaker(failures=3), OPEN, succeed(OPEN)):
        assert after(breaker, seen(breaker, Sign.SAYS_NOTHING), START) is breaker


@pytest.mark.parametrize("before", [Breaker(), OPEN, succeed(OPEN)])
def test_a_target_that_is_gone_is_paused_until_it_is_resumed_or_changed(before: Breaker) -> None:
    paused = after(before, seen(before, Sign.IS_GONE), START)
    assert (paused.phase, paused.since, paused.revision) == (Phase.PAUSED, START, 7)
    assert room(paused, START + timedelta(days=9)).limit == 0
    for sign in (Sign.WORKS, Sign.FAILS, Sign.SAYS_NOTHING, Sign.IS_GONE):
        assert after(paused, seen(paused, sign), START).phase is Phase.PAUSED
    resumed = tried_again(paused, 8, START)
    assert (room(resumed, START).hold, resumed.revision) == (Hold.PROBE, 8)


def test_a_failing_target_can_be_tried_at_once_and_a_healthy_one_need_not() -> None:
    assert room(tried_again(fail(OPEN, 9), 7, START), START).hold is Hold.PROBE
    assert tried_again(Breaker(), 9, START) == Breaker()


def test_only_the_beginning_and_the_end_of_a_trouble_are_news() -> None:
    ramp = succeed(OPEN)
    paused = after(OPEN, seen(OPEN, Sign.IS_GONE), START)
    told = [
        (Breaker(), OPEN, Turning.FAILING),
        (OPEN, fail(OPEN), None),
        (OPEN, ramp, None),
        (ramp, fail(ramp), None),
        (ramp, drained(ramp), Turning.RECOVERED),
        (OPEN, paused, Turning.PAUSED),
        (paused, tried_again(paused, 8, START), None),
    ]
    assert [turning(before, now) for before, now, _ in told] == [each for *_, each in told]


@given(st.lists(st.tuples(st.sampled_from(Sign), st.integers(0, 2), st.integers(0, 400))))
def test_whatever_happens_it_is_either_closed_or_comes_back_to_be_tried(
    steps: list[tuple[Sign, int, int]],
) -> None:
    breaker, now = Breaker(), START
    for sign, epoch, seconds in steps:
        now += timedelta(seconds=seconds)
        following = after(breaker, seen(breaker, sign, epoch=epoch), now)
        assert following.epoch >= breaker.epoch
        if following.phase is not breaker.phase:
            assert following.epoch > breaker.epoch
        breaker = following
        allowed = room(breaker, now)
        match breaker.phase:
            case Phase.CLOSED:
                assert allowed.limit is None
                assert breaker.failures < FAILURES_TO_OPEN
            case Phase.RAMPING:
                assert 2 <= (allowed.limit or 0) < FULL_RAMP
            case Phase.OPEN:
                assert breaker.probe_at is not None
                assert room(breaker, breaker.probe_at).limit == 1
                assert breaker.probe_at <= now + LONGEST_DELAY
            case Phase.PAUSED:
                assert (allowed.limit, allowed.next_at) == (0, None)


def judged(code: int, reason: OutcomeReason = OutcomeReason.SMTP_4XX) -> Outcome:
    recipients = (RecipientOutcome("a@x", Verdict.RETRY, code, "no"),)
    return Outcome(Verdict.RETRY, reason, code, recipients=recipients)


@pytest.mark.parametrize(
    ("outcome", "sign"),
    [
        (Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED, 200), Sign.WORKS),
        (OUT_OF_REACH, Sign.FAILS),
        (Outcome(Verdict.RETRY, OutcomeReason.HTTP_5XX, 503), Sign.FAILS),
        (Outcome(Verdict.RETRY, OutcomeReason.HTTP_RATE_LIMITED, 429), Sign.FAILS),
        (Outcome(Verdict.REFUSED, OutcomeReason.HTTP_4XX, 401), Sign.FAILS),
        (Outcome(Verdict.REFUSED, OutcomeReason.HTTP_4XX, 400), Sign.WORKS),
        (Outcome(Verdict.REFUSED, OutcomeReason.AUTH_FAILED, 535), Sign.FAILS),
        (Outcome(Verdict.RETRY, OutcomeReason.HTTP_TRY_AGAIN, 408), Sign.SAYS_NOTHING),
        (Outcome(Verdict.RETRY, OutcomeReason.HTTP_GONE, 410, pause=True), Sign.IS_GONE),
        (Outcome(Verdict.REFUSED, OutcomeReason.SMTP_5XX, 554), Sign.FAILS),
        (judged(550, OutcomeReason.SMTP_5XX), Sign.WORKS),
        (judged(451), Sign.SAYS_NOTHING),
        (judged(421), Sign.FAILS),
        (Outcome(Verdict.RETRY, OutcomeReason.SMTP_4XX, 450), Sign.FAILS),
        (judged(0, OutcomeReason.PARTLY_ACCEPTED), Sign.WORKS),
        (Outcome(Verdict.RETRY, OutcomeReason.INTERNAL), Sign.SAYS_NOTHING),
    ],
)
def test_a_failure_counts_where_the_next_message_would_meet_it_too(
    outcome: Outcome, sign: Sign
) -> None:
    assert sign_of(outcome) is sign


@pytest.mark.parametrize("reason", OutcomeReason)
def test_every_reason_says_something_or_nothing_of_its_target(reason: OutcomeReason) -> None:
    assert sign_of(Outcome(Verdict.RETRY, reason)) in Sign


def test_a_trial_is_never_the_death_of_its_delivery() -> None:
    locked_out = Outcome(Verdict.REFUSED, OutcomeReason.AUTH_FAILED, 535, "no")
    assert settle(work("a@x"), locked_out, START, 0.5).state is State.DEAD
    trial = replace(work("a@x"), is_trial=True)
    settled = settle(trial, locked_out, START, 0.5)
    assert (settled.state, settled.recipients[0].state) == (State.RETRY_WAIT, State.QUEUED)
    refused = Outcome(Verdict.REFUSED, OutcomeReason.HTTP_4XX, 422)
    assert settle(work(is_trial=True), refused, START, 0.5).state is State.DEAD


def test_a_trial_waits_no_longer_than_its_target() -> None:
    trial = work(is_trial=True, failures=40)
    settled = settle(trial, OUT_OF_REACH, START, 0.999)
    assert settled.due_at is not None
    assert settled.due_at <= START + LONGEST_DELAY


def test_an_attempt_with_many_messages_fails_once() -> None:
    failed = Outcome(Verdict.RETRY, OutcomeReason.CONNECT_FAILED)
    accepted = Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED)

    signs = signs_of([accepted, failed, failed])

    assert signs == [Sign.WORKS, Sign.FAILS, Sign.SAYS_NOTHING]
