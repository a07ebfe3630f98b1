"""Datastores: which there are, who hears of each, and how each fares."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from aiohttp import web

from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.charts import Period, event_chart
from ibs_notify.console.commands import groups as command
from ibs_notify.console.configured import every_group
from ibs_notify.console.forms import REFUSALS, Form, read_form
from ibs_notify.console.pages import command_line
from ibs_notify.console.pages.panels import Load, panel
from ibs_notify.console.pages.route import Route
from ibs_notify.console.rendering import named, segment
from ibs_notify.console.visit import Visit
from ibs_notify.domain.catalogue import Outcome, outcome_of
from ibs_notify.domain.resource import canonical, datastore_of, is_under
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1.config_service_pb2 import (
    AttachResourceRequest,
    AttachResourceResponse,
    DetachResourceRequest,
    DetachResourceResponse,
)
from ironcore.notification.v1.group_pb2 import GROUP_SCOPE_EVERYTHING, Group
from ironcore.notification.v1.router_service_pb2 import (
    EventFilter,
    EventRecord,
    ExplainRequest,
    ExplainResponse,
    ListEventsRequest,
    SubscriptionExplanation,
    SummarizeEventsRequest,
)

PATH = "/datastores"
MONTH = timedelta(days=30)
SLOW_SECONDS = 60.0
ALERTS = 10
LATEST = 200
"""So many of the newest events are asked which namespaces there are."""
TYPICAL = (
    "backup.completed",
    "datastore.pruned",
    "datastore.free-space",
    "backup.failed",
    "verify.corrupt",
)
"""An event of each severity that datastores have, for the question who hears of it."""
SUCCESSES = {"Backup": "backup", "Sync": "sync", "Verification": "verify"}
STATES = ("datastore.free-space", "datastore.status-change", "datastore.pruned")


@dataclass(slots=True)
class Seen:
    """A line of the list."""

    name: str
    events: int = 0
    problems: int = 0
    worst: int = 0
    groups: list[str] = field(default_factory=list)
    """Those that it, or something of it, is attached to."""


async def show(visit: Visit) -> web.StreamResponse:
    """The frame; the list is counted from events, which may take a while."""
    return visit.render("pages/datastores.html")


async def _list(visit: Visit) -> Mapping[str, Any]:
    api = visit.api
    request = SummarizeEventsRequest(filter=EventFilter(after=moment_to_proto(visit.now() - MONTH)))
    summary, groups = await asyncio.gather(
        api.call(api.router.SummarizeEvents, request, timeout=SLOW_SECONDS),
        unless_failed(every_group(visit.api)),
    )
    found: dict[str, Seen] = {}
    for each in summary.counts:
        if not each.datastore:
            continue
        seen = found.setdefault(each.datastore, Seen(each.datastore))
        seen.events += each.count
        if outcome_of(each.type) is Outcome.PROBLEM and each.severity >= Severity.WARNING:
            seen.problems += each.count
            seen.worst = max(seen.worst, each.severity)
    for group in groups or ():
        for name in sorted({datastore_of(each) for each in group.attachments} - {""}):
            found.setdefault(name, Seen(name)).groups.append(group.name)
    lines = sorted(found.values(), key=lambda each: each.name)
    everything = [each.name for each in groups or () if _hears_everything(each)]
    return {"lines": lines, "everything": everything, "config_answers": groups is not None}


async def show_one(visit: Visit) -> web.StreamResponse:
    """A datastore: each part of its panel is loaded after the frame."""
    name = _name(visit)
    return visit.render("pages/datastore.html", name=name, resource=_resource(name))


@dataclass(frozen=True, slots=True)
class Hearer:
    """A line of the matrix: what one subscription does with an event of each severity."""

    group: str
    target: str
    cells: Sequence[SubscriptionExplanation]

    @property
    def hears(self) -> bool:
        return any(each.hears for each in self.cells)


async def _listeners(visit: Visit, name: str) -> Mapping[str, Any]:
    """Who hears of what, by dry runs; and which groups it is attached to."""
    api, resource = visit.api, _resource(name)
    dry_runs = (api.call(api.router.Explain, _dry_run(each, resource)) for each in TYPICAL)
    groups, answers = await asyncio.gather(
        unless_failed(every_group(visit.api)), asyncio.gather(*dry_runs)
    )
    hearers = _matrix(answers)
    attached = [
        (group, mine)
        for group in groups or ()
        if (mine := [each for each in group.attachments if _touches(each, resource)])
    ]
    return {
        "name": name,
        "resource": resource,
        "events": [each.event for each in answers],
        "hearers": [each for each in hearers if each.hears],
        "deaf": [each for each in hearers if not each.hears],
        "unheard": _unheard(answers),
        "attached": attached,
        "attachable": [each.name for each in groups or () if resource not in each.attachments],
    }


def _dry_run(event_type: str, resource: str) -> ExplainRequest:
    subject = f"{event_type} of {resource}"[:1000]
    return ExplainRequest(
        event=event_pb2.Event(type=event_type, subject=subject, resource=resource)
    )


def _matrix(answers: Sequence[ExplainResponse]) -> Sequence[Hearer]:
    """Each answer has the same subscriptions in the same order, unless they changed meanwhile."""
    cells: dict[tuple[str, str], list[SubscriptionExplanation]] = {}
    for answer in answers:
        for each in answer.subscriptions:
            cells.setdefault((each.group, each.target), []).append(each)
    return [
        Hearer(group, target, found)
        for (group, target), found in sorted(cells.items())
        if len(found) == len(answers)
    ]


def _unheard(answers: Iterable[ExplainResponse]) -> Sequence[event_pb2.Event]:
    """What of the grave events nobody hears of."""
    return [
        answer.event
        for answer in answers
        if answer.event.severity >= Severity.WARNING
        and not any(each.hears for each in answer.subscriptions)
    ]


async def _alerts(visit: Visit, name: str) -> Mapping[str, Any]:
    """Problems, newest first."""
    chosen = EventFilter(resource=_resource(name), min_severity=event_pb2.SEVERITY_WARNING)
    return {"name": name, "resource": _resource(name), "events": await _newest(visit, chosen)}


async def _state(visit: Visit, name: str) -> Mapping[str, Any]:
    """The last success and the last failure of each kind of job, and the datastore's own state."""
    resource = _resource(name)

    async def last(event_type: str) -> EventRecord | None:
        chosen = EventFilter(resource=resource, types=[event_type])
        return next(iter(await _newest(visit, chosen, 1)), None)

    types = [f"{job}.{end}" for job in SUCCESSES.values() for end in ("completed", "failed")]
    *ends, states = await asyncio.gather(
        *map(last, types), _newest(visit, EventFilter(resource=resource, types=STATES), 5)
    )
    found = dict(zip(types, ends, strict=True))
    jobs = [
        (title, found[f"{job}.completed"], found[f"{job}.failed"])
        for title, job in SUCCESSES.items()
    ]
    return {"name": name, "jobs": jobs, "states": states}


