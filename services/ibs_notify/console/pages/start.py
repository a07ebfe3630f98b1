"""The first visit: three steps from an empty installation to a message that really arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.commands import start as command
from ibs_notify.console.events.story import before_delivery
from ibs_notify.console.forms import (
    NO_FAULTS,
    REFUSED,
    SHOWN_AGAIN,
    Faults,
    Form,
    faults_of,
    read_form,
)
from ibs_notify.console.login.sessions import Way
from ibs_notify.console.pages import command_line
from ibs_notify.console.pages.panels import Part, show_part
from ibs_notify.console.pages.route import Route
from ibs_notify.console.rendering import query
from ibs_notify.console.targets.recipients import ask_unaddressed
from ibs_notify.console.visit import Visit
from ibs_notify.domain.catalogue import CATALOGUE, Outcome
from ibs_notify.domain.resource import canonical, meant
from ironcore.notification.v1 import delivery_pb2, disposition_pb2, event_pb2
from ironcore.notification.v1.config_service_pb2 import ListGroupsRequest, ListTargetsRequest
from ironcore.notification.v1.delivery_service_pb2 import ListDeliveriesRequest
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.router_service_pb2 import (
    EmitRequest,
    ExplainRequest,
    SubscriptionExplanation,
)
from ironcore.notification.v1.target_pb2 import Target

PATH = "/start"
SENT = f"{PATH}/sent"
SHOWN = 5
FIELDS = ("type", "subject", "resource")
NAMES = {f"event.{name}": name for name in FIELDS} | {name: name for name in FIELDS}
TYPES = tuple(
    each
    for each in CATALOGUE.values()
    if each.source != "notification" and each.outcome is not Outcome.NEUTRAL
)
FIRST_EVENT = event_pb2.Event(
    type="backup.failed",
    subject="Backup failed for vm/12345",
    summary="This is a trial, sent from the first steps of the console. Nothing failed.",
    resource="ibs-primary:production/vm/12345",
)
_ARRIVED = (delivery_pb2.DELIVERY_STATE_DELIVERED, delivery_pb2.DELIVERY_STATE_DIGESTED)
_ENDED = (
    *_ARRIVED,
    delivery_pb2.DELIVERY_STATE_DEAD,
    delivery_pb2.DELIVERY_STATE_CANCELLED,
    delivery_pb2.DELIVERY_STATE_DIGEST_OPEN,
    delivery_pb2.DELIVERY_STATE_WAITING,
)
"""Where nothing changes until somebody does something, or for hours."""
_NOT_SENT = (
    disposition_pb2.DISPOSITION_STATE_SILENCED,
    disposition_pb2.DISPOSITION_STATE_SUPPRESSED,
    disposition_pb2.DISPOSITION_STATE_COALESCED,
    disposition_pb2.DISPOSITION_STATE_COLLAPSED,
)
"""Where it was decided that no message goes by itself: that is how it stays."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What exists already, which ticks the steps.

    ``unaddressed`` are the mail targets, by name, that a group sends to and nobody receives from.
    """

    targets: Sequence[Target]
    groups: Sequence[Group]
    unaddressed: Sequence[str] = ()

    @property
    def is_first_visit(self) -> bool:
        return not self.targets and not self.groups

    @property
    def has_target(self) -> bool:
        return bool(self.targets)

    @property
    def has_subscriptions(self) -> bool:
        """Whether a group has a target."""
        return any(each.subscriptions for each in self.groups)

    @property
    def has_listeners(self) -> bool:
        """Whether a group has a target, and mail has somebody to go to."""
        return self.has_subscriptions and not self.unaddressed


async def steps_of(visit: Visit) -> Steps:
    """How far this installation is."""
    api = visit.api
    targets, groups = await asyncio.gather(
        api.call(api.config.ListTargets, ListTargetsRequest(page_size=SHOWN)),
        api.call(api.config.ListGroups, ListGroupsRequest(page_size=SHOWN)),
    )
    lacking = await ask_unaddressed(api, targets.targets)
    return Steps(
        targets.targets, groups.groups, [name for name, senders in lacking.items() if senders]
    )


def page(
    visit: Visit,
    steps: Steps,
    event: event_pb2.Event = FIRST_EVENT,
    faults: Faults = NO_FAULTS,
    sent: str = "",
    *,
    was_delivered: bool | None = None,
) -> web.Response:
    """The three steps. ``was_delivered`` is None where it is not known."""
    return visit.render(
        "pages/start.html",
        block="setup" if visit.is_partial else "",
        status=REFUSED if faults.any else 200,
        steps=steps,
        event=event,
        faults=faults,
        sent=sent,
        was_delivered=was_delivered,
        types=[(each.name, f"{each.name}: {each.meaning}") for each in TYPES],
    )


async def show(visit: Visit) -> web.StreamResponse:
    """The steps; with an event that was sent, what becomes of it."""
    steps, arrived = await asyncio.gather(steps_of(visit), was_delivered(visit))
    sent = visit.request.query.get("event", "")
    return page(visit, steps, sent=sent, was_delivered=arrived)


async def was_delivered(visit: Visit) -> bool | None:
    """Whether something arrived already; None where Delivery does not answer."""
    request = ListDeliveriesRequest(page_size=1)
    request.filter.states.append(delivery_pb2.DELIVERY_STATE_DELIVERED)
    found = await unless_failed(visit.api.call(visit.api.delivery.ListDeliveries, request))
    return None if found is None else bool(found.deliveries)


def next_step(steps: Steps, *, arrived: bool | None) -> Way | None:
    """The first step that is not done; None where all are, or it is not known."""
    if not steps.has_target:
        return Way(PATH, "Where should messages go?")
    if not steps.has_subscriptions:
        return Way("/new-group", "Who hears of what?")
    if steps.unaddressed and arrived is False:
        return Way("/settings#f-default_recipients", "Who receives the mails?")
    return Way(PATH, "Send a real event") if arrived is False else None


async def say_next(visit: Visit) -> None:
    """On the page that follows, which step comes next, as long as one is left."""
    steps, arrived = await asyncio.gather(unless_failed(steps_of(visit)), was_delivered(visit))
    following = next_step(steps, arrived=arrived) if steps is not None else None
    if following is not None:
        visit.notice("Next:", "info", way=following)


async def send(visit: Visit) -> web.StreamResponse:
    """Emit the event, as a backup job would."""
    request = _request(await read_form(visit.request))
    try:
        answer = await visit.api.call(visit.api.router.Emit, request)
    except SHOWN_AGAIN as error:
        return page(visit, await steps_of(visit), request.event, faults_of(error, NAMES))
    raise web.HTTPSeeOther(query(PATH, event=answer.event_id))


async def show_command(visit: Visit) -> web.StreamResponse:
    """The same on the command line."""
    request = _request(await read_form(visit.request))
    return command_line.show(visit, lambda: command.emit(request))


def _request(form: Form) -> EmitRequest:
    event = event_pb2.Event(summary=FIRST_EVENT.summary)
    for name in FIELDS:
        setattr(event, name, form.text(name))
    if meant(event.resource) != canonical(event.resource):
        event.resource = meant(event.resource)  # a name alone; what else is written stays
    return EmitRequest(event=event)


async def follow(visit: Visit) -> web.StreamResponse:
    """What became of the event by now."""
    return await show_part(visit, FOLLOWED, PATH)


async def _sent(visit: Visit) -> Mapping[str, Any]:
    event_id = visit.request.query.get("event", "")
    answer = await visit.api.call(visit.api.router.Explain, ExplainRequest(event_id=event_id))
    matched = [each for each in answer.subscriptions if each.disposition.obligation_id]
    sent = [each for each in matched if not _sends_nothing(each)]
    return {
        "event": answer.event,
        "matched": matched,
        "before_delivery": before_delivery,
        "sends_nothing": _sends_nothing,
        "is_over": all(each.delivery.state in _ENDED for each in sent),
        "arrived": bool(sent) and all(each.delivery.state in _ARRIVED for each in sent),
        "warnings": answer.warnings,
        "address": query(SENT, event=event_id),
    }


def _sends_nothing(told: SubscriptionExplanation) -> bool:
    """Whether no message of its own goes, and that is final."""
    return told.disposition.state in _NOT_SENT


FOLLOWED = Part("What became of it", "parts/sent.html", _sent, 0)


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", PATH, send),
    Route("GET", SENT, follow),
    Route("POST", f"{PATH}/command", show_command),
)
