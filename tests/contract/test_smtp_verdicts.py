"""What a mail server may do at each verb, and what becomes of the mail."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from tests.support.smtp_server import DROP, HANG, Answer, SmtpServer
from tests.support.transports import ANYWHERE, LoopbackCa, StillClock, message

from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict
from ibs_notify.delivery.transports.smtp import SmtpTransport
from ibs_notify.domain.target import SmtpAuth, SmtpSpec, TlsMode

RCPT = ("a@example.org", "b@example.org", "c@example.org")


@pytest.fixture(scope="module")
def ca() -> LoopbackCa:
    return LoopbackCa()


def transport(server: SmtpServer, *, seconds: float = 5, **changes: object) -> SmtpTransport:
    values: dict[str, object] = {
        "server": "127.0.0.1",
        "port": server.port,
        "tls_mode": TlsMode.NONE,
        **changes,
    }
    spec = SmtpSpec(**values)  # type: ignore[arg-type]
    return SmtpTransport(spec, "pass-word", StillClock(), ANYWHERE, command_seconds=seconds)


async def attempt(
    server: SmtpServer, *recipients: str, seconds: float = 5, **changes: object
) -> Outcome:
    sender = transport(server, seconds=seconds, **changes)
    try:
        return await sender.attempt(message(*recipients or ("a@example.org",)))
    finally:
        await sender.close()


VERBS = ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", ".")


@pytest.mark.parametrize("verb", VERBS)
async def test_a_temporary_refusal_at_any_verb_is_retried(verb: str) -> None:
    async with SmtpServer({verb: "451 come back later"}) as server:
        outcome = await attempt(server)
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.SMTP_4XX)
    assert (outcome.code, outcome.reply) == (451, "come back later")
    assert not outcome.maybe_accepted


@pytest.mark.parametrize("verb", VERBS)
async def test_a_permanent_refusal_at_any_verb_is_final(verb: str) -> None:
    async with SmtpServer({verb: "550 not here"}) as server:
        outcome = await attempt(server)
    assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, OutcomeReason.SMTP_5XX)
    assert (outcome.code, outcome.reply) == (550, "not here")


@pytest.mark.parametrize("verb", VERBS)
async def test_a_server_that_closes_with_421_is_retried(verb: str) -> None:
    async with SmtpServer({verb: "421 going down"}) as server:
        outcome = await attempt(server, *RCPT)
    assert (outcome.verdict, outcome.code) == (Verdict.RETRY, 421)
    assert {each.verdict for each in outcome.recipients} <= {Verdict.RETRY}


@pytest.mark.parametrize("verb", VERBS)
async def test_a_connection_that_breaks_is_retried_and_after_the_dot_it_may_be_accepted(
    verb: str,
) -> None:
    async with SmtpServer({verb: DROP}) as server:
        outcome = await attempt(server)
    expected = OutcomeReason.CONNECT_FAILED if verb == "CONNECT" else OutcomeReason.DISCONNECTED
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, expected)
    assert outcome.maybe_accepted == (verb == ".")


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "."])
async def test_a_silent_server_is_a_timeout_and_retried(verb: str) -> None:
    async with SmtpServer({verb: HANG}) as server:
        outcome = await attempt(server, seconds=0.1)
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.TIMEOUT)
    assert not outcome.maybe_accepted


async def test_the_answer_to_the_final_dot_is_awaited_longer_than_commands() -> None:
    async with SmtpServer({".": HANG}) as server:
        sender = transport(server, seconds=0.05)
        running = asyncio.create_task(sender.attempt(message("a@example.org")))
        await server.when(".").wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(running), 0.3)
        await sender.close()
        outcome = await running
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.DISCONNECTED)
    assert outcome.maybe_accepted


@pytest.mark.parametrize("verb", VERBS)
async def test_nonsense_instead_of_an_answer_is_retried(verb: str) -> None:
    async with SmtpServer({verb: "HTTP/1.1 400 Bad Request"}) as server:
        outcome = await attempt(server)
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.PROTOCOL_ERROR)
    assert outcome.maybe_accepted == (verb == ".")


async def test_ok_to_data_instead_of_354_delivers_nothing() -> None:
    async with SmtpServer({"DATA": "250 thanks"}) as server:
        outcome = await attempt(server)
        assert not server.mails
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.PROTOCOL_ERROR)


PER_RECIPIENT = {
    "RCPT b@example.org": "451 greylisted",
    "RCPT c@example.org": "550 no such user",
}


async def test_each_recipient_has_its_own_outcome() -> None:
    async with SmtpServer(PER_RECIPIENT) as server:
        outcome = await attempt(server, *RCPT)
        assert [mail.recipients for mail in server.mails] == [["a@example.org"]]
    found = {each.address: (each.verdict, each.code, each.reply) for each in outcome.recipients}
    assert found == {
        "a@example.org": (Verdict.DELIVERED, 250, "queued as 42"),
        "b@example.org": (Verdict.RETRY, 451, "greylisted"),
        "c@example.org": (Verdict.REFUSED, 550, "no such user"),
    }
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.PARTLY_ACCEPTED)
    assert (outcome.code, outcome.reply) == (451, "greylisted")


async def test_a_mail_is_refused_when_nobody_is_open_and_somebody_was_refused() -> None:
    async with SmtpServer(PER_RECIPIENT) as server:
        outcome = await attempt(server, "a@example.org", "c@example.org")
    assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, OutcomeReason.PARTLY_ACCEPTED)


async def test_the_retry_goes_to_the_open_recipients_only_and_still_names_all_in_to() -> None:
    async with SmtpServer() as server:
        sender = transport(server)
        outcome = await sender.attempt(message("b@example.org", to=RCPT))
        await sender.close()
        assert server.mails[0].recipients == ["b@example.org"]
        assert b"To: a@example.org, b@example.org, c@example.org\r\n" in server.mails[0].data
    assert outcome.verdict is Verdict.DELIVERED


async def test_when_all_are_refused_no_data_is_sent_and_the_connection_is_reset() -> None:
    async with SmtpServer({"RCPT": "550 no"}) as server:
        outcome = await attempt(server, *RCPT)
        assert server.sessions[0].verbs[:6] == ["EHLO", "MAIL", "RCPT", "RCPT", "RCPT", "RSET"]
        assert not server.mails
    assert outcome.verdict is Verdict.REFUSED
    assert len(outcome.recipients) == 3


async def test_552_after_an_accepted_recipient_means_too_many_and_is_retried() -> None:
    async with SmtpServer({"RCPT b@example.org": "552 too many"}) as server:
        outcome = await attempt(server, "a@example.org", "b@example.org")
        alone = await attempt(server, "b@example.org")
    assert outcome.verdict is Verdict.RETRY
    assert alone.verdict is Verdict.REFUSED


async def test_a_recipient_refused_before_the_connection_broke_stays_refused() -> None:
    script: Mapping[str, Answer] = {"RCPT a@example.org": "550 no", "RCPT c@example.org": DROP}
    async with SmtpServer(script) as server:
        outcome = await attempt(server, *RCPT)
    assert outcome.verdict is Verdict.RETRY
    assert {each.address: each.verdict for each in outcome.recipients} == {
        "a@example.org": Verdict.REFUSED,
        "b@example.org": Verdict.RETRY,
        "c@example.org": Verdict.RETRY,
    }


@pytest.mark.parametrize("bad", ["no-at-sign", "a@b, c@d", "", "a b@c@d", "x@y>\r\nRCPT TO:<z@z>"])
async def test_an_unusable_address_is_refused_and_harms_no_other(bad: str) -> None:
    async with SmtpServer() as server:
        outcome = await attempt(server, bad, "a@example.org")
        alone = await attempt(server, bad)
        assert [mail.recipients for mail in server.mails] == [["a@example.org"]]
    assert {each.address: each.verdict for each in outcome.recipients} == {
        bad: Verdict.REFUSED,
        "a@example.org": Verdict.DELIVERED,
    }
    assert (alone.verdict, alone.reason) == (Verdict.REFUSED, OutcomeReason.MISCONFIGURED)


async def test_an_unusable_sender_waits_for_a_better_one() -> None:
    async with SmtpServer() as server:
        outcome = await attempt(server, from_address="nobody")
        assert not server.sessions
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.MISCONFIGURED)
    assert "--from" in outcome.reply


async def test_a_mail_larger_than_the_servers_size_is_not_sent() -> None:
    async with SmtpServer(extensions=["SIZE 1000"]) as server:
        outcome = await attempt(server)
        assert "MAIL" not in server.sessions[0].verbs
    assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, OutcomeReason.MESSAGE_TOO_LARGE)


async def test_the_size_is_announced_where_the_server_has_size() -> None:
    async with SmtpServer(extensions=["SIZE 0"]) as server:
        outcome = await attempt(server)
        mail = next(line for line in server.sessions[0].commands if line.startswith("MAIL"))
        assert f"SIZE={len(server.mails[0].data)}" in mail
    assert outcome.verdict is Verdict.DELIVERED


async def test_an_address_that_is_not_ascii_needs_smtputf8() -> None:
    async with SmtpServer() as server:
        outcome = await attempt(server, "jürgen@example.org", "a@example.org")
        assert server.mails[0].recipients == ["a@example.org"]
        assert server.mails[0].data.isascii()
        alone = await attempt(server, "jürgen@example.org")
    assert {each.address: each.verdict for each in outcome.recipients} == {
        "jürgen@example.org": Verdict.REFUSED,
        "a@example.org": Verdict.DELIVERED,
    }
    assert alone.reason is OutcomeReason.SMTPUTF8_NOT_OFFERED
    assert "SMTPUTF8" in alone.reply


async def test_with_smtputf8_an_address_that_is_not_ascii_is_served() -> None:
    async with SmtpServer(extensions=["SMTPUTF8", "8BITMIME"]) as server:
        outcome = await attempt(server, "jürgen@bücher.example")
        assert server.mails[0].recipients == ["jürgen@xn--bcher-kva.example"]
        mail = next(line for line in server.sessions[0].commands if line.startswith("MAIL"))
        assert "SMTPUTF8" in mail
        assert "To: jürgen@xn--bcher-kva.example".encode() in server.mails[0].data
    assert outcome.verdict is Verdict.DELIVERED


async def test_a_domain_that_is_not_ascii_is_sent_in_its_ascii_form() -> None:
    async with SmtpServer() as server:
        outcome = await attempt(server, "ops@bücher.example")
        assert server.mails[0].recipients == ["ops@xn--bcher-kva.example"]
    assert [each.address for each in outcome.recipients] == ["ops@bücher.example"]
    assert outcome.verdict is Verdict.DELIVERED


async def test_a_server_without_ehlo_is_greeted_with_helo() -> None:
    async with SmtpServer({"EHLO": "502 not implemented"}) as server:
        outcome = await attempt(server)
        assert server.sessions[0].verbs[:2] == ["EHLO", "HELO"]
    assert outcome.verdict is Verdict.DELIVERED


async def test_a_name_that_does_not_resolve_is_retried() -> None:
    spec = SmtpSpec("no-such-host.invalid", 25, TlsMode.NONE)
    sender = SmtpTransport(spec, "", StillClock(), ANYWHERE)
    outcome = await sender.attempt(message("a@example.org"))
    await sender.close()
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.DNS_FAILED)


async def test_a_port_where_nobody_listens_is_retried() -> None:
    async with SmtpServer() as server:
        pass
    outcome = await attempt(server)
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.CONNECT_FAILED)


async def test_wrong_credentials_are_refused_and_the_mail_not_sent() -> None:
    async with SmtpServer({"AUTH": "535 no"}, extensions=["AUTH PLAIN"]) as server:
        outcome = await attempt(server, auth=SmtpAuth.PLAIN, username="ibs-svc")
        assert "MAIL" not in server.sessions[0].verbs
    assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, OutcomeReason.AUTH_FAILED)
    assert "--password-file" in outcome.reply


async def test_credentials_that_cannot_be_checked_now_are_retried() -> None:
    async with SmtpServer({"AUTH": "454 later"}, extensions=["AUTH PLAIN"]) as server:
        outcome = await attempt(server, auth=SmtpAuth.PLAIN, username="ibs-svc")
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.AUTH_FAILED)


@pytest.mark.parametrize("offer", [[], ["AUTH CRAM-MD5 LOGIN"]])
async def test_an_auth_method_that_is_not_offered_is_never_tried(offer: list[str]) -> None:
    async with SmtpServer(extensions=offer) as server:
        outcome = await attempt(server, auth=SmtpAuth.PLAIN, username="ibs-svc")
        assert "AUTH" not in server.sessions[0].verbs
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.AUTH_NOT_OFFERED)


async def test_starttls_is_never_done_without(ca: LoopbackCa) -> None:
    async with SmtpServer(extensions=["AUTH PLAIN"]) as server:
        outcome = await attempt(
            server, tls_mode=TlsMode.STARTTLS, auth=SmtpAuth.PLAIN, username="u", ca_pem=ca.pem
        )
        assert not {"AUTH", "MAIL", "STARTTLS"} & set(server.sessions[0].verbs)
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.STARTTLS_NOT_OFFERED)
    assert "--tls implicit" in outcome.reply


@pytest.mark.parametrize("answer", ["454 no TLS today", "501 what?", DROP])
async def test_a_refused_starttls_ends_the_attempt_in_clear_text(
    ca: LoopbackCa, answer: str
) -> None:
    async with SmtpServer({"STARTTLS": answer}, extensions=["STARTTLS", "AUTH PLAIN"]) as server:
        outcome = await attempt(
            server, tls_mode=TlsMode.STARTTLS, auth=SmtpAuth.PLAIN, username="u", ca_pem=ca.pem
        )
        assert not {"AUTH", "MAIL"} & set(server.sessions[0].verbs)
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.TLS_FAILED)


@pytest.mark.parametrize("mode", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
async def test_credentials_and_mail_travel_encrypted_only(ca: LoopbackCa, mode: TlsMode) -> None:
    async with SmtpServer(
        extensions=["STARTTLS", "AUTH PLAIN"], tls=ca.server, implicit=mode is TlsMode.IMPLICIT
    ) as server:
        outcome = await attempt(
            server, tls_mode=mode, auth=SmtpAuth.PLAIN, username="u", ca_pem=ca.pem
        )
        session = server.sessions[0]
        clear = {
            verb
            for verb, sealed in zip(session.verbs, session.encrypted, strict=True)
            if not sealed
        }
        assert clear <= {"EHLO", "STARTTLS"}
        assert {"AUTH", "MAIL", "RCPT", "DATA"} <= set(session.verbs)
    assert outcome.verdict is Verdict.DELIVERED


@pytest.mark.parametrize("mode", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
async def test_a_certificate_of_another_ca_is_not_trusted(ca: LoopbackCa, mode: TlsMode) -> None:
    other = LoopbackCa()
    async with SmtpServer(
        extensions=["STARTTLS"], tls=other.server, implicit=mode is TlsMode.IMPLICIT
    ) as server:
        outcome = await attempt(server, tls_mode=mode, ca_pem=ca.pem)
        assert not server.mails
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.TLS_FAILED)
    assert "--ca-file" in outcome.reply


@pytest.mark.parametrize("mode", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
async def test_a_certificate_for_another_name_is_not_trusted(mode: TlsMode) -> None:
    elsewhere = LoopbackCa("mail.example.org")
    async with SmtpServer(
        extensions=["STARTTLS"], tls=elsewhere.server, implicit=mode is TlsMode.IMPLICIT
    ) as server:
        outcome = await attempt(server, tls_mode=mode, ca_pem=elsewhere.pem)
        assert not server.mails
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.TLS_FAILED)


async def test_implicit_tls_with_a_plain_server_is_a_tls_failure(ca: LoopbackCa) -> None:
    async with SmtpServer() as server:
        outcome = await attempt(server, tls_mode=TlsMode.IMPLICIT, ca_pem=ca.pem)
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.TLS_FAILED)
