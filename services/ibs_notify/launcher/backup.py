"""``ibs-notify backup`` and ``ibs-notify hold``: what is done to databases, not to services."""

from __future__ import annotations

import asyncio
import importlib
from datetime import datetime
from pathlib import Path
from typing import Any

from ibs_notify.settings import ServiceName, Settings

IN_ORDER: tuple[ServiceName, ...] = ("router", "delivery", "config")
"""What Delivery knows beyond the Router is harmless, and so is a configuration that is newer."""


def backup(settings: Settings, directory: Path, now: datetime) -> list[Path]:
    """Copy the SQLite databases of all services; the copies. That of Delivery is held.

    So nobody can forget it: whoever restores the copy releases its queue when it has been looked
    at. Raises ``NotificationError``.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    copy_database: Any = _of("store.backup").copy_database
    copies = [copy_database(settings.database_url(each), directory) for each in IN_ORDER]
    hold_queue: Any = _of("delivery.queue.offline").hold_queue
    try:
        url = f"sqlite:///{copies[1].absolute()}"
        asyncio.run(hold_queue(url, settings.caller, now, is_copy=True))
    except BaseException:
        # Started as it is, it would send all once more.
        copies[1].unlink()
        raise
    return copies


def hold(settings: Settings, now: datetime) -> datetime:
    """Hold the queue of a Delivery that does not run; since when it is held.

    Raises ``NotificationError``.
    """
    hold_queue: Any = _of("delivery.queue.offline").hold_queue
    url = settings.database_url("delivery")
    since: datetime = asyncio.run(hold_queue(url, settings.caller, now))
    return since


def _of(module: str) -> Any:
    """A room that is opened only for this: the launcher itself knows no service and no database."""
    return importlib.import_module(f"ibs_notify.{module}")
