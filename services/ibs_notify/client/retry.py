"""What a failed call means for the events of its batch. Pure."""

from __future__ import annotations

from enum import StrEnum

from ibs_notify.domain import errors

MOST_TRIES_ALONE = 5


class Next(StrEnum):
    """What to do after a failure."""

    REPEAT = "REPEAT"
    """The same again, after a pause: the Router is away or takes nothing from anybody."""
    SMALLER = "SMALLER"
    """Half as many, after a pause: it is too much at once, or one of them is to blame."""
    REFUSED = "REFUSED"
    """It is this event: no other try will help it, and it must not hold up the others."""


def after_failure(error: errors.NotificationError, *, size: int, tries_alone: int) -> Next:
    """``size`` events failed together; ``tries_alone`` counts such failures of a lone one."""
    match error:
        case errors.ResourceExhausted() if size > 1:
            return Next.SMALLER
        case (
            errors.Unavailable()
            | errors.ResourceExhausted()
            | errors.Unauthenticated()
            | errors.PermissionDenied()
            | errors.Unimplemented()
            | errors.FailedPrecondition()
            | errors.Aborted()
        ):
            return Next.REPEAT
        case _ if size > 1:
            return Next.SMALLER
        case errors.Internal() if tries_alone < MOST_TRIES_ALONE:
            return Next.REPEAT
        case _:
            return Next.REFUSED
