"""Who bears a name today. What was deleted can be made again by its name, and is another one then:
what the other was sent is not its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from ibs_notify.console import freshness
from ibs_notify.console.api import QUICK_SECONDS
from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.configured import every_named_group, every_target
from ibs_notify.console.rendering import moment_of
from ibs_notify.console.shared import Found
from ironcore.notification.v1.target_pb2 import Target

if TYPE_CHECKING:
    from ibs_notify.console.visit import Visit

NAME = "bearers"


@dataclass(frozen=True, slots=True)
class Bearers:
    """The targets of today by name, and when each group was made.

    None where Config does not say: then nothing is taken for what another one was sent.
    """

    targets: Mapping[str, Target] | None = None
    groups: Mapping[str, datetime | None] | None = None

    def is_earlier_target(self, name: str, uid: str, at: Timestamp | None = None) -> bool:
        """Whether another target than that of today bore ``name``: by its ``uid`` or, where that is
        not known, by the moment that its event was accepted.
        """
        today = (self.targets or {}).get(name)
        if today is None:
            return False
        return uid != today.uid if uid else _is_before(at, moment_of(today.create_time))

    def has_no_target(self, uid: str) -> bool:
        """Whether the target is deleted, as far as that is known."""
        every = self.targets
        return every is not None and all(each.uid != uid for each in every.values())

    def is_earlier_group(self, name: str, at: Timestamp | None) -> bool:
        """Whether another group than that of today bore ``name``: what it was told of was accepted
        ``at`` a moment when today's was not there yet.
        """
        return _is_before(at, (self.groups or {}).get(name))

    def has_group(self, name: str, at: Timestamp | None) -> bool:
        """Whether the group that was told of it is there still, as far as that is known."""
        is_there = self.groups is None or name in self.groups
        return is_there and not self.is_earlier_group(name, at)


def _is_before(at: Timestamp | None, made: datetime | None) -> bool:
    moment = moment_of(at)
    return moment is not None and made is not None and moment < made


async def bearers_of_today(visit: Visit) -> Bearers:
    """As they are now; a page that is open asks together with others."""
    asked = visit.within(QUICK_SECONDS)
    answer = await visit.shared.ask(asked, NAME, _find, freshness.of_parts(visit))
    found: Bearers = answer.found["bearers"] if isinstance(answer.found, Mapping) else Bearers()
    return found


async def _find(visit: Visit) -> Found:
    targets, groups = await asyncio.gather(
        unless_failed(every_target(visit.api)), unless_failed(every_named_group(visit.api))
    )
    return {
        "bearers": Bearers(
            None if targets is None else {each.name: each for each in targets},
            None if groups is None else {each.name: moment_of(each.create_time) for each in groups},
        )
    }
