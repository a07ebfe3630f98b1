"""What an HTTP endpoint may do, and what becomes of the message."""

from __future__ import annotations

import asyncio
import gzip
import json
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from tests.support.http_server import HttpServer, RawServer
from tests.support.transports import ANYWHERE, NOW, LoopbackCa, StillClock, message

from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict
from ibs_notify.delivery.transports.http_peer import MOST_REPLY_READ
from ibs_notify.delivery.transports.webhook import WebhookTransport
from ibs_notify.delivery.transports.webhook_verdict import verdict_on
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.target import WebhookSpec

RETRY, REFUSED, DELIVERED = Verdict.RETRY, Verdict.REFUSED, Verdict.DELIVERED


def transport(
    url: str, headers: dict[str, str] | None = None, *, seconds: float = 5, **changes: Any
) -> WebhookTransport:
    headers = headers or {}
    spec = WebhookSpec(url=url, headers=tuple(headers), **changes)
    return WebhookTransport(spec, headers, StillClock(), ANYWHERE, total_seconds=seconds)


async def attempt(url: str, *, seconds: float = 5, **changes: Any) -> Outcome:
    sender = transport(url, seconds=seconds, **changes)
    try:
        return await sender.attempt(message())
    finally:
        await sender.close()


@pytest.mark.parametrize(
    ("status", "verdict", "reason"),
    [
        (200, DELIVERED, OutcomeReason.ACCEPTED),
        (202, DELIVERED, OutcomeReason.ACCEPTED),
        (204, DELIVERED, OutcomeReason.ACCEPTED),
        (300, REFUSED, OutcomeReason.HTTP_REDIRECT),
        (301, REFUSED, OutcomeReason.HTTP_REDIRECT),
        (302, REFUSED, OutcomeReason.HTTP_REDIRECT),
        (304, REFUSED, OutcomeReason.HTTP_REDIRECT),
        (307, REFUSED, OutcomeReason.HTTP_REDIRECT),
        (308, REFUSED, OutcomeReason.HTTP_REDIRECT),
        (400, REFUSED, OutcomeReason.HTTP_4XX),
        (401, REFUSED, OutcomeReason.HTTP_4XX),
        (403, REFUSED, OutcomeReason.HTTP_4XX),
        (404, REFUSED, OutcomeReason.HTTP_4XX),
        (408, RETRY, OutcomeReason.HTTP_TRY_AGAIN),
        (410, RETRY, OutcomeReason.HTTP_GONE),
        (413, REFUSED, OutcomeReason.HTTP_4XX),
        (425, RETRY, OutcomeReason.HTTP_TRY_AGAIN),
        (429, RETRY, OutcomeReason.HTTP_RATE_LIMITED),
        (500, RETRY, OutcomeReason.HTTP_5XX),
        (502, RETRY, OutcomeReason.HTTP_5XX),
        (503, RETRY, OutcomeReason.HTTP_5XX),
        (504, RETRY, OutcomeReason.HTTP_5XX),
        (599, RETRY, OutcomeReason.HTTP_5XX),
    ],
)
async def test_every_status_has_one_meaning(
    status: int, verdict: Verdict, reason: OutcomeReason
) -> None:
    async with HttpServer(status) as server:
        outcome = await attempt(server.url())
        assert len(server.requests) == 1
    assert (outcome.verdict, outcome.reason, outcome.code) == (verdict, reason, status)
    assert outcome.pause == (status == 410)
    assert not outcome.maybe_accepted


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
@pytest.mark.parametrize(
    ("value", "wish"),
    [
        ("120", timedelta(minutes=2)),
        ("0", timedelta(0)),
        ("Thu, 21 May 2026 02:16:00 GMT", timedelta(minutes=1)),
        ("Thu, 21 May 2026 02:00:00 GMT", timedelta(0)),
        ("Thu, 21 May 2099 02:00:00 GMT", timedelta(hours=24)),
        ("99999999999999999999999", timedelta(hours=24)),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
    ],
)
async def test_retry_after_is_honoured_up_to_a_day(
    status: int, value: str, wish: timedelta | None
) -> None:
    async with HttpServer(status, {"Retry-After": value}) as server:
        outcome = await attempt(server.url())
    assert outcome.retry_after == wish
    assert outcome.verdict is RETRY


