"""Counts what charts need of full blocks before the first of them is asked for.

After a start nothing is kept yet, and a chart of a million events would take as long as to look at
them. It is done beside the Router's work, one block at a time.
"""

from __future__ import annotations

import asyncio
import logging

from ibs_notify.domain.errors import NotificationError
from ibs_notify.router.blocks import Blocks
from ibs_notify.store.database import Database

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.05
"""After each block, which takes some milliseconds: events that come meanwhile do not wait."""


async def warm(database: Database, blocks: Blocks) -> None:
    """Until all that are full are counted, the newest first."""
    try:
        is_done = False
        while not is_done:
            is_done = not await database.read(blocks.keep_next)
            await asyncio.sleep(PAUSE_SECONDS)
    except NotificationError as error:
        log.info("charts are counted only when they are asked for: %s", error.message)
