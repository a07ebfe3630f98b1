"""An SQLite database has one Delivery process at a time: two would not know of each other."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ibs_notify.domain.errors import FailedPrecondition, Reason


@contextmanager
def only_process(home: Path) -> Iterator[None]:
    """Hold ``delivery.lock`` in ``home``; the kernel frees it however the process ends.

    ``FailedPrecondition`` where another process holds it.
    """
    home.mkdir(parents=True, exist_ok=True)
    path = home / "delivery.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FailedPrecondition(
                Reason.STORAGE_UNAVAILABLE,
                f"another Delivery process uses {home}: it holds {path}",
                advice="stop it, set another IBS_NOTIFY_HOME, or use PostgreSQL for replicas",
            ) from None
        yield
    finally:
        os.close(descriptor)
