"""The configuration as it was when an event was routed, on every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from tests.support.router import group, webhook

from ibs_notify.domain.clock import to_micros
from ibs_notify.domain.errors import Reason, ResourceExhausted
from ibs_notify.router import revisions as revisions_module
from ibs_notify.router.revisions import Revisions, prune_revisions, read_revision
from ibs_notify.router.tables import EVENTS, REVISION_PARTS, REVISIONS
from ibs_notify.store.database import Database
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import group_pb2

pytestmark = pytest.mark.tables("router")

START = datetime(2026, 5, 21, tzinfo=UTC)


class DailyClock:
    """Each revision comes into force a day after the one before."""

    def __init__(self) -> None:
        self._now = START

    def now(self) -> datetime:
        self._now += timedelta(days=1)
        return self._now

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def revisions(database: Database) -> Revisions:
    return Revisions(database, DailyClock())


def snapshot(revision: int, rule: str, *others: group_pb2.Group) -> pb.ConfigSnapshot:
    kept = pb.ConfigSnapshot(revision=revision, groups=[group("ops", {"chat": rule}), *others])
    kept.targets.add().target.CopyFrom(webhook("chat"))
    kept.settings.time_zone = "Europe/Vienna"
    return kept


async def count(database: Database, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return await database.read(lambda c: c.execute(query).scalar_one())


async def rule_of(database: Database, revision: int) -> str | None:
    found = await database.read(lambda c: read_revision(c, revision))
    return None if found is None else found.groups[0].subscriptions[0].rule


async def store_event(database: Database, seq: int, received_at: datetime) -> None:
    row = {
        "seq": seq,
        "event_id": f"e{seq}",
        "received_at": to_micros(received_at),
        "revision": 1,
        "opened": 0,
        "closed": 0,
        "severity": 1,
        "type": "backup.failed",
        "resource": "",
        "actor": "",
        "task_id": "",
        "body": b"",
        "packed": b"",
    }
    await database.write(lambda c: c.execute(sa.insert(EVENTS).values(row)))


async def test_each_revision_is_read_back_as_it_was(
    database: Database, revisions: Revisions
) -> None:
    for number, rule in ((1, "severity >= error"), (4, "*"), (5, "type = a.b")):
        await revisions.record(snapshot(number, rule))
    assert [await rule_of(database, each) for each in (1, 4, 5)] == [
        "severity >= error",
        "*",
        "type = a.b",
    ]
    assert await database.read(lambda c: read_revision(c, 4)) == snapshot(4, "*")
    assert await rule_of(database, 3) is None


async def test_a_change_costs_what_changed(database: Database, revisions: Revisions) -> None:
    many = [group(f"g{number}", {"chat": "*"}) for number in range(40)]
    await revisions.record(snapshot(1, "*", *many))
    before = await count(database, REVISION_PARTS)
    for number in range(2, 12):
        await revisions.record(snapshot(number, f"subject = s{number}", *many))
    assert await count(database, REVISION_PARTS) == before + 10


async def test_after_a_restart_nothing_is_stored_twice(
    database: Database, revisions: Revisions
) -> None:
    await revisions.record(snapshot(1, "*"))
    before = await count(database, REVISION_PARTS)
    again = Revisions(database, DailyClock())
    await again.record(snapshot(1, "*"))
    await again.record(snapshot(2, "*"))
    assert await count(database, REVISION_PARTS) == before
    assert await rule_of(database, 2) == "*"


async def test_a_group_and_a_target_that_are_gone_are_gone_from_then_on(
    database: Database, revisions: Revisions
) -> None:
    await revisions.record(snapshot(1, "*", group("other", {"chat": "*"})))
    await revisions.record(pb.ConfigSnapshot(revision=2))
    first = await database.read(lambda c: read_revision(c, 1))
    second = await database.read(lambda c: read_revision(c, 2))
    assert first is not None
    assert second is not None
    assert (len(first.groups), len(first.targets)) == (2, 1)
    assert (len(second.groups), len(second.targets)) == (0, 0)


async def test_two_replicas_record_the_same_and_a_straggler_records_nothing(
    database: Database, revisions: Revisions
) -> None:
    other = Revisions(database, DailyClock())
    await revisions.record(snapshot(1, "*"))
    await other.record(snapshot(1, "*"))
    await revisions.record(snapshot(3, "type = a.b"))
    await other.record(snapshot(2, "severity >= error"))
    await other.record(snapshot(3, "type = a.b"))
    await other.record(snapshot(4, "*"))
    await revisions.record(snapshot(5, "type = c.d"))
    assert [await rule_of(database, each) for each in (1, 2, 3, 4, 5)] == [
        "*",
        None,
        "type = a.b",
        "*",
        "type = c.d",
    ]


async def test_where_the_configuration_went_back_the_newer_truth_holds(
    database: Database, revisions: Revisions
) -> None:
    for number, rule in ((1, "*"), (2, "type = a.b"), (3, "type = c.d")):
        await revisions.record(snapshot(number, rule))
    assert await revisions.table(3) is not None
    await revisions.record(snapshot(2, "severity >= error"))
    assert [await rule_of(database, each) for each in (1, 2, 3)] == [
        "*",
        "severity >= error",
        None,
    ]
    assert await revisions.table(3) is None


async def test_what_was_begun_and_not_finished_is_finished_later(
    database: Database, revisions: Revisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when half of a revision is stored."""
    monkeypatch.setattr(revisions_module, "_CHUNK", 1)
    await revisions.record(snapshot(1, "*", group("z", {"chat": "*"})))
    left = 2
    write = database.write

    async def full(work: object) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise ResourceExhausted(Reason.STORAGE_FULL, "full on purpose")
        return await write(work)  # type: ignore[arg-type]

    changed = snapshot(2, "type = a.b", group("z", {"chat": "type = c.d"}))
    changed.settings.time_zone = "UTC"
    with monkeypatch.context() as patch:
        patch.setattr(database, "write", full)
        await revisions.record(changed)
    assert await rule_of(database, 2) is None
    assert await rule_of(database, 1) == "*"

    await revisions.record(changed)
    assert await database.read(lambda c: read_revision(c, 2)) == changed
    assert await rule_of(database, 1) == "*"


