"""Events of any text are stored and found again, page by page, on every database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from ibs_notify.domain.errors import InvalidArgument, NotificationError, Reason
from ibs_notify.router import event_scan, listing
from ibs_notify.router.blocks import Blocks
from ibs_notify.router.books import events_by_id
from ibs_notify.router.inbox_calls import InboxCalls
from ibs_notify.router.intake import Accepted, Answer, Intake
from ibs_notify.router.match import RoutingTable
from ibs_notify.router.repository import accept
from ibs_notify.router.silences import SilenceBook
from ibs_notify.router.views import event_record
from ibs_notify.rpc.convert import moment_to_proto
from ibs_notify.store.database import Database
from ibs_notify.store.free_space import FreeSpace
from ibs_notify.store.group_commit import GroupCommit
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

pytestmark = pytest.mark.tables("router")

START = datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC)
NASTY = "a\x00b\x01\x1b[31m\r\n\t\x7f\u2028\ufeff\"'\\;--%_ é😀"


class SteppingClock:
    """Each event is received a second after the one before, and each look takes one."""

    def __init__(self) -> None:
        self._now = START
        self._elapsed = 0.0

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    def monotonic(self) -> float:
        self._elapsed += 1.0
        return self._elapsed


class Inbox:
    """The Router without its wire: what is emitted is stored, what is listed is read."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        silences = SilenceBook()
        self._intake = Intake(
            GroupCommit(database, lambda c, batches: accept(c, batches, silences), weigh=len),
            lambda: RoutingTable.of(3, "", ()),
            SteppingClock(),
            FreeSpace(home, SteppingClock(), min_free_mib=0),
            on_stored=lambda: None,
        )
        self._calls = InboxCalls(database, Blocks(), SteppingClock())

    async def emit(self, *messages: event_pb2.Event) -> Sequence[Answer]:
        return await self._intake.accept(messages)

    async def add(self, event_id: str, **fields: Any) -> None:
        (answer,) = await self.emit(
            event_pb2.Event(**{"event_id": event_id, "type": "backup.failed"} | fields)
        )
        assert isinstance(answer, Accepted)

    async def page(self, size: int = 0, token: str = "", **fields: Any) -> tuple[list[str], str]:
        request = pb.ListEventsRequest(
            filter=pb.EventFilter(**fields), page_size=size, page_token=token
        )
        answer = await self._calls.list(request, "alice")
        return [each.event.event_id for each in answer.events], answer.next_page_token

    async def find(self, **fields: Any) -> list[str]:
        """Ids, oldest first, of all that the filter lets through."""
        found, token = await self.page(**fields)
        assert token == ""
        return found[::-1]


@pytest.fixture
def inbox(database: Database, tmp_path: Path) -> Inbox:
    return Inbox(database, tmp_path)


def everywhere(text: str) -> event_pb2.Event:
    """An event with ``text`` in every field that takes text."""
    return event_pb2.Event(
        event_id="nasty",
        type="backup.failed",
        subject=text,
        summary=text,
        task_id=text,
        actor=text,
        resource=text,
        task_url=text,
        links={text: text, "task_log": text},
        labels={text: text},
        groups=[text],
        dedup_key=text,
    )


async def test_any_text_in_any_field_is_kept_as_it_was_written(
    inbox: Inbox, database: Database
) -> None:
    (answer,) = await inbox.emit(everywhere(NASTY))
    assert isinstance(answer, Accepted)
    (stored,) = await database.read(lambda c: events_by_id(c, ["nasty"]))
    record = event_record(stored)
    expected = everywhere(NASTY)
    expected.severity = event_pb2.SEVERITY_ERROR
    expected.timestamp.FromDatetime(START + timedelta(seconds=1))
    assert record.event == expected
    assert record.warnings == [f"there is no group {NASTY!r}; attachments decided instead"]


async def test_an_event_with_control_characters_is_found_by_them(inbox: Inbox) -> None:
    await inbox.emit(everywhere(NASTY))
    assert await inbox.find(actor=NASTY) == ["nasty"]
    assert await inbox.find(task_id=NASTY) == ["nasty"]
    assert await inbox.find(resource=NASTY, types=["backup.failed"]) == ["nasty"]
    # So is the notice that it names a group that does not exist.
    (notice,) = await inbox.find(resource=NASTY, types=["notification.unknown-group"])
    assert notice.startswith("notice-unknown-group-")
    assert await inbox.find(actor="a\x00") == []


@pytest.mark.parametrize("field", ["resource", "task_id", "actor"])
async def test_a_nul_in_a_filter_is_no_fault_of_the_service(inbox: Inbox, field: str) -> None:
    await inbox.add("e1")
    assert await inbox.find(**{field: "\x00"}) == []
    assert await inbox.find(types=["\x00"]) == []
    assert await inbox.find(sources=["\x00"]) == []


