"""Whether an emitter may emit an event: by its token's sources and resources. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from ibs_notify.domain.errors import PermissionDenied, Reason
from ibs_notify.domain.event import Event
from ibs_notify.domain.principal import Bounds
from ibs_notify.domain.resource import is_under


class Verdict(StrEnum):
    """What the bounds say to an event."""

    WITHIN = "WITHIN"
    OTHER_SOURCE = "OTHER_SOURCE"
    OTHER_RESOURCE = "OTHER_RESOURCE"
    NO_RESOURCE = "NO_RESOURCE"


def judge(bounds: Bounds, event: Event) -> Verdict:
    """The first bound that ``event`` is outside of, if any. Groups may be selected freely."""
    if bounds.sources and event.type.partition(".")[0] not in bounds.sources:
        return Verdict.OTHER_SOURCE
    resource = event.canonical_resource
    if bounds.resources and not resource:
        return Verdict.NO_RESOURCE
    if bounds.resources and not any(is_under(resource, each) for each in bounds.resources):
        return Verdict.OTHER_RESOURCE
    return Verdict.WITHIN


def refusal_of(verdict: Verdict, bounds: Bounds) -> PermissionDenied | None:
    """What the emitter is told; ``None`` where the event is within its bounds."""
    match verdict:
        case Verdict.WITHIN:
            return None
        case Verdict.OTHER_SOURCE:
            message = f"the token may emit of {_listed(bounds.sources)} only"
        case Verdict.OTHER_RESOURCE:
            message = f"the token may emit of what is under {_listed(bounds.resources)} only"
        case Verdict.NO_RESOURCE:
            message = "the token may emit of its resources only, and the event has none"
        case _:
            assert_never(verdict)
    return PermissionDenied(
        Reason.PERMISSION_DENIED, message, advice="use a token with other bounds"
    )


_MOST_LISTED = 5


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_MOST_LISTED])
    more = len(names) - _MOST_LISTED
    return f"{shown} and {more} more" if more > 0 else shown
