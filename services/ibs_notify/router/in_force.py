"""The routing table in force: built from each snapshot off the way of events, swapped whole."""

from __future__ import annotations

import asyncio
import logging

from ibs_notify.domain.errors import NotFound, NotificationError, Reason, Unavailable
from ibs_notify.router.match import RoutedGroup, RoutingTable, build_table, numbered
from ibs_notify.router.revisions import Revisions
from ibs_notify.router.routes import register
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.store.database import Database
from ironcore.notification.v1 import config_service_pb2 as pb

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class InForce:
    """``table`` is what events are routed by; ``None`` before the first snapshot."""

    def __init__(self, database: Database, revisions: Revisions) -> None:
        self._database = database
        self._revisions = revisions
        self._newest: tuple[Snapshot, pb.ConfigSnapshot] | None = None
        self._offered = asyncio.Event()
        self._swapped = asyncio.Event()
        self.table: RoutingTable | None = None

    def offer(self, snapshot: Snapshot, kept: pb.ConfigSnapshot) -> None:
        """A newer configuration; of several offered meanwhile only the newest counts.

        ``kept`` is the same as it is stored.
        """
        self._newest = snapshot, kept
        self._offered.set()

    async def at_least(self, revision: int) -> RoutingTable:
        """Wait until ``revision`` or a later one is in force."""
        while self.table is None or self.table.revision < revision:
            await self._swapped.wait()
        return self.table

    def group(self, name: str) -> RoutedGroup:
        """The group of that name; ``NotFound`` where there is none."""
        for each in required(self.table).groups:
            if each.name == name:
                return each
        raise NotFound(
            Reason.GROUP_NOT_FOUND,
            f"there is no group {name!r}",
            advice="list those that there are with: group list",
        )

    async def run(self) -> None:
        """Build and swap until cancelled."""
        while True:
            await self._offered.wait()
            self._offered.clear()
            if self._newest is None:
                continue
            snapshot, kept = self._newest
            try:
                await self._swap(snapshot, kept)
            except NotificationError as error:
                log.warning("revision %d is not in force yet: %s", snapshot.revision, error.message)
                self._offered.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def _swap(self, snapshot: Snapshot, kept: pb.ConfigSnapshot) -> None:
        table = await asyncio.to_thread(build_table, snapshot)
        numbers = await self._database.write(lambda connection: register(connection, table))
        await self._revisions.record(kept)
        self.table = await asyncio.to_thread(numbered, table, numbers)
        self._swapped.set()
        self._swapped = asyncio.Event()


def required(table: RoutingTable | None) -> RoutingTable:
    """The table; ``Unavailable`` where there is none yet."""
    if table is None:
        raise Unavailable(
            Reason.NOT_READY,
            "the Router has no configuration yet",
            advice="is Config running? Retrying is safe",
        )
    return table
