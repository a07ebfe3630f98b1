"""When tokens were last used: gathered in memory, handed on once a minute."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from ibs_notify.domain.errors import NotificationError

log = logging.getLogger(__name__)

REPORT_SECONDS = 60.0

Report = Callable[[Mapping[str, datetime]], Awaitable[None]]
"""Stores the last use of each token, by its id. ``NotificationError`` where it cannot."""


class TokenUses:
    """Only valid tokens are noted, so there are never more than there are tokens."""

    def __init__(self) -> None:
        self._last: dict[str, datetime] = {}

    def note(self, token_id: str, now: datetime) -> None:
        """It was used now."""
        self._last[token_id] = now

    async def report(self, report: Report) -> None:
        """Hand on what was noted; where that fails it is kept for the next time."""
        told, self._last = self._last, {}
        if not told:
            return
        try:
            await report(told)
        except NotificationError as error:
            log.debug("the last use of tokens is reported later: %s", error.message)
            self._last = {**told, **self._last}

    async def run(self, report: Report, *, every_seconds: float = REPORT_SECONDS) -> None:
        """Report until cancelled."""
        while True:
            await asyncio.sleep(every_seconds)
            await self.report(report)
