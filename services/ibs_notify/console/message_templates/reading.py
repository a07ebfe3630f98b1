"""What the pages about templates ask the services."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from ibs_notify.console.api import Api
from ibs_notify.console.configured import every_group, every_target
from ibs_notify.console.message_templates.owner import Owner, owner_of_group, owner_of_target
from ibs_notify.domain.errors import NotFound, Reason
from ironcore.notification.v1.config_service_pb2 import (
    GetGroupRequest,
    GetTargetRequest,
)
from ironcore.notification.v1.delivery_service_pb2 import BuiltinTemplate, ListTemplatesRequest
from ironcore.notification.v1.event_pb2 import Event
from ironcore.notification.v1.router_service_pb2 import ListEventsRequest

PREVIEWED = 50
"""Events to choose from."""
GATHERED = 200
"""Events that a digest is tried on."""


@dataclass(frozen=True, slots=True)
class Owners:
    """Everything that can have templates, by name."""

    targets: tuple[Owner, ...]
    groups: tuple[Owner, ...]

    @property
    def with_own(self) -> tuple[Owner, ...]:
        """Those that have some, groups first: theirs go before."""
        return tuple(each for each in (*self.groups, *self.targets) if each.own)

    def asked(self, given: Mapping[str, str]) -> Owner:
        """The one that ``target`` or ``group`` of a query names."""
        kind = "group" if "group" in given else "target"
        name = given.get(kind, "")
        for each in self.groups if kind == "group" else self.targets:
            if each.name == name:
                return each
        raise _missing(kind, name)

    def shown_for(self, owner: Owner) -> tuple[Owner, ...]:
        """The targets that its messages can be shown for: its own, or any where it has none."""
        if owner.kind == "target":
            return (owner,)
        own = tuple(each for each in self.targets if each.name in owner.targets)
        return own or self.targets

    def beside(self, owner: Owner) -> tuple[Owner, ...]:
        """Of a target its groups with templates, which go before; of a group its targets with
        templates, which come after."""
        if owner.kind == "group":
            return tuple(
                each for each in self.targets if each.shared(owner) and each.name in owner.targets
            )
        return tuple(
            each for each in self.groups if each.shared(owner) and owner.name in each.targets
        )


async def read_owners(api: Api) -> Owners:
    """All targets but metric servers, and all groups."""
    messages, groups = await asyncio.gather(every_target(api), every_group(api))
    targets = tuple(owner for each in messages if (owner := owner_of_target(each)) is not None)
    return Owners(targets, tuple(map(owner_of_group, groups)))


async def find_owner(api: Api, given: Mapping[str, str]) -> Owner:
    """The one that a query names, alone."""
    if "group" in given:
        request = GetGroupRequest(name=given["group"])
        return owner_of_group((await api.call(api.config.GetGroup, request)).group)
    name = given.get("target", "")
    found = await api.call(api.config.GetTarget, GetTargetRequest(name=name))
    owner = owner_of_target(found.target)
    if owner is None:
        raise _missing("target", name)
    return owner


async def read_builtins(api: Api) -> dict[str, BuiltinTemplate]:
    """The built-in templates by name."""
    answer = await api.call(api.delivery.ListTemplates, ListTemplatesRequest())
    return {each.name: each for each in answer.templates}


async def read_events(api: Api, most: int) -> list[Event]:
    """The newest that are stored."""
    answer = await api.call(api.router.ListEvents, ListEventsRequest(page_size=most))
    return [each.event for each in answer.events]


def _missing(kind: str, name: str) -> NotFound:
    reason = Reason.GROUP_NOT_FOUND if kind == "group" else Reason.TARGET_NOT_FOUND
    return NotFound(reason, f"there is no {kind} {name!r} that could have templates")
