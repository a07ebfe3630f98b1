"""The Router's SQL keeps its promises on every database: events, releases and handoffs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.util import await_only
from tests.support.core import Core, DeliveryDouble, completed, failed, group
from tests.support.postgres import until_somebody_waits

from ibs_notify.domain.clock import SystemClock, to_micros
from ibs_notify.domain.errors import Reason as ErrorReason
from ibs_notify.domain.errors import Unavailable
from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Scope
from ibs_notify.domain.severity import Severity
from ibs_notify.router import outbox as outbox_module
from ibs_notify.router.books import events_by_id, handed_off_ids, read_books, released_ids
from ibs_notify.router.dispositions import Decision, Reason, State
from ibs_notify.router.handoffs import handoffs_pending, mark_handed_off, release_from
from ibs_notify.router.lanes import waiting_lanes
from ibs_notify.router.match import Numbers, Route, RoutedGroup, RoutingTable, numbered
from ibs_notify.router.outbox import Outbox
from ibs_notify.router.pipeline import Arrival, Routing
from ibs_notify.router.ports import Handoff, Handover
from ibs_notify.router.repository import Answer, Known, NewEvent, accept
from ibs_notify.router.routes import register, routes_by_id
from ibs_notify.router.silence import Silence
from ibs_notify.router.silences import SilenceBook, insert_silence
from ibs_notify.router.tables import EVENTS, LEASES, OBLIGATIONS, ROUTES
from ibs_notify.rules.ast import Always
from ibs_notify.store import leases
from ibs_notify.store.bulk import Bulk
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade

pytestmark = pytest.mark.tables("router")

NOW = datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC)
READY = Decision(State.READY, Reason.RULE_MATCHED)
BODY = b"\x0a\x01e"


def route(target: str, *recipients: str, group: str = "ops") -> Route:
    return Route(group, target, f"u-{target}", f"s-{group}-{target}", Always(), recipients)


CHAT, CHAT_TOO = route("chat"), route("chat", group="on-call")
MAIL_AB = route("mail", "a@x", "b@x")
MAIL_BC = route("mail", "b@x", "c@x", group="on-call")
MAIL_A = route("mail", "A@x", group="third")
ROUTED = (CHAT, CHAT_TOO, MAIL_AB, MAIL_BC, MAIL_A)


def table(routes: Sequence[Route]) -> RoutingTable:
    return RoutingTable.of(1, "", [RoutedGroup("g", Scope.EVERYTHING, (), tuple(routes), "u-g")])


TABLE = table(())


def registered(connection: sa.Connection, routes: Sequence[Route]) -> Numbers:
    return register(connection, routes, table(routes).groups)


async def test_only_plain_values_reach_the_driver(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's driver asks around for what it may do with any other, each time."""
    kinds: set[type] = set()
    run = Bulk.run

    def noting(self: Bulk, connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        kinds.update(type(value) for row in rows for value in row)
        run(self, connection, rows)

    monkeypatch.setattr(Bulk, "run", noting)
    core = Core(database)
    await core.configure(group("ops", "chat", "mail"), group("metrics", "influx"))
    await core.emit(failed("e1"), failed("e2"), completed("e3"))
    assert kinds == {int, str, bytes, type(None)}


@pytest.fixture
async def ids(database: Database) -> Numbers:
    """The numbers of all routes."""
    return await database.write(lambda c: registered(c, ROUTED))


def new_event(
    ids: Numbers,
    event_id: str,
    *routes: Route,
    severity: Severity = Severity.ERROR,
    content: bytes = b"c",
) -> NewEvent:
    event = Event(
        event_id,
        "backup.failed",
        severity,
        NOW,
        resource="a:",
        canonical_resource="/datastore/a",
        actor="alice",
        task_id="UPID:1",
    )
    known = [replace(each, route_id=ids.routes[each.digest]) for each in routes]
    arrival = Arrival(event_id, event, NOW, known, [None for _ in known])
    return NewEvent(arrival, 7, content, BODY)


async def insert(database: Database, *events: NewEvent) -> list[Answer]:
    return list((await database.write(lambda c: accept(c, [events], SilenceBook())))[0])


async def sequences(database: Database) -> list[tuple[int, str]]:
    query = sa.select(EVENTS.c.seq, EVENTS.c.event_id).order_by(EVENTS.c.seq)
    return [(seq, name) for seq, name in await database.read(lambda c: c.execute(query).all())]


async def states(database: Database) -> list[tuple[int, int, str, str]]:
    query = sa.select(
        OBLIGATIONS.c.event_seq,
        OBLIGATIONS.c.position,
        OBLIGATIONS.c.state,
        OBLIGATIONS.c.pointer,
    ).order_by(OBLIGATIONS.c.event_seq, OBLIGATIONS.c.position)
    return [tuple(row) for row in await database.read(lambda c: c.execute(query).all())]


async def release(database: Database, limit: int = 100) -> list[Handoff]:
    """What an outbox does in a turn, without limits of groups."""

    def turn(connection: sa.Connection) -> list[Handoff]:
        pending = handoffs_pending(connection, limit)
        if pending:
            return pending
        room = dict.fromkeys(waiting_lanes(connection))
        return release_from(connection, room, limit, to_micros(NOW))[0]

    return await database.write(turn)


def told(handoffs: Sequence[Handoff]) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(each.event_id, each.position, each.recipients) for each in handoffs]


