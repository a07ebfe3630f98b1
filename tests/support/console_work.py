"""An installation with something in it, made by the API, for pages to show."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ibs_notify.console.api import Api
from ironcore.notification.v1.config_service_pb2 import CreateGroupRequest, CreateTargetRequest
from ironcore.notification.v1.delivery_pb2 import DELIVERY_KIND_EVENT, Delivery
from ironcore.notification.v1.delivery_service_pb2 import (
    DeliverRequest,
    Handoff,
    WatchOutcomesRequest,
)
from ironcore.notification.v1.event_pb2 import SEVERITY_ERROR, Event
from ironcore.notification.v1.group_pb2 import Group, Subscription
from ironcore.notification.v1.router_service_pb2 import EmitRequest, EmitResponse
from ironcore.notification.v1.target_pb2 import Target, WebhookTarget
from tests.support.writes import PATIENCE_SECONDS


async def in_force(api: Api, revision: int) -> None:
    """Until Router and Delivery apply it, however busy the machine is."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await api.await_revision(revision):
            pass


async def add_webhook(api: Api, name: str, url: str, **fields: Any) -> Target:
    """A target that is in force when this returns."""
    target = Target(name=name, webhook=WebhookTarget(url=url), **fields)
    made = await api.call(api.config.CreateTarget, CreateTargetRequest(target=target))
    await in_force(api, made.target.revision)
    return made.target


async def add_group(api: Api, name: str, rules: Mapping[str, str], **fields: Any) -> Group:
    """A group whose targets have ``rules``, in force when this returns."""
    subscriptions = [Subscription(target=target, rule=rule) for target, rule in rules.items()]
    group = Group(name=name, subscriptions=subscriptions, **fields)
    made = await api.call(api.config.CreateGroup, CreateGroupRequest(group=group))
    await in_force(api, made.group.revision)
    return made.group


async def emit(api: Api, subject: str, **fields: Any) -> EmitResponse:
    """A failed backup, unless ``fields`` say otherwise."""
    event = Event(**{"type": "backup.failed", "subject": subject, **fields})
    return await api.call(api.router.Emit, EmitRequest(event=event))


async def deliver(api: Api, target: Target, *subjects: str, group: str = "ops-team") -> list[str]:
    """Deliveries in Delivery's queue, about events that no Router knows; their ids in order."""
    handoffs = [
        Handoff(
            delivery_id=f"{number:x}".rjust(32, "d"),
            obligation_id=f"obligation-{number}",
            event=Event(
                event_id=f"evt/{number}",
                type="backup.failed",
                severity=SEVERITY_ERROR,
                subject=subject,
            ),
            target_uid=target.uid,
            target=target.name,
            group=group,
            kind=DELIVERY_KIND_EVENT,
            revision=target.revision,
        )
        for number, subject in enumerate(subjects)
    ]
    await api.call(api.delivery.Deliver, DeliverRequest(handoffs=handoffs))
    return [each.delivery_id for each in handoffs]


async def deaths(api: Api, count: int) -> list[Delivery]:
    """The first ``count`` deliveries that died or were cancelled, as soon as they have."""
    found: list[Delivery] = []
    outcomes = api.stream(api.delivery.WatchOutcomes, WatchOutcomesRequest())
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for each in outcomes:
            if each.HasField("delivery"):
                found.append(each.delivery)
            if len(found) == count:
                break
    return found
