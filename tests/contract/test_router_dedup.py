"""Deduplication and silences where the events are stored: the same answers on every database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.util import await_only
from tests.support.core import NOW, Core, completed, death, failed, group
from tests.support.dedup_tables import OnTables
from tests.support.postgres import until_somebody_waits
from tests.system.dedup_sequences import Tally, run

from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.aftermath import take_ends
from ibs_notify.router.books import events_by_id
from ibs_notify.router.dedup import changes_subject
from ibs_notify.router.dispositions import Decision, Reason, State
from ibs_notify.router.handoffs import close, mark_handed_off, release_from
from ibs_notify.router.memory import Key, keys_of
from ibs_notify.router.ports import End
from ibs_notify.router.silence import Armed, Silence
from ibs_notify.router.silences import SilenceBook, expire_silence, insert_silence
from ibs_notify.router.tables import WINDOWS
from ibs_notify.router.views import event_record
from ibs_notify.router.windows import CHANGED, OPEN, prune_windows, windows_to_prune
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade

pytestmark = pytest.mark.tables("router")

SECOND, FIVE = timedelta(seconds=1), timedelta(minutes=5)
TOLD, REPEATED = Reason.RULE_MATCHED, Reason.REPEATED


@pytest.fixture
async def core(database: Database) -> Core:
    """With one group that tells chat of everything."""
    core = Core(database)
    await core.configure(group("ops", "chat"))
    return core


async def windows(core: Core) -> list[tuple[int, int]]:
    """How each window stands, and what it suppressed."""
    query = sa.select(WINDOWS.c.closed, WINDOWS.c.suppressed).order_by(WINDOWS.c.told_seq)
    return [tuple(row) for row in await core.database.read(lambda c: c.execute(query).all())]


# What repeats


async def test_a_repeat_is_suppressed_with_a_pointer_and_the_window_counts_it(core: Core) -> None:
    assert await core.reasons(failed("e1")) == [TOLD]
    suppressed = Decision(State.SUPPRESSED, Reason.REPEATED, "e1/0")
    assert await core.decide(failed("e2"), now=NOW + SECOND) == [suppressed]
    assert (
        await core.decide(failed("e3"), failed("e4"), now=NOW + FIVE - SECOND) == [suppressed] * 2
    )
    assert await core.states() == [("e1", 0, "ready", "")]
    assert await windows(core) == [(0, 3)]


async def test_a_suppressed_event_shows_where_it_went(core: Core) -> None:
    await core.emit(failed("e1"), failed("e2"))
    (stored,) = await core.database.read(lambda c: events_by_id(c, ["e2"]))
    (shown,) = event_record(stored).dispositions
    assert (shown.reason, shown.pointer, shown.group) == ("REPEATED", "e1/0", "ops")


async def test_the_next_that_is_told_carries_the_count_to_delivery(core: Core) -> None:
    for second in range(4):
        await core.emit(failed(f"e{second}"), now=NOW + second * SECOND)
    (told,) = await core.decide(failed("next"), now=NOW + FIVE)
    assert (told.suppressed, told.suppressed_since) == (3, NOW + SECOND)
    lane = await core.lane_of("ops")
    handoffs, _ = await core.database.write(lambda c: release_from(c, {lane: None}, 10, 1))
    assert [(each.event_id, each.suppressed) for each in handoffs] == [("e0", 0), ("next", 3)]
    moment = int((NOW + SECOND).timestamp() * 1_000_000)
    assert [each.suppressed_since for each in handoffs] == [None, moment]
    (stored,) = await core.database.read(lambda c: events_by_id(c, ["next"]))
    assert event_record(stored).dispositions[0].suppressed_count == 3
    assert await windows(core) == [(0, 0)]


async def test_a_window_survives_a_restart(core: Core, database_url: str) -> None:
    await core.emit(failed("e1"))
    await core.database.close()
    heir = Core(await open_database(database_url))
    await heir.configure(group("ops", "chat"))
    (suppressed,) = await heir.decide(failed("e2"), now=NOW + SECOND)
    assert (suppressed.reason, suppressed.pointer) == (REPEATED, "e1/0")
    await heir.database.close()


async def test_another_replica_knows_the_window_at_once(core: Core, database_url: str) -> None:
    other = Core(await open_database(database_url))
    await other.configure(group("ops", "chat"))
    numbers = count()

    async def emit(at: Core) -> list[Reason]:
        return [r for _ in range(10) for r in await at.reasons(failed(f"e{next(numbers)}"))]

    one, two = await asyncio.gather(emit(core), emit(other))
    assert sorted(one + two) == [REPEATED] * 19 + [TOLD]
    assert await windows(core) == [(0, 19)]
    await other.database.close()


async def test_each_subscription_has_windows_of_its_own(core: Core) -> None:
    await core.configure(
        group("ops", "chat", "pager: severity >= error"), group("more", "chat", dedup_window=SECOND)
    )
    await core.emit(failed("e1"))
    answers = await core.decide(failed("e2"), now=NOW + 2 * SECOND)
    # The window of "more" is over.
    assert [(each.reason, each.pointer) for each in answers] == [
        (REPEATED, "e1/0"),
        (REPEATED, "e1/1"),
        (TOLD, ""),
    ]


async def test_without_a_window_nothing_is_suppressed_and_nothing_remembered(core: Core) -> None:
    await core.configure(group("ops", "chat", dedup_window=timedelta(0)))
    assert await core.reasons(failed("e1"), failed("e2"), failed("e3")) == [TOLD] * 3
    assert await windows(core) == []


async def test_a_metric_server_is_told_of_every_event(core: Core) -> None:
    await core.configure(group("ops", "influx", "chat"))
    answers = await core.reasons(failed("e1"), failed("e2"))
    assert answers == [Reason.RECORDED, TOLD, Reason.RECORDED, REPEATED]


async def test_a_dedup_key_makes_events_of_different_words_identical(core: Core) -> None:
    events = [failed(f"e{n}", subject=f"attempt {n}", dedup_key="job-7") for n in range(3)]
    assert await core.reasons(*events) == [TOLD, REPEATED, REPEATED]
    other = failed("e9", subject="attempt 0", dedup_key="job-8")
    assert await core.reasons(other) == [TOLD]


# What ends a window


@pytest.mark.parametrize(
    "change",
    [
        completed("change"),
        failed("change", severity=Severity.CRITICAL),
        failed("change", severity=Severity.WARNING),
        failed("change", type="backup.warning"),
    ],
    ids=lambda each: f"{each.type}-{each.severity.label}",
)
@pytest.mark.parametrize("together", [True, False])
async def test_a_change_of_type_or_severity_of_the_subject_ends_the_window(
    core: Core, change: Event, together: bool
) -> None:
    if together:
        reasons = await core.reasons(failed("e1"), change, failed("e2"))
    else:
        batches = [await core.reasons(each) for each in (failed("e1"), change, failed("e2"))]
        reasons = [reason for batch in batches for reason in batch]
    assert reasons == [TOLD, TOLD, TOLD]


@pytest.mark.parametrize("together", [True, False])
async def test_a_neutral_event_ends_only_windows_of_neutral_ones(
    core: Core, together: bool
) -> None:
    events = [
        failed("a1"),
        failed("b1", type="backup.started", severity=Severity.INFO),
        failed("a2"),
        failed("b2", type="backup.began", severity=Severity.INFO),
        failed("b3", type="backup.started", severity=Severity.INFO),
        failed("a3"),
    ]
    if together:
        reasons = await core.reasons(*events)
    else:
        reasons = [reason for each in events for reason in await core.reasons(each)]
    assert reasons == [TOLD, TOLD, REPEATED, TOLD, TOLD, REPEATED]


async def test_a_change_that_nobody_is_told_of_ends_the_window_all_the_same(core: Core) -> None:
    await core.configure(group("ops", "chat: severity >= error"))
    await core.emit(failed("e1"))
    assert await core.reasons(completed("e2")) == []
    assert await core.reasons(failed("e3")) == [TOLD]


async def test_a_change_of_another_resource_or_source_ends_nothing(core: Core) -> None:
    await core.emit(failed("e1"))
    await core.emit(completed("e2", "/datastore/b"), completed("e3", type="sync.completed"))
    assert await core.reasons(failed("e4")) == [REPEATED]


@pytest.mark.parametrize("recovered", ["/datastore/a", "/datastore/b"])
@pytest.mark.parametrize("together", [True, False])
async def test_a_key_shared_by_two_resources_hides_no_change_of_either(
    core: Core, recovered: str, together: bool
) -> None:
    events = [
        failed("e1", "/datastore/a", dedup_key="outage"),
        failed("e2", "/datastore/b", dedup_key="outage"),
        completed("e3", recovered),
        failed("e4", "/datastore/b", dedup_key="outage"),
    ]
    if together:
        reasons = await core.reasons(*events)
    else:
        reasons = [reason for each in events for reason in await core.reasons(each)]
    assert reasons == [TOLD, REPEATED, TOLD, TOLD]


async def die(core: Core, *obligations: str, end: End = End.DEAD) -> None:
    ended = [death(each, end=end) for each in obligations]
    await core.database.write(lambda c: take_ends(c, ended, NOW))


@pytest.mark.parametrize("end", End)
async def test_what_did_not_arrive_is_told_again_with_the_count_of_what_it_hid(
    core: Core, end: End
) -> None:
    await core.emit(failed("e1"), failed("e2"))
    await die(core, "e1/0", end=end)
    (told,) = await core.decide(failed("e3"))
    assert (told.reason, told.suppressed) == (TOLD, 1)
    assert await core.reasons(failed("e4")) == [REPEATED]
    await die(core, "e1/0", end=end)
    assert await core.reasons(failed("e5")) == [REPEATED], "the death of another comes again"


async def test_the_death_of_a_digest_is_no_death_of_what_was_told_apart(core: Core) -> None:
    await core.configure(group("one", "chat"), group("two", "pager"))
    await core.emit(failed("e1"))
    # Delivery has made the digest itself: it is no obligation of ours.
    digest = replace(death("dig-1/0"), obligation_id="")
    await core.database.write(lambda c: take_ends(c, [digest, death("e1/0")], NOW))
    assert await core.reasons(failed("e2")) == [TOLD, REPEATED]


async def test_what_was_coalesced_into_one_that_died_did_not_arrive_either(core: Core) -> None:
    await core.configure(group("one", "chat"), group("two", "chat"), group("third", "pager"))
    await core.emit(failed("e1"))
    lanes = dict.fromkeys([await core.lane_of(name) for name in ("one", "two", "third")])
    handoffs, _ = await core.database.write(lambda c: release_from(c, lanes, 10, 1))
    await core.database.write(lambda c: mark_handed_off(c, handoffs))
    taken = {pointer for _, _, state, pointer in await core.states() if state == "coalesced"}
    (took,) = taken
    assert await core.target_of("e1") == ["chat", "chat", "pager"]
    await die(core, took)
    # The pager's arrived.
    assert await core.reasons(failed("e2")) == [TOLD, TOLD, REPEATED]


async def test_what_a_summary_stood_for_did_not_arrive_if_the_summary_did_not(core: Core) -> None:
    await core.emit(failed("e1"), failed("e2", "/datastore/b"), failed("sum", "/datastore/c"))
    collapsed = [(1, 0)]
    await core.database.write(
        lambda c: close(c, State.COLLAPSED, Reason.BACKLOG_COLLAPSED, collapsed, "sum")
    )
    await die(core, "sum/0")
    again = [failed(f"e{n}", f"/datastore/{r}") for n, r in ((3, "a"), (4, "b"), (5, "c"))]
    assert await core.reasons(*again) == [TOLD, REPEATED, TOLD]


class SlowBook(SilenceBook):
    """Is read after the windows, and not before it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    def not_over(self, connection: sa.Connection, now: datetime) -> Sequence[Armed]:
        self.asked.set()
        await_only(self.go_on.wait())
        return super().not_over(connection, now)


