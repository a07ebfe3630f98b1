"""What a digest gathers goes out in it, once, on every database, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from tests.support.delivery import FakeClock, handoff
from tests.support.digests import CHAT, DAILY, MAIL, NOON, Replica, entry, group

from ibs_notify.audit.reading import Query, page
from ibs_notify.delivery.digests import maker as digest_maker
from ibs_notify.delivery.digests import scheduler as digest_scheduler
from ibs_notify.delivery.digests import store as digest_store
from ibs_notify.delivery.digests.windows import CloseReason, WindowState
from ibs_notify.delivery.model import DeliveryRecord, Filter, Kind, State
from ibs_notify.delivery.ports import Composed
from ibs_notify.delivery.queue import outcome_journal
from ibs_notify.delivery.reports.digest_report import ReportWindow
from ibs_notify.delivery.tables import AUDIT
from ibs_notify.domain.errors import FailedPrecondition, NotFound, Reason, Unavailable
from ibs_notify.domain.group import Digest, Frequency, Group, Subscription
from ibs_notify.domain.target import SmtpSpec
from ibs_notify.store.database import Database

pytestmark = pytest.mark.tables("delivery")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def here(database: Database, clock: FakeClock) -> Replica:
    replica = Replica(database, clock)
    replica.configure(DAILY)
    return replica


def closes(record_time: datetime | None) -> str:
    assert record_time is not None
    return f"{record_time:%m-%d %H:%M}"


# Gathering


async def test_an_entry_waits_for_its_window_and_says_until_when(here: Replica) -> None:
    await here.accept(entry(1))
    await here.scheduler.tick()
    record = await here.see(1)
    assert (record.state, record.reason) == (State.DIGEST_OPEN, "")
    assert record.digest is not None
    assert record.digest.digest_id == "dig-1"
    assert closes(record.digest.closes_at) == "05-22 09:00"
    assert not here.lanes.woken


async def test_each_reader_of_each_group_has_a_window_of_its_own(here: Replica) -> None:
    await here.accept(
        entry(1),
        entry(2),
        entry(3, group="other"),
        entry(4, target_uid="t2", target="mail", recipients=("a@x", "b@x")),
        entry(5, target_uid="t2", target="mail", recipients=("b@x", "a@x")),
        entry(6, target_uid="t2", target="mail", recipients=("c@x",)),
        handoff(7),
    )
    numbers = [(await here.see(each)).window_seq for each in range(1, 8)]
    assert numbers[0] == numbers[1]
    assert numbers[3] == numbers[4]
    assert len({numbers[0], numbers[2], numbers[3], numbers[5]}) == 4
    assert numbers[6] is None


async def test_what_is_handed_over_twice_is_gathered_once(here: Replica) -> None:
    await here.accept(entry(1))
    await here.accept(entry(1))
    await here.pass_time(days=1)
    assert [each.total for each in await here.reports()] == [1]


async def test_an_entry_of_a_deleted_target_is_cancelled_and_opens_no_window(
    here: Replica,
) -> None:
    await here.accept(entry(1, target_uid="gone"))
    record = await here.see(1)
    assert (record.state, record.reason) == (State.CANCELLED, "TARGET_DELETED")
    assert not await here.windows()


# Closing


async def test_at_its_time_one_digest_is_made_of_all_and_they_are_part_of_it(
    here: Replica, clock: FakeClock
) -> None:
    await here.accept(*(entry(number) for number in range(5)))
    await here.pass_time(hours=20)
    assert not await here.digests()
    await here.pass_time(hours=1)
    (digest,) = await here.digests()
    assert (digest.kind, digest.state, digest.event_type) == (
        Kind.DIGEST,
        State.QUEUED,
        "notification.digest",
    )
    assert (digest.group, digest.target, digest.target_uid) == ("compliance", "chat", "t1")
    assert here.lanes.woken == {"t1"}
    (report,) = await here.reports()
    assert report.total == 5
    assert report.window.opened_at == NOON - timedelta(hours=3)
    assert report.window.closed_at == clock.now()
    record = await here.see(3)
    assert record.state is State.DIGESTED
    assert record.digest is not None
    assert (record.digest.delivery_id, record.digest.state) == (digest.delivery_id, State.QUEUED)
    (window,) = await here.windows()
    assert (window.state, window.reason, window.name, window.event_count) == (
        WindowState.CLOSED,
        CloseReason.SCHEDULED,
        "2026-05-22",
        5,
    )


async def test_a_late_entry_joins_the_next_window(here: Replica) -> None:
    await here.accept(entry(1))
    await here.pass_time(hours=21)
    await here.accept(entry(2))
    await here.pass_time(hours=23)
    assert [each.total for each in await here.reports()] == [1]
    await here.pass_time(hours=1)
    assert [each.total for each in await here.reports()] == [1, 1]
    assert len({each.delivery_id for each in await here.digests()}) == 2


async def test_after_a_downtime_one_digest_catches_up(here: Replica, clock: FakeClock) -> None:
    await here.accept(entry(1))
    clock.pass_time(days=5)
    again = Replica(here.database, clock)
    again.configure(DAILY)
    for _ in range(3):
        await again.scheduler.tick()
    assert [each.total for each in await again.reports()] == [1]


async def test_a_window_without_events_sends_nothing(here: Replica) -> None:
    await here.accept(entry(1))
    await here.requests.cancel(Filter(targets=["chat"]), "alice", dry_run=False)
    await here.pass_time(days=1)
    assert not await here.digests()
    (window,) = await here.windows()
    assert (window.state, window.delivery_id) == (WindowState.CLOSED, "")


async def test_where_empty_ones_are_wanted_there_is_a_digest_every_day(here: Replica) -> None:
    here.configure(group(Digest("*", send_empty=True)))
    await here.scheduler.tick()
    for _ in range(3):
        await here.pass_time(days=1)
        await here.scheduler.tick()
    reports = await here.reports()
    assert [each.total for each in reports] == [0, 0, 0]
    spans = [(each.window.opened_at, each.window.closed_at) for each in reports]
    assert all(end == begin for (_, end), (begin, _) in pairwise(spans))


async def test_an_hourly_digest_closes_each_hour(here: Replica) -> None:
    here.configure(group(Digest("*", Frequency.HOURLY, "00:20")))
    for number in range(4):
        await here.accept(entry(number))
        await here.pass_time(minutes=60)
    assert [each.total for each in await here.reports()] == [1, 1, 1, 1]


async def test_a_thousand_and_more_entries_are_marked_bit_by_bit(
    here: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest_maker, "CHUNK", 7)
    await here.accept(*(entry(number) for number in range(100)))
    await here.pass_time(days=1)
    assert [each.total for each in await here.reports()] == [100]
    assert await here.states() == {State.DIGESTED: 100}


# Whatever happens meanwhile


async def test_a_clock_that_goes_back_and_forward_makes_no_second_digest_of_a_date(
    here: Replica,
) -> None:
    await here.accept(entry(1))
    await here.pass_time(hours=21)
    await here.pass_time(hours=-2)
    await here.accept(entry(2))
    await here.pass_time(hours=3)
    assert [each.total for each in await here.reports()] == [1]
    await here.pass_time(hours=23)
    assert [each.total for each in await here.reports()] == [1, 1]


async def test_what_a_clock_gathered_that_was_ten_days_ahead_does_not_wait_ten_days(
    here: Replica,
) -> None:
    await here.pass_time(days=10)
    await here.accept(entry(1))
    await here.scheduler.tick()
    await here.pass_time(days=-10)
    record = await here.see(1)
    assert record.digest is not None
    assert closes(record.digest.closes_at) == "05-22 09:00"
    await here.pass_time(hours=21)
    assert [each.total for each in await here.reports()] == [1]


async def test_another_time_holds_from_now_on_and_no_date_comes_twice(here: Replica) -> None:
    await here.accept(entry(1))
    await here.pass_time(hours=21)  # 09:00 of the 22nd
    here.configure(group(Digest("*", time="18:00")))
    await here.accept(entry(2))
    await here.pass_time(hours=9)
    assert len(await here.digests()) == 1
    await here.pass_time(hours=24)  # 18:00 of the 23rd
    assert [each.total for each in await here.reports()] == [1, 1]


async def test_a_week_that_was_told_is_not_told_again_where_its_time_is_changed_days_later(
    here: Replica,
) -> None:
    weekly = Digest("*", frequency=Frequency.WEEKLY)
    here.configure(group(weekly))
    await here.accept(entry(1))
    await here.pass_time(days=4)  # Monday, the 25th
    await here.accept(entry(2))
    await here.scheduler.tick()
    await here.pass_time(days=3)
    here.configure(group(replace(weekly, time="18:00")))
    await here.scheduler.tick()
    record = await here.see(2)
    assert record.digest is not None
    assert closes(record.digest.closes_at) == "06-01 18:00"
    assert [each.total for each in await here.reports()] == [1]


async def test_a_changed_time_moves_the_close_of_the_open_window(here: Replica) -> None:
    await here.accept(entry(1))
    await here.scheduler.tick()
    here.configure(group(Digest("*", time="15:00", time_zone="Europe/Berlin")))
    await here.scheduler.tick()
    record = await here.see(1)
    assert record.digest is not None
    assert closes(record.digest.closes_at) == "05-21 13:00"


async def test_a_zone_that_this_machine_does_not_know_stops_no_digest(here: Replica) -> None:
    here.configure(group(Digest("*", time_zone="Mars/Olympus")), group(Digest("*"), name="other"))
    await here.accept(entry(1), entry(2, group="other"))
    await here.pass_time(hours=21)
    assert [each.total for each in await here.reports()] == [1, 1]
    assert [each.window.time_zone for each in await here.reports()] == ["Mars/Olympus", "UTC"]


@pytest.mark.parametrize("left", [[group()], []])
async def test_a_group_that_loses_its_digest_sends_what_was_gathered_at_once(
    here: Replica, left: list[object]
) -> None:
    await here.accept(entry(1), entry(2))
    await here.scheduler.tick()
    (gathering,) = await here.windows()
    here.configure(*left)  # type: ignore[arg-type]  # groups, or none
    await here.scheduler.tick()
    (report,) = await here.reports()
    assert report.total == 2
    # As the preview said it: since the period began, and not only since something came.
    assert gathering.opened_at > report.window.opened_at
    assert f"{report.window.opened_at:%H:%M}" == "09:00"
    (window,) = await here.windows()
    assert (window.reason, window.period) == (CloseReason.NO_DIGEST, "daily")


async def test_a_configuration_that_is_behind_decides_nothing(here: Replica) -> None:
    here.configure()
    await here.accept(entry(1, revision=7))
    await here.pass_time(days=3)
    assert (await here.see(1)).state is State.DIGEST_OPEN
    here.revision = 6
    here.configure(DAILY)
    await here.pass_time(days=1)
    assert [each.total for each in await here.reports()] == [1]


async def test_the_entries_of_a_deleted_target_are_cancelled_visibly(here: Replica) -> None:
    await here.accept(entry(1))
    here.configure(DAILY, targets=[MAIL])
    standings = here.outlook.standings()
    assert await here.queue.is_astray(here.revision, standings)
    await here.queue.examine(here.revision, standings)
    record = await here.see(1)
    assert (record.state, record.reason) == (State.CANCELLED, "TARGET_DELETED")
    page = await here.database.read(lambda c: outcome_journal.page_after(c, None, 10))
    (ended,) = [each.what for each in page.entries]
    assert isinstance(ended, DeliveryRecord)
    assert ended.delivery_id == record.delivery_id
    await here.pass_time(days=1)
    assert not await here.digests()


async def test_the_digest_of_a_disabled_target_waits(here: Replica) -> None:
    await here.accept(entry(1))
    here.configure(DAILY, targets=[replace(CHAT, disabled=True)])
    standings = here.outlook.standings()
    assert not await here.queue.is_astray(here.revision, standings)
    await here.queue.examine(here.revision, standings)
    assert (await here.see(1)).state is State.DIGEST_OPEN
    await here.pass_time(days=1)
    (digest,) = await here.digests()
    assert (digest.state, digest.reason) == (State.WAITING, "TARGET_DISABLED")
    membership = (await here.see(1)).digest
    assert membership is not None
    assert (membership.state, membership.reason) == (State.WAITING, "TARGET_DISABLED")


async def test_a_digest_that_nobody_is_named_for_waits_for_recipients(here: Replica) -> None:
    here.configure(DAILY, targets=[replace(MAIL, spec=SmtpSpec("127.0.0.1", 25))])
    await here.accept(entry(1, target_uid="t2", target="mail"))
    await here.pass_time(days=1)
    (digest,) = await here.digests()
    assert (digest.state, digest.reason) == (State.WAITING, "NO_RECIPIENTS")


async def test_other_recipients_have_another_digest_and_the_former_theirs(here: Replica) -> None:
    mail = {"target_uid": "t2", "target": "mail"}
    await here.accept(entry(1, recipients=("old@x",), **mail))
    await here.accept(entry(2, recipients=("new@x",), **mail))
    await here.pass_time(days=1)
    addressed = [each.recipients[0].address for each in await here.digests()]
    assert sorted(addressed) == ["new@x", "old@x"]


async def test_a_reader_who_is_named_twice_gets_one_digest_once(here: Replica) -> None:
    twice = ("team@x", "Team@x")
    subscription = Subscription("s1", "mail", "*", twice)
    here.configure(group(Digest("*", send_empty=True), subscriptions=(subscription,)))
    await here.scheduler.tick()
    await here.accept(entry(1, target_uid="t2", target="mail", recipients=twice))
    await here.pass_time(hours=21)
    (digest,) = await here.digests()
    assert [each.address for each in digest.recipients] == ["Team@x"]


async def test_a_window_that_is_closed_gathers_no_more_and_its_entries_cannot_be_cancelled(
    here: Replica, clock: FakeClock
) -> None:
    await here.accept(entry(1))
    (window,) = await here.windows()
    await here.database.write(
        lambda c: digest_store.close(
            c, window, CloseReason.FLUSHED, clock.now(), period="daily", name="n"
        )
    )
    await here.accept(entry(2))
    cancelled = await here.requests.cancel(Filter(groups=["compliance"]), "alice", dry_run=False)
    assert cancelled.total() == 1
    assert (await here.see(1)).state is State.DIGEST_OPEN
    assert (await here.see(2)).state is State.CANCELLED
    await here.scheduler.tick()
    assert [each.total for each in await here.reports()] == [1]


async def test_a_cancelled_entry_that_is_retried_is_sent_by_itself(here: Replica) -> None:
    await here.accept(entry(1))
    everything = Filter(groups=["compliance"])
    await here.requests.cancel(everything, "alice", dry_run=False)
    retried = await here.requests.retry(everything, here.outlook.admit, "alice", dry_run=False)
    assert retried.targets == {"t1"}
    record = await here.see(1)
    assert (record.state, record.digest) == (State.QUEUED, None)
    await here.pass_time(days=1)
    assert not await here.digests()


# Crashes and replicas


@pytest.mark.parametrize("seed", range(5))
async def test_wherever_it_is_killed_each_entry_ends_up_in_exactly_one_digest(
    here: Replica, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Each transaction but the first may be the last one of a replica."""
    monkeypatch.setattr(digest_maker, "CHUNK", 5)
    # Whoever comes next need not wait for the lease of the one that died.
    monkeypatch.setattr(digest_scheduler, "LEASE_SECONDS", -1.0)
    chance = random.Random(seed)
    told = 0
    for day in range(4):
        for _ in range(chance.randint(1, 30)):
            told += 1
            await here.accept(entry(told))
        clock.pass_time(days=1)
        for attempt in range(30):
            here = Replica(here.database, clock, f"replica-{day}-{attempt}")
            here.configure(DAILY)
            task = asyncio.create_task(here.scheduler.tick())
            _kill_after(task, here, chance.randint(0, 12))
            await asyncio.gather(task, return_exceptions=True)
            clock.pass_time(seconds=40)
        await here.scheduler.tick()
    assert await here.states() == {State.DIGESTED: told}
    assert sum(each.total for each in await here.reports()) == told
    assert len(await here.digests()) == 4


