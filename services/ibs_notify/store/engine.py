"""Opens the database that a URL names."""

from __future__ import annotations

import sqlalchemy as sa

from ibs_notify.store.database import Database
from ibs_notify.store.sqlite import open_sqlite


async def open_database(url: str, *, exclusive: bool = False) -> Database:
    """Open ``sqlite:///PATH`` or ``postgresql+asyncpg://…``; ``Unavailable`` where that fails.

    ``exclusive`` keeps other processes that ask for the same from an SQLite file
    (``FailedPrecondition``); replicas share PostgreSQL.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return await open_sqlite(parsed, exclusive=exclusive)
    if parsed.get_backend_name() == "postgresql":
        from ibs_notify.store.postgresql import PostgresDatabase  # noqa: PLC0415  # costs 100 ms

        return await PostgresDatabase.open(parsed.set(drivername="postgresql+asyncpg"))
    raise ValueError(f"no such database here: {parsed.get_backend_name()}; sqlite or postgresql")
