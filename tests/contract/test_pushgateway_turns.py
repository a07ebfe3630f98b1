"""A Pushgateway is pushed by one at a time, whatever it answers and whoever waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web
from tests.support.http_server import HttpServer, RawServer
from tests.support.metric_book import MemoryBook
from tests.support.transports import ANYWHERE, LoopbackCa, StillClock, message

from ibs_notify.delivery.transports import pushgateway
from ibs_notify.delivery.transports.base import Message, OutcomeReason, Verdict
from ibs_notify.delivery.transports.pushgateway import PushgatewayTransport
from ibs_notify.domain.errors import Reason, Unavailable
from ibs_notify.domain.target import PushgatewaySpec, Target

GROUP = "/metrics/job/ibs/target/metrics"


@asynccontextmanager
async def pushing(
    url: str,
    book: MemoryBook,
    secret: str = "",
    *,
    username: str = "",
    ca_pem: str = "",
    clock: StillClock | None = None,
) -> AsyncIterator[PushgatewayTransport]:
    spec = PushgatewaySpec(url, "ibs", username, ca_pem)
    target = Target("metrics", "u1", spec)
    transport = PushgatewayTransport(target, spec, secret, book, clock or StillClock(), ANYWHERE)
    try:
        yield transport
    finally:
        await transport.close()


def batch(*numbers: int) -> list[Message]:
    return [replace(message(), sequence=number) for number in numbers]


def totals(http: HttpServer) -> list[float]:
    """What each push said there were in all."""
    return [
        sum(
            float(line.rpartition(b" ")[2])
            for line in request.body.splitlines()
            if line.startswith(b"ibs_events_total{")
        )
        for request in http.requests
        if request.method == "PUT"
    ]


async def test_all_that_was_counted_is_in_every_push() -> None:
    book = MemoryBook()
    async with HttpServer() as http, pushing(http.url(""), book) as transport:
        for numbers in ((1, 2, 3), (3, 4), (1, 2, 3, 4)):
            outcomes = await transport.attempt_all(batch(*numbers))
            assert [each.verdict for each in outcomes] == [Verdict.DELIVERED] * len(numbers)
        assert totals(http) == [3, 4, 4]
        assert {request.path for request in http.requests} == {GROUP}


async def test_a_push_that_failed_is_made_good_by_the_next() -> None:
    book = MemoryBook()
    async with HttpServer(503) as http, pushing(http.url(""), book) as transport:
        outcome = await transport.attempt(batch(1)[0])
        assert outcome.verdict is Verdict.RETRY
        http.status = 200
        await transport.attempt(batch(2)[0])
        assert totals(http) == [1, 2]


async def test_totals_never_go_back_however_many_push() -> None:
    book = MemoryBook()
    async with HttpServer() as http:

        async def replica(*numbers: int) -> None:
            async with pushing(http.url(""), book) as transport:
                for number in numbers:
                    await transport.attempt_all(batch(number))

        await asyncio.gather(replica(1, 2, 3), replica(4, 5, 6))
        assert totals(http) == [1, 2, 3, 4, 5, 6]


async def test_who_waits_too_long_for_the_turn_comes_back_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pushgateway, "LONGEST_WAIT_SECONDS", -1.0)
    book = MemoryBook()
    book.holder = "another"
    async with HttpServer() as http, pushing(http.url(""), book) as transport:
        outcome = await transport.attempt(message())
        assert (outcome.verdict, outcome.reason) == (
            Verdict.RETRY,
            OutcomeReason.PUSHED_ELSEWHERE,
        )
        assert http.requests == []


async def test_the_turn_is_given_back_whatever_the_gateway_answers() -> None:
    book = MemoryBook()
    for status in (200, 400, 401, 503):
        async with HttpServer(status) as http, pushing(http.url(""), book) as transport:
            await transport.attempt(message())
            assert book.holder == ""


async def test_the_turn_is_kept_where_the_push_may_still_be_on_its_way() -> None:
    book = MemoryBook()
    async with RawServer() as server, pushing(server.url, book) as transport:
        outcome = await transport.attempt(message())
    assert outcome.maybe_accepted
    assert book.holder != ""


async def test_totals_that_were_read_long_ago_are_not_pushed() -> None:
    clock, book = StillClock(), MemoryBook()

    def slowly() -> None:
        clock.moment = clock.moment.replace(minute=50)

    book.on_count = slowly
    async with HttpServer() as http, pushing(http.url(""), book, clock=clock) as transport:
        outcome = await transport.attempt(message())
        assert (outcome.verdict, http.requests) == (Verdict.RETRY, [])


async def test_a_database_that_is_away_is_waited_for() -> None:
    def away() -> None:
        raise Unavailable(Reason.STORAGE_UNAVAILABLE, "the database is away")

    book = MemoryBook()
    book.on_count = away
    async with HttpServer() as http, pushing(http.url(""), book) as transport:
        outcomes = await transport.attempt_all(batch(1, 2))
        assert [each.verdict for each in outcomes] == [Verdict.RETRY] * 2
        assert "the database is away" in outcomes[0].reply


async def test_a_refresh_pushes_what_there_is_and_nothing_where_there_is_nothing() -> None:
    book = MemoryBook()
    async with HttpServer() as http, pushing(http.url(""), book) as transport:
        assert (await transport.refresh()).verdict is Verdict.DELIVERED
        assert http.requests == []
        await transport.attempt(message())
        assert (await transport.refresh()).verdict is Verdict.DELIVERED
        assert totals(http) == [1, 1]


async def test_the_group_is_removed_in_its_own_turn() -> None:
    async with HttpServer(202) as http, pushing(http.url(""), MemoryBook()) as transport:
        assert (await transport.remove()).verdict is Verdict.DELIVERED
        (request,) = http.requests
        assert (request.method, request.path) == ("DELETE", GROUP)


@pytest.mark.parametrize(
    ("username", "header"),
    [("ibs", "Basic aWJzOnMzY3JldA=="), ("", "Bearer s3cret")],
)
async def test_credentials_are_basic_with_a_username_and_else_a_bearer_token(
    username: str, header: str
) -> None:
    async with (
        HttpServer() as http,
        pushing(http.url(""), MemoryBook(), "s3cret", username=username) as transport,
    ):
        await transport.attempt(message())
        await transport.test(message())
        assert {request.headers["Authorization"] for request in http.requests} == {header}


async def test_a_private_ca_is_trusted_where_it_is_given() -> None:
    ca = LoopbackCa()
    async with HttpServer(tls=ca.server) as http:
        for pem, reason in ((ca.pem, OutcomeReason.ACCEPTED), ("", OutcomeReason.TLS_FAILED)):
            url = http.url("", "https")
            async with pushing(url, MemoryBook(), ca_pem=pem) as transport:
                assert (await transport.attempt(message())).reason is reason


async def test_a_test_leaves_nothing_behind() -> None:
    async with HttpServer(202) as http, pushing(http.url(""), MemoryBook()) as transport:
        stages = await transport.test(message())
        assert [stage.name for stage in stages] == ["resolve", "connect", "send", "remove"]
        assert [(each.method, each.path) for each in http.requests] == [
            ("PUT", f"{GROUP}/test/true"),
            ("DELETE", f"{GROUP}/test/true"),
        ]


async def test_a_gateway_that_does_not_know_us_says_so_with_advice() -> None:
    async def unknown(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=401, text="Unauthorized\n")

    async with HttpServer(answer=unknown) as http, pushing(http.url(""), MemoryBook()) as transport:
        outcome = await transport.attempt(message())
    assert outcome.verdict is Verdict.REFUSED
    assert "renew them with target update" in outcome.reply
