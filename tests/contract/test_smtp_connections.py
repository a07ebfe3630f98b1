"""Connections to a mail server: kept, reused, replaced when dead, closed in the end."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.smtp_server import DROP, SmtpServer
from tests.support.transports import ANYWHERE, LoopbackCa, StillClock, message

from ibs_notify.delivery.transports.base import OutcomeReason, Verdict
from ibs_notify.delivery.transports.smtp import SmtpTransport
from ibs_notify.domain.target import SmtpAuth, SmtpSpec, TlsMode


def transport(
    server: SmtpServer,
    spec: SmtpSpec | None = None,
    *,
    idle_seconds: float = 30,
    most_messages: int = 100,
) -> SmtpTransport:
    spec = spec or SmtpSpec("127.0.0.1", server.port, TlsMode.NONE)
    return SmtpTransport(
        spec,
        "pass-word",
        StillClock(),
        ANYWHERE,
        idle_seconds=idle_seconds,
        command_seconds=5,
        most_messages=most_messages,
    )


async def test_mail_after_mail_goes_over_one_connection() -> None:
    async with SmtpServer() as server:
        sender = transport(server)
        for _ in range(3):
            assert (await sender.attempt(message("a@example.org"))).verdict is Verdict.DELIVERED
        await sender.close()
        assert len(server.sessions) == 1
        assert len(server.mails) == 3
        assert server.sessions[0].verbs.count("EHLO") == 1


async def test_a_connection_is_used_again_after_a_refusal() -> None:
    async with SmtpServer({"RCPT": ["550 no", "250 ok"]}) as server:
        sender = transport(server)
        first = await sender.attempt(message("a@example.org"))
        second = await sender.attempt(message("b@example.org"))
        await sender.close()
        assert len(server.sessions) == 1
    assert (first.verdict, second.verdict) == (Verdict.REFUSED, Verdict.DELIVERED)


async def test_at_the_same_time_each_attempt_has_its_own_connection() -> None:
    async with SmtpServer() as server:
        sender = transport(server)
        messages = [message("a@example.org", delivery_id=f"d{n}") for n in range(4)]
        outcomes = await asyncio.gather(*map(sender.attempt, messages))
        await sender.close()
        assert len(server.sessions) == 4
        assert len(server.mails) == 4
    assert {each.verdict for each in outcomes} == {Verdict.DELIVERED}


async def test_a_connection_that_died_while_idle_is_replaced() -> None:
    async with SmtpServer() as server:
        sender = transport(server)
        await sender.attempt(message("a@example.org"))
        server.hang_up()
        await server.sessions[0].closed.wait()
        outcome = await sender.attempt(message("a@example.org"))
        await sender.close()
        assert len(server.mails) == 2
    assert outcome.verdict is Verdict.DELIVERED


@pytest.mark.parametrize("end", ["421 idle for too long", DROP])
async def test_a_reused_connection_that_ends_at_mail_is_replaced(end: str) -> None:
    async with SmtpServer({"MAIL": ["250 ok", end, "250 ok"]}) as server:
        sender = transport(server)
        await sender.attempt(message("a@example.org"))
        outcome = await sender.attempt(message("a@example.org"))
        await sender.close()
        assert len(server.sessions) == 2
        assert len(server.mails) == 2
    assert outcome.verdict is Verdict.DELIVERED


@pytest.mark.parametrize("verb", ["RCPT", "DATA", "."])
async def test_a_reused_connection_that_breaks_later_is_not_replaced(verb: str) -> None:
    fine = {"RCPT": "250 ok", "DATA": "354 go", ".": "250 ok"}[verb]
    async with SmtpServer({verb: [fine, DROP, fine]}) as server:
        sender = transport(server)
        await sender.attempt(message("a@example.org"))
        outcome = await sender.attempt(message("a@example.org"))
        await sender.close()
        assert len(server.sessions) == 1
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.DISCONNECTED)


async def test_a_fresh_connection_that_ends_at_mail_is_not_tried_again() -> None:
    async with SmtpServer({"MAIL": DROP}) as server:
        sender = transport(server)
        outcome = await sender.attempt(message("a@example.org"))
        await sender.close()
        assert len(server.sessions) == 1
    assert outcome.reason is OutcomeReason.DISCONNECTED


async def test_an_idle_connection_says_quit_and_is_closed() -> None:
    async with SmtpServer() as server:
        sender = transport(server, idle_seconds=0.01)
        await sender.attempt(message("a@example.org"))
        await asyncio.wait_for(server.sessions[0].closed.wait(), 5)
        assert server.sessions[0].verbs[-1] == "QUIT"
        outcome = await sender.attempt(message("a@example.org"))
        await sender.close()
        assert len(server.sessions) == 2
    assert outcome.verdict is Verdict.DELIVERED


async def test_a_connection_is_left_after_its_number_of_mails() -> None:
    async with SmtpServer() as server:
        sender = transport(server, most_messages=2)
        for _ in range(3):
            await sender.attempt(message("a@example.org"))
        await sender.close()
        assert [session.verbs.count("DATA") for session in server.sessions] == [2, 1]
        assert server.sessions[0].verbs[-1] == "QUIT"


async def test_a_cancelled_attempt_leaves_no_half_sent_mail_on_a_kept_connection() -> None:
    async with SmtpServer({"RCPT": ["250 ok", "HANG", "250 ok"]}) as server:
        sender = transport(server)
        await sender.attempt(message("a@example.org"))
        server.when("RCPT").clear()
        running = asyncio.create_task(sender.attempt(message("b@example.org")))
        await server.when("RCPT").wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        outcome = await sender.attempt(message("c@example.org"))
        await sender.close()
        assert [mail.recipients for mail in server.mails] == [["a@example.org"], ["c@example.org"]]
    assert outcome.verdict is Verdict.DELIVERED


async def test_close_ends_attempts_under_way_and_none_may_follow() -> None:
    async with SmtpServer({"RCPT": "HANG"}) as server:
        sender = transport(server)
        running = asyncio.create_task(sender.attempt(message("a@example.org")))
        await server.when("RCPT").wait()
        await sender.close()
        outcome = await running
        after = await sender.attempt(message("a@example.org"))
        assert not server.mails
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.DISCONNECTED)
    assert (after.verdict, after.reason) == (Verdict.RETRY, OutcomeReason.DISCONNECTED)


async def test_a_test_goes_through_every_stage_and_delivers_one_mail() -> None:
    ca = LoopbackCa()
    async with SmtpServer(extensions=["STARTTLS", "AUTH LOGIN PLAIN"], tls=ca.server) as server:
        spec = SmtpSpec(
            "localhost",
            server.port,
            TlsMode.STARTTLS,
            SmtpAuth.PLAIN,
            "ibs-svc",
            ca_pem=ca.pem,
        )
        sender = transport(server, spec)
        stages = await sender.test(message("a@example.org", type="notification.test"))
        await sender.close()
        assert len(server.mails) == 1
    assert [stage.name for stage in stages] == ["resolve", "connect", "tls", "auth", "send"]
    assert all(stage.ok for stage in stages)
    assert "127.0.0.1" in stages[0].detail
    assert "TLSv1.3" in stages[2].detail
    assert stages[-1].detail == "250 queued as 42"


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        (
            {"RCPT b@example.org": "550 no such user", "RCPT c@example.org": "450 greylisted"},
            "b@example.org: 550 no such user; c@example.org: 450 greylisted;"
            " accepted for a@example.org",
        ),
        (
            {"RCPT": "550 not here"},
            "a@example.org, b@example.org, c@example.org: 550 not here",
        ),
        (
            {"RCPT b@example.org": "550 no such user", ".": "451 later"},
            "b@example.org: 550 no such user; a@example.org, c@example.org: 451 later",
        ),
    ],
)
async def test_a_test_names_each_recipient_that_was_refused_with_the_words_of_the_server(
    script: dict[str, str], detail: str
) -> None:
    async with SmtpServer(script) as server:
        sender = transport(server)
        stages = await sender.test(message("a@example.org", "b@example.org", "c@example.org"))
        await sender.close()
    assert not stages[-1].ok
    assert (stages[-1].name, stages[-1].detail) == ("send", detail)


@pytest.mark.parametrize(
    ("script", "extensions", "stage", "detail"),
    [
        ({"CONNECT": "554 go away"}, ["STARTTLS", "AUTH PLAIN"], "connect", "go away"),
        ({}, ["AUTH PLAIN"], "tls", "use --tls implicit"),
        ({"STARTTLS": "454 broken"}, ["STARTTLS", "AUTH PLAIN"], "tls", "broken"),
        ({}, ["STARTTLS"], "auth", "does not offer AUTH PLAIN"),
        ({"AUTH": "535 no"}, ["STARTTLS", "AUTH PLAIN"], "auth", "--password-file"),
        ({"RCPT": "550 unknown"}, ["STARTTLS", "AUTH PLAIN"], "send", "unknown"),
    ],
)
async def test_a_test_stops_at_the_first_stage_that_fails_and_says_why(
    script: dict[str, str], extensions: list[str], stage: str, detail: str
) -> None:
    ca = LoopbackCa()
    async with SmtpServer(script, extensions=extensions, tls=ca.server) as server:
        spec = SmtpSpec(
            "127.0.0.1", server.port, TlsMode.STARTTLS, SmtpAuth.PLAIN, "u", ca_pem=ca.pem
        )
        sender = transport(server, spec)
        stages = await sender.test(message("a@example.org"))
        await sender.close()
        assert not server.mails
    assert [each.ok for each in stages] == [True] * (len(stages) - 1) + [False]
    assert stages[-1].name == stage
    assert detail in stages[-1].detail


async def test_a_test_names_a_host_that_does_not_resolve() -> None:
    sender = SmtpTransport(
        SmtpSpec("no-such-host.invalid", 25, TlsMode.NONE),
        "",
        StillClock(),
        ANYWHERE,
        command_seconds=5,
    )
    stages = await sender.test(message("a@example.org"))
    await sender.close()
    assert [(stage.name, stage.ok) for stage in stages] == [("resolve", False)]
    assert "no-such-host.invalid" in stages[0].detail
