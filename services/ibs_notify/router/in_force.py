"""The routing table in force: built from each snapshot off the way of events, swapped whole."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Callable, Container
from functools import partial

from ibs_notify.domain.errors import NotFound, NotificationError, Reason, Unavailable
from ibs_notify.router.match import (
    Numbers,
    Route,
    RoutedGroup,
    RoutingTable,
    build_table,
    numbered,
    numbers_of,
)
from ibs_notify.router.revisions import Revisions
from ibs_notify.router.routes import register
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.store.database import Database
from ironcore.notification.v1 import config_service_pb2 as pb

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0

_AT_ONCE = 200
"""Routes and groups registered in one transaction: some milliseconds, on SQLite in the loop."""
_LARGE = 10_000
"""So many routes stay out of the garbage collector's sight, whose every look would take long."""
_SWITCH_SECONDS = 0.0005
_USUAL_SWITCH_SECONDS = sys.getswitchinterval()


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

    def groups_after(self, name: str, only: Container[str] = ()) -> list[RoutedGroup]:
        """The groups in order of name, from behind ``name`` on; of all where ``only`` is empty."""
        behind = (each for each in required(self.table).groups if each.name > name)
        chosen = (each for each in behind if not only or each.name in only)
        return sorted(chosen, key=lambda each: each.name)

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
        table = await _in_a_thread(build_table, snapshot, self.table)
        numbers = await self._numbers(table)
        await self._revisions.record(kept)
        self.table = await _in_a_thread(numbered, table, numbers)
        self._swapped.set()
        self._swapped = asyncio.Event()

    async def _numbers(self, table: RoutingTable) -> Numbers:
        """Those of the table in force, and new ones for what is new; a few at a time."""
        numbers, routes, groups = await asyncio.to_thread(_unnumbered, table, self.table)
        by_digest, by_uid = dict(numbers.routes), dict(numbers.lanes)
        for start in range(0, max(len(routes), len(groups)), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            found = await self._database.write(
                partial(register, routes=routes[part], groups=groups[part])
            )
            by_digest.update(found.routes)
            by_uid.update(found.lanes)
            await asyncio.sleep(0)  # SQLite wrote in the loop, which others wait for
        return Numbers(by_digest, by_uid)


def _unnumbered(
    table: RoutingTable, in_force: RoutingTable | None
) -> tuple[Numbers, list[Route], list[RoutedGroup]]:
    """The numbers of ``in_force``, and the routes and groups of ``table`` that have none there."""
    numbers = numbers_of(in_force) if in_force is not None else Numbers({}, {})
    routes = [each for each in table.routes if each.digest not in numbers.routes]
    groups = [each for each in table.groups if each.uid not in numbers.lanes]
    return numbers, routes, groups


async def _in_a_thread(make: Callable[..., RoutingTable], *given: object) -> RoutingTable:
    """A table, made while events go on.

    The thread gives way to them every half millisecond. The garbage collector would look at all
    that is made again and again, and stop every thread meanwhile, with a hundred thousand rules
    for up to a second. It would find nothing, for no cycles are made.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.disable()
    try:
        table = await asyncio.to_thread(make, *given)
        if len(table.routes) >= _LARGE:
            gc.freeze()
        return table
    finally:
        gc.enable()
        sys.setswitchinterval(_USUAL_SWITCH_SECONDS)


def required(table: RoutingTable | None) -> RoutingTable:
    """The table; ``Unavailable`` where there is none yet."""
    if table is None:
        raise Unavailable(
            Reason.NOT_READY,
            "the Router has no configuration yet",
            advice="is Config running? Retrying is safe",
        )
    return table
