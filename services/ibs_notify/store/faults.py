"""What a failure of the database means: a bad statement, busy, full, broken or away."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from enum import StrEnum
from typing import assert_never

from sqlalchemy import exc

from ibs_notify.domain.errors import (
    InvalidArgument,
    NotificationError,
    Reason,
    ResourceExhausted,
    Unavailable,
)


class Fault(StrEnum):
    STATEMENT = "statement"
    """The statement or its data is wrong, a unique key for instance: the caller's affair."""
    TEXT = "text"
    """A text has a NUL, which PostgreSQL takes in none: it is no id that there is, for a start."""
    BUSY = "busy"
    """Somebody else writes: try again."""
    FULL = "full"
    """No room on the disk."""
    BROKEN = "broken"
    """Reading or syncing failed: what is on disk is unknown until the file is opened anew."""
    AWAY = "away"
    """The server cannot be reached, or ended the connection."""


def fault_of(error: exc.DBAPIError | sqlite3.Error) -> Fault:
    """Sort an error of either driver."""
    if isinstance(error, sqlite3.Error):
        return _sqlite_fault(error)
    original = error.orig
    if isinstance(original, sqlite3.Error):
        return _sqlite_fault(original)
    if error.connection_invalidated or isinstance(error, exc.InterfaceError):
        return Fault.AWAY
    return _postgres_fault(str(getattr(original, "sqlstate", "") or ""))


def _sqlite_fault(error: sqlite3.Error) -> Fault:
    # The low byte is the primary code; the rest only details it.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Fault.BUSY
        case sqlite3.SQLITE_FULL:
            return Fault.FULL
        case (
            sqlite3.SQLITE_IOERR
            | sqlite3.SQLITE_CORRUPT
            | sqlite3.SQLITE_NOTADB
            | sqlite3.SQLITE_CANTOPEN
            | sqlite3.SQLITE_READONLY
        ):
            return Fault.BROKEN
        case _:
            return Fault.STATEMENT


def _postgres_fault(state: str) -> Fault:
    # Classes of https://www.postgresql.org/docs/current/errcodes-appendix.html
    if state.startswith("53"):
        return Fault.FULL if state == "53100" else Fault.BUSY
    if state.startswith(("08", "57")) or state == "25006":
        return Fault.AWAY
    if state in ("40001", "40P01", "55P03"):
        return Fault.BUSY
    return Fault.TEXT if state == "22021" else Fault.STATEMENT


def to_error(fault: Fault) -> NotificationError:
    """What the caller of a service is told."""
    match fault:
        case Fault.TEXT:
            return InvalidArgument(
                Reason.FIELD_INVALID, "a text of the request has a NUL character"
            )
        case Fault.FULL:
            return ResourceExhausted(
                Reason.STORAGE_FULL,
                "the disk of the database is full",
                advice="free some space; nothing was stored, and retrying is safe",
                retry_after=timedelta(seconds=30),
            )
        case Fault.BUSY:
            return _unavailable("the database is locked by another process", seconds=2)
        case Fault.AWAY:
            # A connection lost at the commit leaves open what became of it.
            return Unavailable(
                Reason.STORAGE_UNAVAILABLE,
                "the database cannot be reached",
                advice="whether it was stored is unknown; repeat it with the same id",
                retry_after=timedelta(seconds=2),
            )
        case Fault.BROKEN | Fault.STATEMENT:
            return _unavailable("the database failed", seconds=10)
        case _:
            assert_never(fault)


def _unavailable(message: str, *, seconds: int) -> Unavailable:
    return Unavailable(
        Reason.STORAGE_UNAVAILABLE,
        message,
        advice="nothing was stored, and retrying is safe",
        retry_after=timedelta(seconds=seconds),
    )
