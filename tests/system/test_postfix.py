"""Mail through the whole system to a real mail server, read back from where it keeps it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from ironcore.notification.v1 import (
    config_service_pb2,
    event_pb2,
    router_service_pb2,
    target_pb2,
)
from tests.system.installation import CALL_SECONDS, Installation, running_installation, until
from tests.system.postfix import PASSWORD, USER, Postfix, Wire, running_postfix, tapped

pytestmark = [pytest.mark.system, pytest.mark.peer, pytest.mark.slow]

RECIPIENT = "Operators <ops@example.com>"
HOSTILE = "Backup failed\r\nBcc: evil@example.com\r\n\r\n.\r\nQUIT\x00 \u2028 Grüße \N{SNOWMAN}"


@pytest.fixture(scope="module")
def shared_postfix() -> Iterator[Callable[[str], Postfix]]:
    """Starts the server when it is first asked for."""
    with ExitStack() as stack:
        servers: list[Postfix] = []

        def start(program: str) -> Postfix:
            if not servers:
                servers.append(stack.enter_context(running_postfix(program)))
            return servers[0]

        yield start


@pytest.fixture
def postfix(
    need_peer: Callable[[str, str], str], shared_postfix: Callable[[str], Postfix]
) -> Postfix:
    program = need_peer("postfix", "postfix")
    need_peer("saslpasswd2", "sasl2-bin")
    if os.geteuid() != 0:
        pytest.skip("only root may start postfix")
    return shared_postfix(program)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with running_installation(tmp_path_factory.mktemp("postfix") / "home") as installation:
        yield installation


def target(
    port: int,
    ca_pem: str,
    password: str = PASSWORD,
    method: target_pb2.SmtpAuthMethod.ValueType = target_pb2.SMTP_AUTH_METHOD_PLAIN,
) -> target_pb2.Target:
    smtp = target_pb2.SmtpTarget(
        server="127.0.0.1",
        port=port,
        from_address="Ironcore Backup <ironcore-backup@example.com>",
        auth_method=method,
        username=USER,
        password=password,
        tls_mode=target_pb2.SMTP_TLS_MODE_STARTTLS,
        recipients=[RECIPIENT],
        ca_pem=ca_pem,
    )
    return target_pb2.Target(name=f"smtp-{port}", smtp=smtp)


def try_target(
    installation: Installation, draft: target_pb2.Target
) -> config_service_pb2.ConfigServiceTestTargetResponse:
    """One real attempt with a target that is not saved."""
    request = config_service_pb2.ConfigServiceTestTargetRequest(draft=draft)
    return installation.config.TestTarget(request, timeout=CALL_SECONDS)


def emit(installation: Installation, event_id: str) -> None:
    event = event_pb2.Event(
        event_id=event_id,
        type="backup.failed",
        subject=HOSTILE,
        summary=f"{HOSTILE}\r\n.\r\n<script>alert(1)</script>",
        task_id=event_id,
        actor="alice@polystack!backup-job",
        resource="ibs-primary:production/vm/12345",
    )
    request = router_service_pb2.EmitRequest(event=event)
    installation.router.Emit(request, timeout=CALL_SECONDS, wait_for_ready=True)


def next_mail(postfix: Postfix, before: list[bytes]) -> bytes:
    """The only mail that is not among ``before``; the server keeps it soon after it accepts it."""
    until(lambda: len(postfix.mails()) > len(before), "the mail is kept")
    (raw,) = set(postfix.mails()) - set(before)
    return raw


@pytest.mark.parametrize(
    "method", [target_pb2.SMTP_AUTH_METHOD_PLAIN, target_pb2.SMTP_AUTH_METHOD_LOGIN]
)
def test_an_event_becomes_a_mail_that_a_real_server_keeps(
    installation: Installation,
    postfix: Postfix,
    method: target_pb2.SmtpAuthMethod.ValueType,
) -> None:
    before = postfix.mails()
    with tapped(postfix.port) as wire:
        made = installation.create_target(target(wire.port, postfix.ca_pem, method=method))
        event_id = f"evt-{made.name}"
        installation.create_group(f"to-{made.name}", {made.name: f'task_id = "{event_id}"'})
        emit(installation, event_id)
        installation.drain(20)
    (delivery,) = (each for each in installation.deliveries() if each.event_id == event_id)
    raw = next_mail(postfix, before)
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)

    assert mail["From"] == "Ironcore Backup <ironcore-backup@example.com>"
    assert mail["To"] == RECIPIENT
    assert "Backup failed" in mail["Subject"]
    assert "Grüße \N{SNOWMAN}" in mail["Subject"]
    assert mail["Message-ID"] == f"<{delivery.delivery_id}@example.com>"
    assert mail["Date"].datetime is not None
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["References"].startswith("<")
    assert mail["Bcc"] is None
    assert mail.get_content_type() == "multipart/alternative"

    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "ibs-primary:production/vm/12345" in plain.get_content()
    assert "<script>" not in html.get_content()
    assert b"\r" not in raw, "a bare CR was kept"
    assert_nothing_in_the_clear(wire)


def assert_nothing_in_the_clear(wire: Wire) -> None:
    """Before TLS there is a greeting and STARTTLS; nothing that was sent later can be read."""
    commands = [line.split(b" ")[0] for line in wire.clear_text.split(b"\r\n") if line]
    assert set(commands) <= {b"EHLO", b"STARTTLS", b"QUIT"}, wire.clear_text
    for secret in (b"AUTH", b"MAIL FROM", PASSWORD.encode(), b"Backup failed"):
        assert secret not in wire.sent


def test_a_test_of_a_target_names_every_stage(installation: Installation, postfix: Postfix) -> None:
    before = postfix.mails()
    answer = try_target(installation, target(postfix.port, postfix.ca_pem))
    assert answer.ok, answer
    assert [stage.name for stage in answer.stages][:3] == ["resolve", "connect", "tls"]
    assert b"Auto-Submitted" in next_mail(postfix, before)


def test_a_wrong_password_is_refused_and_said(installation: Installation, postfix: Postfix) -> None:
    before = postfix.mails()
    wrong = target(postfix.port, postfix.ca_pem, password="not the password")
    answer = try_target(installation, wrong)
    assert not answer.ok
    assert answer.stages[-1].name == "auth"
    assert "authentication failed" in answer.stages[-1].detail
    assert "not the password" not in str(answer)
    # Its own log is written by another process.
    until(lambda: "authentication failed" in postfix.log(), "the refusal is logged")
    assert postfix.mails() == before


def test_an_untrusted_server_never_sees_the_password(
    installation: Installation, postfix: Postfix
) -> None:
    before = postfix.mails()
    with tapped(postfix.port) as wire:
        answer = try_target(installation, target(wire.port, ca_pem=""))
    assert not answer.ok
    assert answer.stages[-1].name == "tls"
    assert b"STARTTLS" in wire.clear_text
    assert_nothing_in_the_clear(wire)
    assert postfix.mails() == before


def test_a_server_without_starttls_never_sees_the_password(
    installation: Installation, postfix: Postfix
) -> None:
    before = postfix.mails()
    with tapped(postfix.plain_port) as wire:
        answer = try_target(installation, target(wire.port, postfix.ca_pem))
    assert not answer.ok
    assert answer.stages[-1].name == "tls"
    assert wire.sent.startswith(b"EHLO")
    assert_nothing_in_the_clear(wire)
    assert postfix.mails() == before
