"""Tasks: deliveries and dispatch failures, what needs attention first."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aiohttp import web

from ibs_notify.console import freshness
from ibs_notify.console.api import QUICK_SECONDS
from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.bearers import Bearers, bearers_of_today
from ibs_notify.console.changes import is_known, mark_of
from ibs_notify.console.commands import deliveries as command
from ibs_notify.console.configured import every_target
from ibs_notify.console.forms import NO_FAULTS, REFUSED, Faults, faults_of
from ibs_notify.console.pages.route import Route
from ibs_notify.console.pages.task_filter import (
    PATH,
    TaskFilter,
    View,
    counts_in,
    of_address,
)
from ibs_notify.console.rendering import moment_of
from ibs_notify.console.targets.health import ask_health
from ibs_notify.console.trouble import Held, Trouble, now_or_lately
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.local_time import read_moment, written_moment
from ibs_notify.domain.errors import InvalidArgument
from ironcore.notification.v1 import delivery_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb

PAGE_SIZE = 50
CHANGED = "tasks-changed"
"""What the rows tell the counts, so that both are of the same moment."""
LIST_SECONDS = 10.0
TROUBLE_SECONDS = 1.0
"""So long does the page wait to say what is wrong; the list is there all the same."""
LONG_SECONDS = 60.0
MOST_LINES = 1000
"""Of counts that one answer has."""
SHOWN_LINES = 12
FAILING = "TARGET_FAILING"
FIELDS = {
    "filter.targets": "target",
    "filter.groups": "group",
    "filter.states": "state",
    "filter.reasons": "reason",
    "filter.event_ids": "event",
    "filter.after": "after",
    "filter.before": "before",
    **{name: name for name in ("state", "after", "before")},
}


@dataclass(frozen=True, slots=True)
class Counts:
    """How many deliveries each tab has, and the targets that they are for.

    ``is_whole``: no line was left out of the answer. ``mark`` is of the answer.
    """

    mark: str
    of_view: Mapping[View, int]
    is_whole: bool
    in_both: int
    """Those that failed and are not given up."""
    for_digest: int
    """Those that wait to go out with others."""
    in_digests: int
    """Those that did: each is delivered, by one message for all."""
    cancelled: int

    @property
    def notes(self) -> bool:
        """Whether the numbers beside the tabs need a word."""
        return any((self.in_both, self.for_digest, self.in_digests, self.cancelled))


@dataclass(frozen=True, slots=True)
class Troubles:
    """What is wrong with how many, the most first. ``mark`` is of what is shown.

    ``next_tries``: of targets that fail, by name, when one delivery is tried.
    """

    mark: str
    lines: Sequence[pb.DeliveryCount]
    next_tries: Mapping[str, datetime]
    bearers: Bearers
    answers: Mapping[str, str]
    """What targets answered last that did not take what they were sent, by name."""


@dataclass(frozen=True, slots=True)
class KeptBack:
    """What nothing is wrong with, and what does not go all the same.

    ``all_since``: since when everything is held; None also where that is not known. ``by_limits``:
    what rate limits hold, which is no delivery yet; None where it is not known.
    """

    all_since: datetime | None = None
    by_limits: Held | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether it is known that nothing is."""
        return self.all_since is None and self.by_limits is not None and not self.by_limits.events


