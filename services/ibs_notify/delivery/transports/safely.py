"""The two promises of every transport: it never raises, and nothing it says holds a secret."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Stage, Tell, Verdict
from ibs_notify.delivery.transports.redact import Redactor
from ibs_notify.delivery.transports.stages import AttemptFailed, StageLog
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import ResourceExhausted, Unavailable

_LOG: Final = logging.getLogger(__name__)


async def outcome_of(attempt: Awaitable[Outcome], redact: Redactor) -> Outcome:
    """The Outcome of ``attempt``, redacted, whatever it raises but CancelledError."""
    try:
        outcome = await attempt
    except Exception as error:  # noqa: BLE001 # the contract: every failure is an Outcome
        outcome = _failed(error, redact)
    return _redacted(outcome, redact)


async def outcomes_of(
    attempt: Awaitable[Sequence[Outcome]], count: int, redact: Redactor
) -> Sequence[Outcome]:
    """As ``outcome_of``, of ``count`` messages: what it raises holds for all of them."""
    try:
        outcomes = await attempt
    except Exception as error:  # noqa: BLE001 # as above
        outcomes = [_failed(error, redact)] * count
    return [_redacted(outcome, redact) for outcome in outcomes]


async def stages_of(
    test: Callable[[StageLog], Awaitable[None]], clock: Clock, redact: Redactor, tell: Tell
) -> tuple[Stage, ...]:
    """The stages that ``test`` went through, redacted; the last one failed if it raised."""
    log = StageLog(clock, redact, tell)
    try:
        await test(log)
    except AttemptFailed as failure:
        if not log.stages or log.stages[-1].ok:
            log.add_failure("send", failure.outcome.reply)
    except Exception as error:  # noqa: BLE001 # the contract: every failure is a stage
        log.add_failure("send", _unexpected(error, redact).reply)
    return tuple(log.stages)


def _failed(error: Exception, redact: Redactor) -> Outcome:
    match error:
        case AttemptFailed():
            return error.outcome
        case Unavailable() | ResourceExhausted():
            # The storage is away, of a transport that keeps something.
            return Outcome(Verdict.RETRY, OutcomeReason.INTERNAL, reply=str(error))
        case _:
            return _unexpected(error, redact)


def _redacted(outcome: Outcome, redact: Redactor) -> Outcome:
    reply = redact(outcome.reply)
    if reply == outcome.reply and not outcome.recipients:
        return outcome
    recipients = tuple(replace(each, reply=redact(each.reply)) for each in outcome.recipients)
    return replace(outcome, reply=reply, recipients=recipients)


def _unexpected(error: Exception, redact: Redactor) -> Outcome:
    # Frames only: the text of an error of a library may quote a header or a password.
    frames = "".join(traceback.format_tb(error.__traceback__))
    _LOG.error("an attempt failed with %s\n%s", type(error).__name__, frames)
    reply = redact(f"unexpected {type(error).__name__}; the log of Delivery has the place")
    return Outcome(Verdict.RETRY, OutcomeReason.INTERNAL, reply=reply)