def _kill_after(task: asyncio.Task[None], replica: Replica, transactions: int) -> None:
    """Cancel the task when it asks for one more transaction."""
    database, left = replica.database, transactions
    write = database.write

    async def counted(work: object) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            task.cancel()
            await asyncio.sleep(0)
        return await write(work)  # type: ignore[arg-type]  # whatever it is

    class Counted:
        dialect = database.dialect
        read = staticmethod(database.read)
        write = staticmethod(counted)

    for part in (replica.scheduler, replica.maker):
        part._database = Counted()  # type: ignore[assignment]  # as far as it is used


async def test_of_two_replicas_one_makes_the_digest(here: Replica, clock: FakeClock) -> None:
    there = Replica(here.database, clock, "b")
    there.configure(DAILY)
    await here.accept(*(entry(number) for number in range(50)))
    await here.scheduler.tick()
    clock.pass_time(days=1)
    await asyncio.gather(*(each.scheduler.tick() for each in (here, there, here, there)))
    assert [each.total for each in await here.reports()] == [50]
    assert here.lanes.woken ^ there.lanes.woken == {"t1"}


async def test_replicas_that_accept_while_a_window_closes_lose_nothing(
    here: Replica, clock: FakeClock
) -> None:
    there = Replica(here.database, clock, "b")
    there.configure(DAILY)
    numbers = iter(range(400))

    async def accept(replica: Replica) -> None:
        for _ in range(20):
            await replica.accept(*(entry(next(numbers)) for _ in range(10)))

    async def close() -> None:
        for _ in range(10):
            for window in await here.windows():
                if window.state is WindowState.OPEN:
                    await here.scheduler.flush(window, "alice")
            await asyncio.sleep(0)

    await asyncio.gather(accept(here), accept(there), close())
    await here.pass_time(days=1)
    assert await here.states() == {State.DIGESTED: 400}
    assert sum(each.total for each in await here.reports()) == 400