async def show(visit: Visit) -> web.StreamResponse:
    """A page of deliveries, or only its rows where these changed."""
    chosen = _chosen(visit)
    zone = visit.time_zone
    try:
        request = pb.ListDeliveriesRequest(
            filter=chosen.to_proto(zone),
            page_size=PAGE_SIZE,
            page_token=visit.request.query.get("page_token", ""),
        )
        # Where nothing has to be looked for, an answer that takes long is none.
        seconds = LIST_SECONDS if chosen.chips() else QUICK_SECONDS
        found = await visit.api.call(visit.api.delivery.ListDeliveries, request, timeout=seconds)
    except InvalidArgument as error:
        return await _page(
            visit, chosen, zone, pb.ListDeliveriesRequest(), faults_of(error, FIELDS)
        )
    if not visit.is_partial:
        return await _page(visit, chosen, zone, request, found=found)
    is_well = _is_well(chosen, found, request.page_token)
    now = await _now(visit) if is_well else None
    bearers = await bearers_of_today(visit) if found.deliveries else Bearers()
    rows = _rows(chosen, found, request.page_token, now, bearers)
    if is_known(visit, rows["mark"]):
        return web.Response(status=204)
    answer = visit.render("pages/tasks.html", block="rows", **rows)
    answer.headers["HX-Trigger"] = CHANGED
    return answer


async def show_held(visit: Visit) -> web.StreamResponse:
    """What is held, by somebody or by rate limits, where that changed."""
    now = await _now(visit)
    return visit.render("pages/tasks.html", block="held", kept_back=_kept_back(now))


async def _now(visit: Visit) -> Trouble | None:
    """What needs somebody: once for all that a page says of it."""
    return await now_or_lately(visit, freshness.of_page(visit))


def _kept_back(now: Trouble | None) -> KeptBack:
    if now is None:
        return KeptBack()
    since = None if now.held is None else moment_of(now.held.held_since)
    return KeptBack(since, now.by_limits)


async def show_counts(visit: Visit) -> web.StreamResponse:
    """How many each tab has. Of many deliveries that takes a while: the page does not wait."""
    chosen = _chosen(visit)
    zone = visit.time_zone
    answer = await _count(visit, chosen.in_all_states.to_proto(zone), LONG_SECONDS)
    mark = mark_of(answer)
    if is_known(visit, mark):
        return web.Response(status=204)
    counts = Counts(
        mark,
        {view: _sum(answer, view) for view in View},
        len(answer.counts) < MOST_LINES,
        sum(
            each.count
            for each in answer.counts
            if counts_in(View.FAILURES, each) and counts_in(View.WAITING, each)
        ),
        _in_state(answer, delivery_pb2.DELIVERY_STATE_DIGEST_OPEN),
        _in_state(answer, delivery_pb2.DELIVERY_STATE_DIGESTED),
        _in_state(answer, delivery_pb2.DELIVERY_STATE_CANCELLED),
    )
    return visit.render(
        "pages/tasks.html", block="tabs", chosen=chosen, counts=counts, views=tuple(View)
    )


async def show_troubles(visit: Visit) -> web.StreamResponse:
    """What is wrong, where that changed."""
    chosen = _chosen(visit)
    now, bearers = await asyncio.gather(_now(visit), bearers_of_today(visit))
    troubles = await _troubles(visit, chosen, visit.time_zone, now, bearers)
    if troubles is None or is_known(visit, troubles.mark):
        return web.Response(status=204)
    return visit.render("pages/tasks.html", block="troubles", chosen=chosen, troubles=troubles)


def _chosen(visit: Visit) -> TaskFilter:
    """Without a word what needs attention first; of certain events or states all that there is."""
    chosen = of_address(visit)
    if "view" in visit.request.query or chosen.event or chosen.state or chosen.id:
        return chosen
    return replace(chosen, view=View.FAILURES)


async def _page(
    visit: Visit,
    chosen: TaskFilter,
    zone: str,
    request: pb.ListDeliveriesRequest,
    faults: Faults = NO_FAULTS,
    found: pb.ListDeliveriesResponse | None = None,
) -> web.Response:
    now, bearers = await asyncio.gather(_now(visit), bearers_of_today(visit))
    troubles = None
    if found is not None:
        troubles = await _troubles(visit, chosen, zone, now, bearers)
    listed = found or pb.ListDeliveriesResponse()
    return visit.render(
        "pages/tasks.html",
        status=REFUSED if faults.any else 200,
        counts=None,
        troubles=troubles,
        views=tuple(View),
        kept_back=_kept_back(now),
        trouble_now=now,
        faults=faults,
        after=_local(chosen.after, zone),
        before=_local(chosen.before, zone),
        zone=zone,
        command=command.list_(request),
        **_rows(chosen, listed, request.page_token, now, bearers),
    )


