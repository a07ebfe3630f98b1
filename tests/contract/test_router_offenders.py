"""Reports count every event and name the worst resources, in bounded memory, on every database."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from tests.support.core import NOW, Core, completed, failed, group
from tests.support.inbox import InboxReader

from ibs_notify.domain.catalogue import Outcome, outcome_of
from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router import counting, event_scan, event_walk, inbox_calls
from ibs_notify.store.database import Database
from ironcore.notification.v1 import router_service_pb2 as pb

pytestmark = pytest.mark.tables("router")


@pytest.fixture
async def core(database: Database) -> Core:
    core = Core(database)
    await core.configure(group("north", "pager: labels.site = north"))
    return core


@pytest.fixture
def inbox(database: Database) -> InboxReader:
    return InboxReader(database, SystemClock())


@pytest.fixture
def _small_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in (
        (event_scan, "PIECE", 7),
        (event_scan, "OPENED", 5),
        (event_walk, "PIECE", 7),
        (counting, "INDEXED", 6),
    ):
        monkeypatch.setattr(module, name, value)


def named(answer: pb.SummarizeEventsResponse) -> list[tuple[str, str, int, int]]:
    return [(each.resource, each.type, each.severity, each.count) for each in answer.offenders]


def some_event(chance: Random, number: int) -> Event:
    resource = chance.choice(("/datastore/a/vm/1", "/datastore/a/vm/2", "/datastore/b/vm/1", ""))
    kinds = ("backup.failed", "backup.warning", "backup.completed", "datastore.status-change")
    return failed(
        f"e{number:03}",
        resource,
        type=chance.choice(kinds),
        severity=chance.choice(list(Severity)),
        labels={"site": chance.choice(("north", "south"))},
    )


async def test_the_worst_resources_are_named_with_what_they_had(
    core: Core, inbox: InboxReader
) -> None:
    worst = failed("e1", "/datastore/b/vm/9", type="verify.corrupt", severity=Severity.CRITICAL)
    often = [failed(f"f{each}", "/datastore/a/vm/1") for each in range(3)]
    await core.emit(worst, *often, failed("g1", "/datastore/a/vm/2"), failed("g2", ""))
    await core.emit(completed("c1", "/datastore/a/vm/3"))
    assert named(await inbox.summarize(2)) == [
        ("/datastore/b/vm/9", "verify.corrupt", 5, 1),
        ("/datastore/a/vm/1", "backup.failed", 4, 3),
    ]


async def test_without_being_asked_nobody_is_named(core: Core, inbox: InboxReader) -> None:
    await core.emit(failed("e1", "/datastore/a/vm/1"))
    assert not (await inbox.summarize()).offenders


@pytest.mark.usefixtures("_small_turns")
@pytest.mark.parametrize("fields", [{}, {"groups": ["north"]}, {"min_severity": 4}], ids=str)
async def test_offenders_are_what_a_look_at_each_event_says(
    core: Core, inbox: InboxReader, fields: dict[str, Any]
) -> None:
    chance = Random(3)
    events = [some_event(chance, number) for number in range(60)]
    await core.emit(*events, now=NOW)
    expected = Counter(
        (each.canonical_resource, each.type, each.severity.value)
        for each in events
        if each.canonical_resource
        and outcome_of(each.type) is Outcome.PROBLEM
        and each.severity >= max(Severity.WARNING, fields.get("min_severity", 0))
        and ("groups" not in fields or each.labels["site"] == "north")
    )
    answer = await inbox.summarize(100, **fields)
    assert {(each.resource, each.type, each.severity): each.count for each in answer.offenders} == (
        expected
    )
    order = [(-each.severity, -each.count, each.resource) for each in answer.offenders]
    assert order == sorted(order)


async def test_of_very_many_kinds_the_most_frequent_are_listed_and_every_event_is_counted(
    core: Core, inbox: InboxReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_calls, "MOST_COMBINATIONS", 2)
    for store, count in enumerate((4, 1, 3, 1)):
        await core.emit(*(failed(f"e{store}{n}", f"/datastore/d{store}") for n in range(count)))
    answer = await inbox.summarize()
    assert {each.datastore: each.count for each in answer.counts} == {"d0": 4, "d2": 3}
    assert answer.other_count == 2


@pytest.mark.usefixtures("_small_turns")
async def test_a_flood_of_names_is_counted_in_bounded_memory(
    core: Core, inbox: InboxReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST_KEYS", 10)
    # The newest are counted first.
    await core.emit(*(failed(f"e{each:02}", f"/datastore/d{each}/vm") for each in range(40)))
    await core.emit(*(failed(f"f{each}", "/datastore/often/vm") for each in range(5)))
    answer = await inbox.summarize(1)
    assert len(answer.counts) <= 10
    assert sum(each.count for each in answer.counts) + answer.other_count == 45
    assert named(answer) == [("/datastore/often/vm", "backup.failed", 4, 5)]


@pytest.mark.parametrize("most", [-1, 101])
async def test_more_offenders_than_are_named_are_refused(
    core: Core, inbox: InboxReader, most: int
) -> None:
    assert core
    with pytest.raises(InvalidArgument, match="max_offenders: is not from 0 to 100"):
        await inbox.summarize(most)