async def test_a_new_event_is_stored_with_its_obligations(database: Database, ids: Numbers) -> None:
    (answer,) = await insert(database, new_event(ids, "e1", MAIL_AB, CHAT))
    assert isinstance(answer, Routing)
    assert [(each.route.target, each.decision) for each in answer.obligations] == [
        ("mail", READY),
        ("chat", READY),
    ]
    (stored,) = await database.read(lambda c: events_by_id(c, ["e1"]))
    assert (stored.seq, stored.event_id, stored.revision) == (1, "e1", 7)
    assert stored.received_at == to_micros(NOW)
    assert stored.body == BODY
    assert [
        (each.position, each.route.target, each.state, each.recipients, each.delivery_id)
        for each in stored.obligations
    ] == [(0, "mail", State.READY, ("a@x", "b@x"), ""), (1, "chat", State.READY, (), "")]


async def test_the_same_id_with_the_same_content_is_known_and_stored_once(
    database: Database, ids: Numbers
) -> None:
    event = new_event(ids, "e1", CHAT)
    await insert(database, event)
    (again,) = await insert(database, event)
    assert isinstance(again, Known)
    assert again.same
    assert again.event is not None
    assert [each.route.target for each in again.event.obligations] == ["chat"]
    assert await sequences(database) == [(1, "e1")]
    assert len(await states(database)) == 1


async def test_the_same_id_with_other_content_is_known_as_another(
    database: Database, ids: Numbers
) -> None:
    await insert(database, new_event(ids, "e1", CHAT, content=b"one"))
    (again,) = await insert(database, new_event(ids, "e1", CHAT, content=b"other"))
    assert isinstance(again, Known)
    assert not again.same
    assert await sequences(database) == [(1, "e1")]


async def test_the_same_id_twice_in_one_batch_is_stored_once(
    database: Database, ids: Numbers
) -> None:
    event, again = new_event(ids, "e1", CHAT), new_event(ids, "e1", CHAT)
    other = new_event(ids, "e1", CHAT, content=b"other")
    first, same, reused = await insert(database, event, again, other)
    assert isinstance(first, Routing)
    assert same == Known(same=True, routing=first)
    assert reused == Known(same=False, routing=first)
    assert await sequences(database) == [(1, "e1")]
    assert len(await states(database)) == 1


async def test_an_emitter_that_uses_an_id_of_ours_is_told_so(
    database: Database, ids: Numbers
) -> None:
    await insert(database, new_event(ids, "evt-1", content=b""))
    (again,) = await insert(database, new_event(ids, "evt-1", content=b"theirs"))
    assert isinstance(again, Known)
    assert not again.same