RETRIED = {408, 425, 429}


@pytest.mark.parametrize("wish", ["120", "Thu, 21 May 2026 02:16:00 GMT", "-5", "soon", ""])
def test_the_whole_table_of_statuses_and_wishes(wish: str) -> None:
    for status in range(200, 600):
        outcome = verdict_on(status, wish, "", NOW)
        if status < 300:
            expected = DELIVERED
        elif status in RETRIED or status == 410 or status >= 500:
            expected = RETRY
        else:
            expected = REFUSED
        assert outcome.verdict is expected, status
        # Only who is asked again may say when.
        honoured = wish[:1] in ("1", "T") and (status in RETRIED or status >= 500)
        assert (outcome.retry_after is not None) == honoured, status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with HttpServer() as elsewhere:
        headers = {"Location": elsewhere.url()}
        async with HttpServer(status, headers) as server:
            outcome = await attempt(server.url())
        assert not elsewhere.requests
    assert "final URL" in outcome.reply


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_come_with_advice(status: int) -> None:
    async with HttpServer(status, text="bad token") as server:
        outcome = await attempt(server.url())
    assert outcome.reply.startswith("bad token")
    assert "target update --header" in outcome.reply


async def test_a_request_carries_the_standard_payload_and_its_ids() -> None:
    async with HttpServer() as server:
        sender = transport(server.url("/hook?a=1"), {"Authorization": "Bearer token-1"})
        for _ in range(2):
            await sender.attempt(message(delivery_id="d-1"))
        await sender.close()
        first, second = server.requests
        assert len(server.connections) == 1
    assert (first.method, first.path) == ("POST", "/hook?a=1")
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "d-1"
    assert first.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert first.headers["Content-Type"] == "application/json"
    assert first.headers["Authorization"] == "Bearer token-1"
    assert first.headers["User-Agent"].startswith("ironcore-backup-notification/")
    payload = json.loads(first.body)
    assert payload["event_id"] == "evt-2026-05-21-001"
    assert payload["resource"] == "ibs-primary:production/vm/12345"


async def test_a_template_and_a_method_of_the_target_are_used() -> None:
    async with HttpServer() as server:
        await attempt(server.url(), method="PUT", body_template='{"t": "{{event.type}}"}')
        assert server.requests[0].method == "PUT"
        assert json.loads(server.requests[0].body) == {"t": "backup.failed"}


async def test_user_info_in_the_url_becomes_credentials_unless_a_header_has_them() -> None:
    async with HttpServer() as server:
        url = f"http://ops:pa55@127.0.0.1:{server.port}/hook"
        await attempt(url)
        await attempt(url, headers={"authorization": "Bearer x"})
        found = [request.headers["Authorization"] for request in server.requests]
    assert found == ["Basic b3BzOnBhNTU=", "Bearer x"]


async def test_a_body_that_comes_out_too_large_is_refused_without_a_request() -> None:
    loop = "{{ event.summary }}" * 20
    async with HttpServer() as server:
        sender = transport(server.url(), body_template=f'{{"t": "{loop}"}}')
        outcome = await sender.attempt(message(summary="x" * 32_000))
        await sender.close()
        assert not server.requests
    assert (outcome.verdict, outcome.reason) == (REFUSED, OutcomeReason.TEMPLATE_FAILED)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"220 mail.example.org ESMTP\r\n",
        b"HTTP/1.1 \xff\xfe nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: oops\r\n\r\n",
    ],
)
async def test_an_answer_that_is_not_http_is_retried(reply: bytes) -> None:
    async with RawServer(reply) as server:
        outcome = await attempt(server.url)
        assert server.requests == 1
    assert outcome.verdict is RETRY
    assert outcome.reason in (OutcomeReason.PROTOCOL_ERROR, OutcomeReason.DISCONNECTED)


