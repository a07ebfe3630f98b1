"""A floor of free space: new events are refused before the disk is full, deliveries go on."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import Reason, ResourceExhausted

_CHECK_SECONDS = 1.0


class FreeSpace:
    """Looks at the file system of ``directory`` at most once a second."""

    def __init__(self, directory: Path, clock: Clock, *, min_free_mib: int) -> None:
        self._directory = directory
        self._clock = clock
        self._floor = min_free_mib << 20
        self._checked_at = float("-inf")
        self._enough = True

    def require(self) -> None:
        """``ResourceExhausted`` where less than the floor is free."""
        now = self._clock.monotonic()
        if now - self._checked_at >= _CHECK_SECONDS:
            self._checked_at = now
            status = os.statvfs(self._directory)
            self._enough = status.f_bavail * status.f_frsize >= self._floor
        if not self._enough:
            raise ResourceExhausted(
                Reason.STORAGE_FULL,
                f"less than {self._floor >> 20} MiB are free on the disk of the database",
                advice="free some space; nothing was stored, and retrying is safe",
                retry_after=timedelta(seconds=30),
            )
