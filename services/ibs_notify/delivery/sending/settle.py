"""What an outcome makes of a delivery: a pure function of the two, the time and the dice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.model import QueueReason, Recipient, Settlement, State, Work
from ibs_notify.delivery.sending.retry import LAST_CEILING, next_attempt
from ibs_notify.delivery.targets.breaker import LONGEST_DELAY, Sign, sign_of
from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict

MAX_DETAIL = 1024


def settle(work: Work, outcome: Outcome, now: datetime, jitter: float) -> Settlement:
    """The state after an attempt that ended as ``outcome`` at ``now``.

    Of a mail, each recipient has an outcome of its own: one that was delivered or refused before
    stays so whatever comes later. The mail is delivered when all are; dead when none is open and
    one died. A trial of a target that fails says nothing of the delivery: it is never refused by
    it, and need not wait longer than the target. ``jitter`` is uniform in [0, 1).
    """
    recipients = judged(work.recipients, outcome)
    match verdict_on(recipients, outcome):
        case Verdict.DELIVERED:
            return Settlement(
                State.DELIVERED,
                OutcomeReason.ACCEPTED,
                _cut(outcome.reply),
                recipients,
                work.failures,
                pause=outcome.pause,
            )
        case Verdict.REFUSED if not (outcome.pause or _is_of_the_target(work, outcome)):
            return Settlement(
                State.DEAD,
                _fatal(outcome),
                _of_the_dead(recipients) or _cut(outcome.reply),
                recipients,
                work.failures,
            )
        case Verdict.REFUSED | Verdict.RETRY:
            return _again(work, outcome, recipients, now, jitter)
        case _ as unreachable:
            assert_never(unreachable)


def judged(recipients: Sequence[Recipient], outcome: Outcome) -> tuple[Recipient, ...]:
    """The recipients after the attempt; only open ones change."""
    by_address = {each.address: each for each in outcome.recipients}
    result: list[Recipient] = []
    for recipient in recipients:
        judgement = by_address.get(recipient.address)
        if recipient.state is not State.QUEUED:
            result.append(recipient)
        elif judgement is not None:
            state = _STATES[judgement.verdict]
            reply = _cut(judgement.reply)
            result.append(Recipient(recipient.address, state, judgement.code, reply))
        elif by_address:
            # The server judged others and not this one: its turn comes with the next attempt.
            result.append(recipient)
        else:
            state = _STATES[outcome.verdict]
            result.append(Recipient(recipient.address, state, outcome.code, _cut(outcome.reply)))
    return tuple(result)


def verdict_on(recipients: Sequence[Recipient], outcome: Outcome) -> Verdict:
    """The verdict on the whole delivery: that of its recipients, where it has any."""
    states = {each.state for each in recipients}
    if not states:
        return outcome.verdict
    if State.QUEUED in states:
        return Verdict.RETRY
    return Verdict.REFUSED if State.DEAD in states else Verdict.DELIVERED


def _again(
    work: Work,
    outcome: Outcome,
    recipients: tuple[Recipient, ...],
    now: datetime,
    jitter: float,
) -> Settlement:
    failures = work.failures + 1
    detail = _cut(outcome.reply)
    if outcome.pause:
        return Settlement(
            State.WAITING,
            Admission.TARGET_PAUSED,
            detail,
            # Who was refused because the whole target is closed is open again once it is not.
            tuple(_reopened(work.recipients, recipients)),
            failures,
            maybe_duplicate=work.maybe_duplicate or outcome.maybe_accepted,
            pause=True,
        )
    longest = LAST_CEILING
    if _is_of_the_target(work, outcome):
        recipients, longest = tuple(_reopened(work.recipients, recipients)), LONGEST_DELAY
    decision = next_attempt(
        failures=failures,
        now=now,
        expires_at=work.expires_at,
        retry_after=outcome.retry_after,
        jitter=jitter,
        longest=longest,
    )
    if decision.due_at is None:
        dead = tuple(
            replace(each, state=State.DEAD) if each.state is State.QUEUED else each
            for each in recipients
        )
        said = _of_the_dead(dead) or detail
        return Settlement(
            State.DEAD, QueueReason.EXPIRED, _cut(f"{outcome.reason}: {said}"), dead, failures
        )
    return Settlement(
        State.RETRY_WAIT,
        outcome.reason,
        detail,
        recipients,
        failures,
        due_at=decision.due_at,
        maybe_duplicate=work.maybe_duplicate or outcome.maybe_accepted,
    )


def _is_of_the_target(work: Work, outcome: Outcome) -> bool:
    return work.is_trial and sign_of(outcome) is Sign.FAILS


def _reopened(before: Sequence[Recipient], after: Sequence[Recipient]) -> list[Recipient]:
    return [
        replace(new, state=State.QUEUED)
        if old.state is State.QUEUED and new.state is State.DEAD
        else new
        for old, new in zip(before, after, strict=True)
    ]


def _fatal(outcome: Outcome) -> OutcomeReason:
    """Why it died: the last attempt may have gone well for those that were left."""
    if outcome.reason in (OutcomeReason.ACCEPTED, OutcomeReason.PARTLY_ACCEPTED):
        return OutcomeReason.SMTP_5XX
    return outcome.reason


def _of_the_dead(recipients: Sequence[Recipient]) -> str:
    return _cut(
        "; ".join(
            f"{each.address}: {each.code} {each.reply}"
            if each.code
            else f"{each.address}: {each.reply}"
            for each in recipients
            if each.state is State.DEAD
        )
    )


def _cut(text: str) -> str:
    """One line without NUL, which PostgreSQL does not take, at most ``MAX_DETAIL`` long."""
    return text.replace("\0", "")[:MAX_DETAIL]


_STATES = {
    Verdict.DELIVERED: State.DELIVERED,
    Verdict.REFUSED: State.DEAD,
    Verdict.RETRY: State.QUEUED,
}
