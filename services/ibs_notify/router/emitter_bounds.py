"""Whether an emitter may emit an event: by its token's sources and resources. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from enum import StrEnum
from functools import lru_cache
from typing import assert_never

from ibs_notify.domain.errors import PermissionDenied, Reason
from ibs_notify.domain.event import Event
from ibs_notify.domain.principal import Bounds
from ibs_notify.domain.resource import is_under


class Verdict(StrEnum):
    """What the bounds say to an event."""

    WITHIN = "WITHIN"
    OURS = "OURS"
    """The system itself tells this, and it would be taken for its word."""
    OTHER_SOURCE = "OTHER_SOURCE"
    OTHER_RESOURCE = "OTHER_RESOURCE"
    NO_RESOURCE = "NO_RESOURCE"


_OUR_TYPES = "notification."
_OUR_IDS = "notice-"
"""They follow from what a notice is about: with one that was used before, it would not be told."""
_OF_BOUNDS = "\udc00"
"""No text that was sent can have it."""


def judge(bounds: Bounds, event: Event) -> Verdict:
    """The first bound that ``event`` is outside of, if any. Groups may be selected freely."""
    if event.type.startswith(_OUR_TYPES) or event.event_id.startswith(_OUR_IDS):
        return Verdict.OURS
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
        case Verdict.OURS:
            message = "what is of notification.* or has an id notice-… the system itself tells"
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


def confined(bounds: Bounds, event: Event) -> Event:
    """``event``, its ``dedup_key`` the same only as those of emitters with the same bounds.

    It takes the place of source and resource: with a key of others, an emitter would hide what is
    told of resources that are not its own.
    """
    if not event.dedup_key or not (bounds.sources or bounds.resources):
        return event
    return replace(event, dedup_key=f"{_OF_BOUNDS}{_mark_of(bounds)}{event.dedup_key}")


@lru_cache(maxsize=1024)
def _mark_of(bounds: Bounds) -> str:
    """32 hex, the same for the same bounds."""
    parts = (*bounds.sources, "", *bounds.resources)
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


_MOST_LISTED = 5


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_MOST_LISTED])
    more = len(names) - _MOST_LISTED
    return f"{shown} and {more} more" if more > 0 else shown
