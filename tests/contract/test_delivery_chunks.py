"""However many deliveries there are, no transaction changes them all, no sweep reads them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.delivery import FakeClock, completion, handoff, sendable

from ibs_notify.delivery import repository
from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.model import State
from ibs_notify.delivery.ports import Standing, Turn
from ibs_notify.delivery.queue import claims, parking
from ibs_notify.delivery.queue.parking import Change
from ibs_notify.delivery.repository import DeliveryQueue
from ibs_notify.delivery.tables import DELIVERIES
from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade

pytestmark = pytest.mark.tables("delivery")

COUNT, CHUNK = 10, 3
PAUSED = {"t1": Standing(Admission.TARGET_PAUSED)}
SENDABLE = {"t1": Standing(Admission.SENDABLE)}
NOBODY = {"t1": Standing(Admission.SENDABLE, lacks_recipients=True)}
LATER = Outcome(Verdict.RETRY, OutcomeReason.HTTP_5XX, 503, "busy")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def queue(database: Database, clock: FakeClock) -> DeliveryQueue:
    queue = DeliveryQueue(database, clock, "worker")
    await queue.accept([handoff(number) for number in range(COUNT)], sendable)
    return queue


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many were changed in each transaction; there may be ``CHUNK``."""
    made: list[int] = []
    make = parking.make

    def noted(connection: sa.Connection, change: Change, seqs: Sequence[int]) -> int:
        made.append(len(seqs))
        return make(connection, change, seqs)

    monkeypatch.setattr(parking, "make", noted)
    monkeypatch.setattr(repository, "CHUNK", CHUNK)
    monkeypatch.setattr(claims, "_CHUNK", CHUNK)
    return made


async def stand(database: Database) -> set[tuple[State, str]]:
    """The different ways in which the deliveries stand."""
    statement = sa.select(DELIVERIES.c.state, DELIVERIES.c.reason).distinct()
    rows = await database.read(lambda c: c.execute(statement).all())
    return {(State(row.state), row.reason) for row in rows}


async def test_an_examination_changes_a_bounded_number_at_a_time(
    queue: DeliveryQueue, database: Database, sizes: list[int]
) -> None:
    assert await queue.examine(1, PAUSED) == frozenset()
    assert await stand(database) == {(State.WAITING, "TARGET_PAUSED")}
    assert await queue.examine(1, SENDABLE) == {"t1"}
    assert await stand(database) == {(State.QUEUED, "")}
    assert await queue.examine(1, {}) == frozenset()
    assert await stand(database) == {(State.CANCELLED, "TARGET_DELETED")}
    assert sizes == [3, 3, 3, 1] * 3


async def test_what_stands_right_already_is_not_written_again(
    queue: DeliveryQueue, database: Database, sizes: list[int]
) -> None:
    for standings in (PAUSED, NOBODY):
        await queue.examine(1, standings)
        del sizes[:]
        await queue.examine(1, standings)
        assert sizes == []
    assert await stand(database) == {(State.WAITING, "NO_RECIPIENTS")}


async def test_parking_changes_a_bounded_number_at_a_time(
    queue: DeliveryQueue, database: Database, sizes: list[int]
) -> None:
    await queue.park("t1", Admission.SECRET_UNREADABLE)
    assert await stand(database) == {(State.WAITING, "SECRET_UNREADABLE")}
    assert await queue.unpark("t1", Admission.SECRET_UNREADABLE) == COUNT
    assert await stand(database) == {(State.QUEUED, "")}
    assert sizes == [3, 3, 3, 1] * 2


async def test_what_was_claimed_since_it_was_found_is_left_alone(
    queue: DeliveryQueue, database: Database
) -> None:
    (change, *_) = parking.park("t1", Admission.SECRET_UNREADABLE)
    seqs = await database.read(lambda c: parking.find(c, change))
    assert len((await queue.turn(Turn("t1", 4))).claimed) == 4
    assert await database.write(lambda c: parking.make(c, change, seqs)) == COUNT - 4
    assert await stand(database) == {(State.WAITING, "SECRET_UNREADABLE"), (State.LEASED, "")}


async def test_a_sweep_queues_a_bounded_number_and_is_due_again_at_once(
    queue: DeliveryQueue, database: Database, clock: FakeClock, sizes: list[int]
) -> None:
    for work in (await queue.turn(Turn("t1", COUNT))).claimed:
        done = completion(work, LATER, clock.now())
        await queue.turn(Turn("t1", 0, done=(done,)))
    clock.pass_time(hours=1)
    queued = sa.select(sa.func.count()).where(DELIVERIES.c.state == State.QUEUED.value)
    for expected in (3, 6, 9):
        swept = await queue.sweep()
        assert swept.targets == {"t1"}
        assert swept.next_due_at is not None
        assert swept.next_due_at <= clock.now()
        assert await database.read(lambda c: c.execute(queued).scalar_one()) == expected
    assert (await queue.sweep()).next_due_at is None
    assert await stand(database) == {(State.QUEUED, LATER.reason.value)}


async def test_a_sweep_goes_by_the_indexes(sqlite_url: str, clock: FakeClock) -> None:
    # One runs each second, whatever the size of the history.
    database = await open_database(sqlite_url)
    await upgrade(database, "delivery")

    def plans(connection: sa.Connection) -> list[str]:
        statements: list[tuple[str, Any]] = []

        def note(_c: Any, _cursor: Any, text: str, values: Any, *_: Any) -> None:
            statements.append((text, values))

        sa.event.listen(connection, "before_cursor_execute", note)
        claims.sweep(connection, clock.now())
        sa.event.remove(connection, "before_cursor_execute", note)
        explained = [
            connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all()
            for text, values in statements
        ]
        return [row.detail for rows in explained for row in rows]

    steps = await database.write(plans)
    assert any("delivery_retries" in step for step in steps)
    assert any("delivery_leased" in step for step in steps)
    assert not [step for step in steps if step.startswith("SCAN")]
    await database.close()
