"""A circuit breaker for each target: how many attempts at a time it may be given. Pure.

    CLOSED ── five failures in a row ──> OPEN ── a probe succeeds ──> RAMPING ── 2, 4, 8 ──> CLOSED
                                          ^ └─ a probe fails: later ─┘   │
                                          └────────── a failure ─────────┘
    any ── "never again" (HTTP 410) ──> PAUSED ── resumed or changed ──> OPEN, to be probed at once

What waits keeps its place in the queue and loses none of its attempts. A probe is a real delivery,
the most severe. Half open is no phase of its own: the probe of an open breaker is due, and whoever
leases a delivery first, of all replicas, makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from ibs_notify.delivery.sending.retry import FARTHEST, LONGEST_WISH
from ibs_notify.delivery.transports.base import Outcome, OutcomeReason

FAILURES_TO_OPEN = 5
FIRST_DELAY = timedelta(seconds=10)
LONGEST_DELAY = timedelta(minutes=5)
"""Between two probes, unless the peer asks for more. After an outage it costs so much at most."""
FULL_RAMP = 16
"""At so many at a time the ramp is over: no transport takes more."""
_MOST_DOUBLINGS = 16


class Phase(StrEnum):
    """Where a breaker stands. Stored: never renamed."""

    CLOSED = "closed"
    """The target is sent to as fast as it takes it."""
    OPEN = "open"
    """It fails: now and then one delivery is tried."""
    RAMPING = "ramping"
    """It works again: a few at a time, then more."""
    PAUSED = "paused"
    """It wants no more, until somebody resumes or changes it."""


class Sign(StrEnum):
    """What the end of an attempt says of the target as a whole."""

    WORKS = "WORKS"
    """The peer took the message, or judged it: to refuse one message or recipient is its work."""
    FAILS = "FAILS"
    """The peer cannot be reached or trusted, does not let us in, or takes nothing at all."""
    IS_GONE = "IS_GONE"
    """The peer wants no more."""
    SAYS_NOTHING = "SAYS_NOTHING"
    """It may be the message's fault, or ours."""


class Hold(StrEnum):
    """Why a target is given so many and no more."""

    NONE = "NONE"
    PROBE = "PROBE"
    RAMP = "RAMP"
    TARGET_FAILING = "TARGET_FAILING"
    TARGET_PAUSED = "TARGET_PAUSED"


class Turning(StrEnum):
    """A change that is news."""

    FAILING = "failing"
    RECOVERED = "recovered"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Breaker:
    """``since`` is when the trouble began; ``reason`` what it was; ``revision`` the target's then.

    ``failures`` are in a row, while closed; ``openings`` how often it opened or stayed open since
    it was closed; ``limit`` how many a ramp allows at a time, of which ``successes`` were counted.
    ``epoch`` grows with each change of phase: what was begun in another one is judged by no later.
    """

    phase: Phase = Phase.CLOSED
    failures: int = 0
    openings: int = 0
    limit: int = 0
    successes: int = 0
    epoch: int = 0
    since: datetime | None = None
    probe_at: datetime | None = None
    reason: str = ""
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """The end of an attempt that was begun in ``epoch`` with ``revision`` of the target."""

    sign: Sign
    reason: str
    epoch: int
    revision: int
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """``limit`` is how many may be in hand at a time, ``None`` for no bound; ``next_at`` when that

    changes by itself.
    """

    hold: Hold
    limit: int | None
    next_at: datetime | None = None


def room(breaker: Breaker, now: datetime) -> Room:
    """How many attempts at a time all replicas together may make."""
    match breaker.phase:
        case Phase.CLOSED:
            return Room(Hold.NONE, None)
        case Phase.RAMPING:
            return Room(Hold.RAMP, breaker.limit)
        case Phase.PAUSED:
            return Room(Hold.TARGET_PAUSED, 0)
        case Phase.OPEN:
            if breaker.probe_at is None or not now < breaker.probe_at < now + FARTHEST:
                return Room(Hold.PROBE, 1)
            return Room(Hold.TARGET_FAILING, 0, breaker.probe_at)
        case _:
            assert_never(breaker.phase)


def after(breaker: Breaker, seen: Seen, now: datetime) -> Breaker:
    """The breaker after an attempt ended at ``now``."""
    match seen.sign:
        case Sign.SAYS_NOTHING:
            return breaker
        case Sign.WORKS:
            return _after_success(breaker)
        case Sign.FAILS:
            return breaker if seen.epoch != breaker.epoch else _after_failure(breaker, seen, now)
        case Sign.IS_GONE:
            if breaker.phase is Phase.PAUSED:
                return replace(breaker, revision=max(breaker.revision, seen.revision))
            return _moved(breaker, Phase.PAUSED, seen, since=now)
        case _:
            assert_never(seen.sign)


def drained(breaker: Breaker) -> Breaker:
    """Nothing waits and nothing is being sent: a ramp has nothing left to prove."""
    return _closed(breaker) if breaker.phase is Phase.RAMPING else breaker


def tried_again(breaker: Breaker, revision: int, now: datetime) -> Breaker:
    """Somebody resumed the target, or changed it to ``revision``: one probe, now."""
    if breaker.phase not in (Phase.OPEN, Phase.PAUSED):
        return breaker
    return replace(
        breaker,
        phase=Phase.OPEN,
        openings=1,
        epoch=breaker.epoch + 1,
        probe_at=now,
        revision=max(breaker.revision, revision),
    )


