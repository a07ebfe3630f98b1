"""What an outcome makes of a delivery."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.support.delivery import START, work

from ibs_notify.delivery.model import LIFETIME, Recipient, Settlement, State
from ibs_notify.delivery.sending.settle import MAX_DETAIL, settle
from ibs_notify.delivery.transports.base import (
    Outcome,
    OutcomeReason,
    RecipientOutcome,
    Verdict,
)

A, B, C = "a@x", "b@x", "c@x"
OK = Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED, 250, "queued")


def partly(**verdicts: tuple[Verdict, int, str]) -> Outcome:
    return Outcome(
        Verdict.RETRY,
        OutcomeReason.PARTLY_ACCEPTED,
        recipients=tuple(
            RecipientOutcome(f"{name}@x", *judgement) for name, judgement in verdicts.items()
        ),
    )


def states(settlement: Settlement) -> list[State]:
    return [each.state for each in settlement.recipients]


def test_a_webhook_that_was_accepted_is_delivered() -> None:
    settled = settle(work(), Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED, 200), START, 0.5)
    assert (settled.state, settled.due_at, settled.maybe_duplicate) == (
        State.DELIVERED,
        None,
        False,
    )


def test_a_refusal_is_dead_with_the_peers_words() -> None:
    refused = Outcome(Verdict.REFUSED, OutcomeReason.HTTP_4XX, 404, "no such hook")
    settled = settle(work(), refused, START, 0.5)
    assert (settled.state, settled.reason, settled.detail) == (
        State.DEAD,
        "HTTP_4XX",
        "no such hook",
    )


def test_a_retry_is_due_later_and_counts_the_failure() -> None:
    busy = Outcome(Verdict.RETRY, OutcomeReason.HTTP_5XX, 503, "busy", maybe_accepted=True)
    settled = settle(work(failures=2), busy, START, 0.5)
    assert settled.state is State.RETRY_WAIT
    assert settled.due_at == START + timedelta(seconds=10)
    assert (settled.failures, settled.maybe_duplicate) == (3, True)


def test_what_an_earlier_attempt_may_have_brought_may_be_a_duplicate_ever_after() -> None:
    away = Outcome(Verdict.RETRY, OutcomeReason.CONNECT_FAILED)
    gone = Outcome(Verdict.RETRY, OutcomeReason.HTTP_GONE, 410, pause=True)
    uncertain = work(maybe_duplicate=True)
    assert settle(uncertain, away, START, 0.5).maybe_duplicate
    assert settle(uncertain, gone, START, 0.5).maybe_duplicate
    assert not settle(work(), away, START, 0.5).maybe_duplicate


def test_a_delivery_that_failed_for_five_days_is_dead_and_says_what_it_failed_of() -> None:
    late = START + LIFETIME
    busy = Outcome(Verdict.RETRY, OutcomeReason.CONNECT_FAILED, reply="refused")
    settled = settle(work(A, failures=200), busy, late, 0.0)
    assert (settled.state, settled.reason) == (State.DEAD, "EXPIRED")
    assert settled.detail == "CONNECT_FAILED: a@x: refused"
    assert states(settled) == [State.DEAD]


def test_a_target_that_is_gone_makes_its_delivery_wait_not_die() -> None:
    gone = Outcome(Verdict.RETRY, OutcomeReason.HTTP_GONE, 410, "gone", pause=True)
    for outcome in (gone, replace(gone, verdict=Verdict.REFUSED)):
        settled = settle(work(A), outcome, START, 0.5)
        assert (settled.state, settled.reason, settled.pause) == (
            State.WAITING,
            "TARGET_PAUSED",
            True,
        )
        assert states(settled) == [State.QUEUED]


def test_a_mail_is_delivered_when_all_of_its_recipients_are() -> None:
    settled = settle(work(A, B), OK, START, 0.5)
    assert settled.state is State.DELIVERED
    assert settled.recipients == (
        Recipient(A, State.DELIVERED, 250, "queued"),
        Recipient(B, State.DELIVERED, 250, "queued"),
    )


def test_a_mail_with_a_recipient_to_be_retried_is_open_and_the_others_are_settled() -> None:
    mixed = partly(
        a=(Verdict.DELIVERED, 250, "ok"),
        b=(Verdict.RETRY, 451, "greylisted"),
        c=(Verdict.REFUSED, 550, "nobody"),
    )
    settled = settle(work(A, B, C), mixed, START, 0.5)
    assert settled.state is State.RETRY_WAIT
    assert states(settled) == [State.DELIVERED, State.QUEUED, State.DEAD]


def test_a_mail_of_which_one_died_is_dead_when_none_is_open_and_says_which() -> None:
    left = work(
        Recipient(A, State.DELIVERED, 250, "ok"),
        Recipient(B, State.QUEUED, 451, "greylisted"),
        Recipient(C, State.DEAD, 550, "nobody"),
    )
    settled = settle(left, OK, START, 0.5)
    assert (settled.state, settled.reason, settled.detail) == (
        State.DEAD,
        "SMTP_5XX",
        "c@x: 550 nobody",
    )


def test_who_was_reached_stays_reached_whatever_a_later_attempt_says() -> None:
    left = work(Recipient(A, State.DELIVERED, 250, "ok"), B)
    refused = Outcome(Verdict.REFUSED, OutcomeReason.SMTP_5XX, 554, "go away")
    settled = settle(left, refused, START, 0.5)
    assert settled.recipients[0] == Recipient(A, State.DELIVERED, 250, "ok")
    assert settled.recipients[1].state is State.DEAD


def test_whom_the_server_did_not_judge_is_open_still() -> None:
    settled = settle(work(A, B), partly(a=(Verdict.DELIVERED, 250, "ok")), START, 0.5)
    assert states(settled) == [State.DELIVERED, State.QUEUED]
    assert settled.state is State.RETRY_WAIT


def test_what_is_kept_of_a_reply_is_short_and_has_no_nul() -> None:
    chatty = Outcome(Verdict.REFUSED, OutcomeReason.HTTP_4XX, 400, "\0" + "x" * 5000)
    settled = settle(work(), chatty, START, 0.5)
    assert settled.detail == "x" * MAX_DETAIL


verdicts = st.sampled_from(Verdict)
judgements = st.dictionaries(
    st.sampled_from([A, B, C, "stranger@x"]),
    st.tuples(verdicts, st.sampled_from([0, 250, 451, 550]), st.text(max_size=5)),
)
outcomes = st.builds(
    Outcome,
    verdict=verdicts,
    reason=st.sampled_from(OutcomeReason),
    reply=st.text(max_size=20),
    retry_after=st.none() | st.timedeltas(timedelta(0), timedelta(days=1)),
    pause=st.booleans(),
    maybe_accepted=st.booleans(),
    recipients=judgements.map(
        lambda by: tuple(RecipientOutcome(address, *said) for address, said in by.items())
    ),
)


@given(
    sequence=st.lists(
        st.tuples(outcomes, st.timedeltas(timedelta(0), timedelta(days=2))), max_size=12
    ),
    addresses=st.sampled_from([(), (A,), (A, B), (A, B, C)]),
    jitter=st.floats(0.0, 1.0, exclude_max=True),
)
def test_whatever_the_peers_say_no_recipient_is_lost_resent_or_forgotten(
    sequence: list[tuple[Outcome, timedelta]], addresses: tuple[str, ...], jitter: float
) -> None:
    now, mine = START, work(*addresses)
    for outcome, passes in sequence:
        settled = settle(mine, outcome, now, jitter)
        assert [each.address for each in settled.recipients] == list(addresses)
        for before, after in zip(mine.recipients, settled.recipients, strict=True):
            if before.state is not State.QUEUED:
                assert after == before
        is_open = {each.state for each in settled.recipients} & {State.QUEUED}
        match settled.state:
            case State.DELIVERED:
                assert set(states(settled)) <= {State.DELIVERED}
            case State.DEAD:
                assert not is_open
                assert not addresses or State.DEAD in states(settled)
            case State.RETRY_WAIT:
                assert settled.due_at is not None
                assert now <= settled.due_at < mine.expires_at
                assert is_open or not addresses
            case State.WAITING:
                assert settled.pause
            case other:
                raise AssertionError(other)
        if not settled.state.is_open:
            return
        mine = replace(mine, recipients=settled.recipients, failures=settled.failures)
        now += passes
