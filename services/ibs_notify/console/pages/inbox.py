"""Inbox: every event, by filters that live in the address."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiohttp import web

from ibs_notify.console.attempts import attempted, unless_failed
from ibs_notify.console.charts import Chart, event_chart
from ibs_notify.console.commands import events as command
from ibs_notify.console.events.told import Sent, outcomes
from ibs_notify.console.events.view import EXACTLY, FIELD_OF, PATH, WORST, View
from ibs_notify.console.forms import NO_FAULTS, REFUSALS, REFUSED, Faults, faults_of, read_form
from ibs_notify.console.live.stream import PATH as LIVE
from ibs_notify.console.pages.charted import charted
from ibs_notify.console.pages.earlier_groups import EarlierGroup, earlier_groups
from ibs_notify.console.pages.event_tally import Tally, tally
from ibs_notify.console.pages.route import Route
from ibs_notify.console.pages.rules import analyzed
from ibs_notify.console.periods import Period
from ibs_notify.console.rendering import moment_of, segment
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.local_time import written_moment
from ibs_notify.domain.catalogue import CATALOGUE
from ibs_notify.domain.errors import FieldViolation, InvalidArgument, NotificationError
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.event_filter import DISPOSITIONS
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.delivery_service_pb2 import GetDeliveryRequest, ListDeliveriesRequest

PAGE_SIZE = 50
MOST_SAID = 40
MOST_TOLD = 1000
"""So many deliveries does Delivery tell of at once; what is beyond was sent."""
TOLD_SECONDS = 3.0
_MESSAGE_ID = re.compile(r"(?:Message-ID: ?)?<?([A-Za-z0-9_.-]{1,64})@[^\s<>@]+>?", re.IGNORECASE)
"""Of a mail: the id of its delivery, at the domain of who sends."""
RANGES = (
    ("Today", "today", ""),
    ("Yesterday", "yesterday", "today"),
    ("24 hours", "24 h ago", ""),
    ("7 days", "7 d ago", ""),
)
"""Titles, and the bounds that they stand for."""
WEEK, HOUR, MINUTE = timedelta(days=7), timedelta(hours=1), timedelta(minutes=1)
TABS = (("", "Inbox"), ("unread", "Unread"), ("archived", "Archived"), ("every", "Everything"))


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of events. ``goes_on``: there may be more, though perhaps none was found yet."""

    events: tuple[pb.EventRecord, ...] = ()
    next_token: str = ""

    @property
    def newest(self) -> int:
        """The sequence of the first one; 0 where there is none."""
        return self.events[0].sequence if self.events else 0


async def show(visit: Visit) -> web.StreamResponse:
    """A page of the view that the address says."""
    given = visit.request.query
    view, token = View.of(given.items()), given.get("page_token", "")
    if any(not each.strip() for each in given.values()):
        # A form sends its empty fields; an address that is to be shared has none.
        raise web.HTTPSeeOther(view.address(page_token=token))
    if (unknown := View.unknown(given)) and not visit.is_partial:
        # Else who mistypes a filter is shown everything as if it were filtered.
        visit.notice(f"The inbox has no filter “{unknown[0][:MOST_SAID]}”: passed over.", "info")
        raise web.HTTPSeeOther(view.address(page_token=token))
    listing, faults = Listing(), NO_FAULTS
    try:
        chosen = view.filter(visit.now(), visit.time_zone)
        if chosen.rule != view.one("rule"):
            await _check_written(visit, view.one("rule"))
        request = pb.ListEventsRequest(filter=chosen, page_size=PAGE_SIZE, page_token=token)
        found = await visit.api.call(visit.api.router.ListEvents, request)
        listing = Listing(tuple(found.events), found.next_page_token)
    except REFUSALS as error:
        chosen, faults = pb.EventFilter(), faults_of(error, FIELD_OF)
    elsewhere = None
    earlier = await earlier_groups(
        visit, view, chosen, listing.events, goes_on=bool(listing.next_token)
    )
    if not token and not faults.any:
        is_empty = not listing.events and not listing.next_token
        if not visit.is_partial:
            await _lead_to_event(visit, view.one("text"))
            _lead_to_datastore(visit, view if is_empty else View())
        elsewhere = await _elsewhere(visit, view) if is_empty else None
    return _page(visit, view, chosen, listing, faults, elsewhere, earlier)


async def _check_written(visit: Visit, rule: str) -> None:
    """The Router is sent it with more around it, and would name another place of a fault."""
    found = await analyzed(visit, rule) if rule else None
    if found is None or not found.HasField("fault"):
        return
    fault = found.fault
    said = f"line {fault.line}, column {fault.column}: {fault.message}"
    text = f"{said} ({fault.advice})" if fault.advice else said
    raise InvalidArgument.of([FieldViolation("filter.rule", text)])


async def _lead_to_event(visit: Visit, text: str) -> None:
    """Who searches for the id of an event, or of a mail about it, wants that event."""
    if delivery_id := _MESSAGE_ID.fullmatch(text):
        asked = GetDeliveryRequest(delivery_id=delivery_id[1])
        sent = await unless_failed(visit.api.call(visit.api.delivery.GetDelivery, asked))
        text = sent.delivery.event_id if sent else text
    if not text or text.split() != [text]:
        return
    request = pb.GetEventRequest(event_id=text)
    found = await unless_failed(visit.api.call(visit.api.router.GetEvent, request))
    if found is not None:
        raise web.HTTPSeeOther(f"/events/{segment(text)}")