def turning(before: Breaker, now: Breaker) -> Turning | None:
    """What is to be told of a change; a ramp that fails is still the same trouble."""
    if before.phase is now.phase:
        return None
    match now.phase:
        case Phase.OPEN:
            return Turning.FAILING if before.phase is Phase.CLOSED else None
        case Phase.PAUSED:
            return Turning.PAUSED
        case Phase.CLOSED:
            return Turning.RECOVERED
        case Phase.RAMPING:
            return None
        case _:
            assert_never(now.phase)


def delay(openings: int) -> timedelta:
    """From a failure to the next probe; doubles each time."""
    doublings = min(max(openings - 1, 0), _MOST_DOUBLINGS)
    return min(FIRST_DELAY * (1 << doublings), LONGEST_DELAY)


def _after_success(breaker: Breaker) -> Breaker:
    match breaker.phase:
        case Phase.CLOSED:
            return replace(breaker, failures=0) if breaker.failures else breaker
        case Phase.OPEN:
            ramp = replace(breaker, limit=2, successes=0, probe_at=None)
            return replace(ramp, phase=Phase.RAMPING, epoch=breaker.epoch + 1)
        case Phase.RAMPING:
            if breaker.successes + 1 < breaker.limit:
                return replace(breaker, successes=breaker.successes + 1)
            if breaker.limit * 2 >= FULL_RAMP:
                return _closed(breaker)
            return replace(breaker, limit=breaker.limit * 2, successes=0)
        case Phase.PAUSED:
            return breaker
        case _:
            assert_never(breaker.phase)


def _after_failure(breaker: Breaker, seen: Seen, now: datetime) -> Breaker:
    match breaker.phase:
        case Phase.CLOSED:
            failures = breaker.failures + 1
            if failures < FAILURES_TO_OPEN:
                return replace(breaker, failures=failures)
            return _opened(breaker, seen, since=now, now=now)
        case Phase.OPEN | Phase.RAMPING:
            return _opened(breaker, seen, since=breaker.since or now, now=now)
        case Phase.PAUSED:
            return breaker
        case _:
            assert_never(breaker.phase)


def _opened(breaker: Breaker, seen: Seen, *, since: datetime, now: datetime) -> Breaker:
    openings = breaker.openings + 1
    wish = min(seen.retry_after or timedelta(), LONGEST_WISH)
    moved = _moved(breaker, Phase.OPEN, seen, since=since)
    return replace(moved, openings=openings, probe_at=now + max(delay(openings), wish))


def _moved(breaker: Breaker, phase: Phase, seen: Seen, *, since: datetime) -> Breaker:
    return Breaker(
        phase,
        openings=breaker.openings,
        epoch=breaker.epoch + 1,
        since=since,
        reason=seen.reason,
        revision=seen.revision,
    )


def _closed(breaker: Breaker) -> Breaker:
    return Breaker(epoch=breaker.epoch + 1)


def signs_of(outcomes: Sequence[Outcome]) -> list[Sign]:
    """What one attempt with several messages says, message by message: it fails once, not often."""
    signs = [sign_of(each) for each in outcomes]
    failed = signs.index(Sign.FAILS) if Sign.FAILS in signs else -1
    return [
        Sign.SAYS_NOTHING if sign is Sign.FAILS and index != failed else sign
        for index, sign in enumerate(signs)
    ]


def sign_of(outcome: Outcome) -> Sign:
    """What an outcome says of its target: failures that the next message would meet as well."""
    if outcome.pause:
        return Sign.IS_GONE
    match outcome.reason:
        case (
            OutcomeReason.ACCEPTED
            | OutcomeReason.PARTLY_ACCEPTED
            | OutcomeReason.SMTPUTF8_NOT_OFFERED
            | OutcomeReason.MESSAGE_TOO_LARGE
            | OutcomeReason.PEER_REFUSED
        ):
            return Sign.WORKS
        case (
            OutcomeReason.DNS_FAILED
            | OutcomeReason.ADDRESS_REFUSED
            | OutcomeReason.CONNECT_FAILED
            | OutcomeReason.TLS_FAILED
            | OutcomeReason.STARTTLS_NOT_OFFERED
            | OutcomeReason.AUTH_NOT_OFFERED
            | OutcomeReason.AUTH_FAILED
            | OutcomeReason.TIMEOUT
            | OutcomeReason.DISCONNECTED
            | OutcomeReason.PROTOCOL_ERROR
            | OutcomeReason.HTTP_5XX
            | OutcomeReason.HTTP_RATE_LIMITED
            | OutcomeReason.HTTP_REDIRECT
        ):
            return Sign.FAILS
        case OutcomeReason.HTTP_4XX:
            return Sign.FAILS if outcome.code in _SHUT_OUT else Sign.WORKS
        case OutcomeReason.SMTP_5XX:
            return Sign.FAILS if _concerns_all_mail(outcome) else Sign.WORKS
        case OutcomeReason.SMTP_4XX:
            return Sign.FAILS if _concerns_all_mail(outcome) else Sign.SAYS_NOTHING
        case OutcomeReason.HTTP_GONE:
            return Sign.IS_GONE
        case (
            OutcomeReason.HTTP_TRY_AGAIN
            | OutcomeReason.TEMPLATE_FAILED
            | OutcomeReason.MISCONFIGURED
            | OutcomeReason.PUSHED_ELSEWHERE
            | OutcomeReason.INTERNAL
        ):
            return Sign.SAYS_NOTHING
        case _:
            assert_never(outcome.reason)


def _concerns_all_mail(outcome: Outcome) -> bool:
    """Said before any recipient was named, or of every session: closing, or no authentication."""
    return not outcome.recipients or outcome.code in (421, 530)


_SHUT_OUT = frozenset({401, 402, 403, 404, 405, 407})
"""Statuses that speak of the credentials or the URL, which all messages have in common."""