async def test_a_death_that_is_noted_while_a_repeat_is_decided_on_is_not_forgotten(
    postgres_url: str,
) -> None:
    async with AsyncExitStack() as stack:
        one, other = await open_database(postgres_url), await open_database(postgres_url)
        for each in (one, other):
            stack.push_async_callback(each.close)
        await upgrade(one, "router")
        core = Core(one)
        await core.configure(group("ops", "chat"))
        await core.emit(failed("e1"))
        # The second death in an hour is worth no notice, which would wait for its number.
        await one.write(lambda c: take_ends(c, [death("another/0")], NOW))
        core.silences = slow = SlowBook()
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            accepting = tasks.create_task(core.reasons(failed("e2")))
            await slow.asked.wait()
            dying = tasks.create_task(other.write(lambda c: take_ends(c, [death("e1/0")], NOW)))
            waiting = tasks.create_task(one.read(until_somebody_waits))
            await asyncio.wait([dying, waiting], return_when=asyncio.FIRST_COMPLETED)
            slow.go_on.set()
            waiting.cancel()
        assert accepting.result() == [REPEATED]
        assert await core.reasons(failed("e3")) == [TOLD]


async def test_windows_that_can_decide_nothing_any_more_are_dropped(core: Core) -> None:
    await core.emit(failed("e1"), failed("e2", "/datastore/b"), failed("e3", "/datastore/b"))
    later = NOW + FIVE + SECOND
    database = core.database
    assert await database.read(lambda c: windows_to_prune(c, NOW + FIVE, FIVE, 10)) == []
    over = await database.read(lambda c: windows_to_prune(c, later, FIVE, 10))
    assert len(over) == 1
    await database.write(lambda c: prune_windows(c, over, later, FIVE))
    assert await database.read(lambda c: windows_to_prune(c, later, FIVE, 10)) == []
    (told,) = await core.decide(failed("e4", "/datastore/b"), now=NOW + 2 * FIVE)
    assert (told.reason, told.suppressed) == (TOLD, 1)