async def _chart(visit: Visit, name: str) -> Mapping[str, Any]:
    period = Period.up_to(visit.now(), MONTH, timedelta(days=1))
    request = period.of_events(EventFilter(resource=_resource(name)))
    answer = await visit.api.call(visit.api.router.ChartEvents, request)
    chart = event_chart(answer, period, f"Events of {name}", resource=_resource(name))
    return {"name": name, "chart": chart}


async def _nested(visit: Visit, name: str) -> Mapping[str, Any]:
    """What is below it, as far as the newest events tell."""
    resource = _resource(name)
    records = await _newest(visit, EventFilter(resource=resource), LATEST)
    found: dict[str, int] = {}
    for each in records:
        rest = canonical(each.event.resource).removeprefix(resource).lstrip("/")
        if rest:
            below = f"{resource}/{rest.partition('/')[0]}"
            found[below] = found.get(below, 0) + 1
    return {"name": name, "nested": sorted(found.items()), "looked_at": len(records)}


async def _newest(visit: Visit, chosen: EventFilter, most: int = ALERTS) -> Sequence[EventRecord]:
    request = ListEventsRequest(filter=chosen, page_size=most)
    return (await visit.api.call(visit.api.router.ListEvents, request)).events


async def attach(visit: Visit) -> web.StreamResponse:
    """Let a group hear of it."""
    request = _attachment(visit, await read_form(visit.request))
    done = f"Attached {request.resource} to group {request.group}."
    call = visit.api.call(visit.api.config.AttachResource, request)
    raise await _changed(visit, call, done)


async def detach(visit: Visit) -> web.StreamResponse:
    """Take it from a group."""
    form = await read_form(visit.request)
    request = DetachResourceRequest(group=form.text("group"), resource=form.text("resource"))
    done = f"Detached {request.resource} from group {request.group}."
    call = visit.api.call(visit.api.config.DetachResource, request)
    raise await _changed(visit, call, done)


async def _changed(
    visit: Visit, call: Awaitable[AttachResourceResponse | DetachResourceResponse], done: str
) -> web.HTTPSeeOther:
    """Back to the datastore, where it is said how the change went."""
    try:
        answer = await call
    except REFUSALS as error:
        visit.notice(error.message, "failed")
    else:
        await visit.applied(answer.group.revision, done, answer.warnings)
    return web.HTTPSeeOther(f"{PATH}/{segment(visit.request.match_info['name'])}")


async def show_command(visit: Visit) -> web.StreamResponse:
    """The same on the command line."""
    request = _attachment(visit, await read_form(visit.request))
    return command_line.show(visit, lambda: command.command(request))


def _attachment(visit: Visit, form: Form) -> AttachResourceRequest:
    resource = form.text("resource") or _resource(_name(visit))
    return AttachResourceRequest(group=form.text("group"), resource=resource)


def _name(visit: Visit) -> str:
    return named(visit.request.match_info["name"])


def _resource(name: str) -> str:
    return f"/datastore/{name}"


def _touches(attachment: str, resource: str) -> bool:
    """Whether an attached resource is the datastore, holds it, or is a part of it."""
    return is_under(attachment, resource) or is_under(resource, attachment)


def _hears_everything(group: Group) -> bool:
    return group.scope == GROUP_SCOPE_EVERYTHING and bool(group.subscriptions)


PANELS: Mapping[str, tuple[str, Any]] = {
    "listeners": ("Who hears of it", _listeners),
    "alerts": ("Alerts", _alerts),
    "state": ("How it fares", _state),
    "chart": ("Events", _chart),
    "nested": ("Namespaces", _nested),
}


async def _panel(visit: Visit, part: str) -> web.StreamResponse:
    title, load = PANELS[part]
    name = _name(visit)
    found: Load = partial(load, name=name)
    return await panel(visit, f"parts/datastore/{part}.html", title, found, PATH)


async def _list_panel(visit: Visit) -> web.StreamResponse:
    return await panel(visit, "parts/datastore/list.html", "Datastores", _list, PATH)


ROUTES = (
    Route("GET", PATH, show),
    Route("GET", "/datastore-list", _list_panel),
    Route("GET", f"{PATH}/{{name}}", show_one),
    *(Route("GET", f"{PATH}/{{name}}/{part}", partial(_panel, part=part)) for part in PANELS),
    Route("POST", f"{PATH}/{{name}}/attach", attach),
    Route("POST", f"{PATH}/{{name}}/detach", detach),
    Route("POST", f"{PATH}/{{name}}/command", show_command),
)
