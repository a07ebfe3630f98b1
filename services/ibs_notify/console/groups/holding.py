"""What a group holds back now, and what becomes of it where its limit or digest goes. What is said
is pure; the rest asks Router and Delivery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.groups.changes import DIGEST
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.words import counted, listed
from ibs_notify.domain.group import DEFAULT_RATE_LIMIT
from ironcore.notification.v1 import delivery_service_pb2 as delivery
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.router_service_pb2 import (
    GetGroupStatusRequest,
    GetGroupStatusResponse,
)

SECONDS = 3.0
"""A form is not kept waiting for Router and Delivery any longer."""
MOST_WINDOWS = 1000
MOST_NAMED = 3
BACKLOG_MINUTES = 15
"""What a limit cannot send in so long is told of in one summary."""
_SCHEDULE = tuple(each for each in DIGEST if each not in ("rule", "send_empty"))


@dataclass(frozen=True, slots=True)
class Holding:
    """``held`` events wait for the rate limit, ``gathered`` are the open windows with events in
    them; ``unknown`` says whether one of both is not known.
    """

    held: int = 0
    gathered: Sequence[delivery.DigestWindow] = field(default_factory=tuple)
    unknown: bool = False

    @property
    def is_over_usual(self) -> bool:
        """Whether the limit of a group that is gone collapses some of what is held."""
        return self.held > BACKLOG_MINUTES * self.usual_limit

    @property
    def usual_limit(self) -> int:
        """By which what is held goes of a group that is gone; events a minute."""
        return DEFAULT_RATE_LIMIT

    @property
    def gathered_words(self) -> str:
        """``3 events for ops-smtp and 1 event for chat-ops``."""
        named = [
            f"{counted(each.event_count, 'event')} for {each.target}"
            for each in self.gathered[:MOST_NAMED]
        ]
        more = len(self.gathered) - MOST_NAMED
        if more > 0:
            named.append(f"what {more:,} more have")
        return listed(named)


async def holding(visit: Visit, group: Group) -> Holding:
    """As far as Router and Delivery say; only what a group has is asked for."""
    status, windows = await asyncio.gather(_status(visit, group), gathered(visit, group))
    return holding_of(status, windows)


def holding_of(
    status: GetGroupStatusResponse | None, windows: Sequence[delivery.DigestWindow] | None
) -> Holding:
    """Of what was answered; None where nothing was."""
    held = 0 if status is None else sum(each.count for each in status.waiting)
    return Holding(held, windows or (), status is None or windows is None)


async def gathered(visit: Visit, group: Group) -> Sequence[delivery.DigestWindow] | None:
    """The open windows of its digest with events in them; None where Delivery does not answer."""
    if not group.HasField("digest"):
        return ()
    request = delivery.ListDigestsRequest(group=group.name, open_only=True, page_size=MOST_WINDOWS)
    method = visit.api.delivery.ListDigests
    found = await unless_failed(visit.api.call(method, request, timeout=SECONDS))
    if found is None:
        return None
    return [
        each
        for each in found.digests
        if each.event_count and each.state == delivery.DIGEST_WINDOW_STATE_OPEN
    ]


async def _status(visit: Visit, group: Group) -> GetGroupStatusResponse | None:
    if not group.rate_limit_per_minute:
        return GetGroupStatusResponse()
    request = GetGroupStatusRequest(group=group.name)
    method = visit.api.router.GetGroupStatus
    return await unless_failed(visit.api.call(method, request, timeout=SECONDS))


def lets_go(before: Group, after: Group) -> bool:
    """Whether a change does anything with what is held or gathered."""
    return _lifts_limit(before, after) or _ends_digest(before, after) or _moves(before, after)


def said_of_change(holds: Holding, before: Group, after: Group) -> list[str]:
    """What a change that was saved does with what the group held."""
    said = []
    if holds.held and _lifts_limit(before, after):
        go = "goes" if holds.held == 1 else "go"
        said.append(f"Without a rate limit, {counted(holds.held, 'held event')} {go} at once.")
    if holds.gathered and _ends_digest(before, after):
        said.append(_last_digests(holds))
    elif holds.gathered and _moves(before, after):
        said.append(
            f"What its digest has gathered goes by the new schedule: {holds.gathered_words}."
        )
    return said


def said_of_deletion(holds: Holding) -> list[str]:
    """What becomes of what a group held that is deleted."""
    said = []
    if holds.held:
        go = "goes" if holds.held == 1 else "go"
        said.append(
            f"{counted(holds.held, 'event')} that its rate limit held {go} by the usual one, "
            f"{holds.usual_limit} a minute."
        )
    return [*said, _last_digests(holds)] if holds.gathered else said


def _last_digests(holds: Holding) -> str:
    return f"What its digest had gathered goes at once, as a last digest: {holds.gathered_words}."


def _lifts_limit(before: Group, after: Group) -> bool:
    return bool(before.rate_limit_per_minute) and not after.rate_limit_per_minute


def _ends_digest(before: Group, after: Group) -> bool:
    return before.HasField("digest") and not after.HasField("digest")


def _moves(before: Group, after: Group) -> bool:
    """Whether its digest goes at other times."""
    both = before.HasField("digest") and after.HasField("digest")
    return both and any(
        getattr(before.digest, each) != getattr(after.digest, each) for each in _SCHEDULE
    )