async def test_a_peer_that_hangs_up_after_the_request_may_have_accepted_it() -> None:
    async with RawServer() as server:
        outcome = await attempt(server.url)
    assert (outcome.verdict, outcome.reason) == (RETRY, OutcomeReason.DISCONNECTED)
    assert outcome.maybe_accepted


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nX-A: "])
async def test_a_peer_that_never_answers_is_a_timeout_and_may_have_accepted_it(
    beginning: bytes,
) -> None:
    async with RawServer(beginning, keep=True) as server:
        outcome = await attempt(server.url, seconds=0.2)
    assert (outcome.verdict, outcome.reason) == (RETRY, OutcomeReason.TIMEOUT)
    assert outcome.maybe_accepted


async def test_a_status_counts_even_if_the_body_never_ends() -> None:
    async def drip(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        await asyncio.Event().wait()
        return response

    async with HttpServer(answer=drip) as server:
        outcome = await attempt(server.url(), seconds=0.2)
    assert (outcome.verdict, outcome.reply) == (DELIVERED, "begun")


async def test_a_body_of_any_size_is_read_to_its_bound_only() -> None:
    sent = 0

    async def flood(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        while sent < 100 * MOST_REPLY_READ:
            await response.write(b"x" * MOST_REPLY_READ)
            sent += MOST_REPLY_READ
        return response

    async with HttpServer(answer=flood) as server:
        outcome = await attempt(server.url())
    assert outcome.reason is OutcomeReason.HTTP_5XX
    assert len(outcome.reply.encode()) <= 1024
    assert sent < 100 * MOST_REPLY_READ


async def test_a_compressed_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"}, status=400)

    async with HttpServer(answer=answer) as server:
        outcome = await attempt(server.url())
        assert server.requests[0].headers["Accept-Encoding"] == "identity"
    assert outcome.reason is OutcomeReason.HTTP_4XX
    assert len(outcome.reply.encode()) <= 1024


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_one_attempt_is_one_request_also_on_a_connection_that_breaks(method: str) -> None:
    async def hang_up(request: web.BaseRequest) -> web.StreamResponse:
        if len(server.requests) > 1:
            assert request.transport is not None
            request.transport.abort()
        return web.Response()

    async with HttpServer(answer=hang_up) as server:
        sender = transport(server.url(), method=method)
        first = await sender.attempt(message())
        second = await sender.attempt(message())
        await sender.close()
        assert len(server.requests) == 2
    assert (first.verdict, second.verdict) == (DELIVERED, RETRY)
    assert second.maybe_accepted


async def test_a_port_where_nobody_listens_is_retried() -> None:
    async with HttpServer() as server:
        pass
    outcome = await attempt(server.url())
    assert (outcome.verdict, outcome.reason) == (RETRY, OutcomeReason.CONNECT_FAILED)
    assert not outcome.maybe_accepted


async def test_a_name_that_does_not_resolve_is_retried() -> None:
    outcome = await attempt("http://no-such-host.invalid/hook")
    assert (outcome.verdict, outcome.reason) == (RETRY, OutcomeReason.DNS_FAILED)


async def test_a_private_ca_is_trusted_when_the_target_has_it() -> None:
    ca = LoopbackCa()
    async with HttpServer(tls=ca.server) as server:
        trusted = await attempt(server.url(scheme="https"), ca_pem=ca.pem)
        other = await attempt(server.url(scheme="https"), ca_pem=LoopbackCa().pem)
        systems = await attempt(server.url(scheme="https"))
        assert len(server.requests) == 1
    assert trusted.verdict is DELIVERED
    for outcome in (other, systems):
        assert (outcome.verdict, outcome.reason) == (RETRY, OutcomeReason.TLS_FAILED)
        assert "--ca-file" in outcome.reply


async def test_a_certificate_for_another_name_is_not_trusted() -> None:
    ca = LoopbackCa("hooks.example.org")
    async with HttpServer(tls=ca.server) as server:
        outcome = await attempt(server.url(scheme="https"), ca_pem=ca.pem)
    assert outcome.reason is OutcomeReason.TLS_FAILED


async def test_https_with_a_plain_server_is_a_tls_failure() -> None:
    async with HttpServer() as server:
        outcome = await attempt(server.url(scheme="https"))
    assert (outcome.verdict, outcome.reason) == (RETRY, OutcomeReason.TLS_FAILED)


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with HttpServer() as proxy, HttpServer() as server:
        monkeypatch.setenv("http_proxy", proxy.url(""))
        monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
        await attempt(server.url())
        assert len(server.requests) == 1
        assert not proxy.requests


async def test_cookies_are_not_kept() -> None:
    async with HttpServer(headers={"Set-Cookie": "session=1"}) as server:
        sender = transport(server.url())
        await sender.attempt(message())
        await sender.attempt(message())
        await sender.close()
        assert "Cookie" not in server.requests[1].headers


@pytest.mark.parametrize("url", ["ftp://example.org/", "example.org", "http://", "http://[::1/"])
def test_an_address_that_is_no_web_address_is_refused_when_built(url: str) -> None:
    with pytest.raises(InvalidArgument, match="url"):
        transport(url)


def test_a_header_with_a_line_break_is_refused_when_built_without_telling_it() -> None:
    with pytest.raises(InvalidArgument) as caught:
        transport("http://127.0.0.1/", {"X-Token": "canary\r\nX-Other: 1"})
    assert "canary" not in str(caught.value)


def test_a_ca_that_is_no_certificate_is_refused_when_built() -> None:
    with pytest.raises(InvalidArgument, match="ca_pem"):
        transport("https://127.0.0.1/", ca_pem="not a certificate")


async def test_a_test_goes_through_every_stage_and_makes_one_request() -> None:
    ca = LoopbackCa()
    async with HttpServer(text="ok", tls=ca.server) as server:
        sender = transport(f"https://localhost:{server.port}/hook", ca_pem=ca.pem)
        stages = await sender.test(message(type="notification.test"))
        await sender.close()
        assert len(server.requests) == 1
    assert [(stage.name, stage.ok) for stage in stages] == [
        ("resolve", True),
        ("connect", True),
        ("tls", True),
        ("send", True),
    ]
    assert stages[-1].detail == "200 ok"


async def test_a_test_stops_at_the_first_stage_that_fails_and_says_why() -> None:
    ca = LoopbackCa()
    async with HttpServer(403, tls=ca.server) as server:
        untrusted = transport(server.url(scheme="https"))
        refused = transport(server.url(scheme="https"), ca_pem=ca.pem)
        unknown = transport("https://no-such-host.invalid/")
        found = [await each.test(message()) for each in (untrusted, refused, unknown)]
        for each in (untrusted, refused, unknown):
            await each.close()
    names = [[(stage.name, stage.ok) for stage in stages][-1] for stages in found]
    assert names == [("tls", False), ("send", False), ("resolve", False)]
    assert "--ca-file" in found[0][-1].detail
    assert found[1][-1].detail.startswith("403")


async def test_close_ends_attempts_under_way_and_none_may_follow() -> None:
    async with RawServer(keep=True) as server:
        sender = transport(server.url)
        running = asyncio.create_task(sender.attempt(message()))
        await server.asked.wait()
        await sender.close()
        outcome = await running
        after = await sender.attempt(message())
        assert server.requests == 1
    assert (outcome.verdict, outcome.reason) == (RETRY, OutcomeReason.DISCONNECTED)
    assert (after.verdict, after.reason) == (RETRY, OutcomeReason.DISCONNECTED)
