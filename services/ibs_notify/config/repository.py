"""The configuration in a database: SQLite or PostgreSQL, the same statements."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import uuid4

import sqlalchemy as sa

from ibs_notify.config import tables
from ibs_notify.config.ports import Change, Delta, Place, View
from ibs_notify.config.revision_log import LogReader
from ibs_notify.config.sql_change import SqlChange
from ibs_notify.config.sql_view import SqlView
from ibs_notify.domain.clock import Clock, to_micros
from ibs_notify.store.database import Database

log = logging.getLogger(__name__)

T = TypeVar("T")

KEPT_REVISIONS = 10_000
_MINUTE = timedelta(minutes=1) // timedelta(microseconds=1)


class ConfigRepository:
    """``announce`` is told each revision that this process has committed.

    The log is pruned to the last ``kept_revisions``; older resume tokens are refused.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        announce: Callable[[int], None],
        *,
        kept_revisions: int = KEPT_REVISIONS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._announce = announce
        self._kept_revisions = kept_revisions

    async def read(self, look: Callable[[View], T]) -> T:
        return await self._database.read(lambda connection: look(SqlView(connection)))

    async def change(self, author: str, work: Callable[[Change], T]) -> T:
        def run(connection: sa.Connection) -> tuple[T, int]:
            change = SqlChange(connection, self._clock, author)
            answer = work(change)
            return answer, change.finish(self._kept_revisions)

        answer, revision = await self._database.write(run)
        self._announce(revision)
        return answer

    async def revision(self) -> int:
        return await self._database.read(
            lambda connection: connection.execute(sa.select(tables.STATE.c.revision)).scalar_one()
        )

    async def begin_log(self) -> None:
        await self._database.write(
            lambda connection: connection.execute(
                sa.update(tables.STATE).values(log_id=uuid4().hex)
            )
        )

    async def step_over(self, seen: int) -> None:
        if seen <= await self.revision():
            return

        def work(connection: sa.Connection) -> int:
            return connection.execute(
                sa.update(tables.STATE)
                .where(tables.STATE.c.revision < seen)
                .values(revision=seen + 1, log_id=uuid4().hex)
            ).rowcount

        if await self._database.write(work):
            log.warning("revision %d is lost: was the database restored? Going on above it", seen)
            self._announce(seen + 1)

    async def note_token_uses(self, uses: Mapping[str, datetime]) -> None:
        used = {token_id: to_micros(at) // _MINUTE * _MINUTE for token_id, at in uses.items()}
        await self._database.write(lambda connection: _note_uses(connection, used))

    async def changes_since(
        self, place: Place | None, *, include_secrets: bool, include_tokens: bool = False
    ) -> Delta:
        def work(connection: sa.Connection) -> Delta:
            log = LogReader(
                connection,
                SqlView(connection),
                include_secrets=include_secrets,
                include_tokens=include_tokens,
            )
            return log.everything() if place is None else log.since(place)

        return await self._database.read(work)


def _note_uses(connection: sa.Connection, used: Mapping[str, int]) -> None:
    tokens = tables.TOKENS.c
    # In one order, so that two replicas never wait for each other.
    for token_id in sorted(used):
        later = sa.or_(tokens.used_at.is_(None), tokens.used_at < used[token_id])
        connection.execute(
            sa.update(tables.TOKENS)
            .where(tokens.id == token_id, later)
            .values(used_at=used[token_id])
        )