# By request


async def test_a_flush_sends_at_once_and_the_next_digest_comes_at_its_time(here: Replica) -> None:
    await here.accept(entry(1))
    delivery_id = await here.desk.flush("dig-1", "alice")
    (digest,) = await here.digests()
    assert digest.delivery_id == delivery_id
    await here.accept(entry(2))
    await here.pass_time(hours=21)
    assert [each.total for each in await here.reports()] == [1, 1]
    last = (await here.reports())[-1].window
    assert (last.opened_at, last.closed_at) == (NOON, NOON + timedelta(hours=21))
    # Who sent one before its time is in the audit log; that the other one was sent is not.
    (told,) = (await here.database.read(lambda c: page(c, AUDIT, Query(), 9))).entries
    assert (told.actor, told.act.action, told.act.subject) == (
        "alice",
        "digest.flush",
        "digest/dig-1",
    )


async def test_a_window_that_is_closed_or_empty_or_unknown_cannot_be_flushed(
    here: Replica,
) -> None:
    await here.accept(entry(1))
    await here.desk.flush("dig-1", "alice")
    with pytest.raises(FailedPrecondition) as caught:
        await here.desk.flush("dig-1", "alice")
    assert caught.value.reason is Reason.DIGEST_NOT_OPEN
    await here.accept(entry(2))
    await here.requests.cancel(Filter(delivery_ids=[entry(2).delivery_id]), "alice", dry_run=False)
    with pytest.raises(FailedPrecondition) as caught:
        await here.desk.flush("dig-2", "alice")
    assert "holds nothing" in caught.value.message
    for unknown in ("dig-77", "nonsense", ""):
        with pytest.raises(NotFound):
            await here.desk.preview(unknown)