async def test_a_table_of_then_has_the_rules_of_then(
    revisions: Revisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    await revisions.record(snapshot(1, "type = a.b"))
    await revisions.record(snapshot(2, "*"))
    table = await revisions.table(1)
    assert table is not None
    assert (table.revision, table.time_zone) == (1, "Europe/Vienna")
    assert await revisions.table(1) is table
    assert await revisions.table(9) is None

    monkeypatch.setattr(revisions_module, "_MOST_ROUTES", 1)
    assert await revisions.table(2) is not None
    assert await revisions.table(1) is not table


async def test_revisions_are_kept_as_long_as_their_events(
    database: Database, revisions: Revisions
) -> None:
    for number in (1, 2, 3, 4):  # in force a day, two, three and four after the start
        await revisions.record(snapshot(number, f"subject = s{number}"))
    await store_event(database, 1, START + timedelta(days=2, hours=2))
    await store_event(database, 2, START + timedelta(days=5))

    assert await database.write(prune_revisions) == 1
    assert await rule_of(database, 1) is None
    assert await rule_of(database, 2) == "subject = s2"
    assert await database.write(prune_revisions) == 0

    await database.write(lambda c: c.execute(sa.delete(EVENTS)))
    assert await database.write(prune_revisions) == 2
    assert await rule_of(database, 4) == "subject = s4"
    assert await count(database, REVISIONS) == 1
    assert await count(database, REVISION_PARTS) == 3


async def test_an_event_that_came_just_after_a_change_may_be_of_the_revision_before(
    database: Database, revisions: Revisions
) -> None:
    await revisions.record(snapshot(1, "*"))
    await revisions.record(snapshot(2, "*"))
    await store_event(database, 1, START + timedelta(days=2, minutes=59))
    assert await database.write(prune_revisions) == 0