def _lead_to_datastore(visit: Visit, view: View) -> None:
    """A name of which no event says exactly that is the datastore's."""
    if name := view.bare_resource:
        visit.notice(f"“{name}” is understood as the datastore, {name}:", "info")
        raise web.HTTPSeeOther(view.with_(resource=f"{name}:").address())


async def _elsewhere(visit: Visit, view: View) -> Tally | None:
    """What of a view with nothing in it there is under other marks."""
    if not view.narrows or view.state == "every":
        return None
    return await unless_failed(tally(visit, view.with_(state="every")))


async def show_counts(visit: Visit) -> web.StreamResponse:
    """How many there are of each severity, which may take longer than the list."""
    view = View.of(visit.request.query.items())
    # Of one severity alone the others too, so that it leads to the next.
    found = await attempted(tally(visit, view.with_(severity="") if view.only else view))
    values: dict[str, Any] = {"view": view, "tally": Tally(), "error": None}
    values["error" if isinstance(found, NotificationError) else "tally"] = found
    return _part(visit, "parts/inbox_counts.html", "How many of each severity", values)


async def show_chart(visit: Visit) -> web.StreamResponse:
    """When they happened: of the view's own time, else of the last seven days."""
    view = View.of(visit.request.query.items())
    found = await attempted(_chart(visit, view))
    values: dict[str, Any] = {"view": view, "drawn": None, "error": None}
    values["error" if isinstance(found, NotificationError) else "drawn"] = found
    return _part(visit, "parts/inbox_chart.html", "Hour by hour", values)


async def _chart(visit: Visit, view: View) -> Chart:
    chosen = view.filter(visit.now(), visit.time_zone)
    period = _period(visit, chosen)
    answer = await charted(visit, period, chosen)
    filters = {name: list(view.values[name]) for name in view.values.keys() - {"after", "before"}}
    return event_chart(answer, period, "Events", PATH, **filters)


async def show_told(visit: Visit) -> web.StreamResponse:
    """What became of the events of a page, as Delivery knows it: in their places, or not at all.

    The page says what it showed: each ``told`` is a ``Sent``.
    """
    form = await read_form(visit.request)
    sent = [each for text in form.texts("told") if (each := Sent.read(text))][:MOST_TOLD]
    if not sent:
        return web.Response(status=204)
    request = ListDeliveriesRequest(page_size=MOST_TOLD)
    request.filter.delivery_ids.extend({each.delivery_id for each in sent})
    found = await attempted(
        visit.api.call(visit.api.delivery.ListDeliveries, request, timeout=TOLD_SECONDS)
    )
    if isinstance(found, NotificationError):
        return visit.render("parts/told_rows.html", told={}, failure=found.message)
    told = outcomes(sent, found.deliveries)
    return visit.render("parts/told_rows.html", told=told, failure="")


def _part(visit: Visit, part: str, title: str, values: Mapping[str, Any]) -> web.Response:
    """What a script puts into the page; without scripts it is a page of its own."""
    if visit.is_partial:
        return visit.render(part, **values)
    return visit.render("pages/inbox_part.html", part=part, title=title, **values)


def _period(visit: Visit, chosen: pb.EventFilter) -> Period:
    now = visit.now()
    if not chosen.HasField("after") and not chosen.HasField("before"):
        return Period.up_to(now, WEEK, HOUR, visit.zone)
    before = moment_of(chosen.before) or now
    after = moment_of(chosen.after) or before - WEEK
    # The other way round it is nothing, but still a time.
    return Period.of(after, max(before, after + MINUTE), zone=visit.zone)


def _page(
    visit: Visit,
    view: View,
    chosen: pb.EventFilter,
    listing: Listing,
    faults: Faults,
    elsewhere: Tally | None,
    earlier: Sequence[EarlierGroup],
) -> web.Response:
    token = visit.request.query.get("page_token", "")
    zone = visit.renderer.time_zone
    live = view.is_live and not token and not faults.any
    return visit.render(
        "pages/inbox.html",
        block="events" if visit.is_partial and not faults.any else "",
        status=REFUSED if faults.any else 200,
        view=view,
        listing=listing,
        faults=faults,
        elsewhere=elsewhere,
        earlier_groups=earlier,
        times={
            name: (said, "" if said else written_moment(moment_of(stamp), zone))
            for name, said, stamp in (
                ("after", view.said("after", visit.now()), chosen.after),
                ("before", view.said("before", visit.now()), chosen.before),
            )
        },
        zone=zone,
        ranges=RANGES,
        tabs=TABS,
        back=view.address(page_token=token),
        next_url=view.address(page_token=listing.next_token) if listing.next_token else "",
        first_url=view.address() if token else "",
        live_url=view.address(LIVE, seen=str(listing.newest)) if live else "",
        command="" if faults.any else command.listing(chosen),
        severities=_severities(),
        dispositions=DISPOSITIONS,
        types=sorted(CATALOGUE),
        sources=sorted({each.source for each in CATALOGUE.values()}),
    )


def _severities() -> list[tuple[str, str]]:
    """Each with the worse ones, and alone."""
    choices = [("", "any")]
    for each in sorted(Severity, reverse=True):
        if each.label != WORST:
            choices.append((each.label, f"{each.label} and worse"))
        choices.append((f"{EXACTLY}{each.label}", f"{each.label} only"))
    return choices


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", f"{PATH}/told", show_told),
    Route("GET", f"{PATH}/counts", show_counts),
    Route("GET", f"{PATH}/chart", show_chart),
)
