"""SQLite: one file, one process, one writer."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event as sa_event
from sqlalchemy import exc
from sqlalchemy.engine.interfaces import DBAPIConnection

from ibs_notify.domain.errors import Reason, Unavailable
from ibs_notify.store.database import T, Work
from ibs_notify.store.faults import Fault, fault_of, to_error
from ibs_notify.store.file_lock import FileLock

log = logging.getLogger(__name__)

BUSY_RETRY_SECONDS = 2.0
_BUSY_PAUSE_SECONDS = 0.01
_READERS = 2
_WRITER_CACHE_KIB = 16_000
_READER_CACHE_KIB = 4_000
"""Of each: a long list or the ledger fills it, and the system caches the file as well."""


async def open_sqlite(url: sa.URL, *, exclusive: bool) -> SqliteDatabase:
    """Another process may hold the file for a moment, such as a former one that still closes it."""
    if not url.database:
        raise ValueError("an SQLite database needs a file")
    file = Path(url.database)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(file) if exclusive else None
    _keep_from_others(file)
    deadline = asyncio.get_running_loop().time() + BUSY_RETRY_SECONDS
    while True:
        try:
            return SqliteDatabase(url, file.parent, lock)
        except (exc.DBAPIError, sqlite3.Error) as error:
            late = asyncio.get_running_loop().time() >= deadline
            if fault_of(error) is not Fault.BUSY or late:
                if lock is not None:
                    lock.release()
                reason = error.orig if isinstance(error, exc.DBAPIError) else error
                raise Unavailable(
                    Reason.STORAGE_UNAVAILABLE, f"the database {file} cannot be opened: {reason}"
                ) from error
        await asyncio.sleep(_BUSY_PAUSE_SECONDS)


def _keep_from_others(file: Path) -> None:
    """Whatever the umask and the directory: what was told to whom is for this account.

    SQLite gives ``-wal`` and ``-shm`` the mode of the file. What a former release left open to all
    is closed; a group that was let in stays.
    """
    # Never opened where it exists: to close it again would free the locks that SQLite has on it.
    with suppress(OSError):  # where it cannot be made, SQLite says so
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    for each in (file, *(file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm"))):
        with suppress(OSError):  # it is not there, or belongs to somebody else
            mode = stat.S_IMODE(each.stat().st_mode)
            if mode & stat.S_IRWXO:
                each.chmod(mode & ~stat.S_IRWXO)


class SqliteDatabase:
    """One SQLite file: WAL, ``synchronous=FULL``, ``BEGIN IMMEDIATE``, one writer.

    FULL is asserted: with NORMAL a power cut loses rows that were acknowledged. The writer never
    waits inside SQLite, which would stop the event loop; a file locked by another process is tried
    again for ``BUSY_RETRY_SECONDS``.
    """

    dialect = "sqlite"

    def __init__(self, url: sa.URL, directory: Path, lock: FileLock | None) -> None:
        self.directory: Path | None = directory
        self._lock = lock
        self.broken = asyncio.Event()
        self._turn = asyncio.Lock()
        self._writer = _sqlite_engine(
            url, busy_timeout_ms=0, pool_size=1, cache_kib=_WRITER_CACHE_KIB
        )
        self._readers = _sqlite_engine(
            url, busy_timeout_ms=5000, pool_size=_READERS, cache_kib=_READER_CACHE_KIB
        )
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-read")
        self._connection = self._writer.connect()
        self._assert_durable()

    async def write(self, work: Work[T]) -> T:
        async with self._turn:
            deadline = asyncio.get_running_loop().time() + BUSY_RETRY_SECONDS
            while True:
                if self.broken.is_set():
                    raise to_error(Fault.BROKEN)
                try:
                    with self._connection.begin():
                        return work(self._connection)
                except (exc.DBAPIError, sqlite3.Error) as error:
                    fault = fault_of(error)
                    late = asyncio.get_running_loop().time() >= deadline
                    if fault is not Fault.BUSY or late:
                        self._give_up(fault, error)
                await asyncio.sleep(_BUSY_PAUSE_SECONDS)

    def _give_up(self, fault: Fault, error: exc.DBAPIError | sqlite3.Error) -> None:
        if fault is Fault.BROKEN:
            log.critical("the storage failed: %s; stopping", error)
            self.broken.set()
        if fault is Fault.STATEMENT:
            raise error
        raise to_error(fault) from error

    async def read(self, work: Work[T]) -> T:
        def run() -> T:
            try:
                with self._readers.begin() as connection:
                    return work(connection)
            except (exc.DBAPIError, sqlite3.Error) as error:
                fault = fault_of(error)
                if fault is Fault.STATEMENT:
                    raise
                raise to_error(fault) from error

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    async def close(self) -> None:
        async with self._turn:
            self._threads.shutdown(wait=True)
            self._readers.dispose()
            self._connection.close()
            self._writer.dispose()
            if self._lock is not None:
                self._lock.release()

    def _assert_durable(self) -> None:
        with self._connection.begin():
            mode = self._connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            level = self._connection.exec_driver_sql("PRAGMA synchronous").scalar()
        if (mode, level) != ("wal", 2):
            raise RuntimeError(
                f"SQLite is not durable here: journal_mode={mode}, synchronous={level}"
            )


def _sqlite_engine(
    url: sa.URL, *, busy_timeout_ms: int, pool_size: int, cache_kib: int
) -> sa.Engine:
    engine = sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        # An error ends in the log, where neither an event nor a webhook's URL belongs.
        hide_parameters=True,
        connect_args={"check_same_thread": False},
    )

    def configure(connection: DBAPIConnection, _record: Any) -> None:
        # SQLAlchemy, not the driver, begins transactions, so that they can be IMMEDIATE.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={busy_timeout_ms}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            f"cache_size=-{cache_kib}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    begin = "BEGIN IMMEDIATE" if busy_timeout_ms == 0 else "BEGIN"

    def start(connection: sa.Connection) -> None:
        # By the driver: SQLAlchemy's own execution costs more than the statement.
        driver: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]  # it is SQLite's
        driver.execute(begin)

    sa_event.listen(engine, "connect", configure)
    sa_event.listen(engine, "begin", start)
    return engine