async def test_a_preview_says_what_the_digest_would_and_changes_nothing(here: Replica) -> None:
    mail = {"target_uid": "t2", "target": "mail", "recipients": ("a@x",)}
    await here.accept(entry(1), entry(2), entry(3, **mail))
    chat, post = await here.desk.preview("dig-1"), await here.desk.preview("dig-2")
    assert '"type":"notification.digest"' in chat.text
    assert "compliance" in post.subject
    assert post.text
    assert post.html
    assert await here.states() == {State.DIGEST_OPEN: 3}


async def test_the_windows_are_listed_newest_first_with_what_they_hold(here: Replica) -> None:
    await here.accept(entry(1), entry(2))
    await here.pass_time(hours=21)
    await here.accept(entry(3), entry(4, group="other"))
    found = await here.desk.page("", size=10, before=None, open_only=False)
    assert [(each.window.stream.group, each.event_count, each.period) for each in found] == [
        ("other", 1, ""),
        ("compliance", 1, "daily"),
        ("compliance", 2, "daily"),
    ]
    some = await here.desk.page("compliance", size=10, before=None, open_only=True)
    assert [each.window.digest_id for each in some] == [found[1].window.digest_id]


# The weekly summary


async def test_the_weekly_summary_comes_on_monday_at_nine(here: Replica) -> None:
    here.configure(group(weekly_summary=True))
    await here.scheduler.tick()
    await here.pass_time(days=3, hours=20)
    assert not await here.digests()
    await here.pass_time(hours=1)
    await here.scheduler.tick()
    (summary,) = await here.digests()
    assert (summary.kind, summary.state) == (Kind.SUMMARY, State.QUEUED)
    (window,) = here.summaries.windows
    assert window.closed_at - window.opened_at == timedelta(days=7)
    await here.pass_time(days=7)
    assert len(await here.digests()) == 2


