"""A chart counts what a look at each event would, in whatever way it is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.timestamp_pb2 import Timestamp
from tests.support.core import NOW, Core, failed, group
from tests.support.inbox import InboxReader, state_of
from tests.support.inbox_history import Clock, matches, some_event, some_filter, write_history
from tests.support.statements import seen_statements

from ibs_notify.domain.clock import to_micros
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.severity import Severity
from ibs_notify.router import (
    blocks,
    chart_blocks,
    chart_turns,
    charting,
    event_conditions,
    event_scan,
    event_walk,
    warming,
)
from ibs_notify.router.blocks import Blocks
from ibs_notify.router.event_query import EventQuery
from ibs_notify.router.lines import Mark
from ibs_notify.rpc.convert import moment_to_proto
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade
from ironcore.notification.v1 import router_service_pb2 as pb

pytestmark = pytest.mark.tables("router")

MINUTE = 60_000_000


@pytest.fixture
async def core(database: Database) -> Core:
    core = Core(database)
    await core.configure(
        group("ops", "chat: severity >= warning", "mail: type = backup.failed"),
        group("north", "pager: labels.site = north"),
    )
    return core


@pytest.fixture
def inbox(database: Database) -> InboxReader:
    return InboxReader(database, Clock(0.0))


@pytest.fixture(autouse=True)
def _small_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """So small that a few events take many turns."""
    for module, name, value in (
        (event_scan, "FIRST_PIECE", 3),
        (event_scan, "PIECE", 7),
        (event_scan, "OPENED", 5),
        (event_walk, "PIECE", 7),
        (event_conditions, "MOST_TYPES", 3),
        (charting, "OPENED", 5),
        (charting, "COUNTED", 6),
        (chart_turns, "INDEXED", 6),
        (chart_turns, "LOOKED_AT", 5),
        (chart_turns, "MOST_OF_RESOURCE", 8),
        (chart_blocks, "COUNTED_BLOCKS", 2),
        (blocks, "BLOCK", 16),
    ):
        monkeypatch.setattr(module, name, value)


def spans_of(records: Sequence[pb.EventRecord], minutes: int) -> Counter[tuple[int, int]]:
    """By a look at each event."""
    return Counter(
        (each.receive_time.ToMicroseconds() // (minutes * MINUTE) * minutes, each.event.severity)
        for each in records
    )


def at(minutes: int) -> Timestamp | None:
    return moment_to_proto(NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize("seed", range(3))
async def test_a_chart_is_what_a_look_at_each_event_says(
    core: Core, inbox: InboxReader, seed: int
) -> None:
    chance = Random(seed)
    await write_history(core, chance, 70)
    await inbox.mark_all(Mark.READ, 30)
    await inbox.mark(Mark.UNREAD, "e003", "e011")
    every = await inbox.records()
    for _ in range(40):
        fields = some_filter(chance)
        minutes = chance.choice((15, 60, 120))
        if "before" in fields:
            # A week before a moment is the default; what is older is not of the history here.
            fields.setdefault("after", at(-60))
        expected = spans_of([each for each in every if matches(each, fields)], minutes)
        assert await inbox.spans(minutes, **fields) == expected, fields


@pytest.mark.parametrize("minutes", [60, 120, 20])
async def test_what_is_remembered_of_full_blocks_is_true_again_and_again(
    core: Core, inbox: InboxReader, minutes: int
) -> None:
    chance = Random(5)
    await write_history(core, chance, 70)
    cuts: list[dict[str, Any]] = [
        {},
        {"min_severity": 4},
        {"after": at(20)},
        {"before": at(45), "after": at(-60)},
        {"after": at(31), "before": at(33), "min_severity": 2},
        {"after": at(400)},
    ]
    for round_ in range(3):
        every = await inbox.records()
        for fields in cuts:
            expected = spans_of([each for each in every if matches(each, fields)], minutes)
            assert await inbox.spans(minutes, **fields) == expected, (round_, fields)
        later = NOW + timedelta(minutes=80 + 30 * round_)
        for number in range(9):
            await core.emit(some_event(chance, 100 + 10 * round_ + number), now=later)


@pytest.mark.parametrize("most", [10_000, 5])
@pytest.mark.parametrize("seed", range(3))
async def test_a_chart_by_marks_is_what_a_look_at_each_event_says(
    core: Core, inbox: InboxReader, monkeypatch: pytest.MonkeyPatch, seed: int, most: int
) -> None:
    monkeypatch.setattr(chart_blocks, "MOST_MARKS", most)
    chance = Random(seed)
    await write_history(core, chance, 90)
    cuts: list[dict[str, Any]] = [
        {},
        {"min_severity": 4},
        {"after": at(20)},
        {"after": at(31), "before": at(43), "min_severity": 2},
    ]
    for _ in range(6):
        # All up to somewhere, by lines; then some by themselves, also back again.
        through = chance.randrange(1, 91)
        await inbox.mark_all(chance.choice(list(Mark)), through)
        names = [each.event.event_id for each in await inbox.records()]
        await inbox.mark(chance.choice(list(Mark)), *chance.sample(names, 8))
        every = await inbox.records()
        for fields in cuts:
            states = [state_of(each) for each in chance.sample(list(Mark), chance.choice((1, 2)))]
            asked = [each for each in every if matches(each, fields)]
            expected = spans_of([each for each in asked if each.inbox_state in states], 60)
            assert await inbox.spans(60, **fields, inbox_states=states) == expected, fields


async def test_a_chart_by_marks_looks_at_no_event_of_a_full_block_again(
    core: Core, inbox: InboxReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write_history(core, Random(1), 90)
    unarchived = [state_of(Mark.UNREAD), state_of(Mark.READ)]
    await inbox.mark(Mark.ARCHIVED, "e003", "e050")
    before = await inbox.spans(60, inbox_states=unarchived)
    counted = 0
    count = Blocks.count_hours

    def noted(self: Blocks, connection: sa.Connection, block: blocks.Block) -> blocks.Hours:
        nonlocal counted
        counted += 1
        return count(self, connection, block)

    monkeypatch.setattr(Blocks, "count_hours", noted)
    assert await inbox.spans(60, inbox_states=unarchived) == before
    # The first one is never kept, and the last is not full.
    assert counted == 2


async def test_a_block_that_was_seen_before_it_was_full_is_never_kept(
    core: Core, database: Database
) -> None:
    chance, kept = Random(4), Blocks()
    await write_history(core, chance, 40)
    before = (await database.read(kept.overview)).blocks[-1]
    await core.emit(*(some_event(chance, 100 + number) for number in range(20)), now=NOW)
    full = (await database.read(kept.overview)).blocks[-2]
    assert (full.first, full.last - full.first) == (before.first, 15)

    hours = await database.read(lambda c: kept.count_hours(c, before))

    assert hours.total() == before.counts.total()
    assert kept.hours_of(full) is None
    assert (await database.read(kept.overview)).blocks[-2] == full


async def test_what_is_counted_beforehand_is_what_a_chart_says(
    core: Core, database: Database, inbox: InboxReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming, "PAUSE_SECONDS", 0.0)
    await write_history(core, Random(2), 90)
    expected = await inbox.spans(60)
    kept = Blocks()
    await warming.warm(database, kept)
    overview = await database.read(kept.overview)
    assert [each.hours is not None for each in overview.blocks] == [False, *[True] * 4, False]
    warmed = InboxReader(database, Clock(0.0), blocks=kept)
    assert await warmed.spans(60) == expected


async def test_spans_are_in_order_and_name_the_worst_first(core: Core, inbox: InboxReader) -> None:
    await core.emit(failed("e1"), failed("e2", severity=Severity.NOTICE), now=NOW)
    await core.emit(failed("e3", severity=Severity.CRITICAL), now=NOW + timedelta(hours=2))
    answer = await inbox.chart()
    start = NOW.replace(minute=0, second=0)
    assert [each.start_time.ToMicroseconds() for each in answer.spans] == [
        to_micros(start),
        to_micros(start + timedelta(hours=2)),
    ]
    assert [(each.severity, each.count) for each in answer.spans[0].counts] == [(4, 1), (2, 1)]
    assert answer.step.seconds == 3600
    assert not answer.HasField("counted_since")


async def test_the_last_seven_days_are_charted_by_the_hour_unless_something_else_is_asked(
    core: Core, inbox: InboxReader
) -> None:
    await core.emit(failed("old"), now=NOW - timedelta(days=7, seconds=1))
    await core.emit(failed("new"), now=NOW - timedelta(days=6))
    answer = await inbox.calls.chart(pb.ChartEventsRequest(), "alice")
    assert [each.counts[0].count for each in answer.spans] == [1]
    assert answer.step.seconds == 3600


@pytest.mark.parametrize("fields", [{"text": "Backup"}, {"actor": "alice"}, {"groups": ["ops"]}])
async def test_what_costs_too_much_is_counted_from_the_newest_on_and_says_since_when(
    core: Core, database: Database, fields: dict[str, Any]
) -> None:
    for number in range(20):
        event = failed(f"e{number}", f"/datastore/s{number}", subject="Backup", actor="alice")
        await core.emit(event, now=NOW + timedelta(minutes=number))
    slow = InboxReader(database, Clock(1.0))
    answer = await slow.chart(1, after=at(-60), before=at(60), **fields)
    since = answer.counted_since.ToMicroseconds()
    counted = [each.start_time.ToMicroseconds() for each in answer.spans]
    assert counted == [
        to_micros(NOW + timedelta(minutes=number)) // MINUTE * MINUTE
        for number in range(20)
        if to_micros(NOW + timedelta(minutes=number)) >= since
    ]
    assert 0 < len(counted) < 20


PLANNED = {
    "a type": (EventQuery(types=frozenset({"backup.failed"})), "router_events_by_type"),
    "a source": (
        EventQuery(sources=frozenset({"backup"}), min_severity=3),
        "router_events_by_type",
    ),
    "the gravest": (EventQuery(min_severity=4), "router_events_by_severity"),
    "a datastore": (EventQuery(resource="/datastore/a"), "router_events_by_resource"),
}


@pytest.mark.parametrize("name", PLANNED)
async def test_sqlite_counts_by_an_index_alone(tmp_path: Path, name: str) -> None:
    query, index = PLANNED[name]
    database = await open_database(f"sqlite:///{tmp_path}/router.db")
    await upgrade(database, "router")
    core = Core(database)
    await core.configure(group("ops", "chat"))
    await core.emit(failed("e1"), failed("e2", type="backup.warning"))

    def looks(connection: sa.Connection) -> list[str]:
        plan = chart_turns.plan_of(connection, query, blocks.Blocks())
        with seen_statements(connection) as statements:
            if plan.of_resource is not None:
                place = plan.of_resource.beginning
                chart_turns.count_of_resource(connection, plan.of_resource, place, 60 * MINUTE)
            else:
                chart_turns.count_window(connection, plan, plan.first, plan.last, 60 * MINUTE)
        explained = [
            connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all()
            for text, values in statements
        ]
        return [row[3] for rows in explained for row in rows if " router_events " in row[3]]

    steps = await database.read(looks)
    await database.close()
    assert steps
    assert all(f"USING COVERING INDEX {index} " in each for each in steps), steps


@pytest.mark.parametrize(
    ("minutes", "after"), [(0, -60), (-1, -60), (1, -1001), (60, -60 * 24 * 365)]
)
async def test_a_step_that_is_no_use_is_refused(
    inbox: InboxReader, minutes: int, after: int
) -> None:
    with pytest.raises(InvalidArgument, match="step"):
        await inbox.chart(minutes, after=at(after), before=at(0))
