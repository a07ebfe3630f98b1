"""Overview: what happened lately, what became of it, and what needs somebody."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from aiohttp import web

from ibs_notify.console import freshness, trouble
from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.charts import coarse, delivery_chart, event_chart, spread
from ibs_notify.console.commands import overview as command
from ibs_notify.console.coverage.remedies import remedies
from ibs_notify.console.pages import start
from ibs_notify.console.pages.charted import charted
from ibs_notify.console.pages.panels import Part, show_part
from ibs_notify.console.pages.queue import GroupQueue
from ibs_notify.console.pages.route import Route
from ibs_notify.console.periods import Period
from ibs_notify.console.shared import Load
from ibs_notify.console.visit import Visit
from ironcore.notification.v1 import router_service_pb2
from ironcore.notification.v1.delivery_service_pb2 import DeliverySeries
from ironcore.notification.v1.router_service_pb2 import (
    EventFilter,
    GetCoverageRequest,
    ListGroupStatusesRequest,
    ListSilencesRequest,
    VerifyLedgerRequest,
)

PATH = "/"
COVERAGE_KINDS: Mapping[int, str] = {
    router_service_pb2.COVERAGE_KIND_UNHEARD_ALARM: "our own alarm, and only in the inbox",
    router_service_pb2.COVERAGE_KIND_UNHEARD_CRITICAL_TYPE: "critical, and only in the inbox",
    router_service_pb2.COVERAGE_KIND_UNREACHABLE_GROUP: "reaches nobody",
    router_service_pb2.COVERAGE_KIND_WAITING_ERROR: "errors wait for",
    router_service_pb2.COVERAGE_KIND_UNHEARD_RESOURCE: "nobody hears of it",
    router_service_pb2.COVERAGE_KIND_UNHEARD_PROBLEM: "nobody hears of its errors",
    router_service_pb2.COVERAGE_KIND_UNHEARD_ERROR_TYPE: "error, and only in the inbox",
    router_service_pb2.COVERAGE_KIND_IDLE_RULE: "matched nothing",
}
HARMLESS_GAP = router_service_pb2.COVERAGE_KIND_IDLE_RULE
"""The one kind of gap by which nothing that happens goes unheard."""
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PERIODS = {"24h": DAY, "7d": timedelta(days=7), "30d": timedelta(days=30)}
DEFAULT_PERIOD = "7d"
SHOWN_QUEUES = 10
"""So many groups are named; the page of the queue has them all."""
FRAME_SECONDS = 1.0
"""What comes first waits for nobody longer than that."""
MOST_SILENCES = 200
SLOW_SECONDS = 60.0
"""For what looks at everything: the books, the coverage."""


async def show(visit: Visit) -> web.StreamResponse:
    """The frame, whose parts are loaded after it; on an empty installation, how to begin."""
    # Each part says of its own service that it does not answer.
    quick = visit.within(FRAME_SECONDS)
    steps, arrived = await asyncio.gather(
        unless_failed(start.steps_of(quick)), start.was_delivered(quick)
    )
    if steps is not None and steps.is_first_visit:
        return start.page(visit, steps, was_delivered=arrived)
    return visit.render(
        "pages/overview.html",
        period=_period_name(visit),
        periods=list(PERIODS),
        steps=steps,
        following=start.next_step(steps, arrived=arrived) if steps is not None else None,
    )


async def _figures(visit: Visit) -> Mapping[str, Any]:
    """The last day in numbers, and what is given up now; those that nobody answers are missing."""
    api, period = visit.api, Period.up_to(visit.now(), DAY + HOUR, HOUR)
    events, deliveries, now = await asyncio.gather(
        unless_failed(charted(visit, period, EventFilter())),
        unless_failed(api.call(api.delivery.ChartDeliveries, period.of_deliveries())),
        # As in the part of the targets in trouble.
        trouble.now_or_lately(visit, freshness.of_parts(visit)),
    )
    found: dict[str, Any] = {"after": period.after, "events": None, "delivered": None, "dead": None}
    if events is not None:
        chart = event_chart(events, period)
        found |= {"events": chart.total, "grave": chart.grave}
    if deliveries is not None:
        lines = [line_of(each, period) for each in deliveries.series]
        found["delivered"] = sum(each.delivered for each in lines)
    if now is not None and now.dead is not None:
        found["dead"] = now.given_up
    return found


async def _events(visit: Visit) -> Mapping[str, Any]:
    name = _period_name(visit)
    period = Period.up_to(visit.now(), PERIODS[name], HOUR, visit.zone)
    return {
        "chart": event_chart(await charted(visit, period, EventFilter()), period),
        "period": name,
        "periods": list(PERIODS),
    }


@dataclass(frozen=True, slots=True)
class Line:
    """A target in the table of deliveries. ``name`` is empty of one that is deleted."""

    name: str
    shown: str
    delivered: int
    dead: int
    failed: int
    by_span: Sequence[int]
    failed_by_span: Sequence[int]


def line_of(series: DeliverySeries, period: Period) -> Line:
    """A target's numbers, in all and by span."""
    delivered = spread(series.spans, "delivered", period)
    failed = spread(series.spans, "failed_attempts", period)
    is_deleted = series.target == series.target_uid
    return Line(
        name="" if is_deleted else series.target,
        shown=f"{series.last_name or 'A target'} (deleted)" if is_deleted else series.target,
        delivered=sum(delivered),
        dead=sum(spread(series.spans, "dead", period)),
        failed=sum(failed),
        by_span=coarse(delivered),
        failed_by_span=coarse(failed),
    )


