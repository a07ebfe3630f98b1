"""An SQLite database belongs to one process of a service: two would not know of each other."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ibs_notify.domain.errors import FailedPrecondition, Reason


class FileLock:
    """Holds ``PATH.lock``; the kernel frees it however the process ends.

    ``FailedPrecondition`` where another process holds it.
    """

    def __init__(self, database: Path) -> None:
        path = database.with_name(f"{database.name}.lock")
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise FailedPrecondition(
                Reason.STORAGE_UNAVAILABLE,
                f"another process uses {database}: it holds {path}",
                advice="stop it, set another IBS_NOTIFY_HOME, or use PostgreSQL for replicas",
            ) from None

    def release(self) -> None:
        """Let the next one have it."""
        os.close(self._descriptor)
