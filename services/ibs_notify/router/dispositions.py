"""What can become of an obligation in the Router, and the names of the reasons."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """The ledger's states on this side. Open is only ``READY``."""

    READY = "ready"
    HANDED_OFF = "handed_off"
    SILENCED = "silenced"
    SUPPRESSED = "suppressed"
    COALESCED = "coalesced"
    COLLAPSED = "collapsed"


class Reason(StrEnum):
    """Why. Logs, metrics, explanations and tests use these names."""

    RULE_MATCHED = "RULE_MATCHED"
    RULE_UNREADABLE = "RULE_UNREADABLE"
    """The rule is of a later release; a missed alert is worse than an extra one."""
    GATHERED = "GATHERED"
    """The rule of the group's digest matched: Delivery keeps it for the digest."""
    RECORDED = "RECORDED"
    """For a metric server: it records every matching event."""
    DESTINATION_TAKEN = "DESTINATION_TAKEN"
    """Another group's route took the event to the same destination first."""
    REPEATED = "REPEATED"
    """An identical event was told within the group's deduplication window."""
    SILENCE_MATCHED = "SILENCE_MATCHED"
    """A silence was active, and its rule matched."""
    BACKLOG_COLLAPSED = "BACKLOG_COLLAPSED"
    """More waited than the group's rate limit releases in a quarter of an hour."""
    HANDOFF_REFUSED = "HANDOFF_REFUSED"
    """Delivery refused to take it as it is. Until it does it is asked again each minute."""


class Decision(NamedTuple):
    """``pointer`` names what a closed obligation points to: a silence, an event, an obligation.

    Of one that is told: ``suppressed`` identical events were not since the last one that was, the
    first of them at ``suppressed_since``.
    """

    state: State
    reason: Reason
    pointer: str = ""
    suppressed: int = 0
    suppressed_since: datetime | None = None


def bit(state: State) -> int:
    """The state's bit in an event's set of states."""
    return _BITS[state]


_BITS = {state: 1 << place for place, state in enumerate(State)}
