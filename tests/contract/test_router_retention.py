"""Old events go, never one of which something is open, and their ids stay known for a while."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from random import Random

import pytest
import sqlalchemy as sa
from tests.support.core import NOW, Core, DeliveryDouble, ShiftedClock, TimedOutbox, failed, group
from tests.support.inbox import InboxReader

from ibs_notify.domain.clock import to_micros
from ibs_notify.domain.errors import OutOfRange, Reason
from ibs_notify.domain.event import Event
from ibs_notify.router import audit as audit_module
from ibs_notify.router import blocks as blocks_module
from ibs_notify.router import housekeeping as housekeeping_module
from ibs_notify.router import retention
from ibs_notify.router.audit import audit
from ibs_notify.router.blocks import Blocks
from ibs_notify.router.event_place import newest_place, place_of, require_kept
from ibs_notify.router.housekeeping import Housekeeping
from ibs_notify.router.intake import arrival_of
from ibs_notify.router.lines import Mark
from ibs_notify.router.ports import DeliveryId, Handoff
from ibs_notify.router.repository import Known, NewEvent, accept
from ibs_notify.router.tables import EVENTS, LEASES, MARKS, OBLIGATIONS, RETIRED, WINDOWS
from ibs_notify.rpc.convert import event_to_proto
from ibs_notify.store import leases
from ibs_notify.store.database import Database

pytestmark = pytest.mark.tables("router")

DAY = timedelta(days=1)
KEEP = 90 * DAY
LATER = NOW + KEEP + timedelta(seconds=1)


class Clock:
    def __init__(self, now: datetime) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few events are several blocks, looks and transactions."""
    monkeypatch.setattr(housekeeping_module, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(retention, "LOOKED_AT", 7)
    monkeypatch.setattr(retention, "REMOVED", 3)
    monkeypatch.setattr(blocks_module, "BLOCK", 8)


@pytest.fixture
async def core(database: Database) -> Core:
    core = Core(database)
    await core.configure(group("ops", "chat", rate_limit=0))
    return core


def keeping(core: Core, clock: Clock, *, most: int = 0, holder: str = "one") -> Housekeeping:
    return Housekeeping(
        core.database, Blocks(), lambda: core.table, clock, holder, keep=KEEP, most=most
    )


async def tidy(core: Core, now: datetime = LATER, *, most: int = 0) -> None:
    await keeping(core, Clock(now), most=most).tidy()


async def test_house_is_kept_where_no_group_has_a_target_yet(core: Core) -> None:
    await core.configure()
    await core.emit(*by_number(1, 2))
    await tidy(core)
    assert await kept(core) == []


async def kept(core: Core) -> list[str]:
    query = sa.select(EVENTS.c.event_id).order_by(EVENTS.c.seq)
    return list(await core.database.read(lambda c: c.execute(query).scalars().all()))


async def count(core: Core, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return await core.database.read(lambda c: int(c.execute(query).scalar_one()))


def by_number(first: int, count: int) -> list[Event]:
    return [failed(f"e{number}", f"/datastore/{number}") for number in range(first, first + count)]


async def hand_off(core: Core) -> list[Handoff]:
    delivery = DeliveryDouble()
    await TimedOutbox(core, delivery, ShiftedClock()).drain()
    return delivery.taken


async def test_what_is_older_than_what_is_kept_goes_with_all_that_hangs_on_it(core: Core) -> None:
    await core.emit(*by_number(0, 20))
    await hand_off(core)
    await core.emit(*by_number(20, 2), now=NOW + DAY)
    await InboxReader(core.database, Clock(NOW)).mark(Mark.READ, "e1", "e20")
    await tidy(core, NOW + KEEP)
    assert len(await kept(core)) == 22
    await tidy(core)
    assert await kept(core) == ["e20", "e21"]
    assert await count(core, OBLIGATIONS) == 2
    assert await count(core, MARKS) == 1


async def test_an_event_of_which_an_obligation_waits_stays_until_it_is_handed_off(
    core: Core,
) -> None:
    await core.emit(*by_number(0, 3))
    await tidy(core)
    assert await kept(core) == ["e0", "e1", "e2"]
    await hand_off(core)
    await tidy(core)
    assert await kept(core) == []


async def test_what_a_summary_that_gathers_stands_for_stays_until_it_is_told(core: Core) -> None:
    await core.configure(group("ops", "chat", rate_limit=1))
    await core.emit(*by_number(0, 40))
    delivery, clock = DeliveryDouble(), ShiftedClock()
    outbox = TimedOutbox(core, delivery, clock)
    await outbox.drain()
    collapsed = await core.count("collapsed")
    assert collapsed > 20
    await tidy(core)
    assert await core.count("collapsed") == collapsed
    while await core.count("ready"):
        clock.shift += 61
        await outbox.drain()
    summary = delivery.taken[-1]
    assert summary.event_id not in {f"e{number}" for number in range(40)}
    await tidy(core, LATER + DAY)
    assert await kept(core) == []


@pytest.mark.parametrize("seed", range(4))
async def test_no_event_goes_that_is_young_enough_or_open(core: Core, seed: int) -> None:
    """Whatever the clock did while they came."""
    chance = Random(seed)
    ages: dict[str, timedelta] = {}
    for event in by_number(0, 40):
        ages[event.event_id] = chance.choice((KEEP - DAY, KEEP + DAY, 2 * KEEP, -DAY))
        await core.emit(event, now=LATER - ages[event.event_id])
    close = sa.update(OBLIGATIONS).where(
        OBLIGATIONS.c.event_seq.in_(chance.sample(range(1, 41), 30))
    )
    await core.database.write(lambda c: c.execute(close.values(state="handed_off")))
    is_open = {name for name, _, state, _ in await core.states() if state == "ready"}
    await tidy(core)
    expected = [name for name, age in ages.items() if age <= KEEP or name in is_open]
    assert await kept(core) == expected


async def test_the_oldest_go_when_there_are_more_than_are_to_be_kept(core: Core) -> None:
    await core.emit(*by_number(0, 30))
    await hand_off(core)
    await core.emit(*by_number(30, 1))
    await tidy(core, NOW, most=10)
    assert await kept(core) == [f"e{number}" for number in range(21, 31)]
    await tidy(core, NOW, most=0)
    assert len(await kept(core)) == 10
    await tidy(core, NOW, most=1)
    # The one that is left is open; were it not the newest, it would stay all the same.
    assert await kept(core) == ["e30"]


async def test_an_open_event_stays_beside_the_newest(core: Core) -> None:
    await core.emit(*by_number(0, 10))
    close = sa.update(OBLIGATIONS).where(OBLIGATIONS.c.event_seq > 1).values(state="handed_off")
    await core.database.write(lambda c: c.execute(close))
    for _ in range(2):
        await tidy(core, NOW, most=4)
        assert await kept(core) == ["e0", "e6", "e7", "e8", "e9"]


# Ids


async def emit_chosen(core: Core, event_id: str, content: bytes = b"c") -> object:
    """An event whose id its emitter chose."""
    event = failed(event_id)
    new = NewEvent(
        arrival_of(core.table, event, event_id, NOW),
        1,
        content,
        event_to_proto(event).SerializeToString(),
    )
    answers = await core.database.write(lambda c: accept(c, [[new]], core.silences))
    return answers[0][0]


async def test_an_id_stays_known_for_a_month_after_its_event_is_gone(core: Core) -> None:
    await emit_chosen(core, "chosen")
    await core.emit(failed("ours"))
    await hand_off(core)
    await tidy(core)
    assert await count(core, RETIRED) == 1
    assert await emit_chosen(core, "chosen") == Known(same=True)
    assert await emit_chosen(core, "chosen", b"other") == Known(same=False)
    assert await kept(core) == []
    await tidy(core, LATER + retention.IDS_KEPT)
    assert await emit_chosen(core, "chosen") == Known(same=True)
    await tidy(core, LATER + retention.IDS_KEPT + DAY)
    assert await count(core, RETIRED) == 0
    assert not isinstance(await emit_chosen(core, "chosen"), Known)


# The ledger


class Delivery:
    """Has what it was handed, since then."""

    def __init__(self, handoffs: list[Handoff], at: datetime) -> None:
        self._ids = [
            DeliveryId(each.delivery_id, "delivered", is_derived=False, accepted_at=to_micros(at))
            for each in handoffs
        ]

    async def retired_before(self) -> int:
        return 0

    async def ids(self, after: str, limit: int) -> list[DeliveryId]:
        behind = sorted(each.delivery_id for each in self._ids if each.delivery_id > after)
        by_id = {each.delivery_id: each for each in self._ids}
        return [by_id[each] for each in behind[:limit]]


async def test_the_ledger_balances_without_what_is_gone(core: Core) -> None:
    await core.emit(*by_number(0, 9))
    handoffs = await hand_off(core)
    delivery = Delivery(handoffs, NOW + timedelta(hours=2))
    await tidy(core)
    result = await audit(core.database, delivery)
    assert (result.accepted, result.unaccounted) == (0, ())


async def test_the_ledger_finds_what_delivery_has_beyond_what_is_gone(core: Core) -> None:
    await core.emit(*by_number(0, 9))
    handoffs = await hand_off(core)
    await tidy(core)
    surplus = Delivery(handoffs, LATER)
    assert len((await audit(core.database, surplus)).unaccounted) == 9


async def test_what_goes_while_the_ledger_is_read_is_no_gap(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    await core.emit(*by_number(0, 9))
    handoffs = await hand_off(core)

    class Slow(Delivery):
        async def ids(self, after: str, limit: int) -> list[DeliveryId]:
            found = await super().ids(after, limit)
            await tidy(core)
            return found

    monkeypatch.setattr(audit_module, "SPAN", 4)
    result = await audit(core.database, Slow(handoffs, NOW), limit=4)
    assert result.unaccounted == ()


# Watchers


async def test_a_place_is_good_as_long_as_nothing_behind_it_is_gone(core: Core) -> None:
    database = core.database
    before_all = await database.read(newest_place)
    await core.emit(*by_number(0, 2))
    first = await database.read(newest_place)
    await hand_off(core)
    await core.emit(*by_number(2, 2), now=NOW + 2 * KEEP)
    last = await database.read(newest_place)
    for place in (before_all, first, last):
        await database.read(partial(require_kept, place=place))
    await tidy(core)
    for place in (first, last):
        await database.read(partial(require_kept, place=place))
    for token in (before_all.token, "4-1", "5-1", "nonsense", "1-", "-1-1", "1-1-1"):
        with pytest.raises(OutOfRange) as caught:
            await database.read(partial(require_kept, place=place_of(token)))
        assert caught.value.reason is Reason.RESUME_TOKEN_EXPIRED


# Keeping house


async def test_windows_that_can_decide_nothing_any_more_go_too(core: Core) -> None:
    await core.configure(group("ops", "chat", dedup_window=timedelta(hours=1)))
    await core.emit(*by_number(0, 5))
    await tidy(core, NOW + timedelta(minutes=59))
    assert await count(core, WINDOWS) == 5
    await tidy(core, NOW + timedelta(minutes=61))
    assert await count(core, WINDOWS) == 0


async def test_where_nothing_is_old_nothing_is_written(core: Core) -> None:
    await core.emit(*by_number(0, 5))
    await tidy(core, NOW)
    assert await count(core, LEASES) == 0


async def test_one_replica_keeps_house(core: Core) -> None:
    await core.emit(*by_number(0, 5))
    await hand_off(core)
    await core.database.write(lambda c: leases.acquire(c, LEASES, "housekeeping", "other", 60))
    await tidy(core)
    assert len(await kept(core)) == 5


async def test_counts_and_lists_go_on_while_events_go(core: Core) -> None:
    inbox = InboxReader(core.database, Clock(LATER))
    await core.emit(*by_number(0, 30))
    assert sum(each.count for each in (await inbox.count()).counts) == 30
    await hand_off(core)
    await core.emit(*by_number(30, 3), now=LATER)
    pages = inbox.pages(5)
    first = await anext(pages)
    await tidy(core)
    assert [each.event.event_id for each in first] == ["e32", "e31", "e30", "e29", "e28"]
    assert [page async for page in pages] == [[]]
    assert sum(each.count for each in (await inbox.count()).counts) == 3
    assert await inbox.ids() == ["e32", "e31", "e30"]