async def test_events_are_numbered_without_a_gap_in_the_order_of_commits(
    database: Database, ids: Numbers
) -> None:
    await insert(database, new_event(ids, "a"), new_event(ids, "b"))
    await insert(database, new_event(ids, "a"), new_event(ids, "c"))

    def fails(connection: sa.Connection) -> None:
        accept(connection, [[new_event(ids, "lost")]], SilenceBook())
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        await database.write(fails)
    await insert(database, new_event(ids, "d", content=b""))
    assert await sequences(database) == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


async def test_writers_at_the_same_time_leave_no_gap(
    database: Database, database_url: str, ids: Numbers
) -> None:
    other = await open_database(database_url)
    await asyncio.gather(
        *(
            insert(each, new_event(ids, f"e{n}-{i}"))
            for i, each in enumerate((database, other))
            for n in range(10)
        )
    )
    numbers = [seq for seq, _ in await sequences(database)]
    assert numbers == list(range(1, 21))
    await other.close()


async def test_the_same_id_at_two_replicas_at_once_is_stored_by_one_and_known_to_the_other(
    postgres_url: str,
) -> None:
    one, other = await open_database(postgres_url), await open_database(postgres_url)
    await upgrade(one, "router")
    ids = await one.write(lambda c: registered(c, ROUTED))
    event = new_event(ids, "e1", CHAT)
    stored, go_on = asyncio.Event(), asyncio.Event()

    def slowly(connection: sa.Connection) -> None:
        accept(connection, [[event]], SilenceBook())
        stored.set()
        await_only(go_on.wait())

    first = asyncio.create_task(one.write(slowly))
    async with asyncio.timeout(20):
        await stored.wait()
        second = asyncio.create_task(insert(other, event))
        await one.read(until_somebody_waits)
        go_on.set()
        await first
        (known,) = await second
    assert isinstance(known, Known)
    assert known.same
    await one.close()
    await other.close()


async def test_what_is_more_severe_is_released_first_then_what_is_older(
    database: Database, ids: Numbers
) -> None:
    await insert(
        database,
        new_event(ids, "info", CHAT, severity=Severity.INFO),
        new_event(ids, "error-1", CHAT, severity=Severity.ERROR),
        new_event(ids, "critical", CHAT, severity=Severity.CRITICAL),
        new_event(ids, "error-2", MAIL_AB, CHAT, severity=Severity.ERROR),
    )
    order = []
    while handoffs := await release(database, limit=2):
        order += [(each.event_id, each.position) for each in handoffs]
        await database.write(lambda c, done=handoffs: mark_handed_off(c, done))  # type: ignore[misc]  # a loop variable as default
    assert order == [
        ("critical", 0),
        ("error-1", 0),
        ("error-2", 0),
        ("error-2", 1),
        ("info", 0),
    ]


async def test_a_destination_is_told_once_across_groups_and_recipients(
    database: Database, ids: Numbers
) -> None:
    await insert(database, new_event(ids, "e1", CHAT, CHAT_TOO, MAIL_AB, MAIL_BC, MAIL_A))
    assert told(await release(database)) == [
        ("e1", 0, ()),
        ("e1", 2, ("a@x", "b@x")),
        ("e1", 3, ("c@x",)),
    ]
    assert await states(database) == [
        (1, 0, "ready", ""),
        (1, 1, "coalesced", "e1/0"),
        (1, 2, "ready", ""),
        (1, 3, "ready", ""),
        (1, 4, "coalesced", "e1/2"),
    ]


async def test_coalescing_looks_back_at_what_was_released_before(
    database: Database, ids: Numbers
) -> None:
    lanes = {CHAT: 1, MAIL_AB: 1, CHAT_TOO: 2, MAIL_BC: 2, MAIL_A: 2}
    routes = [replace(each, lane_id=lane) for each, lane in lanes.items()]
    await insert(database, new_event(ids, "e1", *routes))

    async def release_lane(lane: int) -> list[Handoff]:
        handoffs, _ = await database.write(lambda c: release_from(c, {lane: 1}, 10, 1))
        await database.write(lambda c: mark_handed_off(c, handoffs))
        return handoffs

    assert told(await release_lane(1)) == [("e1", 0, ()), ("e1", 1, ("a@x", "b@x"))]
    # What only waits for the same destinations is coalesced at once, though its lane had no turn.
    assert await states(database) == [
        (1, 0, "handed_off", ""),
        (1, 1, "handed_off", ""),
        (1, 2, "coalesced", "e1/0"),
        (1, 3, "ready", ""),
        (1, 4, "coalesced", "e1/1"),
    ]
    assert told(await release_lane(2)) == [("e1", 3, ("c@x",))]
    assert [state for _, _, state, _ in await states(database)] == [
        "handed_off",
        "handed_off",
        "coalesced",
        "handed_off",
        "coalesced",
    ]


