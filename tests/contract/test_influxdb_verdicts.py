"""Every answer of an InfluxDB, and what becomes of the points that were sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import web
from tests.support.http_server import HttpServer
from tests.support.metric_book import MemoryBook
from tests.support.transports import ANYWHERE, LoopbackCa, StillClock, message

from ibs_notify.delivery.transports.base import Message, Outcome, OutcomeReason, Verdict
from ibs_notify.delivery.transports.influxdb import InfluxDbTransport
from ibs_notify.domain.target import InfluxDbSpec

TOKEN = "s3cret-token"


class InfluxDb:
    """Answers as InfluxDB 2 does. ``poison`` is what it cannot parse; lines are kept by time."""

    def __init__(self, *, partial: int = 400) -> None:
        self.points: dict[bytes, bytes] = {}
        self.poison = b"poison"
        self.instead: web.Response | None = None
        self._partial = partial

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.instead is not None:
            return self.instead
        if request.path != "/api/v2/write":
            return _refusal(404, "not found", "path not found")
        if request.headers.get("Authorization") != f"Token {TOKEN}":
            return _refusal(401, "unauthorized", "unauthorized access")
        if request.query["org"] != "polystack":
            return _refusal(404, "not found", 'organization name "nope" not found')
        if request.query["bucket"] != "ibs & events":
            return _refusal(404, "not found", 'bucket "nope" not found')
        assert request.query["precision"] == "ns"
        assert "Authorization" not in request.path_qs
        bad = []
        for line in (await request.read()).split(b"\n"):
            if self.poison in line:
                bad.append(line.decode())
            else:
                self.points[line.rpartition(b" ")[2]] = line
        if bad:
            return _refusal(self._partial, "invalid", f"unable to parse '{bad[0]}': bad timestamp")
        return web.Response(status=204)


def _refusal(status: int, code: str, words: str) -> web.Response:
    return web.json_response({"code": code, "message": words}, status=status)


@asynccontextmanager
async def serving(
    influx: InfluxDb, token: str = TOKEN, org: str = "polystack", bucket: str = "ibs & events"
) -> AsyncIterator[tuple[InfluxDbTransport, HttpServer]]:
    async with HttpServer(answer=influx.answer) as http:
        spec = InfluxDbSpec(http.url("/"), org, bucket)
        transport = InfluxDbTransport("u1", spec, token, MemoryBook(), StillClock(), ANYWHERE)
        try:
            yield transport, http
        finally:
            await transport.close()


def batch(count: int, *, bad: tuple[int, ...] = ()) -> list[Message]:
    return [
        replace(message(summary="poison" if n in bad else f"event {n}"), sequence=n)
        for n in range(count)
    ]


async def test_a_batch_is_one_write() -> None:
    influx = InfluxDb()
    async with serving(influx) as (transport, http):
        outcomes = await transport.attempt_all(batch(500))
        assert {outcome.verdict for outcome in outcomes} == {Verdict.DELIVERED}
        assert (len(outcomes), len(http.requests), len(influx.points)) == (500, 1, 500)


@pytest.mark.parametrize("status", [400, 422])
async def test_bad_points_are_refused_with_the_servers_words_while_the_others_are_written(
    status: int,
) -> None:
    influx = InfluxDb(partial=status)
    async with serving(influx) as (transport, http):
        outcomes = await transport.attempt_all(batch(100, bad=(3, 64, 65)))
        refused = [n for n, outcome in enumerate(outcomes) if outcome.verdict is Verdict.REFUSED]
        assert refused == [3, 64, 65]
        assert len(influx.points) == 97
        assert "unable to parse" in outcomes[3].reply
        assert (outcomes[3].reason, outcomes[3].code) == (OutcomeReason.HTTP_4XX, status)
        assert len(http.requests) < 40


async def test_a_batch_that_is_too_large_is_sent_in_parts() -> None:
    influx = InfluxDb()
    limited = influx.answer

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        return (
            _refusal(413, "too large", "too large") if len(body) > 9000 else await limited(request)
        )

    influx.answer = answer  # type: ignore[method-assign]  # the limit of a proxy before it
    async with serving(influx) as (transport, _):
        outcomes = await transport.attempt_all(batch(100))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.DELIVERED}
    assert len(influx.points) == 100


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"token": "wrong"}, "unauthorized access (the server does not know this token"),
        ({"org": "nope"}, 'organization name "nope" not found (check the target'),
        ({"bucket": "nope"}, 'bucket "nope" not found (check the target'),
    ],
)
async def test_what_is_wrong_with_the_target_is_refused_with_advice_and_not_split(
    changes: dict[str, str], words: str
) -> None:
    async with serving(InfluxDb(), **changes) as (transport, http):
        outcomes = await transport.attempt_all(batch(8))
        assert len(http.requests) == 1
    assert {outcome.verdict for outcome in outcomes} == {Verdict.REFUSED}
    assert outcomes[0].reply.startswith(words)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_is_busy_says_when_to_come_back(status: int) -> None:
    influx = InfluxDb()
    influx.instead = web.Response(status=status, headers={"Retry-After": "120"})
    async with serving(influx) as (transport, _):
        outcomes = await transport.attempt_all(batch(3))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.RETRY}
    assert {outcome.retry_after for outcome in outcomes} == {timedelta(seconds=120)}


async def test_a_redirect_is_refused_and_not_followed() -> None:
    async with HttpServer() as elsewhere:
        influx = InfluxDb()
        influx.instead = web.Response(status=307, headers={"Location": elsewhere.url()})
        async with serving(influx) as (transport, _):
            outcome = await transport.attempt(message())
        assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, OutcomeReason.HTTP_REDIRECT)
        assert elsewhere.requests == []


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with HttpServer() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        async with serving(InfluxDb()) as (transport, _):
            assert (await transport.attempt(message())).verdict is Verdict.DELIVERED
        assert proxy.requests == []


async def test_a_private_ca_is_trusted_where_it_is_given() -> None:
    ca = LoopbackCa()
    async with HttpServer(answer=InfluxDb().answer, tls=ca.server) as http:
        for pem, reason in ((ca.pem, OutcomeReason.ACCEPTED), ("", OutcomeReason.TLS_FAILED)):
            spec = InfluxDbSpec(http.url("", "https"), "polystack", "ibs & events", pem)
            transport = InfluxDbTransport("u1", spec, TOKEN, MemoryBook(), StillClock(), ANYWHERE)
            outcome = await transport.attempt(message())
            await transport.close()
            assert outcome.reason is reason


async def test_names_are_asked_of_the_book_once_and_only_for_what_is_new() -> None:
    book = MemoryBook()
    async with HttpServer(204) as http:
        spec = InfluxDbSpec(http.url(""), "o", "b")
        transport = InfluxDbTransport("u1", spec, TOKEN, book, StillClock(), ANYWHERE)
        for _ in range(3):
            await transport.attempt(message())
        await transport.close()
    assert book.admissions == 1


async def test_a_test_says_what_is_wrong_url_token_org_or_bucket() -> None:
    async def failed(**changes: str) -> str:
        async with serving(InfluxDb(), **changes) as (transport, _):
            stages = await transport.test(message())
        names = ["resolve", "connect", "url", "token", "org", "bucket", "send"]
        assert [stage.name for stage in stages] == names[: len(stages)]
        assert all(stage.ok for stage in stages[:-1])
        return "" if stages[-1].ok else stages[-1].name

    assert await failed() == ""
    assert await failed(token="wrong") == "token"
    assert await failed(org="nope") == "org"
    assert await failed(bucket="nope") == "bucket"


async def test_a_test_that_failed_otherwise_vouches_for_no_token() -> None:
    async with HttpServer(503, text="overloaded") as http:
        spec = InfluxDbSpec(http.url(""), "polystack", "b")
        transport = InfluxDbTransport("u1", spec, TOKEN, MemoryBook(), StillClock(), ANYWHERE)
        stages = await transport.test(message())
        await transport.close()
    assert [(each.name, each.ok) for each in stages[2:]] == [("url", True), ("send", False)]


async def test_a_test_against_something_else_fails_at_the_url() -> None:
    async with HttpServer(404, text="404 page not found") as http:
        spec = InfluxDbSpec(http.url("/elsewhere"), "polystack", "b")
        transport = InfluxDbTransport("u1", spec, TOKEN, MemoryBook(), StillClock(), ANYWHERE)
        stages = await transport.test(message())
        await transport.close()
    assert (stages[-1].name, stages[-1].ok) == ("url", False)
    assert "--url" in stages[-1].detail


async def test_a_test_changes_no_count() -> None:
    influx = InfluxDb()
    async with serving(influx) as (transport, _):
        await transport.test(message())
    (point,) = influx.points.values()
    assert point.startswith(b"ibs_test ")


async def test_after_close_nothing_is_sent() -> None:
    async with serving(InfluxDb()) as (transport, http):
        await transport.close()
        outcome: Outcome = await transport.attempt(message())
        assert (outcome.verdict, http.requests) == (Verdict.RETRY, [])


async def test_a_reply_without_end_is_read_to_a_bound() -> None:
    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(status=400)
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)
            await asyncio.sleep(0)

    async with HttpServer(answer=endless) as http:
        spec = InfluxDbSpec(http.url(""), "o", "b")
        transport = InfluxDbTransport("u1", spec, TOKEN, MemoryBook(), StillClock(), ANYWHERE)
        outcome = await transport.attempt(message())
        await transport.close()
    assert outcome.verdict is Verdict.REFUSED
    assert len(outcome.reply.encode()) <= 1024
