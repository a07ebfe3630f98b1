"""Refused logins are told of without a secret, and a flood of them costs next to nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from ibs_notify.domain.bounds import faults_of
from ibs_notify.domain.errors import Reason, Unavailable
from ibs_notify.domain.event import Event
from ibs_notify.rpc.login_failures import MOST_KINDS, LoginFailures

NOON = datetime(2026, 5, 21, 12, tzinfo=UTC)
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"


class Clock:
    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 0.0


class Router:
    """Keeps what it is told, once it is there."""

    def __init__(self, away: int = 0) -> None:
        self.events: list[Event] = []
        self.tries: list[str] = []
        self._away = away
        self._told = asyncio.Event()

    async def emit(self, event: Event) -> None:
        self.tries.append(event.event_id)
        if len(self.tries) <= self._away:
            raise Unavailable(Reason.SERVICE_UNREACHABLE, "away on purpose")
        self.events.append(event)
        self._told.set()

    async def until_told(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.events) < count:
                self._told.clear()
                await self._told.wait()


def failures() -> LoginFailures:
    return LoginFailures("config", Clock(), pause_seconds=0)


def taken(book: LoginFailures) -> Event:
    event = book.take()
    assert event is not None
    assert faults_of(event) == []
    return event


def test_a_failure_is_told_with_its_token_its_reason_and_where_it_came_from() -> None:
    book = failures()
    book.note("TOKEN_EXPIRED", "k7f2", "ipv4:192.0.2.7:41234")
    event = taken(book)
    assert event.type == "auth.login-failed"
    assert event.subject.startswith("1 call was refused by config")
    assert event.labels == {
        "service": "config",
        "count": "1",
        "reason": "TOKEN_EXPIRED",
        "token_id": "k7f2",
        "peer": "192.0.2.7",
    }
    assert event.summary == "1 with token k7f2 from 192.0.2.7: TOKEN_EXPIRED"
    assert book.take() is None


def test_failures_that_are_alike_are_counted_whatever_the_port() -> None:
    book = failures()
    for port in range(500):
        book.note("TOKEN_UNKNOWN", "k7f2", f"ipv6:%5B2001:db8::1%5D:{port}")
    assert taken(book).summary == "500 with token k7f2 from 2001:db8::1: TOKEN_UNKNOWN"


def test_a_secret_in_the_place_of_an_id_is_not_shown() -> None:
    book = failures()
    for token in (SECRET, SECRET + " ", "a b", "x" * 10**6):
        book.note("TOKEN_MALFORMED", token, "ipv4:192.0.2.7:1")
    event = taken(book)
    assert event.summary == "4 with token of another form from 192.0.2.7: TOKEN_MALFORMED"
    assert SECRET not in str(event)


def test_a_flood_is_one_event_of_bounded_size_that_counts_all_of_it() -> None:
    book = failures()
    for number in range(200_000):
        book.note("TOKEN_UNKNOWN", f"t{number}", f"ipv4:10.0.{number % 256}.1:1")
    event = taken(book)
    assert event.labels["count"] == "200000"
    assert len(event.summary.splitlines()) == MOST_KINDS + 1
    assert f"{200_000 - MOST_KINDS:,} more" in event.summary


def test_the_events_of_all_instances_have_ids_of_their_own() -> None:
    ids = set()
    for book in (failures(), failures()):
        for _ in range(2):
            book.note("TOKEN_UNKNOWN", "", "ipv4:192.0.2.7:1")
            ids.add(taken(book).event_id)
    assert len(ids) == 4


def test_a_flood_is_a_repeat_of_itself_to_whoever_is_told() -> None:
    book = failures()
    keys = set()
    for count in (1, 5):
        for _ in range(count):
            book.note("TOKEN_UNKNOWN", "", "ipv4:192.0.2.7:1")
        keys.add(taken(book).dedup_key)
    assert len(keys) == 1


def test_nobody_can_tell_the_id_or_the_key_of_what_is_told_next() -> None:
    book, other = failures(), failures()
    for each in (book, other):
        each.note("TOKEN_UNKNOWN", "", "ipv4:192.0.2.7:1")
    one, another = taken(book), taken(other)
    assert one.dedup_key != another.dedup_key
    book.note("TOKEN_UNKNOWN", "", "ipv4:192.0.2.7:1")
    after = taken(book).event_id
    assert len({each[:24] for each in (one.event_id, another.event_id, after)}) == 3


async def test_while_the_router_is_away_one_event_waits_and_the_rest_is_counted() -> None:
    router = Router(away=3)
    book = failures()
    book.note("TOKEN_UNKNOWN", "k7f2", "ipv4:192.0.2.7:1")
    running = asyncio.create_task(book.run(router.emit))
    await router.until_told(1)
    assert len(set(router.tries)) == 1
    book.note("TOKEN_UNKNOWN", "k7f2", "ipv4:192.0.2.7:1")
    await router.until_told(2)
    running.cancel()
    assert len({each.event_id for each in router.events}) == 2