async def test_a_handoff_is_repeated_the_same_until_it_is_marked(
    database: Database, ids: Numbers
) -> None:
    await insert(database, new_event(ids, "e1", MAIL_AB, MAIL_BC))
    first = await release(database)
    await insert(database, new_event(ids, "e2", CHAT, severity=Severity.CRITICAL))
    assert await release(database) == first
    await database.write(lambda c: mark_handed_off(c, first))
    assert told(await release(database)) == [("e2", 0, ())]


async def test_a_crash_between_release_and_mark_loses_nothing(
    database: Database, database_url: str, ids: Numbers
) -> None:
    await insert(database, new_event(ids, "e1", MAIL_AB, MAIL_BC, CHAT))
    before = await release(database)
    after_the_crash = await open_database(database_url)
    assert await release(after_the_crash) == before
    await after_the_crash.write(lambda c: mark_handed_off(c, before))
    assert await after_the_crash.read(lambda c: handoffs_pending(c, 100)) == []
    assert await release(after_the_crash) == []
    await after_the_crash.close()


async def test_marking_twice_changes_nothing(database: Database, ids: Numbers) -> None:
    await insert(database, new_event(ids, "e1", CHAT))
    handoffs = await release(database)
    await database.write(lambda c: mark_handed_off(c, handoffs))
    await database.write(lambda c: mark_handed_off(c, handoffs))
    assert await states(database) == [(1, 0, "handed_off", "")]


async def test_a_handoff_has_all_that_delivery_needs(database: Database, ids: Numbers) -> None:
    await insert(database, new_event(ids, "e1", MAIL_AB))
    (handoff,) = await release(database)
    assert (handoff.body, handoff.revision, handoff.event_seq) == (BODY, 7, 1)
    assert (handoff.route.group, handoff.route.target) == ("ops", "mail")
    assert (handoff.route.target_uid, handoff.route.subscription_uid) == ("u-mail", "s-ops-mail")
    (stored,) = await database.read(lambda c: events_by_id(c, ["e1"]))
    assert stored.obligations[0].delivery_id == handoff.delivery_id


async def test_routes_keep_their_numbers(database: Database, ids: Numbers) -> None:
    again = await database.write(lambda c: registered(c, [*ROUTED, route("new")]))
    assert again.routes.items() >= ids.routes.items()
    assert len(again.routes) == len(ids.routes) + 1 == len(set(again.routes.values()))
    assert again.lanes == ids.lanes
    known = await database.read(lambda c: routes_by_id(c, set(again.routes.values())))
    assert known[again.routes[MAIL_AB.digest]].recipients == ("a@x", "b@x")


async def test_replicas_that_register_the_same_routes_get_the_same_numbers(
    database: Database, database_url: str
) -> None:
    other = await open_database(database_url)
    routes = [route(f"t{n}") for n in range(1200)]
    one, two = await asyncio.gather(
        database.write(lambda c: registered(c, routes)),
        other.write(lambda c: registered(c, routes[::-1])),
    )
    assert one == two
    count = sa.select(sa.func.count()).select_from(ROUTES)
    assert await database.read(lambda c: c.execute(count).scalar_one()) == 1200
    found = numbered(table(routes), one).groups[0]
    assert found.routes[0].route_id == one.routes[routes[0].digest]
    assert found.lane_id == one.lanes["u-g"]
    await other.close()


