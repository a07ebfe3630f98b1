"""What a group of a scope would hear of: as it is routed once the group is there."""

from __future__ import annotations

from datetime import timedelta
from itertools import count, product

import pytest
from tests.support.core import NOW, Core, failed, group
from tests.support.inbox import InboxReader
from tests.support.inbox_history import Clock

from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.group import Scope
from ibs_notify.router import charting, event_filter, event_scan, event_walk
from ibs_notify.router.notices import DELIVERY_DEAD, NOTICES, TARGET_FAILING
from ibs_notify.router.repository import insert_own
from ibs_notify.store.database import Database
from ironcore.notification.v1 import group_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

pytestmark = pytest.mark.tables("router")

HISTORY = 50
"""Minutes."""
GROUPS = frozenset({"ops", "north", "named"})
SCOPES = {each: group_pb2.GroupScope.Value(f"GROUP_SCOPE_{each.name}") for each in Scope}


@pytest.fixture
async def core(database: Database) -> Core:
    core = Core(database)
    await core.configure(group("north", "mail"))
    return core


@pytest.fixture
def inbox(database: Database) -> InboxReader:
    return reader(database, Clock(0.0))


@pytest.fixture(autouse=True)
def _small_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """So small that a few events take many turns."""
    monkeypatch.setattr(event_scan, "FIRST_PIECE", 3)
    monkeypatch.setattr(event_scan, "OPENED", 5)
    monkeypatch.setattr(event_walk, "PIECE", 7)
    monkeypatch.setattr(charting, "OPENED", 4)


def reader(database: Database, clock: Clock) -> InboxReader:
    return InboxReader(database, clock, group_names=lambda: GROUPS)


async def some_history(core: Core) -> None:
    """Every way to select groups about some places, of two severities."""
    selected = ((), ("ops",), ("north",), ("ops", "north"), ("nobody",), ("north", "nobody"))
    places = ("/datastore/a", "/datastore/a/vm/1", "/datastore/ab", "")
    number = count()
    for names, place, type_ in product(selected, places, ("backup.failed", "backup.completed")):
        n = next(number)
        event = failed(f"e{n:03}", place, groups=names, type=type_)
        await core.emit(event, now=NOW - timedelta(minutes=HISTORY - n))


def total(answer: pb.ChartEventsResponse) -> int:
    return sum(each.count for span in answer.spans for each in span.counts)


@pytest.mark.parametrize("rule", ["*", "type = backup.failed"])
@pytest.mark.parametrize(
    ("scope", "attachments"),
    [
        (Scope.EVERYTHING, ()),
        (Scope.ATTACHED, ("/datastore/a",)),
        (Scope.ATTACHED, ("a:vm", "/datastore/ab")),
        (Scope.ATTACHED, ()),
        (Scope.SELECTED, ("/datastore/a",)),
    ],
)
async def test_a_draft_hears_of_what_it_is_told_of_once_it_is_saved(
    core: Core, inbox: InboxReader, scope: Scope, attachments: tuple[str, ...], rule: str
) -> None:
    canonical = tuple(each.replace("a:", "/datastore/a/") for each in attachments)
    await core.configure(
        group("ops", f"chat: {rule}", scope=scope, attachments=canonical),
        group("north", "mail", scope=Scope.ATTACHED, attachments=("/datastore/a",)),
        group("named", "pager", scope=Scope.SELECTED),
    )
    await some_history(core)
    records = await inbox.records(rule=rule)
    every = [each for each in records if each.event.type not in NOTICES]
    told = [
        each.event.event_id for each in every if any(d.group == "ops" for d in each.dispositions)
    ]
    draft = pb.EventScope(scope=SCOPES[scope], attachments=attachments, group="ops")
    assert await inbox.ids(scope=draft, rule=rule) == told
    charted = await inbox.chart(scope=draft, rule=rule)
    assert total(charted) == len(told)
    assert charted.out_of_scope_count == len(every) - len(told)


async def test_a_group_that_is_not_there_yet_is_one_that_events_may_have_selected(
    core: Core, inbox: InboxReader
) -> None:
    await core.emit(failed("e1", groups=("coming",)), failed("e2", groups=("coming", "nobody")))
    attached = pb.EventScope(scope=group_pb2.GROUP_SCOPE_ATTACHED, attachments=["a:"])
    assert await inbox.ids(scope=attached) == ["e2", "e1"]
    attached.group = "coming"
    assert await inbox.ids(scope=attached) == ["e2", "e1"]
    selected = pb.EventScope(scope=group_pb2.GROUP_SCOPE_SELECTED, group="coming")
    assert await inbox.ids(scope=selected) == ["e2", "e1"]
    assert not await inbox.ids(scope=pb.EventScope(scope=group_pb2.GROUP_SCOPE_SELECTED))


async def test_our_own_events_are_in_no_scope_and_none_is_out_of_it(
    core: Core, database: Database, inbox: InboxReader
) -> None:
    await core.configure(group("ops", "chat"))
    own = failed("own", "", type=DELIVERY_DEAD)
    await database.write(lambda c: insert_own(c, own, NOW))
    await core.emit(failed("e1"), failed("e2", "", type=TARGET_FAILING), now=NOW)
    for draft, heard in (
        (pb.EventScope(), ["e2", "e1"]),
        (pb.EventScope(scope=group_pb2.GROUP_SCOPE_ATTACHED, attachments=["a:"]), ["e1"]),
    ):
        assert await inbox.ids(scope=draft) == heard
        charted = await inbox.chart(scope=draft)
        assert (total(charted), charted.out_of_scope_count) == (len(heard), 2 - len(heard))


async def test_what_is_out_of_scope_is_counted_as_far_back_as_the_rest(
    core: Core, database: Database
) -> None:
    await some_history(core)
    slow = reader(database, Clock(1.0))
    draft = pb.EventScope(scope=group_pb2.GROUP_SCOPE_ATTACHED, attachments=["a:"])
    charted = await slow.chart(scope=draft)
    since = charted.counted_since.ToMicroseconds()
    records = await reader(database, Clock(0.0)).records()
    every = [each for each in records if each.event.type not in NOTICES]
    looked_at = [each for each in every if each.receive_time.ToMicroseconds() >= since]
    assert 0 < len(looked_at) < len(every)
    assert total(charted) + charted.out_of_scope_count == len(looked_at)


async def test_more_attachments_than_a_group_may_have_are_refused(
    inbox: InboxReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_filter, "MOST_ATTACHMENTS", 1)
    with pytest.raises(InvalidArgument, match="more than 1"):
        await inbox.chart(scope=pb.EventScope(attachments=["a:", "b:"]))
