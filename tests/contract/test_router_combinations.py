"""What is kept of full blocks for summaries is what a look at each event says, on any database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.timestamp_pb2 import Timestamp
from tests.support.core import NOW, Core, failed, group
from tests.support.inbox import InboxReader
from tests.support.inbox_history import Clock, matches, some_event, write_history

from ibs_notify.domain.resource import canonical, datastore_of
from ibs_notify.router import blocks, combination_blocks
from ibs_notify.router.combination_blocks import Combination
from ibs_notify.router.event_conditions import Columns, Condition
from ibs_notify.rpc.convert import moment_to_proto
from ibs_notify.store.database import Database
from ironcore.notification.v1 import router_service_pb2 as pb

pytestmark = pytest.mark.tables("router")


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 16)


@pytest.fixture
async def core(database: Database) -> Core:
    core = Core(database)
    await core.configure(group("ops", "chat: severity >= warning"))
    return core


@pytest.fixture
def inbox(database: Database) -> InboxReader:
    return InboxReader(database, Clock(0.0))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events were looked at in each turn."""
    found: list[int] = []
    count = combination_blocks.combine

    def noted(
        connection: sa.Connection, c: Columns, conditions: Sequence[Condition]
    ) -> Counter[Combination]:
        part = count(connection, c, conditions)
        found.append(part.total())
        return part

    monkeypatch.setattr(combination_blocks, "combine", noted)
    return found


def at(minutes: int) -> Timestamp | None:
    return moment_to_proto(NOW + timedelta(minutes=minutes))


def summary_of(records: Sequence[pb.EventRecord]) -> Counter[Combination]:
    return Counter(
        (datastore_of(canonical(each.event.resource)), each.event.type, each.event.severity)
        for each in records
    )


CUTS: list[dict[str, Any]] = [
    {},
    {"min_severity": 4},
    {"after": at(20)},
    {"before": at(45), "after": at(-60)},
    {"after": at(31), "before": at(33), "min_severity": 2},
    {"after": at(400)},
]


async def test_summaries_are_true_again_and_again_while_events_come(
    core: Core, inbox: InboxReader
) -> None:
    chance = Random(5)
    await write_history(core, chance, 70)
    for round_ in range(3):
        every = await inbox.records()
        for fields in CUTS:
            expected = summary_of([each for each in every if matches(each, fields)])
            assert await inbox.summary(**fields) == expected, (round_, fields)
        for number in range(9):
            await core.emit(some_event(chance, 100 + 10 * round_ + number), now=NOW)


async def test_a_full_block_is_counted_once(
    core: Core, inbox: InboxReader, counted: list[int]
) -> None:
    await write_history(core, Random(1), 90)
    first = await inbox.summary()
    # 1 to 15, then sixteen each, and the newest, which are counted first.
    assert counted == [11, 16, 16, 16, 16, 15]
    counted.clear()
    assert await inbox.summary() == first
    # The first block loses events one day, and the last is not full.
    assert counted == [11, 15]


async def test_what_is_kept_is_bounded(
    core: Core, inbox: InboxReader, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(combination_blocks, "MOST_KEPT", 3)
    await core.emit(*(failed(f"e{each:02}", f"/datastore/d{each}") for each in range(32)))
    await core.emit(*(failed(f"f{each:02}", "/datastore/often") for each in range(20)))
    await inbox.summary()
    counted.clear()
    await inbox.summary()
    # The block of the names that are all different is looked at again.
    assert counted == [5, 16, 15]
