"""PostgreSQL by asyncpg: any number of replicas of a service may share it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ibs_notify.store.database import T, Work
from ibs_notify.store.faults import Fault, fault_of, to_error

log = logging.getLogger(__name__)

POOL_SIZE = 8
_DEADLOCK_TRIES = 5


class PostgresDatabase:
    """Commits with ``synchronous_commit=on``, whatever the role or the database default says."""

    dialect = "postgresql"
    directory: Path | None = None

    def __init__(self, engine: AsyncEngine) -> None:
        self.broken = asyncio.Event()
        self._engine = engine
        self._reader = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    @classmethod
    async def open(cls, url: sa.URL) -> PostgresDatabase:
        engine = create_async_engine(
            url,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=5,
            pool_pre_ping=True,
            hide_parameters=True,  # an error ends in the log, where its data does not belong
            connect_args={
                "timeout": 5,
                "command_timeout": 30,
                "server_settings": {
                    "synchronous_commit": "on",
                    "application_name": "ibs-notify",
                    "idle_in_transaction_session_timeout": "60000",
                    # Statements are written to follow an index, and stop early. Where the server
                    # has no statistics yet, as after a load, it would rather read and sort all.
                    "enable_bitmapscan": "off",
                },
            },
        )
        database = cls(engine)
        try:
            await database.read(lambda connection: connection.execute(sa.text("SELECT 1")).scalar())
        except BaseException:
            await engine.dispose()
            raise
        return database

    async def write(self, work: Work[T]) -> T:
        for attempt in range(1, _DEADLOCK_TRIES + 1):
            try:
                async with self._engine.begin() as connection:
                    return await connection.run_sync(work)
            except exc.DBAPIError as error:
                fault = fault_of(error)
                if fault is Fault.BUSY and attempt < _DEADLOCK_TRIES:
                    continue
                if fault is Fault.STATEMENT:
                    raise
                raise to_error(fault) from error
            except (OSError, exc.TimeoutError) as error:
                raise to_error(Fault.AWAY) from error
        raise AssertionError("the last try returns or raises")

    async def read(self, work: Work[T]) -> T:
        try:
            async with self._reader.connect() as connection:
                return await connection.run_sync(work)
        except exc.DBAPIError as error:
            fault = fault_of(error)
            if fault is Fault.STATEMENT:
                raise
            raise to_error(fault) from error
        except (OSError, exc.TimeoutError) as error:
            raise to_error(Fault.AWAY) from error

    async def close(self) -> None:
        await self._engine.dispose()