async def test_a_summary_that_cannot_be_made_now_is_made_later(here: Replica) -> None:
    here.configure(group(weekly_summary=True))
    await here.scheduler.tick()
    here.summaries.error = Unavailable(Reason.SERVICE_UNREACHABLE, "the Router is away")
    await here.pass_time(days=4)
    await here.pass_time(minutes=10)
    assert not await here.digests()
    here.summaries.error = None
    await here.pass_time(minutes=1)
    assert len(await here.digests()) == 1


async def test_while_the_router_is_silent_one_summary_at_a_time_waits_and_no_digest(
    here: Replica,
) -> None:
    first = group(weekly_summary=True)
    here.configure(first, replace(first, name="other"), replace(DAILY, name="daily"))
    await here.scheduler.tick()
    await here.pass_time(days=3)
    await here.accept(entry(1, group="daily"))
    made_before: list[int] = []

    async def hang(_window: ReportWindow, _delivery_id: str) -> Composed:
        made_before.append(len(await here.digests()))
        raise Unavailable(Reason.SERVICE_UNREACHABLE, "the Router is silent")

    here.summaries.compose = hang  # type: ignore[method-assign,assignment]  # for the rest of the test
    await here.pass_time(days=1)
    assert made_before == [1]
    summaries = [each for each in await here.windows() if each.stream.kind is Kind.SUMMARY]
    closing = [each.stream.group for each in summaries if each.state is WindowState.CLOSING]
    assert closing == ["compliance", "other"]
    await here.pass_time(minutes=1)
    assert made_before == [1, 1]


