"""Postfix's own test server at every verb: the same verdicts as of the server that we wrote."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.support.transports import ANYWHERE, StillClock, message

from ibs_notify.delivery.targets.breaker import Sign, sign_of
from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict
from ibs_notify.delivery.transports.smtp import SmtpTransport
from ibs_notify.domain.target import SmtpSpec, TlsMode

pytestmark = pytest.mark.peer

VERBS = ("CONNECT", "EHLO HELO", "MAIL", "RCPT", "DATA", ".")
OPENING = VERBS[:2]
"""Before any mail is named: whatever goes wrong there concerns the whole server."""


@pytest.fixture
def smtp_sink(need_peer: Callable[[str, str], str]) -> str:
    return need_peer("smtp-sink", "postfix")


@contextmanager
def running(program: str, *options: str) -> Iterator[int]:
    """Its port, once it listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    # It refuses to run as root.
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    command = [program, "-4", *user, *options, f"127.0.0.1:{port}", "100"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port, process)
            yield port
        finally:
            process.terminate()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    pytest.fail(f"smtp-sink ended with {process.returncode}")


async def attempt(port: int, *, seconds: float = 5) -> Outcome:
    spec = SmtpSpec("127.0.0.1", port, TlsMode.NONE)
    sender = SmtpTransport(spec, "", StillClock(), ANYWHERE, command_seconds=seconds)
    try:
        return await sender.attempt(message("a@example.org", "b@example.org"))
    finally:
        await sender.close()


async def test_a_mail_that_nothing_is_wrong_with_is_delivered(smtp_sink: str) -> None:
    with running(smtp_sink) as port:
        outcome = await attempt(port)
    assert (outcome.verdict, sign_of(outcome)) == (Verdict.DELIVERED, Sign.WORKS)
    assert len(outcome.recipients) == 2


@pytest.mark.parametrize("verb", VERBS)
async def test_a_soft_refusal_is_retried(smtp_sink: str, verb: str) -> None:
    with running(smtp_sink, "-r", verb) as port:
        outcome = await attempt(port)
    assert (outcome.verdict, outcome.reason, outcome.code) == (
        Verdict.RETRY,
        OutcomeReason.SMTP_4XX,
        450,
    )
    assert sign_of(outcome) is (Sign.FAILS if verb in OPENING else Sign.SAYS_NOTHING)


@pytest.mark.parametrize("verb", VERBS)
async def test_a_hard_refusal_is_final(smtp_sink: str, verb: str) -> None:
    with running(smtp_sink, "-f", verb) as port:
        outcome = await attempt(port)
    assert (outcome.verdict, outcome.reason, outcome.code) == (
        Verdict.REFUSED,
        OutcomeReason.SMTP_5XX,
        500,
    )
    assert sign_of(outcome) is (Sign.FAILS if verb in OPENING else Sign.WORKS)


@pytest.mark.parametrize("verb", VERBS)
async def test_a_server_that_hangs_up_is_retried(smtp_sink: str, verb: str) -> None:
    with running(smtp_sink, "-q", verb) as port:
        outcome = await attempt(port)
    assert outcome.verdict is Verdict.RETRY
    assert outcome.reason in (OutcomeReason.CONNECT_FAILED, OutcomeReason.DISCONNECTED)
    assert outcome.maybe_accepted == (verb == ".")
    assert sign_of(outcome) is Sign.FAILS


@pytest.mark.parametrize("verb", VERBS)
async def test_a_server_that_closes_with_421_is_retried(smtp_sink: str, verb: str) -> None:
    with running(smtp_sink, "-Q", verb) as port:
        outcome = await attempt(port)
    assert (outcome.verdict, outcome.code) == (Verdict.RETRY, 421)
    assert sign_of(outcome) is Sign.FAILS


@pytest.mark.parametrize("verb", [each for each in VERBS if each != "."])
async def test_a_server_that_stalls_is_a_timeout(smtp_sink: str, verb: str) -> None:
    stalls = [option for each in verb.split() for option in ("-W", f"{each}:30")]
    with running(smtp_sink, *stalls) as port:
        outcome = await attempt(port, seconds=0.3)
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.TIMEOUT)
    assert not outcome.maybe_accepted
    assert sign_of(outcome) is Sign.FAILS
