"""The inbox finds, counts and marks the same on every database as a look at each event would."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.timestamp_pb2 import Timestamp
from tests.support.core import Core, completed, failed, group
from tests.support.inbox import InboxReader
from tests.support.inbox_history import (
    TYPES,
    Clock,
    matches,
    some_event,
    some_filter,
    write_history,
)

from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import canonical, datastore_of
from ibs_notify.router import (
    blocks,
    counting,
    event_conditions,
    event_scan,
    event_walk,
    marking,
    marks,
)
from ibs_notify.router.lines import Mark
from ibs_notify.router.tables import MARKS
from ibs_notify.store.database import Database
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

pytestmark = pytest.mark.tables("router")

UNREAD, READ, ARCHIVED = Mark.UNREAD, Mark.READ, Mark.ARCHIVED
SEEN = pb.INBOX_STATE_READ


@pytest.fixture
async def core(database: Database) -> Core:
    core = Core(database)
    await core.configure(
        group("ops", "chat: severity >= warning", "mail: type = backup.failed", dedup_window=HOUR),
        group("north", "pager: labels.site = north"),
    )
    return core


HOUR = timedelta(hours=1)


@pytest.fixture
def inbox(database: Database) -> InboxReader:
    return InboxReader(database, Clock(0.0))


@pytest.fixture
def _small_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """So small that a few events take many turns, and every way is gone."""
    for module, name, value in (
        (event_scan, "FIRST_PIECE", 3),
        (event_scan, "PIECE", 7),
        (event_scan, "OPENED", 5),
        (event_walk, "PIECE", 7),
        (event_walk, "FEW", 4),
        (counting, "INDEXED", 6),
        (counting, "SORTED", 9),
        (blocks, "BLOCK", 16),
        (marks, "MOST_WRITTEN", 4),
        (marking, "MOST_WRITTEN", 4),
        (event_conditions, "MOST_TYPES", 3),
    ):
        monkeypatch.setattr(module, name, value)


async def some_marks(inbox: InboxReader, chance: Random, count: int) -> None:
    """Lines and marks, so that they contradict each other."""
    await inbox.mark_all(READ, count // 2)
    await inbox.mark_all(ARCHIVED, count // 4)
    for mark in Mark:
        await inbox.mark(mark, *(f"e{each:03}" for each in chance.sample(range(count), count // 5)))


@pytest.mark.usefixtures("_small_turns")
@pytest.mark.parametrize("seed", range(2))
async def test_lists_and_counts_are_what_a_look_at_each_event_says(
    core: Core, database: Database, seed: int
) -> None:
    chance = Random(seed)
    await write_history(core, chance, 70)
    inbox = InboxReader(database, Clock(1.0))
    await some_marks(inbox, chance, 70)
    every = await inbox.records()
    assert [each.sequence for each in every] == list(range(70, 0, -1))
    for _ in range(40):
        fields = some_filter(chance)
        expected = [each for each in every if matches(each, fields)]
        found = await inbox.records(chance.choice((4, 50)), **fields)
        assert [each.event.event_id for each in found] == [
            each.event.event_id for each in expected
        ], fields
        assert found == expected, fields
        assert await inbox.summary(**fields) == Counter(
            (datastore_of(canonical(each.event.resource)), each.event.type, each.event.severity)
            for each in expected
        ), fields
        if not fields.keys() & {"rule", "text", "groups", "dispositions"}:
            assert await counted(inbox, fields) == count_of(expected), fields


async def counted(inbox: InboxReader, fields: dict[str, Any]) -> list[tuple[int, int, int]]:
    answer = await inbox.count(**fields)
    return [(each.severity, each.count, each.unread) for each in answer.counts]


def count_of(records: Sequence[pb.EventRecord]) -> list[tuple[int, int, int]]:
    counts = Counter(each.event.severity for each in records)
    unread = Counter(each.event.severity for each in records if Mark(each.inbox_state) is UNREAD)
    return [(each, counts[each], unread[each]) for each in sorted(counts, reverse=True)]


# Pages


@pytest.mark.usefixtures("_small_turns")
@pytest.mark.parametrize(
    "fields", [{}, {"types": ["backup.failed"]}, {"text": "odd"}, {"inbox_states": [1, 2]}]
)
async def test_pages_neither_repeat_nor_skip_while_events_are_accepted(
    core: Core, database: Database, fields: dict[str, Any]
) -> None:
    """Of what was there at the first page everything comes once, of what came later nothing."""
    chance = Random(7)
    inbox = InboxReader(database, Clock(1.0))
    await core.emit(*(numbered(number, chance) for number in range(60)))
    expected = await inbox.ids(**fields)
    seen: list[str] = []
    following = 60
    async with asyncio.timeout(60):
        async for page in inbox.pages(3, **fields):
            seen += [each.event.event_id for each in page]
            more = [numbered(following + extra, chance) for extra in range(chance.randrange(4))]
            following += len(more)
            await asyncio.gather(*(core.emit(each) for each in more))
            await inbox.mark(READ, *(each.event_id for each in more))
    assert seen == expected
    assert following > 60


def numbered(number: int, chance: Random) -> Event:
    make = chance.choice((failed, completed))
    return make(f"n{number:04}", subject="odd" if number % 2 else "even")


async def test_a_page_may_be_empty_and_yet_not_the_last(
    core: Core, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_scan, "OPENED", 4)
    await core.emit(failed("needle", subject="needle"), *(failed(f"e{n}") for n in range(9)))
    inbox = InboxReader(database, Clock(1.0))
    pages = [len(page) async for page in inbox.pages(text="needle")]
    assert pages == [0, 0, 1]


async def test_a_list_that_finds_nothing_ends_its_look_after_a_while(
    core: Core, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_scan, "OPENED", 2)
    await core.emit(*(failed(f"e{n}") for n in range(20)))
    slow = InboxReader(database, Clock(0.01))
    looks = [page async for page in slow.pages(text="nothing")]
    # Four turns of 0.01 seconds, of two events each, are the 0.04 seconds of a call.
    assert len(looks) == 3


# Marks


async def test_each_user_has_marks_of_their_own(core: Core, inbox: InboxReader) -> None:
    await core.emit(failed("e1"), failed("e2"))
    bob = InboxReader(core.database, Clock(0.0), "bob")
    assert await inbox.mark(READ, "e1") == 1
    assert [Mark(each.inbox_state) for each in await inbox.records()] == [UNREAD, READ]
    assert [Mark(each.inbox_state) for each in await bob.records()] == [UNREAD, UNREAD]


async def test_only_what_is_marked_otherwise_than_before_is_counted(
    core: Core, inbox: InboxReader
) -> None:
    await core.emit(failed("e1"), failed("e2"))
    assert await inbox.mark(READ, "e1", "e1", "nothing") == 1
    assert await inbox.mark(READ, "e1", "e2") == 1
    assert await inbox.mark(UNREAD, "e1", "e2") == 2


async def test_what_comes_after_all_was_marked_is_unread(core: Core, inbox: InboxReader) -> None:
    await core.emit(failed("e1"), failed("e2"))
    # A number that there is not yet must not mark what comes.
    assert await inbox.mark_all(READ, 99) == 2
    await core.emit(failed("e3"))
    assert await inbox.ids(inbox_states=[UNREAD]) == ["e3"]


async def test_marking_everything_writes_no_mark_however_many_events_there_are(
    core: Core, inbox: InboxReader
) -> None:
    await core.emit(*(failed(f"e{number}") for number in range(50)))
    await inbox.mark(READ, "e3", "e4")
    await inbox.mark(ARCHIVED, "e5")
    assert await inbox.mark_all(READ, 50, inbox_states=[UNREAD]) == 47
    assert await inbox.ids(inbox_states=[ARCHIVED]) == ["e5"]
    assert await own_marks(core.database) == 1
    assert await inbox.mark_all(ARCHIVED, 50) == 49
    assert await own_marks(core.database) == 0


async def own_marks(database: Database) -> int:
    query = sa.select(sa.func.count()).select_from(MARKS)
    return await database.read(lambda c: int(c.execute(query).scalar_one()))


@pytest.mark.usefixtures("_small_turns")
@pytest.mark.parametrize("seed", range(4))
async def test_marks_are_what_was_asked_last_of_each_event(
    core: Core, inbox: InboxReader, seed: int
) -> None:
    chance = Random(seed)
    model = dict.fromkeys(range(1, 41), UNREAD)
    await core.emit(*(some_event(chance, number) for number in range(1, 41)))
    types = {each.sequence: each.event.type for each in await inbox.records()}
    for _ in range(25):
        mark, among = chance.choice(list(Mark)), chance.choice([[], [1], [2], [1, 2], [3]])
        through, kind = chance.randrange(1, 45), chance.choice(["", *TYPES[:2]])
        fields: dict[str, Any] = {"types": [kind]} if kind else {}
        changed = {
            seq
            for seq, before in model.items()
            if seq <= through
            and before is not mark
            and (not among or before in among)
            and (not kind or types[seq] == kind)
        }
        assert await inbox.mark_all(mark, through, inbox_states=among, **fields) == len(changed)
        model |= dict.fromkeys(changed, mark)
        found = {each.sequence: Mark(each.inbox_state) for each in await inbox.records()}
        assert found == model


@pytest.mark.parametrize(
    ("request_", "paths"),
    [
        (pb.MarkEventsRequest(event_ids=["e1"]), ["state"]),
        (pb.MarkEventsRequest(event_ids=["e1"], state=pb.InboxState.ValueType(9)), ["state"]),
        (
            pb.MarkEventsRequest(filter=pb.EventFilter(), state=SEEN),
            ["up_to_sequence"],
        ),
        (
            pb.MarkEventsRequest(
                filter=pb.EventFilter(),
                state=SEEN,
                event_ids=["e1"],
                up_to_sequence=1,
            ),
            ["event_ids"],
        ),
        (pb.MarkEventsRequest(event_ids=["e1"] * 1001, state=SEEN), ["event_ids"]),
        (
            pb.MarkEventsRequest(event_ids=["e1"], state=SEEN, up_to_sequence=4),
            ["up_to_sequence"],
        ),
    ],
)
async def test_a_mark_that_is_not_clear_is_refused(
    inbox: InboxReader, request_: pb.MarkEventsRequest, paths: list[str]
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await inbox.calls.mark(request_, "alice")
    assert [each.path for each in caught.value.violations] == paths


# Counts


async def test_counts_say_up_to_where_they_count(core: Core, inbox: InboxReader) -> None:
    assert await inbox.count() == pb.CountEventsResponse()
    await core.emit(failed("e1"), completed("e2"), failed("e3"))
    await inbox.mark(READ, "e1")
    answer = await inbox.count()
    assert [(each.severity, each.count, each.unread) for each in answer.counts] == [
        (event_pb2.SEVERITY_ERROR, 2, 1),
        (event_pb2.SEVERITY_INFO, 1, 1),
    ]
    assert answer.newest_sequence == 3


async def test_a_filter_that_reads_events_is_not_taken_for_a_count(inbox: InboxReader) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await inbox.count(text="a", rule="*", groups=["g"], dispositions=[1])
    assert [each.path for each in caught.value.violations] == [
        "filter.text",
        "filter.rule",
        "filter.groups",
        "filter.dispositions",
    ]


async def test_full_blocks_are_counted_once(
    core: Core, inbox: InboxReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 4)
    await core.emit(*(failed(f"e{number}") for number in range(18)))
    await inbox.count()
    counted: list[tuple[int, int]] = []
    tally = blocks._tally

    def noted(connection: sa.Connection, first: int, last: int) -> blocks.Block:
        counted.append((first, last))
        return tally(connection, first, last)

    monkeypatch.setattr(blocks, "_tally", noted)
    assert sum(each.count for each in (await inbox.count()).counts) == 18
    # The first, which retention may be at, and the last, which is not full.
    assert counted == [(1, 3), (16, 18)]


async def test_a_bad_filter_is_answered_with_all_that_is_wrong(inbox: InboxReader) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await inbox.ids(
            dispositions=[0], inbox_states=[0, 7], text="x" * 1001, after=Timestamp(nanos=-1)
        )
    assert [each.path for each in caught.value.violations] == [
        "filter.after",
        "filter.dispositions[0]",
        "filter.inbox_states[0]",
        "filter.inbox_states[1]",
        "filter.text",
    ]