async def _deliveries(visit: Visit) -> Mapping[str, Any]:
    name = _period_name(visit)
    period = Period.up_to(visit.now(), PERIODS[name], HOUR, visit.zone, finest=HOUR)
    answer = await visit.api.call(visit.api.delivery.ChartDeliveries, period.of_deliveries())
    return {
        "chart": delivery_chart(answer.series, period, "Deliveries"),
        "lines": [line_of(each, period) for each in answer.series],
        "period": name,
        "is_cut_elsewhere": period.step > HOUR and period.zone != visit.zone,
    }


async def _queue(visit: Visit) -> Mapping[str, Any]:
    """What the rate limits hold, of the groups that hold anything: events, as Queue counts them."""
    ask, every = visit.api.router.ListGroupStatuses, ListGroupStatusesRequest
    found = await visit.api.call(ask, every(waiting_only=True, page_size=trouble.MOST_GROUPS))
    queues = [GroupQueue(each.group, each.status) for each in found.group_statuses]
    queues.sort(key=lambda each: (-each.waiting, each.name))
    # Nothing waits where there is no group, too.
    first = found if queues else await visit.api.call(ask, every(page_size=1))
    return {
        "queues": queues[:SHOWN_QUEUES],
        "others": len(queues[SHOWN_QUEUES:]),
        "groups": len(first.group_statuses),
    }


async def _silences(visit: Visit) -> Mapping[str, Any]:
    """Those in force now, and how many events rate limits hold, which they take nothing of."""
    request = ListSilencesRequest(page_size=MOST_SILENCES)
    answer, now = await asyncio.gather(
        visit.api.call(visit.api.router.ListSilences, request), trouble.now_or_lately(visit)
    )
    return {
        "held": now.events_held if now is not None else 0,
        "silences": [each for each in answer.silences if each.active],
        "is_whole": not answer.next_page_token,
    }


async def _coverage(visit: Visit) -> Mapping[str, Any]:
    request = GetCoverageRequest()
    answer = await visit.api.call(visit.api.router.GetCoverage, request, timeout=SLOW_SECONDS)
    needed = {link.needs for each in answer.findings for link in remedies(each)}
    return {
        "coverage": answer,
        "kinds": COVERAGE_KINDS,
        "grave": COVERAGE_KINDS.keys() - {HARMLESS_GAP},
        "only_inbox": (
            router_service_pb2.COVERAGE_KIND_UNHEARD_CRITICAL_TYPE,
            router_service_pb2.COVERAGE_KIND_UNHEARD_ERROR_TYPE,
        ),
        "remedies": remedies,
        "allowed": [each for each in needed if visit.may(each)],
        "command": command.COVERAGE,
    }


async def _ledger(visit: Visit) -> Mapping[str, Any]:
    request = VerifyLedgerRequest()
    answer = await visit.api.call(visit.api.router.VerifyLedger, request, timeout=SLOW_SECONDS)
    return {"ledger": answer, "command": command.VERIFY_LEDGER}


def _period_name(visit: Visit) -> str:
    chosen = visit.request.query.get("period", "")
    return chosen if chosen in PERIODS else DEFAULT_PERIOD


def _part(
    name: str, title: str, load: Load, *, is_costly: bool = False, turns_with_targets: bool = False
) -> tuple[str, Part]:
    template = f"parts/overview/{name}.html"
    seconds = (freshness.COSTLY_EVERY if is_costly else freshness.EVERY) // SECOND
    return name, Part(title, template, load, seconds, is_costly, turns_with_targets)


PARTS: Mapping[str, Part] = dict(
    (
        _part("figures", "The last day", _figures),
        _part("trouble", "Targets in trouble", trouble.look),
        _part("queue", "Held by rate limits", _queue),
        _part("silences", "Silences in force", _silences),
        _part("events", "Events", _events),
        _part("deliveries", "Deliveries by target", _deliveries),
        # These look at everything.
        _part("coverage", "Coverage", _coverage, is_costly=True, turns_with_targets=True),
        _part("ledger", "The ledger", _ledger, is_costly=True),
    )
)


async def _show_part(visit: Visit, name: str) -> web.StreamResponse:
    return await show_part(visit, PARTS[name], PATH)


ROUTES = (
    Route("GET", PATH, show),
    *(Route("GET", f"/overview/{name}", partial(_show_part, name=name)) for name in PARTS),
)