async def test_the_books_say_what_was_accepted_and_where_it_stands(
    database: Database, ids: Numbers
) -> None:
    await insert(database, new_event(ids, "e1", CHAT, CHAT_TOO), new_event(ids, "unmatched"))
    quiet = Silence("quiet-1", "*", NOW, None, "", "", "works", "alice", NOW)
    await database.write(lambda c: insert_silence(c, quiet))
    await insert(database, new_event(ids, "silenced", CHAT, MAIL_AB))
    handoffs = await release(database)
    assert await database.read(lambda c: handed_off_ids(c, "", 9)) == []
    assert await database.read(lambda c: released_ids(c, "", None)) == {handoffs[0].delivery_id}
    await database.write(lambda c: mark_handed_off(c, handoffs))
    books = await database.read(read_books)
    assert (books.accepted, books.unmatched) == (3, 1)
    assert books.states == {"handed_off": 1, "coalesced": 1, "closed at once": 2}
    handed_off = await database.read(lambda c: handed_off_ids(c, "", 9))
    assert handed_off == [handoffs[0].delivery_id]
    assert books.events_astray == []


async def test_the_books_of_an_empty_router_are_zeros(database: Database) -> None:
    books = await database.read(read_books)
    assert (books.accepted, books.unmatched, books.states) == (0, 0, {})
    assert books.events_astray == []


async def test_an_event_whose_obligation_vanished_is_named(
    database: Database, ids: Numbers
) -> None:
    await insert(database, new_event(ids, "whole", CHAT), new_event(ids, "astray", CHAT, MAIL_AB))
    await database.write(
        lambda c: c.execute(
            sa.delete(OBLIGATIONS).where(OBLIGATIONS.c.event_seq == 2, OBLIGATIONS.c.position == 1)
        )
    )
    assert (await database.read(read_books)).events_astray == ["astray"]


class WatchedOutbox(Outbox):
    """Says when there is nothing left to do."""

    def __init__(self, database: Database, delivery: Handover) -> None:
        super().__init__(database, delivery, lambda: TABLE, SystemClock(), "one")
        self.idle = asyncio.Event()

    async def work_once(self) -> bool:
        busy = await super().work_once()
        if not busy:
            self.idle.set()
        return busy


async def test_of_two_outboxes_the_lease_lets_one_work(
    database: Database, database_url: str, ids: Numbers
) -> None:
    other = await open_database(database_url)
    delivery, idle = DeliveryDouble(), DeliveryDouble()
    holder = Outbox(database, delivery, lambda: TABLE, SystemClock(), "one")
    second = Outbox(other, idle, lambda: TABLE, SystemClock(), "two")
    await insert(database, new_event(ids, "e1", CHAT))
    assert await holder.work_once() is True
    await insert(database, new_event(ids, "e2", CHAT))
    assert await second.work_once() is False
    assert await holder.work_once() is True
    assert (delivery.calls, idle.calls) == ([["e1"], ["e2"]], [])
    await other.close()


async def test_a_holder_that_is_gone_is_succeeded_when_its_lease_ends(
    database: Database, ids: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "LEASE_SECONDS", -1.0)
    gone, delivery = DeliveryDouble(), DeliveryDouble()
    gone.error = Unavailable(ErrorReason.SERVICE_UNREACHABLE, "on purpose")
    await insert(database, new_event(ids, "e1", CHAT))
    with pytest.raises(Unavailable):
        await Outbox(database, gone, lambda: TABLE, SystemClock(), "gone").work_once()
    heir = Outbox(database, delivery, lambda: TABLE, SystemClock(), "heir")
    assert await heir.work_once() is True
    # What is acknowledged is marked in the transaction of the next turn.
    assert await heir.work_once() is True
    assert gone.calls == delivery.calls == [["e1"]]
    assert await states(database) == [(1, 0, "handed_off", "")]


async def test_a_holder_keeps_its_lease_while_delivery_has_not_answered(
    database: Database, database_url: str, ids: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "RENEW_SECONDS", 0.001)
    expiry = sa.select(LEASES.c.expires_at).where(LEASES.c.name == "outbox")
    other = await open_database(database_url)
    ends: list[int] = []

    class SlowDelivery(DeliveryDouble):
        async def deliver(self, handoffs: Sequence[Handoff]) -> None:
            while len(set(ends)) < 3:
                ends.append(await other.read(lambda c: c.execute(expiry).scalar_one()))
            await super().deliver(handoffs)

    delivery = SlowDelivery()
    await insert(database, new_event(ids, "e1", CHAT))
    async with asyncio.timeout(20):
        assert await Outbox(database, delivery, lambda: TABLE, SystemClock(), "one").work_once()
    assert delivery.calls == [["e1"]]
    await other.close()


