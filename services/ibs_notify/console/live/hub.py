"""Who looks at what: one watch serves all, and one more each rule that somebody looks by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from ibs_notify.console.api import Channels
from ibs_notify.console.live.feed import Feed, Viewer
from ibs_notify.console.sessions import Session
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import Reason, Unavailable
from ironcore.notification.v1 import router_service_pb2 as pb

MOST_VIEWERS = 2000
MOST_RULES = 32


class Hub:
    """``with hub.watching(session, chosen) as viewer:``; ``close`` ends what is left."""

    def __init__(self, channels: Channels, clock: Clock) -> None:
        self._channels = channels
        self._clock = clock
        self._feeds: dict[str, Feed] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self.is_closed = False

    @property
    def viewers(self) -> int:
        """How many pages are open."""
        return sum(each.viewers for each in self._feeds.values())

    @contextmanager
    def watching(self, session: Session, chosen: pb.EventFilter) -> Iterator[tuple[Feed, Viewer]]:
        """Somebody looks, until the end of the block. ``Unavailable`` where too many do."""
        feed = self._feeds.get(chosen.rule)
        full = self.viewers >= MOST_VIEWERS or (feed is None and len(self._feeds) > MOST_RULES)
        if full or self.is_closed:
            raise Unavailable(Reason.TOO_MANY_REQUESTS, "too many pages are open")
        if feed is None:
            feed = self._feeds[chosen.rule] = Feed(chosen.rule, self._channels, self._clock)
        viewer = feed.join(session, chosen)
        try:
            yield feed, viewer
        finally:
            feed.leave(viewer)
            if not feed.viewers and self._feeds.get(chosen.rule) is feed:
                del self._feeds[chosen.rule]
                self._end(feed)

    async def close(self) -> None:
        """Cut everybody, end every watch."""
        self.is_closed = True
        for each in self._feeds.values():
            self._end(each)
        if self._ending:
            await asyncio.wait(self._ending)

    def _end(self, feed: Feed) -> None:
        ending = asyncio.create_task(feed.close())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
