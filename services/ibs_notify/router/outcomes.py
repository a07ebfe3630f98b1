"""Takes what Delivery's journal tells: each entry exactly once, with the cursor behind it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import NotificationError, OutOfRange
from ibs_notify.router.ports import DeliveryPort, Outcome
from ibs_notify.router.tables import CURSORS
from ibs_notify.store.database import Database
from ibs_notify.store.upsert import insert_or_ignore

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
QUIET_SECONDS = 3.0
"""Services start in any order: for so long after the start, nobody hears that Delivery is away."""
SAY_AGAIN_SECONDS = 60.0
_NAME = "outcomes"

Apply = Callable[[sa.Connection, Sequence[Outcome]], None]
"""What outcomes change in the Router, within the transaction that moves the cursor."""
Forget = Callable[[sa.Connection], None]
"""Drops what was counted of them, within the same: everything is about to come again."""


def read_cursor(connection: sa.Connection) -> str:
    """The stored cursor; empty where there is none yet."""
    statement = sa.select(CURSORS.c.value).where(CURSORS.c.name == _NAME)
    return connection.execute(statement).scalar_one_or_none() or ""


def move_cursor(connection: sa.Connection, before: str, after: str) -> bool:
    """Replace ``before`` by ``after``; false where it is ``before`` no longer: nothing changed."""
    first = insert_or_ignore(CURSORS, connection.dialect.name).values(name=_NAME, value="")
    connection.execute(first)
    move = sa.update(CURSORS).where(CURSORS.c.name == _NAME, CURSORS.c.value == before)
    return connection.execute(move.values(value=after)).rowcount == 1


class Outcomes:
    """Follows Delivery's journal.

    Every replica follows it; whoever moves the cursor first applies what is before it, the others
    go on from there. After ``OutOfRange`` what Delivery still keeps comes again, also what was
    applied before: ``apply`` must bear that, and ``forget`` is called first.
    """

    def __init__(
        self,
        database: Database,
        delivery: DeliveryPort,
        clock: Clock,
        apply: Apply,
        forget: Forget,
    ) -> None:
        self._database = database
        self._delivery = delivery
        self._clock = clock
        self._apply = apply
        self._forget = forget
        self._pause = FIRST_PAUSE_SECONDS
        self._next_warning = 0.0

    async def run(self) -> None:
        """Follow until cancelled; what fails is repeated, more slowly each time."""
        self._next_warning = self._clock.monotonic() + QUIET_SECONDS
        while True:
            try:
                await self.follow()
            except NotificationError as error:
                self._log_wait(error)
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)

    async def follow(self) -> None:
        """Apply what is behind the stored cursor, until the stream ends or another is ahead."""
        stored = await self._database.read(read_cursor)
        try:
            await self._follow_from(stored, stored)
        except OutOfRange as error:
            log.error(
                "deliveries may have died that are not noted here: Delivery no longer knows what "
                "followed cursor %r, or was restored (%s); all that it still keeps is read again",
                stored,
                error.message,
            )
            await self._follow_from("", stored)

    async def _follow_from(self, cursor: str, stored: str) -> None:
        again = cursor != stored
        async with aclosing(self._delivery.outcomes(cursor)) as outcomes:
            async for behind, told in outcomes:
                if behind != stored and not await self._take(stored, behind, told, again=again):
                    return
                stored, again = behind, False
                self._pause, self._next_warning = FIRST_PAUSE_SECONDS, 0.0

    async def _take(self, before: str, after: str, told: Sequence[Outcome], *, again: bool) -> bool:
        """Apply and move the cursor in one transaction; false where another replica did."""

        def work(connection: sa.Connection) -> bool:
            moved = move_cursor(connection, before, after)
            if moved and again:
                self._forget(connection)
            if moved and told:
                self._apply(connection, told)
            return moved

        return await self._database.write(work)

    def _log_wait(self, error: NotificationError) -> None:
        """Once when it begins, then now and then as long as it lasts."""
        now = self._clock.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + SAY_AGAIN_SECONDS
            log.warning("the outcomes of deliveries wait: %s", error.message)
