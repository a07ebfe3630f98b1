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
    SUSPECT = "SUSPECT"
    """The same again, after a pause: it may be this event, it may be the Router."""
    REFUSED = "REFUSED"
    """It is this event: no other try will help it, and it must not hold up the others."""


def after_failure(
    error: errors.NotificationError, *, size: int, suspected: int, others_pass: bool
) -> Next:
    """``size`` events failed together. A lone one was ``suspected`` so often before.

    ``others_pass``: whether the Router took another event since it last was one event's fault. So
    a Router that fails at everything costs one event its place in the queue, not all of them.
    """
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
        case _ if suspected < MOST_TRIES_ALONE or not others_pass:
            return Next.SUSPECT
        case _:
            return Next.REFUSED
