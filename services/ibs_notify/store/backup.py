"""A consistent copy of an SQLite database, while its service runs."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import sqlalchemy as sa

from ibs_notify.domain.errors import FailedPrecondition, Reason, Unavailable


def copy_database(url: str, directory: Path) -> Path:
    """Copy the database of ``url`` into ``directory``, on disk when it returns; the copy's path.

    The copy is of one moment, and holds up nobody. ``FailedPrecondition`` for another kind of
    database, or where such a copy is there already; ``Unavailable`` where it cannot be made: then
    nothing is left of it.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise FailedPrecondition(
            Reason.STORAGE_UNAVAILABLE,
            f"{parsed.get_backend_name()} databases are saved by their own tools",
            advice="use pg_dump, and `ibs-notify hold` after its restore",
        )
    source = Path(parsed.database)
    target = directory / source.name
    if target.exists():
        raise FailedPrecondition(
            Reason.STORAGE_UNAVAILABLE,
            f"there is a {target} already",
            advice="give each backup a directory of its own",
        )
    try:
        _copy(source, target)
    except (sqlite3.Error, OSError) as error:
        raise Unavailable(
            Reason.STORAGE_UNAVAILABLE, f"{source} cannot be copied to {target}: {error}"
        ) from error
    return target


def _copy(source: Path, target: Path) -> None:
    # Made here, so that nobody else can read it from the beginning on; VACUUM takes an empty file.
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        connection = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
        try:
            connection.execute("VACUUM INTO ?", (str(target),))
        finally:
            connection.close()
        _sync(target)
        _sync(target.parent)
    except BaseException:
        # What is empty or cut off must not be taken for a backup.
        target.unlink(missing_ok=True)
        raise


def _sync(path: Path) -> None:
    """Wait until a file, or what a directory names, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