def _is_well(chosen: TaskFilter, found: pb.ListDeliveriesResponse, page_token: str) -> bool:
    """Whether nothing failed."""
    return chosen.is_about_failures and not found.deliveries and not page_token


def _rows(
    chosen: TaskFilter,
    found: pb.ListDeliveriesResponse,
    page_token: str,
    now: Trouble | None,
    bearers: Bearers,
) -> dict[str, Any]:
    """What the block of the rows needs. Where nothing failed, whether anything is kept back."""
    is_free = _is_well(chosen, found, page_token) and _kept_back(now).is_nothing
    earlier = [
        (
            bearers.is_earlier_target(each.target, each.target_uid),
            bearers.is_earlier_group(each.group, each.create_time),
        )
        for each in found.deliveries
    ]
    return {
        "bearers": bearers,
        "is_free": is_free,
        "chosen": chosen,
        "deliveries": found.deliveries,
        "next_page_token": found.next_page_token,
        "page_token": page_token,
        "mark": mark_of(found, str(is_free), str(earlier)),
    }


async def _troubles(
    visit: Visit, chosen: TaskFilter, zone: str, now: Trouble | None, bearers: Bearers
) -> Troubles | None:
    """None where the page is not about them, or it takes too long to find out."""
    if not chosen.is_about_failures:
        return None
    answer = await unless_failed(_count(visit, chosen.to_proto(zone), TROUBLE_SECONDS))
    if answer is None:
        return None
    lines = answer.counts[:SHOWN_LINES]
    tries = await _next_tries(visit, {each.target for each in lines if each.reason == FAILING})
    answers = {} if now is None else now.answers
    earlier = [bearers.is_earlier_target(each.target, each.target_uid) for each in lines]
    shown = [*(f"{name} {at}" for name, at in tries.items()), *answers.values(), str(earlier)]
    return Troubles(mark_of(answer, *shown), lines, tries, bearers, answers)


async def _next_tries(visit: Visit, names: Collection[str]) -> Mapping[str, datetime]:
    """Of those that are to be tried later; empty where that is not known now."""
    if not names:
        return {}
    targets = await unless_failed(every_target(visit.api))
    failing = [each for each in targets or () if each.name in names]
    standings = (await ask_health(visit.api, failing, visit.now())).standings
    tries = {each.name: standings[each.uid].next_try for each in failing if each.uid in standings}
    return {name: at for name, at in tries.items() if at is not None and at > visit.now()}


async def _count(
    visit: Visit, which: delivery_pb2.DeliveryFilter, seconds: float
) -> pb.CountDeliveriesResponse:
    request = pb.CountDeliveriesRequest(filter=which)
    return await visit.api.call(visit.api.delivery.CountDeliveries, request, timeout=seconds)


def _sum(answer: pb.CountDeliveriesResponse, view: View) -> int:
    if view is View.ALL:
        return answer.total
    return sum(each.count for each in answer.counts if counts_in(view, each))


def _in_state(
    answer: pb.CountDeliveriesResponse, state: delivery_pb2.DeliveryState.ValueType
) -> int:
    return sum(each.count for each in answer.counts if each.state == state)


def _local(text: str, zone: str) -> str:
    """A time of the address, as its field shows it."""
    try:
        return written_moment(read_moment(text, zone, ""), zone)
    except InvalidArgument:
        return ""


ROUTES = (
    Route("GET", PATH, show),
    Route("GET", f"{PATH}/held", show_held),
    Route("GET", f"{PATH}/counts", show_counts),
    Route("GET", f"{PATH}/troubles", show_troubles),
)
