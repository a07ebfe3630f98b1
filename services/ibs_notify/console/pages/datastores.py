"""Datastores: which there are, who hears of each, and how each fares."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from aiohttp import web

from ibs_notify.console.attempts import few_at_once, unless_failed
from ibs_notify.console.charts import Period, event_chart
from ibs_notify.console.configured import every_group
from ibs_notify.console.coverage import hearing
from ibs_notify.console.pages.attachments import choices
from ibs_notify.console.pages.panels import Part, show_part
from ibs_notify.console.pages.route import Route
from ibs_notify.console.rendering import named
from ibs_notify.console.visit import Visit
from ibs_notify.domain.resource import canonical, datastore_of, is_under
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1.router_service_pb2 import (
    EventFilter,
    EventRecord,
    ListEventsRequest,
    SummarizeEventsRequest,
)

PATH = "/datastores"
MONTH = timedelta(days=30)
SLOW_SECONDS = 60.0
ALERTS = 10
MOST_ASKED = 100
"""Of so many datastores the list says who hears of them, those with the most problems first."""
LATEST = 200
"""So many of the newest events are asked which namespaces there are."""
SUCCESSES = {"Backup": "backup", "Sync": "sync", "Verification": "verify"}
STATES = ("datastore.free-space", "datastore.status-change", "datastore.pruned")


@dataclass(slots=True)
class Seen:
    """A line of the list. ``problems`` are the events of severity warning or worse."""

    name: str
    events: int = 0
    problems: int = 0
    worst: int = 0
    heard: Heard | None = None
    """None where it was not asked: there are more than ``MOST_ASKED``, or nobody answered."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Which groups tell somebody of its problems, and of which severities nobody is told."""

    groups: Sequence[str]
    unheard: Sequence[int]


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
        if each.severity >= Severity.WARNING:
            seen.problems += each.count
            seen.worst = max(seen.worst, each.severity)
    for group in groups or ():
        for name in {datastore_of(each) for each in group.attachments} - {""}:
            found.setdefault(name, Seen(name))
    lines = sorted(found.values(), key=lambda each: each.name)
    await _ask_who_hears(visit, sorted(lines, key=lambda each: -each.problems)[:MOST_ASKED])
    return {"lines": lines, "config_answers": groups is not None}


async def _ask_who_hears(visit: Visit, lines: Sequence[Seen]) -> None:
    """By the dry runs that the datastore's own page has, some at a time."""

    async def ask(seen: Seen) -> None:
        answers = await unless_failed(hearing.ask(visit, _resource(seen.name), hearing.GRAVE))
        if answers is not None:
            unheard = [each.severity for each in hearing.unheard(answers)]
            seen.heard = Heard(hearing.told(answers), unheard)

    await few_at_once(ask, lines)


async def show_one(visit: Visit) -> web.StreamResponse:
    """A datastore: each part of its panel is loaded after the frame."""
    name = _name(visit)
    return visit.render("pages/datastore.html", name=name, resource=_resource(name))


async def _listeners(visit: Visit, name: str) -> Mapping[str, Any]:
    """Who hears of what, by dry runs; and which groups it is attached to."""
    resource = _resource(name)
    groups, answers = await asyncio.gather(
        unless_failed(every_group(visit.api)), hearing.ask(visit, resource, hearing.TYPICAL)
    )
    hearers = hearing.matrix(answers)
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
        "unheard": hearing.unheard(answers),
        "attached": attached,
        "choices": choices(groups or (), resource, hearing.would_help(answers)),
        "hearing": hearing.told(answers),
        "config_answers": groups is not None,
    }


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


def _name(visit: Visit) -> str:
    return named(visit.request.match_info["name"])


def _resource(name: str) -> str:
    return f"/datastore/{name}"


def _touches(attachment: str, resource: str) -> bool:
    """Whether an attached resource is the datastore, holds it, or is a part of it."""
    return is_under(attachment, resource) or is_under(resource, attachment)


LIST = Part("Datastores", "parts/datastore/list.html", _list, 30)
PARTS: Mapping[str, tuple[str, Any, int]] = {
    "listeners": ("Who hears of it", _listeners, 60),
    "alerts": ("Alerts", _alerts, 10),
    "state": ("How it fares", _state, 10),
    "chart": ("Events", _chart, 60),
    "nested": ("Namespaces", _nested, 60),
}


async def _show_part(visit: Visit, part: str) -> web.StreamResponse:
    title, load, seconds = PARTS[part]
    found = partial(load, name=_name(visit))
    return await show_part(visit, Part(title, f"parts/datastore/{part}.html", found, seconds), PATH)


async def _show_list(visit: Visit) -> web.StreamResponse:
    return await show_part(visit, LIST, PATH)


ROUTES = (
    Route("GET", PATH, show),
    Route("GET", "/datastore-list", _show_list),
    Route("GET", f"{PATH}/{{name}}", show_one),
    *(Route("GET", f"{PATH}/{{name}}/{part}", partial(_show_part, part=part)) for part in PARTS),
)
