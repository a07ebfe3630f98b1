"""Changes are announced once, whatever fails meanwhile, and never by the thousand."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from functools import partial
from operator import methodcaller
from pathlib import Path

import pytest
from tests.support.config import FakeClock

from ibs_notify.audit.entry import Act
from ibs_notify.audit.journal import append
from ibs_notify.config import announce
from ibs_notify.config.announce import BETWEEN, Announcer, announce_nothing
from ibs_notify.config.tables import AUDIT
from ibs_notify.domain.errors import (
    AlreadyExists,
    InvalidArgument,
    NotificationError,
    Reason,
    Unavailable,
)
from ibs_notify.domain.event import Event
from ibs_notify.store.database import Database

pytestmark = pytest.mark.tables("config")


class Router:
    """Knows events by their ids, as the Router does."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.calls = 0
        self.error: NotificationError | None = None
        self.lost_answers = 0

    async def emit(self, event: Event) -> None:
        self.calls += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        known = self.events.setdefault(event.event_id, event)
        assert known == event
        if self.lost_answers:
            self.lost_answers -= 1
            raise Unavailable(Reason.SERVICE_UNREACHABLE, "the answer was lost on purpose")

    @property
    def subjects(self) -> list[str]:
        return [each.subject for each in self.events.values()]


class Desk:
    """A log, what announces it, and the Router that hears of it."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock, self.router = database, FakeClock(), Router()
        self.announcer = self.replica()

    def replica(self) -> Announcer:
        return Announcer(self.database, self.router.emit, self.clock)

    async def change(self, *names: str) -> None:
        for name in names:
            act = Act("group.update", f"group/{name}")
            work = partial(append, log=AUDIT, actor="alice", act=act, now=self.clock.now())
            await self.database.write(work)

    async def later(self) -> None:
        self.clock.pass_time(BETWEEN)
        await self.announcer.tick()


@pytest.fixture
async def desk(database: Database) -> Desk:
    desk = Desk(database)
    await desk.announcer.begin()
    return desk


async def test_a_change_is_announced_at_once_and_once(desk: Desk) -> None:
    await desk.change("ops")
    for _ in range(3):
        await desk.later()
    assert desk.router.subjects == ["group ops was changed, by alice"]
    assert desk.router.calls == 1


async def test_those_that_follow_are_announced_together_a_minute_later(desk: Desk) -> None:
    await desk.change("a")
    await desk.announcer.tick()
    await desk.change("b", "c")
    await desk.announcer.tick()
    assert len(desk.router.events) == 1
    await desk.later()
    assert desk.router.subjects[1:] == ["2 changes of the configuration of notifications, by alice"]


async def test_a_script_that_changes_all_groups_is_one_event_a_minute(desk: Desk) -> None:
    for minute in range(3):
        await desk.change(*(f"g{minute}-{number}" for number in range(50)))
        for _ in range(5):
            await desk.announcer.tick()
        desk.clock.pass_time(BETWEEN)
    await desk.announcer.tick()
    assert [each.labels["count"] for each in desk.router.events.values()] == ["50", "50", "50"]


async def test_more_than_a_batch_holds_is_left_for_the_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announce, "MOST_ENTRIES", 4)
    monkeypatch.setattr(announce, "_CHUNK", 3)
    await desk.change(*"abcdef")
    await desk.announcer.tick()
    await desk.later()
    assert [each.labels["count"] for each in desk.router.events.values()] == ["4", "2"]


async def test_a_router_that_is_away_hears_of_it_when_it_is_back(desk: Desk) -> None:
    desk.router.error = Unavailable(Reason.SERVICE_UNREACHABLE, "away on purpose")
    await desk.change("ops")
    for _ in range(2):
        with pytest.raises(Unavailable):
            await desk.announcer.tick()
    desk.router.error = None
    await desk.announcer.tick()
    assert desk.router.subjects == ["group ops was changed, by alice"]


async def test_one_that_ended_before_it_noted_the_answer_announces_the_same(desk: Desk) -> None:
    """Between them others were made, which must not become part of what was announced."""
    desk.router.lost_answers = 1
    await desk.change("a", "b")
    with pytest.raises(Unavailable):
        await desk.announcer.tick()
    await desk.change("c")
    after_the_crash = desk.replica()
    await after_the_crash.begin()
    await after_the_crash.tick()
    assert len(desk.router.events) == 1
    desk.clock.pass_time(BETWEEN)
    await after_the_crash.tick()
    assert [each.labels["count"] for each in desk.router.events.values()] == ["2", "1"]


ANNOUNCE = """
import asyncio, sys
from ibs_notify.config.announce import Announcer
from ibs_notify.domain.clock import SystemClock
from ibs_notify.store.engine import open_database

async def emit(event):
    with open(sys.argv[2], "a") as file:
        file.write(f"{event.event_id} {event.labels['count']}\\n")