async def test_a_summary_that_the_router_lets_wait_goes_to_whom_it_was_due(here: Replica) -> None:
    def told(*recipients: str) -> Group:
        subscription = Subscription("s1", "mail", "*", recipients)
        return group(subscriptions=(subscription,), weekly_summary=True)

    here.configure(told("a@x"))
    await here.scheduler.tick()
    here.summaries.error = Unavailable(Reason.SERVICE_UNREACHABLE, "the Router is away")
    await here.pass_time(days=4)
    here.configure(told("b@x"))
    await here.pass_time(minutes=1)
    here.summaries.error = None
    await here.pass_time(minutes=1)
    (summary,) = await here.digests()
    assert [each.address for each in summary.recipients] == ["a@x"]
    await here.pass_time(days=7)
    assert [each.address for each in (await here.digests())[1].recipients] == ["b@x"]


async def test_a_summary_that_waits_is_left_to_who_can_read_its_target_and_knows_its_revision(
    here: Replica, database: Database, clock: FakeClock
) -> None:
    behind = Replica(database, clock)
    behind.configure(group())
    wanted = group(weekly_summary=True)
    here.configure(wanted)
    await here.scheduler.tick()
    here.summaries.error = Unavailable(Reason.SERVICE_UNREACHABLE, "the Router is away")
    await here.pass_time(days=4)
    here.summaries.error = None
    await behind.scheduler.tick()
    here.configure(wanted, targets=(MAIL,), unreadable={"t1": "chat"})
    await here.pass_time(minutes=1)
    assert next(each.state for each in await here.windows()) is WindowState.CLOSING
    here.configure(wanted)
    await here.pass_time(minutes=1)
    assert len(await here.digests()) == 1


