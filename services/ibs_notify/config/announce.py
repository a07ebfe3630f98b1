"""Announces changes: entries of Config's audit log become events in the Router.

The log is the outbox. How far it was announced is stored, and so is what is to be announced next
before it is: after a crash, and on any replica, that is the same, and the Router knows it by its
ids. Only what people do to Config is in this log, and nothing that an event sets off, so there is
no loop.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from ibs_notify.audit.journal import head_of
from ibs_notify.config.announcement import Noted, events_of
from ibs_notify.config.tables import ANNOUNCED, AUDIT
from ibs_notify.domain.clock import Clock, from_micros, to_micros
from ibs_notify.domain.errors import AlreadyExists, InvalidArgument, NotificationError
from ibs_notify.domain.event import Event
from ibs_notify.domain.failpoints import hit
from ibs_notify.store.database import Database

log = logging.getLogger(__name__)

Emit = Callable[[Event], Awaitable[None]]
"""Gives the Router an event; raises what the Router answers. The same event again is no error."""

BETWEEN = timedelta(minutes=1)
"""From one batch to the next: a change is announced at once, those after it together."""
MOST_ENTRIES = 10_000
"""Of one batch."""
LOOK_SECONDS = 5.0
"""What another replica has written is found within so long."""
_CHUNK = 1000
_A, _E = ANNOUNCED.c, AUDIT.entries.c


@dataclass(frozen=True, slots=True)
class _Standing:
    """Announced up to ``sequence``; up to ``planned`` it is to be, since ``planned_at``.

    ``end`` is the number of the last entry.
    """

    sequence: int
    planned: int
    planned_at: int
    end: int


class Announcer:
    """One for each replica; they may all run."""

    def __init__(self, database: Database, emit: Emit, clock: Clock) -> None:
        self._database = database
        self._emit = emit
        self._clock = clock
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Something was changed here."""
        self._nudged.set()

    async def begin(self) -> None:
        """Announce from now on, and nothing of the time in which that was not done."""

        def work(connection: sa.Connection) -> None:
            end = head_of(connection, AUDIT).sequence
            fresh = sa.update(ANNOUNCED).where(_A.sequence.is_(None))
            connection.execute(fresh.values(sequence=end, planned=end))

        await self._database.write(work)

    async def run(self) -> None:
        """Work until cancelled; a Router that is away is waited for."""
        failed = False
        while True:
            self._nudged.clear()
            try:
                await self.tick()
                failed = False
            except NotificationError as error:
                if not failed:
                    log.warning("changes are announced later: %s", error.message)
                failed = True
            if failed:
                await asyncio.sleep(LOOK_SECONDS)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._nudged.wait()

    async def tick(self) -> None:
        """Announce what is planned, and what there is besides if it is time for that."""
        standing = await self._database.read(_standing)
        if standing is None:
            return
        if standing.planned <= standing.sequence:
            await self._plan(standing)
            standing = await self._database.read(_standing)
        if standing is not None and standing.planned > standing.sequence:
            await self._announce(standing)

    async def _plan(self, standing: _Standing) -> None:
        now = self._clock.now()
        since = now - from_micros(standing.planned_at)
        # A clock that was set back must not keep it waiting.
        if standing.end <= standing.sequence or timedelta(0) <= since < BETWEEN:
            return
        planned = min(standing.end, standing.sequence + MOST_ENTRIES)
        values = {"planned": planned, "planned_at": to_micros(now)}
        await self._database.write(lambda c: _move(c, standing, values))

    async def _announce(self, standing: _Standing) -> None:
        noted: list[Noted] = []
        after = standing.sequence
        # Where entries were deleted, which verify finds, the others are announced.
        while found := await self._database.read(
            partial(_noted, after=after, up_to=standing.planned)
        ):
            noted += found
            after = found[-1].sequence
        for event in events_of(noted):
            await self._emit_once(event)
        hit("config.after_announcement")
        values = {"sequence": standing.planned}
        await self._database.write(lambda c: _move(c, standing, values))

    async def _emit_once(self, event: Event) -> None:
        try:
            await self._emit(event)
        except AlreadyExists:
            # Announced by another release, in other words.
            log.info("%s was announced before", event.event_id)
        except InvalidArgument as error:
            log.error("%s cannot be announced: %s", event.event_id, error.message)


async def announce_nothing(database: Database) -> None:
    """For an installation that proves nobody's name: no events about who changed what."""
    off = sa.update(ANNOUNCED).where(_A.sequence.is_not(None))
    await database.write(lambda connection: connection.execute(off.values(sequence=None)))


def _standing(connection: sa.Connection) -> _Standing | None:
    row = connection.execute(sa.select(_A.sequence, _A.planned, _A.planned_at)).one()
    if row.sequence is None:
        return None
    end = head_of(connection, AUDIT).sequence
    return _Standing(row.sequence, row.planned, row.planned_at, end)


def _move(connection: sa.Connection, seen: _Standing, values: dict[str, int]) -> None:
    """Unless another replica was faster."""
    unmoved = (_A.sequence == seen.sequence, _A.planned == seen.planned)
    connection.execute(sa.update(ANNOUNCED).where(*unmoved).values(values))


def _noted(connection: sa.Connection, after: int, up_to: int) -> list[Noted]:
    role_is_in = sa.case((_E.action == "token.create", _E.after), else_="")
    statement = (
        sa.select(
            _E.sequence, _E.at, _E.actor, _E.action, _E.subject, _E.hash, role_is_in.label("token")
        )
        .where(_E.sequence > after, _E.sequence <= up_to)
        .order_by(_E.sequence)
        .limit(_CHUNK)
    )
    return [each for row in connection.execute(statement) if (each := _read(row)) is not None]


def _read(row: sa.Row[*tuple[Any, ...]]) -> Noted | None:
    """``None`` of what somebody has put values into that no entry has: ``verify`` tells of it."""
    try:
        return Noted(
            sequence=row.sequence,
            moment=from_micros(row.at),
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            hash=bytes(row.hash),
            role=_role(row.token),
        )
    except (TypeError, OverflowError):
        log.error("entry %s of the audit log cannot be read", row.sequence)
        return None


def _role(token: str) -> str:
    """``administrator`` of a token's document; empty of what is none."""
    try:
        role = json.loads(token)["role"] if token else ""
    except (ValueError, KeyError, TypeError):
        return ""
    return str(role).removeprefix("ROLE_").lower()
