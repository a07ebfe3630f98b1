"""WatchEvents: events as they are accepted, on any replica, without a gap over a reconnect.

One look at the database serves all who watch: what is new is kept for a while, and each takes it
from there at a pace of its own. Who is behind that reads for itself; nobody delays anybody.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial

import sqlalchemy as sa

from ibs_notify.domain.clock import from_micros
from ibs_notify.domain.errors import NotificationError
from ibs_notify.domain.event import Event
from ibs_notify.router.books import StoredEvent, events_after
from ibs_notify.router.event_place import Place, newest_place, place_of, require_kept
from ibs_notify.router.event_query import EventQuery, Routes, holds
from ibs_notify.router.lines import Mark
from ibs_notify.router.marks import marks_of
from ibs_notify.router.views import event_record, routes_of
from ibs_notify.rpc.convert import event_from_proto
from ibs_notify.store.database import Database
from ironcore.notification.v1 import router_service_pb2 as pb

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""Another replica's events are noticed after so long at most."""
PAUSE_SECONDS = 0.02
"""In a storm events are told in bundles, so far apart: to watch must not cost what to emit does."""
READ = 200
READ_BYTES = 1024 * 1024
"""So many events are read at a time: a watcher that does not take them keeps no more waiting."""
KEPT_EVENTS = 1000
KEPT_BYTES = 4 * 1024 * 1024
"""So much of what is new is kept for those who watch."""
SILENT = 5000
"""After so many events that a filter left out, the place is told all the same."""


class Seen:
    """An event that watchers look at, opened once for all of them."""

    def __init__(self, stored: StoredEvent, mark: Mark = Mark.UNREAD) -> None:
        self.place = Place(stored.seq, stored.received_at)
        self.mark = mark
        self.size = len(stored.body)
        self._stored = stored

    @cached_property
    def record(self) -> pb.EventRecord:
        return event_record(self._stored, self.mark)

    @cached_property
    def event(self) -> Event:
        event, _ = event_from_proto(self.record.event, from_micros(self.place.received_at))
        return event

    @cached_property
    def routes(self) -> Routes:
        return routes_of(self.record)

    def matches(self, query: EventQuery) -> bool:
        """Whether a watcher asks for it."""
        if query.marks and self.mark not in query.marks:
            return False
        return holds(query, self.event, self.place.received_at, self.routes)


class EventWatch:
    """``follow`` is a watch; ``run`` must run beside it, and ``nudge`` spares it its wait."""

    def __init__(self, database: Database, poll_seconds: float = POLL_SECONDS) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._watchers = 0
        self._newest: int | None = None
        self._recent: list[Seen] = []
        self._closed = False
        self._nudged = asyncio.Event()
        self._moved = asyncio.Event()

    def nudge(self) -> None:
        """Events may have been accepted here: look at once. Never blocks."""
        if self._watchers:
            self._nudged.set()

    def close(self) -> None:
        """End every watch."""
        self._closed = True
        self._wake()

    async def run(self) -> None:
        """Look for what is new as long as somebody watches, until cancelled."""
        failed = False
        while True:
            self._nudged.clear()
            if self._watchers:
                try:
                    await self._look()
                    failed = False
                except NotificationError as error:
                    if not failed:
                        log.warning("the watch of events waits: %s", error.message)
                    failed = True
                await asyncio.sleep(PAUSE_SECONDS)
            await self._nap()

    async def follow(
        self, token: str, query: EventQuery
    ) -> AsyncGenerator[pb.WatchEventsResponse, None]:
        """All that ``RouterService.WatchEvents`` promises, until the service stops."""
        place = await self._database.read(partial(_start, token=token))
        yield pb.WatchEventsResponse(resume_token=place.token)
        silent = 0
        with self._watching():
            while await self._something_after(place):
                for seen in await self._next(place, query):
                    place, silent = seen.place, silent + 1
                    if seen.matches(query):
                        silent = 0
                        yield pb.WatchEventsResponse(resume_token=place.token, event=seen.record)
                if silent >= SILENT:
                    silent = 0
                    yield pb.WatchEventsResponse(resume_token=place.token)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        self._watchers += 1
        self.nudge()
        try:
            yield
        finally:
            self._watchers -= 1
            if not self._watchers:
                self._newest = None
                self._recent.clear()

    async def _something_after(self, place: Place) -> bool:
        """Wait for an event behind ``place``; false when closed."""
        while not self._closed and (self._newest is None or self._newest <= place.seq):
            await self._moved.wait()
        return not self._closed

    async def _next(self, place: Place, query: EventQuery) -> Sequence[Seen]:
        """What is behind ``place``, not all of it perhaps."""
        recent = self._recent
        if not query.marks and recent and recent[0].place.seq <= place.seq + 1:
            return recent[bisect_right(recent, place.seq, key=_seq) :]
        return await self._database.read(partial(_read, place=place, viewer=query.viewer))

    async def _look(self) -> None:
        """Keep what is new; the first look only says where new begins."""
        if self._newest is None:
            self._newest = (await self._database.read(newest_place)).seq
            self._wake()
        more = True
        while more and self._newest is not None:
            look = partial(events_after, seq=self._newest, most=READ, most_bytes=READ_BYTES)
            found = await self._database.read(look)
            if found and self._newest is not None:
                self._keep([Seen(each) for each in found])
                self._newest = found[-1].seq
                self._wake()
            more = len(found) == READ or sum(len(each.body) for each in found) >= READ_BYTES

    def _keep(self, new: Sequence[Seen]) -> None:
        recent = self._recent + list(new)
        room, first = KEPT_BYTES, max(0, len(recent) - KEPT_EVENTS)
        for index in range(len(recent) - 1, first - 1, -1):
            room -= recent[index].size
            if room < 0:
                first = index + 1
                break
        self._recent = recent[first:]

    async def _nap(self) -> None:
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._nudged.wait()
        except TimeoutError:
            pass

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


def _seq(seen: Seen) -> int:
    return seen.place.seq


def _start(connection: sa.Connection, token: str) -> Place:
    if not token:
        return newest_place(connection)
    place = place_of(token)
    require_kept(connection, place)
    return place


def _read(connection: sa.Connection, place: Place, viewer: str) -> Sequence[Seen]:
    require_kept(connection, place)
    found = events_after(connection, place.seq, READ, READ_BYTES)
    marks = marks_of(connection, viewer, [each.seq for each in found])
    return [Seen(each, marks[each.seq]) for each in found]