async def test_a_holder_that_gets_no_answer_lets_its_lease_go(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "RENEW_SECONDS", 0.0)
    database = await open_database(sqlite_url)
    await upgrade(database, "router")
    ids = await database.write(lambda c: registered(c, (CHAT,)))
    leased: list[str] = []
    acquire = leases.acquire

    def noted(connection: sa.Connection, table: sa.Table, name: str, *more: Any) -> Any:
        leased.append(name)
        return acquire(connection, table, name, *more)

    monkeypatch.setattr(leases, "acquire", noted)

    class HangingDelivery(DeliveryDouble):
        async def deliver(self, handoffs: Sequence[Handoff]) -> None:
            leased.clear()
            # On SQLite a write is made at once: a turn of the loop is a renewal, if there is one.
            for _ in range(10 * outbox_module.MOST_RENEWALS):
                await asyncio.sleep(0)

    await insert(database, new_event(ids, "e1", CHAT))
    outbox = Outbox(database, HangingDelivery(), lambda: TABLE, SystemClock(), "one")
    assert await outbox.work_once()
    assert len(leased) == outbox_module.MOST_RENEWALS
    await database.close()


async def test_an_outbox_that_stops_gives_its_lease_back(database: Database, ids: Numbers) -> None:
    delivery = DeliveryDouble()
    await insert(database, new_event(ids, "e1", CHAT))
    running = asyncio.create_task(
        Outbox(database, delivery, lambda: TABLE, SystemClock(), "one").run()
    )
    async with asyncio.timeout(20):
        await delivery.called.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    lease = await database.write(lambda c: leases.acquire(c, LEASES, "outbox", "next", 15.0))
    assert lease is not None


async def test_what_delivery_took_is_noted_with_the_next_release(
    database: Database, ids: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "NOTE_SECONDS", 60.0)
    monkeypatch.setattr(outbox_module, "IDLE_SECONDS", 60.0)
    delivery = DeliveryDouble()
    outbox = Outbox(database, delivery, lambda: TABLE, SystemClock(), "one")
    running = asyncio.create_task(outbox.run())
    seen = []
    for event_id in ("e1", "e2"):
        delivery.called.clear()
        await insert(database, new_event(ids, event_id, CHAT))
        outbox.nudge()
        async with asyncio.timeout(20):
            await delivery.called.wait()
        seen.append([state for _, _, state, _ in await states(database)])
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert seen == [["ready"], ["handed_off", "ready"]]


async def test_an_outbox_repeats_what_failed_until_it_is_taken(
    database: Database, ids: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "FIRST_PAUSE_SECONDS", 0.001)
    delivery = DeliveryDouble()
    delivery.error = Unavailable(ErrorReason.SERVICE_UNREACHABLE, "on purpose")
    await insert(database, new_event(ids, "e1", CHAT))
    outbox = WatchedOutbox(database, delivery)
    running = asyncio.create_task(outbox.run())
    async with asyncio.timeout(20):
        while len(delivery.calls) < 3:
            delivery.called.clear()
            await delivery.called.wait()
        delivery.error = None
        await outbox.idle.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await states(database) == [(1, 0, "handed_off", "")]
    assert set(map(tuple, delivery.calls)) == {("e1",)}


async def test_a_nudge_wakes_an_idle_outbox(
    database: Database, ids: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "IDLE_SECONDS", 3600.0)
    delivery = DeliveryDouble()
    outbox = Outbox(database, delivery, lambda: TABLE, SystemClock(), "one")
    running = asyncio.create_task(outbox.run())
    async with asyncio.timeout(20):
        for number in range(3):
            delivery.called.clear()
            await insert(database, new_event(ids, f"e{number}", CHAT))
            outbox.nudge()
            await delivery.called.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert delivery.calls == [["e0"], ["e1"], ["e2"]]
