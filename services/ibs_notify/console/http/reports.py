"""What browsers report: something that a page held was kept from running."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from ibs_notify.domain.clock import Clock

log = logging.getLogger(__name__)

MOST_BYTES = 4096
PAUSE_SECONDS = 10.0
"""Anybody may send some, so the log has one in that time and the number of the others."""
ARRIVAL_SECONDS = 5.0


class Reports:
    """A report is a fault of ours, or an attack that failed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next = 0.0
        self._unsaid = 0

    async def note(self, request: web.Request) -> web.Response:
        """Answers what a browser sends to ``guard.REPORTS``."""
        now = self._clock.monotonic()
        if now < self._next:
            self._unsaid += 1
            return web.Response(status=204)
        self._next = now + PAUSE_SECONDS
        try:
            async with asyncio.timeout(ARRIVAL_SECONDS):
                report = await request.content.read(MOST_BYTES)
        except TimeoutError:
            return web.Response(status=408)
        log.warning(
            "a browser reports a breach of the policy, after %d unsaid: %r", self._unsaid, report
        )
        self._unsaid = 0
        return web.Response(status=204)