# The range of standings in SQL is the pure rule

_TYPES = ("backup.failed", "backup.completed", "backup.started", "backup.began", "backup.x")
standings = st.tuples(st.sampled_from(_TYPES), st.sampled_from(Severity))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(standings, unique=True, min_size=1, max_size=8), standings, st.booleans())
async def test_the_windows_that_a_change_ends_in_sql_are_those_of_the_pure_rule(
    core: Core, told: Sequence[tuple[str, Severity]], change: tuple[str, Severity], keyed: bool
) -> None:
    resource = f"/datastore/{next(_FRESH)}"

    def event(of: tuple[str, Severity], key: str = "") -> Event:
        number = next(_FRESH)
        return failed(f"e{number}", resource, type=of[0], severity=of[1], dedup_key=key)

    events = [event(each, f"key-{next(_FRESH)}" if keyed else "") for each in told]

    await core.emit(*events)
    # As if none had heard of the others: only what comes now is to end them.
    await core.database.write(lambda c: c.execute(sa.update(WINDOWS).values(closed=OPEN)))
    await core.emit(event(change))
    keys = [keys_of(each, ["ops-chat"])[0] for each in events]
    query = sa.select(WINDOWS.c.subject, WINDOWS.c.standing, WINDOWS.c.kind, WINDOWS.c.closed)
    rows = await core.database.read(lambda c: c.execute(query).all())
    closed = {Key(*row[:3]): row.closed for row in rows}
    last = event(change)
    for each, key in zip(events, keys, strict=True):
        ended = closed[key] == CHANGED
        assert ended is changes_subject(each.type, each.severity, last), each