async def test_a_nul_in_an_id_finds_nothing(database: Database) -> None:
    assert await database.read(lambda c: events_by_id(c, ["a\x00"])) == []


async def test_events_are_listed_newest_first_in_pages(inbox: Inbox) -> None:
    for number in range(7):
        await inbox.add(f"e{number}")
    found, token = await inbox.page(size=3)
    assert found == ["e6", "e5", "e4"]
    found, token = await inbox.page(size=3, token=token)
    assert found == ["e3", "e2", "e1"]
    assert await inbox.page(size=3, token=token) == (["e0"], "")


async def test_the_last_page_is_known_as_such_also_when_it_is_full(inbox: Inbox) -> None:
    for number in range(4):
        await inbox.add(f"e{number}")
    _, token = await inbox.page(size=2)
    assert await inbox.page(size=2, token=token) == (["e1", "e0"], "")


@pytest.mark.parametrize("rule", ["", "type = backup.failed"])
async def test_pages_neither_repeat_nor_skip_while_events_come_in(inbox: Inbox, rule: str) -> None:
    for number in range(6):
        await inbox.add(f"old{number}")
    seen: list[str] = []
    token = ""
    for number in range(10):
        page, token = await inbox.page(size=2, token=token, rule=rule)
        seen += page
        await inbox.add(f"new{number}")
        if not token:
            break
    assert seen == [f"old{number}" for number in reversed(range(6))]


async def test_a_page_of_large_events_ends_early_so_that_clients_take_it(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_PAGE_BYTES", 5000)
    for number in range(4):
        await inbox.add(f"e{number}", summary="x" * 3000)
    for rule in ("", "*"):
        found, token = await inbox.page(rule=rule)
        assert found == ["e3", "e2"]
        found, _ = await inbox.page(token=token, rule=rule)
        assert found == ["e1", "e0"]


async def test_a_rule_that_matches_little_gives_short_pages_instead_of_reading_everything(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_scan, "OPENED", 4)
    for number in range(10):
        await inbox.add(f"e{number}", actor="bob" if number == 1 else "alice")
    found: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        page, token = await inbox.page(size=2, token=token, rule="actor = bob")
        found += page
        pages += 1
    assert found == ["e1"]
    assert pages == 3


async def test_filters_by_type_source_and_severity(inbox: Inbox) -> None:
    await inbox.add("e1", type="backup.failed")
    await inbox.add("e2", type="backup.completed")
    await inbox.add("e3", type="backups.failed")
    await inbox.add("e4", type="sync.integrity-error")
    assert await inbox.find(types=["backup.failed", "sync.integrity-error"]) == ["e1", "e4"]
    assert await inbox.find(sources=["backup"]) == ["e1", "e2"]
    assert await inbox.find(sources=["backup", "sync"]) == ["e1", "e2", "e4"]
    assert await inbox.find(sources=["Backup"]) == []
    assert await inbox.find(sources=["%"]) == []
    assert await inbox.find(min_severity=event_pb2.SEVERITY_ERROR) == ["e1", "e4"]
    assert await inbox.find(sources=["backup"], min_severity=event_pb2.SEVERITY_ERROR) == ["e1"]


async def test_a_resource_stands_for_itself_and_all_below_it_in_either_spelling(
    inbox: Inbox,
) -> None:
    await inbox.add("e1", resource="ibs:")
    await inbox.add("e2", resource="ibs:production/vm/1")
    await inbox.add("e3", resource="/datastore/ibs/production")
    await inbox.add("e4", resource="ibs-2:production/vm/1")
    await inbox.add("e5", resource="IBS:production/vm/1")
    await inbox.add("e6", resource="ibs:production-2/vm/1")
    await inbox.add("e7")
    assert await inbox.find(resource="ibs:") == ["e1", "e2", "e3", "e6"]
    assert await inbox.find(resource="/datastore/ibs/") == ["e1", "e2", "e3", "e6"]
    assert await inbox.find(resource="ibs:production") == ["e2", "e3"]
    assert await inbox.find(resource="IBS:") == ["e5"]
    assert await inbox.find(resource="/") == ["e1", "e2", "e3", "e4", "e5", "e6"]
    assert len(await inbox.find()) == 7


@pytest.mark.parametrize("special", ["%", "_", "\\", "*", "?", "[a]", "'", "/%"])
async def test_what_a_pattern_would_take_for_special_is_literal_in_a_filter(
    inbox: Inbox, special: str
) -> None:
    await inbox.add("literal", resource=f"/a/{special}/x", actor=special, task_id=special)
    await inbox.add("other", resource="/a/b/x", actor="bob", task_id="UPID")
    assert await inbox.find(resource=f"/a/{special}") == ["literal"]
    assert await inbox.find(actor=special) == ["literal"]
    assert await inbox.find(task_id=special) == ["literal"]


async def test_filters_by_actor_and_task_are_exact(inbox: Inbox) -> None:
    await inbox.add("e1", actor="alice@polystack!backup-job", task_id="UPID:1")
    await inbox.add("e2", actor="alice@polystack", task_id="UPID:10")
    assert await inbox.find(actor="alice@polystack") == ["e2"]
    assert await inbox.find(actor="Alice@polystack") == []
    assert await inbox.find(task_id="UPID:1") == ["e1"]


async def test_filters_by_the_time_of_acceptance_from_and_before(inbox: Inbox) -> None:
    for number in range(1, 5):
        await inbox.add(f"e{number}")

    def at(second: int) -> Timestamp | None:
        return moment_to_proto(START + timedelta(seconds=second))

    assert await inbox.find(after=at(2), before=at(4)) == ["e2", "e3"]
    assert await inbox.find(after=at(4)) == ["e4"]
    assert await inbox.find(before=at(1)) == []


async def test_a_filter_by_rule_and_by_fields_must_both_hold(inbox: Inbox) -> None:
    await inbox.add("e1", labels={"site": "north"}, actor="bob")
    await inbox.add("e2", labels={"site": "north"})
    await inbox.add("e3", labels={"site": "south"}, actor="bob")
    assert await inbox.find(rule="labels.site = north") == ["e1", "e2"]
    assert await inbox.find(rule="labels.site = north", actor="bob") == ["e1"]


async def failure(inbox: Inbox, **fields: Any) -> NotificationError:
    with pytest.raises(InvalidArgument) as caught:
        await inbox.page(**fields)
    return caught.value


async def test_bad_questions_are_answered_with_what_is_wrong(inbox: Inbox) -> None:
    assert (await failure(inbox, rule="severity =")).reason is Reason.RULE_INVALID
    assert (await failure(inbox, size=-1)).reason is Reason.FIELD_INVALID
    error = await failure(inbox, after=Timestamp(seconds=10**15), before=Timestamp(nanos=-1))
    assert isinstance(error, InvalidArgument)
    assert [each.path for each in error.violations] == ["filter.after", "filter.before"]


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        "é",
        "W10",  # []
        "WyJldmVudHMiXQ",  # ["events"]
        "WyJldmVudHMiLCJ4Il0",  # ["events","x"]
        "WyJldmVudHMiLC0xXQ",  # ["events",-1]
        "WyJldmVudHMiLDFlNDAwXQ",  # ["events",1e400]
        "WyJldmVudHMiLDk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5XQ",  # ["events",99999999999999999999999]
        "WyJkZWxpdmVyaWVzIiwxXQ",  # ["deliveries",1]
        "W1tb" * 50_000,
    ],
    ids=lambda token: token[:30],
)
async def test_a_page_token_that_this_list_did_not_give_is_refused(
    inbox: Inbox, token: str
) -> None:
    assert (await failure(inbox, token=token)).reason is Reason.PAGE_TOKEN_INVALID


