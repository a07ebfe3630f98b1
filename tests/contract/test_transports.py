"""What holds for every transport, whatever it speaks."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.http_server import HttpServer, RawServer
from tests.support.metric_book import MemoryBook
from tests.support.smtp_server import SmtpServer
from tests.support.transports import ANYWHERE, StillClock, message

from ibs_notify.delivery.transports.base import (
    Message,
    Outcome,
    OutcomeReason,
    Stage,
    Transport,
    Verdict,
)
from ibs_notify.delivery.transports.build import build_transport
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.target import (
    InfluxDbSpec,
    PushgatewaySpec,
    SmtpAuth,
    SmtpSpec,
    Target,
    TargetSpec,
    TlsMode,
    WebhookSpec,
)

CANARY = "c4nary-S3cret/+ä"
BASE64 = base64.b64encode(CANARY.encode()).decode()
PLAIN = base64.b64encode(f"\0ibs-svc\0{CANARY}".encode()).decode()
SECRETS = {
    "smtp.password": CANARY,
    "webhook.headers[authorization]": f"Bearer {CANARY}",
    "influxdb.token": CANARY,
    "pushgateway.password": CANARY,
}
ECHO = f"you sent {CANARY} as {BASE64} and {PLAIN}"
KINDS = ("smtp", "webhook", "influxdb", "pushgateway")


@dataclass(slots=True)
class Peer:
    """A server, the target that points to it, and how many messages it got."""

    target: Target
    received: Callable[[], int]


@asynccontextmanager
async def peer(kind: str, *, echo: bool = False) -> AsyncIterator[Peer]:
    """A peer that accepts or, with ``echo``, refuses by quoting the secrets it was sent."""
    async with AsyncExitStack() as stack:
        if kind == "smtp":
            script = {"AUTH": "235 ok", "RCPT": f"550 {ECHO}"} if echo else {}
            smtp = await stack.enter_async_context(
                SmtpServer(script, extensions=["AUTH PLAIN", "SMTPUTF8"])
            )
            mail = SmtpSpec("127.0.0.1", smtp.port, TlsMode.NONE, SmtpAuth.PLAIN, "ibs-svc")
            yield Peer(Target("t", "u", mail), lambda: len(smtp.mails))
            return
        http = await stack.enter_async_context(
            HttpServer(403 if echo else 200, text=ECHO if echo else "ok")
        )
        url = http.url(f"/services/{CANARY}?token={CANARY}")
        base = http.url(f"/services/{CANARY}")
        specs: dict[str, TargetSpec] = {
            "webhook": WebhookSpec(url, headers=("Authorization",)),
            "influxdb": InfluxDbSpec(base, "org", "bucket"),
            "pushgateway": PushgatewaySpec(base, username="ibs-svc"),
        }
        yield Peer(Target("t", "u", specs[kind]), lambda: len(http.requests))


def build(target: Target) -> Transport:
    return build_transport(
        target, SECRETS, InstallationSettings(), StillClock(), MemoryBook(), ANYWHERE
    )


@asynccontextmanager
async def built(target: Target) -> AsyncIterator[Transport]:
    transport = build(target)
    try:
        yield transport
    finally:
        await transport.close()


def one(delivery_id: str = "d1", **changes: Any) -> Message:
    return message("ops@example.org", delivery_id=delivery_id, **changes)


def leaks(*texts: str) -> list[str]:
    """The texts in which a form of the secret can be read."""
    forms = (CANARY, BASE64, BASE64.rstrip("="), PLAIN, "c4nary", "%2F%2B")
    return [text for text in texts if any(form in text for form in forms)]


def words_of(outcome: Outcome, stages: tuple[Stage, ...]) -> list[str]:
    replies = [each.reply for each in outcome.recipients]
    return [outcome.reply, repr(outcome), *replies, *(stage.detail for stage in stages)]


@pytest.mark.parametrize("kind", KINDS)
async def test_one_attempt_makes_one_message(kind: str) -> None:
    async with peer(kind) as there, built(there.target) as transport:
        for count in (1, 2, 3):
            outcome = await transport.attempt(one())
            assert outcome.verdict is Verdict.DELIVERED
            assert there.received() == count


@pytest.mark.parametrize("kind", KINDS)
async def test_as_many_attempts_as_it_allows_may_run_at_a_time(kind: str) -> None:
    async with peer(kind) as there, built(there.target) as transport:
        messages = [one(delivery_id=f"d{number}") for number in range(transport.concurrency)]
        outcomes = await asyncio.gather(*map(transport.attempt, messages))
        assert {outcome.verdict for outcome in outcomes} == {Verdict.DELIVERED}
        assert there.received() == transport.concurrency


@pytest.mark.parametrize("kind", KINDS)
async def test_a_peer_that_quotes_our_secrets_does_not_get_them_stored(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with peer(kind, echo=True) as there, built(there.target) as transport:
        outcome = await transport.attempt(one())
        stages = await transport.test(one())
    assert outcome.verdict is Verdict.REFUSED
    assert "you sent ****" in outcome.reply
    assert not leaks(*words_of(outcome, stages), caplog.text)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_peer_that_is_away_is_retried_without_telling_secrets(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with peer(kind) as there:
        pass
    async with built(there.target) as transport:
        outcome = await transport.attempt(one())
        stages = await transport.test(one())
    assert outcome.verdict is Verdict.RETRY
    assert (stages[-1].name, stages[-1].ok) == ("connect", False)
    assert not leaks(*words_of(outcome, stages), caplog.text)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_fault_of_ours_is_an_outcome_and_a_log_line_without_secrets(
    kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **options: object) -> object:
        raise RuntimeError(f"boom {CANARY}")

    monkeypatch.setattr("ibs_notify.delivery.transports.rendering.event_context", broken)
    monkeypatch.setattr("ibs_notify.delivery.transports.influxdb.line_of", broken)
    monkeypatch.setattr("ibs_notify.delivery.transports.influxdb.test_line_of", broken)
    monkeypatch.setattr("ibs_notify.delivery.transports.pushgateway.push_request", broken)
    async with peer(kind) as there, built(there.target) as transport:
        outcome = await transport.attempt(one())
        stages = await transport.test(one())
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.INTERNAL)
    under_way = "url" if kind == "influxdb" else "send"
    assert (stages[-1].name, stages[-1].ok) == (under_way, False)
    assert "RuntimeError" in caplog.text
    assert not leaks(*words_of(outcome, stages), caplog.text)


HOSTILE = 'a\r\nBcc: evil@example.org\r\n\r\n.\r\n\0\x1b[31m\u2028\ud800 =?utf-8?q?a=0D=0AX:y?= "{}'


@pytest.mark.parametrize("kind", KINDS)
async def test_no_text_of_an_event_can_make_an_attempt_fail(kind: str) -> None:
    hostile = dict.fromkeys(
        ("subject", "summary", "task_id", "actor", "resource", "task_url"), HOSTILE
    )
    async with peer(kind) as there, built(there.target) as transport:
        outcome = await transport.attempt(one(**hostile, labels={HOSTILE: HOSTILE}))
        assert outcome.verdict is Verdict.DELIVERED
        assert there.received() == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_close_leaves_no_socket_open(kind: str) -> None:
    async with peer(kind) as there:
        transport = build(there.target)
        await asyncio.gather(*(transport.attempt(one(delivery_id=f"d{n}")) for n in range(3)))
        assert _client_sockets(there.target)
        await transport.close()
        assert not _client_sockets(there.target)
        await transport.close()


def _client_sockets(target: Target) -> list[object]:
    """Our ends of connections to the target."""
    spec = target.spec
    port = spec.port if isinstance(spec, SmtpSpec) else int(spec.url.split(":")[2].split("/")[0])
    found: list[object] = []
    for each in gc.get_objects():
        if isinstance(each, socket.socket) and each.fileno() >= 0:
            with contextlib.suppress(OSError):
                if each.family == socket.AF_INET and each.getpeername()[1] == port:
                    found.append(each)
    return found


async def test_a_half_answer_does_not_leak_either(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with RawServer(f"HTTP/1.1 200 OK\r\n{ECHO}\r\n\r\n".encode()) as server:
        spec = WebhookSpec(f"{server.url}/{CANARY}", headers=("Authorization",))
        async with built(Target("t", "u", spec)) as transport:
            outcome = await transport.attempt(one())
    assert outcome.reason is OutcomeReason.PROTOCOL_ERROR
    assert not leaks(*words_of(outcome, ()), caplog.text)
