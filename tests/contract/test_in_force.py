"""A new revision comes into force: numbered, whole, and without keeping events waiting."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
import sqlalchemy as sa

from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import Reason, Unavailable
from ibs_notify.domain.group import Group, InstallationSettings, Subscription
from ibs_notify.domain.target import Target, WebhookSpec
from ibs_notify.router import in_force as in_force_module
from ibs_notify.router.in_force import InForce
from ibs_notify.router.match import Numbers, Route, RoutedGroup, RoutingTable, build_table
from ibs_notify.router.revisions import Revisions
from ibs_notify.router.routes import register
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.store.database import Database
from ironcore.notification.v1 import config_service_pb2 as pb

pytestmark = pytest.mark.tables("router")

CHAT = Target("chat", "u-chat", WebhookSpec("http://127.0.0.1/"))


def configured(revision: int, *names: str) -> tuple[Snapshot, pb.ConfigSnapshot]:
    groups = tuple(
        Group(name, f"u-{name}", subscriptions=(Subscription(f"s-{name}", "chat", "*"),))
        for name in names
    )
    snapshot = Snapshot(revision, InstallationSettings(), {CHAT.uid: CHAT}, groups)
    return snapshot, pb.ConfigSnapshot(revision=revision)


@pytest.fixture
async def in_force(database: Database) -> AsyncIterator[InForce]:
    in_force = InForce(database, Revisions(database, SystemClock()))
    running = asyncio.create_task(in_force.run())
    yield in_force
    running.cancel()


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The groups of the routes of each transaction that registers some."""
    seen: list[list[str]] = []

    def register_and_tell(
        connection: sa.Connection, routes: Iterable[Route], groups: Iterable[RoutedGroup]
    ) -> Numbers:
        seen.append([route.group for route in routes])
        return register(connection, routes, groups)

    monkeypatch.setattr(in_force_module, "register", register_and_tell)
    return seen


async def test_every_route_and_group_of_a_revision_is_numbered(
    in_force: InForce, registered: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_force_module, "_AT_ONCE", 2)
    in_force.offer(*configured(1, "a", "b", "c", "d", "e"))
    table = await in_force.at_least(1)
    assert registered == [["a", "b"], ["c", "d"], ["e"]]
    assert len({route.route_id for route in table.routes} - {0}) == 5
    assert len({group.lane_id for group in table.groups} - {0}) == 5


async def test_a_later_revision_registers_only_what_is_new(
    in_force: InForce, registered: list[list[str]]
) -> None:
    in_force.offer(*configured(1, "a", "b"))
    first = await in_force.at_least(1)
    in_force.offer(*configured(2, "b", "c"))
    second = await in_force.at_least(2)
    assert registered == [["a", "b"], ["c"]]
    assert second.routes[0] == first.routes[1]
    assert second.groups[0].lane_id == first.groups[1].lane_id
    assert second.routes[1].route_id not in {0, *(route.route_id for route in first.routes)}


async def test_a_table_is_built_with_events_spared_even_if_it_fails_at_first(
    in_force: InForce, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = sys.getswitchinterval()
    seen: list[tuple[bool, float]] = []

    def build_at_the_second_try(*given: Any) -> RoutingTable:
        seen.append((gc.isenabled(), sys.getswitchinterval()))
        if len(seen) == 1:
            raise Unavailable(Reason.NOT_READY, "not yet")
        return build_table(*given)

    monkeypatch.setattr(in_force_module, "RETRY_SECONDS", 0)
    monkeypatch.setattr(in_force_module, "build_table", build_at_the_second_try)
    in_force.offer(*configured(1, "a"))
    await in_force.at_least(1)
    assert [collecting for collecting, _ in seen] == [False, False]
    assert all(interval < usual for _, interval in seen)
    assert gc.isenabled()
    assert sys.getswitchinterval() == usual


async def test_others_have_their_turn_between_the_parts_that_are_registered(
    in_force: InForce, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, seen = 0, []

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def register_and_count(
        connection: sa.Connection, routes: Iterable[Route], groups: Iterable[RoutedGroup]
    ) -> Numbers:
        seen.append(turns)
        return register(connection, routes, groups)

    monkeypatch.setattr(in_force_module, "register", register_and_count)
    monkeypatch.setattr(in_force_module, "_AT_ONCE", 1)
    other = asyncio.create_task(take_turns())
    in_force.offer(*configured(1, "a", "b", "c"))
    await in_force.at_least(1)
    other.cancel()
    assert len(set(seen)) == 3
