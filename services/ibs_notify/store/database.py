"""A service's database: transactions that are durable when they return.

Repository code is written once, as plain functions of a SQLAlchemy ``Connection``. A ``Database``
runs them: on SQLite in the event loop by the only writer (a commit costs less than a thread
switch), on PostgreSQL through asyncpg.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import sqlalchemy as sa

T = TypeVar("T")
Work = Callable[[sa.Connection], T]


class Database(Protocol):
    """What repositories run on. Open one with ``open_database``."""

    dialect: str
    """``sqlite`` or ``postgresql``."""
    directory: Path | None
    """Where its files are; ``None`` where a server keeps them."""
    broken: asyncio.Event
    """Set when the storage failed in a way that only a restart can judge: a failed fsync."""

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in one transaction and commit it durably before returning.

        Any exception of ``work`` rolls back and is raised. ``Unavailable`` where the database is
        locked or away, ``ResourceExhausted`` where the disk is full: nothing was stored then.
        """
        ...

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on a consistent view; it must not write."""
        ...

    async def close(self) -> None:
        """Release everything; nothing is lost."""
        ...
