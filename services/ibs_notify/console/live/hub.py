"""Who looks at what: one watch serves all, and one more each rule that somebody looks by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from ibs_notify.console.api import Channels
from ibs_notify.console.live.feed import Feed, Viewer
from ibs_notify.console.login.sessions import Session
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import Reason, Unavailable
from ironcore.notification.v1 import router_service_pb2 as pb

MOST_VIEWERS = 400
"""Each has a connection, all may come by one proxy, and some must be left for who opens a page."""
MOST_VIEWERS_OF_ONE = 100
MOST_RULES = 32
MOST_RULES_OF_ONE = 8
"""Of one token, so that it keeps nobody else from looking."""


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
        if self.is_closed or self._is_full(chosen.rule) or self._has_enough(session, chosen.rule):
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

    def _is_full(self, rule: str) -> bool:
        has_room = rule in self._feeds or len(self._feeds) <= MOST_RULES
        return self.viewers >= MOST_VIEWERS or not has_room

    def _has_enough(self, session: Session, rule: str) -> bool:
        """Without tokens nobody is told apart."""
        if session.role is None:
            return False
        counts = {rule: each.viewers_of(session.name) for rule, each in self._feeds.items()}
        rules = {each for each, count in counts.items() if each and count}
        too_many_rules = bool(rule) and rule not in rules and len(rules) >= MOST_RULES_OF_ONE
        return too_many_rules or sum(counts.values()) >= MOST_VIEWERS_OF_ONE

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