async def test_an_event_that_only_unknown_fields_make_too_large_is_refused(inbox: Inbox) -> None:
    message = event_pb2.Event(type="backup.failed")
    # A field that no release knows yet, with more than any event may have.
    message.MergeFromString(b"\xa2\x06\x80\x80\x60" + b"x" * (3 << 19))
    (answer,) = await inbox.emit(message)
    assert isinstance(answer, InvalidArgument)
    assert [each.path for each in answer.violations] == ["event"]


async def test_fields_of_a_later_release_are_kept(inbox: Inbox, database: Database) -> None:
    message = event_pb2.Event(event_id="e1", type="backup.failed")
    message.MergeFromString(b"\xa2\x06\x05later")
    await inbox.emit(message)
    (stored,) = await database.read(lambda c: events_by_id(c, ["e1"]))
    assert b"later" in stored.body


async def test_a_batch_of_new_known_and_bad_events_is_answered_in_order(inbox: Inbox) -> None:
    first = event_pb2.Event(event_id="e1", type="backup.failed")
    await inbox.emit(event_pb2.Event(event_id="e0", type="backup.failed"))
    answers = await inbox.emit(
        first,
        event_pb2.Event(type=""),
        event_pb2.Event(event_id="e0", type="backup.failed"),
        event_pb2.Event(event_id="e1", type="backup.failed"),
        event_pb2.Event(event_id="e1", type="backup.completed"),
    )
    assert [
        each.reason if isinstance(each, NotificationError) else (each.event_id, each.duplicate)
        for each in answers
    ] == [
        ("e1", False),
        Reason.EVENT_INVALID,
        ("e0", True),
        ("e1", True),
        Reason.EVENT_ID_REUSED,
    ]
    assert await inbox.find() == ["e0", "e1"]