async def test_what_is_gathered_for_a_target_of_a_later_release_is_told_once_it_can_be_read(
    here: Replica,
) -> None:
    wanted = group(Digest("*"), weekly_summary=True)
    here.configure(wanted)
    await here.accept(entry(1))
    await here.scheduler.tick()
    here.configure(wanted, targets=(MAIL,), unreadable={"t1": "chat"})
    await here.pass_time(days=4)
    await here.accept(entry(2))
    await here.pass_time(days=1)
    assert not await here.digests()
    here.configure(wanted)
    await here.scheduler.tick()
    assert [each.kind for each in await here.digests()] == [Kind.DIGEST, Kind.SUMMARY]
    assert [each.total for each in await here.reports()] == [2]


async def test_a_summary_tells_of_the_whole_week_though_its_readers_were_named_anew(
    here: Replica,
) -> None:
    def told(*recipients: str, weekly_summary: bool = True) -> Group:
        subscription = Subscription("s1", "mail", "*", recipients)
        return group(subscriptions=(subscription,), weekly_summary=weekly_summary)

    here.configure(told("a@x", "b@x"))
    await here.scheduler.tick()
    await here.pass_time(days=1)
    here.configure(told("b@x", "a@x"))
    await here.pass_time(days=1)
    here.configure(told("b@x", "a@x", weekly_summary=False))
    await here.pass_time(hours=1)
    here.configure(told("a@x", "b@x"))
    await here.pass_time(hours=1)
    await here.pass_time(days=2)
    await here.scheduler.tick()
    (window,) = here.summaries.windows
    assert closes(window.opened_at) == "05-18 09:00"


async def test_a_summary_that_is_not_wanted_any_more_is_not_sent(here: Replica) -> None:
    here.configure(group(weekly_summary=True))
    await here.scheduler.tick()
    here.configure(group())
    await here.pass_time(days=7)
    assert not await here.digests()
    assert [each.state for each in await here.windows()] == [WindowState.CLOSED]


async def test_the_ledger_knows_a_digest_and_a_summary_as_made_here(here: Replica) -> None:
    here.configure(group(Digest("*"), weekly_summary=True))
    await here.accept(entry(1))
    await here.scheduler.tick()
    await here.pass_time(days=4)
    ids = await here.listing.ids(size=10, after="")
    assert sorted((each.kind, each.is_derived) for each in ids) == [
        (Kind.EVENT, False),
        (Kind.DIGEST, True),
        (Kind.SUMMARY, True),
    ]


async def test_an_idle_scheduler_writes_nothing(here: Replica, clock: FakeClock) -> None:
    await here.accept(entry(1))
    await here.scheduler.tick()

    async def refuse(_work: object) -> object:
        raise AssertionError("it writes")

    here.database.write = refuse  # type: ignore[method-assign,assignment]  # for the rest of the test
    for _ in range(5):
        clock.pass_time(minutes=2)
        await here.scheduler.tick()
