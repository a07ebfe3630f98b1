"""Why a stored event was no repeat is found again, as deduplication decided it then."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from tests.support.core import NOW, Core, completed, death, failed, group

from ibs_notify.domain.event import Event
from ibs_notify.router import told_before as module
from ibs_notify.router.account import look_ahead
from ibs_notify.router.aftermath import take_ends
from ibs_notify.router.books import seqs_by_id
from ibs_notify.router.dedup import DedupReason
from ibs_notify.router.intake import arrival_of
from ibs_notify.router.silence import Silence
from ibs_notify.router.silences import insert_silence
from ibs_notify.router.standing import Before
from ibs_notify.router.told_before import told_before
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade

WINDOW = timedelta(minutes=5)
UID = "ops-chat"


@pytest.fixture
async def core(database_url: str) -> AsyncIterator[Core]:
    database: Database = await open_database(database_url)
    await upgrade(database, "router")
    core = Core(database)
    await core.configure(group("ops", "chat", dedup_window=WINDOW))
    yield core
    await database.close()


def after(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


async def verdict(core: Core, event: Event, now: datetime) -> str:
    """What deduplication says of the event if it is emitted now."""
    arrival = arrival_of(core.table, event, event.event_id, now)
    (obliged,) = await core.database.read(lambda c: look_ahead(c, arrival, [], {}))
    return obliged.standing.verdicts["dedup"]


async def before(core: Core, event: Event, now: datetime) -> Before | None:
    """What is found of it once it is stored."""

    def work(connection: sa.Connection) -> Before | None:
        (seq,) = seqs_by_id(connection, [event.event_id])
        return told_before(connection, event, seq, now, {UID: WINDOW}).get(UID)

    return await core.database.read(work)


async def told(core: Core, event: Event, minutes: float) -> Before | None:
    await core.emit(event, now=after(minutes))
    return await before(core, event, after(minutes))


async def test_the_first_of_its_kind_has_nothing_before_it(core: Core) -> None:
    await told(core, failed("other", "/datastore/b"), 0)
    assert await told(core, failed("e1"), 1) == Before(DedupReason.FIRST)


async def test_what_ended_the_window_is_named(core: Core) -> None:
    await told(core, failed("e1"), 0)
    await told(core, completed("c1"), 1)
    await told(core, completed("c2"), 2)
    found = await told(core, failed("e2"), 3)
    assert found is not None
    assert (found.reason, found.change) == (DedupReason.STATE_CHANGED, "c1 (backup.completed)")
    assert found.told is not None
    assert (found.told.event_id, found.told.received_at) == ("e1", after(0))


async def test_a_window_that_ended_by_time_leads_to_the_one_that_was_told(core: Core) -> None:
    await told(core, failed("e1"), 0)
    await told(core, failed("repeat"), 1)
    found = await told(core, failed("e2"), 6)
    assert found is not None
    assert found.told is not None
    assert (found.reason, found.told.event_id) == (DedupReason.WINDOW_ENDED, "e1")


async def test_of_what_did_not_arrive_it_is_known_what_it_was(core: Core) -> None:
    await told(core, failed("e1"), 0)
    await core.database.write(lambda c: take_ends(c, [death("e1/0")], after(1)))
    found = await told(core, failed("e2"), 2)
    assert found is not None
    assert found.told is not None
    assert (found.reason, found.told.event_id) == (DedupReason.REPEATED, "e1")


async def test_what_was_silenced_was_not_told(core: Core) -> None:
    quiet = Silence("q", "*", after(0), after(1), "", "", "works", "alice", after(0))
    await core.database.write(lambda c: insert_silence(c, quiet))
    await told(core, failed("silenced"), 0.5)
    assert await told(core, failed("e1"), 2) == Before(DedupReason.FIRST)


async def test_what_lies_too_far_back_is_not_guessed_at(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKED_AT", 3)
    for number in range(3):
        await told(core, failed(f"started-{number}", type="backup.started"), number)
    assert await told(core, failed("e1"), 4) is None
    assert await told(core, failed("keyed", dedup_key="k"), 5) is None


@pytest.mark.parametrize("seed", range(4))
async def test_what_is_found_is_what_was_decided(core: Core, seed: int) -> None:
    rng, minutes = random.Random(seed), 0.0
    seen: set[str] = set()
    for number in range(60):
        minutes += rng.choice((0.0, 0.5, 1.0, 6.0))
        make = rng.choice((failed, failed, completed))
        kind = {"type": "backup.started"} if rng.random() < 0.2 else {}
        event = make(f"e{number}", rng.choice(("/datastore/a", "/datastore/b")), **kind)
        decided = await verdict(core, event, after(minutes))
        found = await told(core, event, minutes)
        assert found is not None
        assert found.reason == decided
        seen.add(decided)
    assert seen == {*DedupReason} - {DedupReason.OFF}
