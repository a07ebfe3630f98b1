"""``GET /live/inbox?…``: server-sent events that say how many events are new in a view.

Messages: ``new`` with ``{"count", "more"}``, ``gap`` where some may be missing and the page is to
be loaded anew, ``ended`` where nobody may look any longer. No event is in them: who wants to see it
loads the page, by a right of its own.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from ibs_notify.console.events.view import View
from ibs_notify.console.live.audience import MOST_COUNTED
from ibs_notify.console.live.feed import Viewer
from ibs_notify.console.live.hub import Hub
from ibs_notify.console.visit import Visit
from ibs_notify.domain.clock import Clock
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
            await _wait(feed.started, START_SECONDS)
            newest = await _listed(visit, chosen, MOST_MISSED)
            seen = _number(visit.request.query.get("seen", ""))
            missed = _Missed.since(seen, newest, marks)
            response = _response()
            await response.prepare(visit.request)
            follower = _Follower(visit, chosen, viewer, missed)
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
        self, visit: Visit, chosen: pb.EventFilter, viewer: Viewer, missed: _Missed
    ) -> None:
        self._visit = visit
        self._chosen = chosen
        self._viewer = viewer
        self._missed = missed.count
        self._is_more = missed.is_more
        self._from = missed.up_to
        self._told = 0
        self._gaps = viewer.audience.gaps

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
        audience = self._viewer.audience
        if audience.gaps != self._gaps:
            self._gaps = audience.gaps
            return _message("gap", {})
        count = self._missed + audience.count_after(self._from)
        if count == self._told:
            return ""
        self._told = count
        more = self._is_more or count >= MOST_COUNTED
        return _message("new", {"count": count, "more": more})

    async def wait(self, seconds: float) -> None:
        """Until there is something to be said, but no longer."""
        audience = self._viewer.audience
        count = self._missed + audience.count_after(self._from)
        if count == self._told and audience.gaps == self._gaps and not self._viewer.is_cut:
            await audience.wait(seconds)


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


def _message(name: str, data: dict[str, int | bool]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