async def main():
    announcer = Announcer(await open_database(sys.argv[1]), emit, SystemClock())
    await announcer.begin()
    await announcer.tick()

asyncio.run(main())
"""


async def test_one_that_is_killed_before_it_noted_the_answer_announces_the_same(
    desk: Desk, database_url: str, tmp_path: Path
) -> None:
    told = tmp_path / "told"

    async def run(**environment: str) -> int:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", ANNOUNCE, database_url, str(told)),
            env={**os.environ, **environment},
        )
        return await process.wait()

    await desk.change("a", "b")
    assert await run(IBS_FAILPOINT="config.after_announcement") == -signal.SIGKILL
    await desk.change("c")
    assert await run() == 0
    first, second = told.read_text().splitlines()
    assert first == second
    assert first.endswith(" 2")


async def test_replicas_that_announce_at_once_announce_once(desk: Desk) -> None:
    replicas = [desk.announcer, desk.replica(), desk.replica()]
    for name in "abc":
        await desk.change(name, name)
        await asyncio.gather(*(each.tick() for each in replicas))
        desk.clock.pass_time(BETWEEN)
    await desk.announcer.tick()
    assert [each.labels["count"] for each in desk.router.events.values()] == ["2", "2", "2"]


@pytest.mark.parametrize(
    "error",
    [
        InvalidArgument(Reason.EVENT_INVALID, "of an older release"),
        AlreadyExists(Reason.EVENT_ID_REUSED, "in other words"),
    ],
)
async def test_what_the_router_will_never_take_stops_nothing(
    desk: Desk, error: NotificationError
) -> None:
    desk.router.error = error
    await desk.change("a")
    await desk.announcer.tick()
    desk.router.error = None
    await desk.change("b")
    await desk.later()
    assert desk.router.subjects == ["group b was changed, by alice"]


async def test_a_clock_that_was_set_back_keeps_nothing_waiting(desk: Desk) -> None:
    await desk.change("a")
    await desk.announcer.tick()
    desk.clock.pass_time(-timedelta(days=3))
    await desk.change("b")
    await desk.announcer.tick()
    assert len(desk.router.events) == 2


async def test_where_nobody_s_name_is_proved_nothing_is_announced_nor_later(
    database: Database,
) -> None:
    desk = Desk(database)
    await announce_nothing(database)
    await desk.change("a")
    await desk.later()
    await desk.announcer.begin()
    await desk.later()
    assert desk.router.events == {}
    await desk.change("b")
    await desk.later()
    await announce_nothing(database)
    await desk.change("c")
    await desk.announcer.begin()
    await desk.later()
    assert desk.router.subjects == ["group b was changed, by alice"]


async def test_a_log_that_somebody_damaged_is_announced_as_far_as_it_is_there(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announce, "_CHUNK", 2)
    for document in ("no JSON", "[]", "{}"):
        act = Act("token.create", "token/ci", after=document)
        work = partial(append, log=AUDIT, actor="alice", act=act, now=desk.clock.now())
        await desk.database.write(work)
    await desk.change("a", "b", "c")
    unguard = {
        "sqlite": "DROP TRIGGER config_audit_no_delete",
        "postgresql": "ALTER TABLE config_audit DISABLE TRIGGER ALL",
    }[desk.database.dialect]
    for statement in (unguard, "DELETE FROM config_audit WHERE sequence = 4"):
        await desk.database.write(methodcaller("exec_driver_sql", statement))
    await desk.announcer.tick()
    assert desk.router.subjects == [
        *["API token ci was created, by alice"] * 3,
        "2 changes of the configuration of notifications, by alice",
    ]


async def test_an_entry_that_somebody_made_unreadable_stops_nothing(desk: Desk) -> None:
    await desk.change("a", "b", "c")
    unguard = {
        "sqlite": "DROP TRIGGER config_audit_no_update",
        "postgresql": "ALTER TABLE config_audit DISABLE TRIGGER ALL",
    }[desk.database.dialect]
    spoil = f"UPDATE config_audit SET at = {2**62} WHERE sequence = 2"
    for statement in (unguard, spoil):
        await desk.database.write(methodcaller("exec_driver_sql", statement))
    await desk.announcer.tick()
    (event,) = desk.router.events.values()
    assert event.labels["count"] == "2"


async def test_nothing_is_written_where_there_is_nothing_to_announce(desk: Desk) -> None:
    await desk.change("a")
    await desk.later()
    write = desk.database.write
    writes = 0

    async def counted(*args: object) -> object:
        nonlocal writes
        writes += 1
        return await write(*args)  # type: ignore[arg-type]  # whatever it is

    desk.database.write = counted  # type: ignore[method-assign, assignment]  # of this one
    for _ in range(5):
        await desk.later()
    assert writes == 0
