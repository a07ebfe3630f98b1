"""Datastores: which there are, who hears of each, and how each fares."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import Any

from aiohttp import web

from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.charts import event_chart
from ibs_notify.console.configured import every_group
from ibs_notify.console.coverage import hearing
from ibs_notify.console.coverage.held import held
from ibs_notify.console.coverage.jobs import Job, job_of
from ibs_notify.console.pages.attachments import choices
from ibs_notify.console.pages.charted import charted
from ibs_notify.console.pages.panels import Part, show_part
from ibs_notify.console.pages.route import Route
from ibs_notify.console.periods import Period
from ibs_notify.console.rendering import named, query
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.rule_text import quoted
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
"""So many of the newest events are looked at, where the newest of each kind are sought."""
JOBS = {"Backup": "backup", "Restore": "restore", "Sync": "sync", "Verification": "verify"}
PROBLEMS = (
    event_pb2.SEVERITY_WARNING,
    event_pb2.SEVERITY_ERROR,
    event_pb2.SEVERITY_CRITICAL,
)
STATES = ("datastore.free-space", "datastore.status-change", "datastore.pruned")


@dataclass(slots=True)
class Seen:
    """A line of the list. ``problems`` are the events of severity warning or worse."""

    name: str
    events: int = 0
    problems: int = 0
    worst: int = 0
    hearing: hearing.Hearing | None = None
    """None where it was not asked: there are more than ``MOST_ASKED``, or nobody answered."""
    of_a_part: list[str] = field(default_factory=list)
    """Groups that have something below it attached."""


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
            seen = found.setdefault(name, Seen(name))
            if _has_part_of(_resource(name), group.attachments):
                seen.of_a_part.append(group.name)
    lines = sorted(found.values(), key=lambda each: each.name)
    await _ask_who_hears(visit, sorted(lines, key=lambda each: -each.problems)[:MOST_ASKED])
    asked = [each.hearing for each in lines if each.hearing is not None]
    return {
        "lines": lines,
        "config_answers": groups is not None,
        "targets_known": all(each.troubled is not None for each in asked),
    }


async def _ask_who_hears(visit: Visit, lines: Sequence[Seen]) -> None:
    """By the answer that the datastore's own page has."""
    resources = [_resource(each.name) for each in lines]
    found = await unless_failed(hearing.ask(visit, resources)) if resources else None
    for each in lines:
        # A name that is spelled with slashes at its end, say, is no place of its own.
        each.hearing = found.get(_resource(each.name)) if found is not None else None


async def show_one(visit: Visit) -> web.StreamResponse:
    """A datastore: each part of its panel is loaded after the frame."""
    name = _name(visit)
    resource = _resource(name)
    return visit.render(
        "pages/datastore.html",
        name=name,
        resource=resource,
        silence_url=query("/new-silence", rule=f"resource under {quoted(resource)}"),
    )


async def _listeners(visit: Visit, name: str) -> Mapping[str, Any]:
    """Who hears of what, why others do not, and which groups it is attached to."""
    resource = _resource(name)
    groups, found = await asyncio.gather(
        unless_failed(every_group(visit.api)),
        hearing.ask_about(visit, resource, with_out_of_scope=True),
    )
    explained = await hearing.explain(visit, found)
    waiting = None
    if found.quiet:
        waiting = await unless_failed(held(visit, EventFilter(resource=resource)))
    attached = [
        (group, mine)
        for group in groups or ()
        if (mine := [each for each in group.attachments if _touches(each, resource)])
    ]
    return {
        "name": name,
        "resource": resource,
        "hearing": found,
        "held": waiting,
        "severities": hearing.SEVERITIES,
        "deaf": hearing.deaf(found, explained),
        "example": explained.event.type,
        "attached": attached,
        "of_a_part": [each.name for each, mine in attached if _has_part_of(resource, mine)],
        "choices": choices(groups or (), resource, found.would_help(found.unheard_problems)),
        "config_answers": groups is not None,
    }


async def _alerts(visit: Visit, name: str) -> Mapping[str, Any]:
    """Problems, newest first."""
    chosen = EventFilter(resource=_resource(name), min_severity=event_pb2.SEVERITY_WARNING)
    return {"name": name, "resource": _resource(name), "events": await _newest(visit, chosen)}


async def _state(visit: Visit, name: str) -> Mapping[str, Any]:
    """How each kind of job ended lately, and the datastore's own state."""
    resource = _resource(name)
    jobs, states = await asyncio.gather(
        asyncio.gather(*(_job(visit, title, resource) for title in JOBS)),
        _newest(visit, EventFilter(resource=resource, types=STATES), 5),
    )
    return {"name": name, "jobs": jobs, "states": states}


async def _job(visit: Visit, title: str, resource: str) -> Job:
    """Of each severity so many are looked at that many warnings hide nothing critical."""
    source = JOBS[title]
    done = EventFilter(resource=resource, types=[f"{source}.completed"])
    problems = [
        EventFilter(resource=resource, sources=[source], min_severity=each) for each in PROBLEMS
    ]
    successes, *found = await asyncio.gather(
        _newest(visit, done, 1), *(_newest(visit, each, LATEST) for each in problems)
    )
    return job_of(title, next(iter(successes), None), chain.from_iterable(found))


async def _chart(visit: Visit, name: str) -> Mapping[str, Any]:
    period = Period.up_to(visit.now(), MONTH, timedelta(days=1), visit.zone)
    answer = await charted(visit, period, EventFilter(resource=_resource(name)))
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


def _has_part_of(resource: str, attachments: Iterable[str]) -> bool:
    """Whether something below the datastore is attached, and the datastore is not."""
    touching = [each for each in attachments if _touches(each, resource)]
    return bool(touching) and not any(is_under(resource, each) for each in touching)


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