_FRESH = count()


# Random sequences on the real tables


async def test_no_random_sequence_on_the_real_tables_hides_a_change_or_makes_noise(
    database_url: str,
) -> None:
    subject, tally = await OnTables.open(database_url), Tally()
    try:
        assert await run(lambda: subject, 300, 11, tally) == []
    finally:
        await subject.close()
    assert min(tally.counts[name] for name in ("Die", "Restart", "SetLength", "suppressed")) > 50


# Silences


def quiet(rule: str = "*", **fields: object) -> Silence:
    silence = Silence("", rule, NOW, NOW + FIVE, "", "", "works", "alice", NOW)
    return replace(silence, **fields)  # type: ignore[arg-type]  # fields of it


async def silence(database: Database, made: Silence) -> str:
    return (await database.write(lambda c: insert_silence(c, made))).silence_id


async def test_a_silence_holds_from_the_next_event_until_its_end(core: Core) -> None:
    await core.emit(failed("before"))
    silence_id = await silence(core.database, quiet("type = backup.failed"))
    silenced = Decision(State.SILENCED, Reason.SILENCE_MATCHED, silence_id)
    assert await core.decide(failed("e1", "/x"), now=NOW) == [silenced]
    assert await core.decide(failed("e2", "/y"), now=NOW + FIVE - SECOND) == [silenced]
    assert await core.reasons(completed("e3", "/z")) == [TOLD]
    assert await core.reasons(failed("e4", "/x"), now=NOW + FIVE) == [TOLD]


async def test_a_silence_that_is_to_come_holds_nothing_back_yet(core: Core) -> None:
    await silence(core.database, quiet(start=NOW + SECOND))
    assert await core.reasons(failed("e1", "/x")) == [TOLD]
    assert await core.reasons(failed("e2", "/y"), now=NOW + SECOND) == [Reason.SILENCE_MATCHED]


async def test_a_silence_that_is_ended_by_hand_holds_nothing_back(core: Core) -> None:
    silence_id = await silence(core.database, quiet())
    assert await core.reasons(failed("e1", "/x")) == [Reason.SILENCE_MATCHED]
    await core.database.write(lambda c: expire_silence(c, silence_id, NOW + SECOND))
    assert await core.reasons(failed("e2", "/y"), now=NOW + SECOND) == [TOLD]


async def test_a_silence_made_on_another_replica_holds_here_at_once(
    core: Core, database_url: str
) -> None:
    other = await open_database(database_url)
    assert await core.reasons(failed("e1", "/x")) == [TOLD]
    silence_id = await silence(other, quiet())
    assert await core.reasons(failed("e2", "/y")) == [Reason.SILENCE_MATCHED]
    await other.write(lambda c: expire_silence(c, silence_id, NOW))
    assert await core.reasons(failed("e3", "/z")) == [TOLD]
    await other.close()


async def test_a_silence_keeps_nothing_from_a_metric_server(core: Core) -> None:
    await core.configure(group("ops", "influx", "chat"))
    await silence(core.database, quiet())
    assert await core.reasons(failed("e1")) == [Reason.RECORDED, Reason.SILENCE_MATCHED]


async def test_what_was_silenced_opens_no_window(core: Core) -> None:
    silence_id = await silence(core.database, quiet())
    await core.emit(failed("e1"))
    await core.database.write(lambda c: expire_silence(c, silence_id, NOW))
    assert await core.reasons(failed("e2"), failed("e3")) == [TOLD, REPEATED]
