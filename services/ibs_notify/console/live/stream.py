"""``GET /live/inbox?…``: server-sent events that say how many events are new in a view.

Messages: ``new`` with ``{"count", "more"}``, ``outage`` with ``{"text"}`` where the Router is not
heard, and with an empty one once it is again, ``gap`` where some events may be missing and the page
is to be loaded anew, ``ended`` where nobody may look any longer. No event is in them: who wants to
see it loads the page, by a right of its own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from ibs_notify.console.events.view import View
from ibs_notify.console.live.audience import MOST_COUNTED
from ibs_notify.console.live.feed import Feed, Outage, Viewer
from ibs_notify.console.live.hub import Hub
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.form_words import sentence
from ibs_notify.domain.clock import Clock, in_zone
from ibs_notify.domain.errors import NotificationError, PermissionDenied, Unauthenticated
from ironcore.notification.v1 import router_service_pb2 as pb

PATH = "/live/inbox"
START_SECONDS = 5.0
WRITE_SECONDS = 30.0
MOST_MISSED = 100


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: between messages at least, between signs of life, between looks at the token."""

    least: float = 0.5
    heartbeat: float = 15.0
    check: float = 60.0


PACE = Pace()


class LiveInbox:
    """``show`` is the page."""

    def __init__(self, hub: Hub, clock: Clock, pace: Pace = PACE) -> None:
        self._hub = hub
        self._clock = clock
        self._pace = pace

    async def show(self, visit: Visit) -> web.StreamResponse:
        """Open until the browser goes, the session ends, its token is refused, or we stop."""
        view = View.of(visit.request.query.items())
        chosen = view.filter(visit.now(), visit.time_zone)
        marks = frozenset(chosen.inbox_states)
        chosen.ClearField("inbox_states")
        with self._hub.watching(visit.session, chosen) as (feed, viewer):
            await _wait(feed.settled, START_SECONDS)
            follower = _Follower(visit, chosen, marks, feed, viewer)
            if feed.outage is None:
                await follower.begin()
            response = _response()
            await response.prepare(visit.request)
            # The browser goes, or takes nothing.
            with suppress(ConnectionResetError, TimeoutError):
                await self._follow(follower, response)
            return response

    async def _follow(self, follower: _Follower, response: web.StreamResponse) -> None:
        checked = self._clock.monotonic()
        while True:
            if self._clock.monotonic() - checked >= self._pace.check:
                checked = self._clock.monotonic()
                await follower.check()
            if self._hub.is_closed:
                # The browser comes back by itself.
                return
            if follower.can_begin:
                try:
                    await follower.begin()
                except NotificationError:
                    # As above.
                    return
            may_look = follower.may_look(self._clock)
            text = follower.news() if may_look else _message("ended", {})
            async with asyncio.timeout(WRITE_SECONDS):
                await response.write((text or ": still here\n\n").encode())
            if not may_look:
                return
            if text:
                await asyncio.sleep(self._pace.least)
            await follower.wait(self._pace.heartbeat)


@dataclass(frozen=True, slots=True)
class _Missed:
    """What came between a page and its stream. ``up_to`` is the newest of all that there was."""

    count: int
    is_more: bool
    up_to: int

    @classmethod
    def since(
        cls, seen: int, newest: list[pb.EventRecord], marks: frozenset[pb.InboxState.ValueType]
    ) -> _Missed:
        """Of the ``newest`` those behind ``seen``; what is marked otherwise than the view shows
        was new once, and is not shown because somebody has dealt with it.
        """
        later = [each for each in newest if each.sequence > seen]
        count = sum(not marks or each.inbox_state in marks for each in later)
        up_to = max((each.sequence for each in newest), default=0)
        return cls(count, count >= MOST_MISSED, max(seen, up_to))


class _Follower:
    """What one page was told, and what it was not yet."""

    def __init__(
        self,
        visit: Visit,
        chosen: pb.EventFilter,
        marks: frozenset[pb.InboxState.ValueType],
        feed: Feed,
        viewer: Viewer,
    ) -> None:
        self._visit = visit
        self._chosen = chosen
        self._marks = marks
        self._feed = feed
        self._viewer = viewer
        self._missed: _Missed | None = None
        self._told = 0
        self._told_outage: Outage | None = None
        self._gaps = viewer.audience.gaps

    @property
    def can_begin(self) -> bool:
        """Whether it has not begun, and the Router is heard by now."""
        return self._missed is None and self._feed.outage is None

    async def begin(self) -> None:
        """Count what came since the page was made."""
        newest = await _listed(self._visit, self._chosen, MOST_MISSED)
        seen = _number(self._visit.request.query.get("seen", ""))
        self._missed = _Missed.since(seen, newest, self._marks)

    def may_look(self, clock: Clock) -> bool:
        return not self._viewer.is_cut and self._visit.session.is_live(clock.now())

    async def check(self) -> None:
        """Whether the token still counts, as the Router sees it."""
        try:
            await _listed(self._visit, self._chosen, 1)
        except (Unauthenticated, PermissionDenied):
            self._viewer.cut()
        except NotificationError:
            # Nobody said no.
            pass

    def news(self) -> str:
        """What is to be said now, or nothing."""
        audience, outage = self._viewer.audience, self._feed.outage
        if outage != self._told_outage:
            self._told_outage = outage
            text = "" if outage is None else _outage_words(outage, self._visit)
            return _message("outage", {"text": text})
        if audience.gaps != self._gaps:
            self._gaps = audience.gaps
            return _message("gap", {})
        count = self._count()
        if count == self._told:
            return ""
        self._told = count
        more = count >= MOST_COUNTED or (self._missed is not None and self._missed.is_more)
        return _message("new", {"count": count, "more": more})

    async def wait(self, seconds: float) -> None:
        """Until there is something to be said, but no longer."""
        audience = self._viewer.audience
        is_told = (
            self._count() == self._told
            and audience.gaps == self._gaps
            and self._feed.outage == self._told_outage
        )
        if is_told and not self._viewer.is_cut:
            await audience.wait(seconds)

    def _count(self) -> int:
        if self._missed is None:
            return self._told
        return self._missed.count + self._viewer.audience.count_after(self._missed.up_to)


def _outage_words(outage: Outage, visit: Visit) -> str:
    since = in_zone(outage.since, visit.zone)
    return (
        f"{sentence(outage.why)}. Since {since:%H:%M:%S} nothing is heard of new events: what is "
        "shown is of then. It is asked again by itself."
    )


async def _listed(visit: Visit, chosen: pb.EventFilter, most: int) -> list[pb.EventRecord]:
    request = pb.ListEventsRequest(filter=chosen, page_size=most)
    found = await visit.api.call(visit.api.router.ListEvents, request)
    return list(found.events)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _response() -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type = "text/event-stream"
    response.charset = "utf-8"
    # Not every proxy passes on what it has got so far.
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _message(name: str, data: Mapping[str, int | bool | str]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
