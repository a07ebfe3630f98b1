"""How an event counts in a report: as succeeded, warned, failed, or none of these."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from ibs_notify.domain.catalogue import Outcome
from ibs_notify.domain.severity import Severity


class Result(StrEnum):
    """What reports count; the word is what templates and webhooks are told."""

    FAILED = "failed"
    WARNED = "warned"
    SUCCEEDED = "succeeded"
    OTHER = "other"
    """Neither good news nor bad: something began, was granted, was pruned."""


def result_of(outcome: Outcome, severity: Severity) -> Result:
    """By the outcome of its type; bad news below error is a warning."""
    match outcome:
        case Outcome.OK:
            return Result.SUCCEEDED
        case Outcome.PROBLEM:
            return Result.FAILED if severity >= Severity.ERROR else Result.WARNED
        case Outcome.NEUTRAL:
            return Result.OTHER
        case _ as unreachable:
            assert_never(unreachable)
