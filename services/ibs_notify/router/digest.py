"""The digest's stage: whether an event is gathered for its group's digest instead of sent. Pure."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from ibs_notify.domain.event import Event
from ibs_notify.router.dispositions import Decision, Reason, State

DIGEST_LANE: Final = -1
"""The lane of what is gathered: nobody's limit holds it, and nothing is coalesced with it."""

Gathers = Callable[[Event], bool]
"""A digest's rule, ready to be asked."""


class DigestReason(StrEnum):
    """Whether an event is an entry of a digest."""

    NO_DIGEST = "NO_DIGEST"
    """The group has none, or one whose rule this release cannot read: a missed alert is worse."""
    NOT_GATHERED = "NOT_GATHERED"
    """The digest's rule does not match: it is sent at once."""
    GATHERED = "GATHERED"
    """The digest's rule matches: Delivery has it at once, and keeps it until the window closes."""


def gather(gathers: Gathers | None, event: Event) -> DigestReason:
    """Decide by the rule of the group's digest, ``None`` for none."""
    if gathers is None:
        return DigestReason.NO_DIGEST
    return DigestReason.GATHERED if gathers(event) else DigestReason.NOT_GATHERED


ENTRY: Final = Decision(State.READY, Reason.GATHERED)
"""What becomes of an event that is gathered."""


def lane_of(decision: Decision, lane_id: int) -> int:
    """The lane in which ``decision`` lets an event wait; ``lane_id`` is its route's."""
    return DIGEST_LANE if decision.reason is Reason.GATHERED else lane_id
