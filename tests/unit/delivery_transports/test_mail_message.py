from __future__ import annotations

import re
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.transports import message

from ibs_notify.delivery.transports.base import Message, OutcomeReason, Verdict
from ibs_notify.delivery.transports.mail_message import MailComposer, parse_address
from ibs_notify.delivery.transports.stages import AttemptFailed
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.templates import NO_TEMPLATE_SET, Templates, TemplateSet

COMPOSER = MailComposer(NO_TEMPLATE_SET, "", "backup-host")


def raw(sent: Message, *, utf8: bool = False) -> bytes:
    return COMPOSER.compose(sent, utf8=utf8)


def parsed(sent: Message, *, utf8: bool = False) -> EmailMessage:
    mail = message_from_bytes(raw(sent, utf8=utf8), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def texts(mail: EmailMessage) -> dict[str, str]:
    return {
        part.get_content_type(): part.get_content().replace("\r\n", "\n")
        for part in mail.iter_parts()
    }


def test_a_mail_has_the_headers_that_it_promises() -> None:
    mail = parsed(message("a@example.org", to=("a@example.org", "b@example.org")))
    assert mail["From"] == "ironcore-backup@example.org"
    assert mail["To"] == "a@example.org, b@example.org"
    assert mail["Subject"] == "[IBS error] Backup failed for vm/12345"
    assert mail["Date"] == "Thu, 21 May 2026 02:15:00 +0000"
    assert mail["Message-ID"] == "<d3b07384d113edec49eaa6238ad5ff00@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-IBS-Event-Id"] == "evt-2026-05-21-001"
    assert mail["X-IBS-Severity"] == "error"
    assert mail["MIME-Version"] == "1.0"
    assert re.fullmatch(r"<task-[0-9a-f]{32}@example\.org>", mail["References"])
    assert mail["In-Reply-To"] == mail["References"]
    assert not mail.defects


def test_a_mail_has_a_text_and_an_html_part_that_read_as_they_were_rendered() -> None:
    mail = parsed(message("a@example.org", summary="Größe: 1 < 2\n.\nFrom here", suppressed=3))
    parts = texts(mail)
    assert mail.get_content_type() == "multipart/alternative"
    assert list(parts) == ["text/plain", "text/html"]
    assert "Größe: 1 < 2\n  .\n  From here" in parts["text/plain"]
    assert "Größe: 1 &lt; 2" in parts["text/html"]
    assert "3 more like this" in parts["text/plain"]


def test_times_in_a_mail_are_those_of_the_settings_time_zone() -> None:
    sent = message()
    there = replace(sent.settings, time_zone="Europe/Vienna")
    said = texts(parsed(replace(sent, settings=there)))
    assert all("2026-05-21 04:14:35 CEST" in each for each in said.values())
    assert all("2026-05-21 02:14:35 UTC" in each for each in texts(parsed(sent)).values())


def test_every_attempt_sends_the_same_bytes() -> None:
    sent = message("a@example.org")
    assert raw(sent) == raw(sent)
    assert raw(sent) == raw(message("b@example.org", to=("a@example.org",)))


def test_mails_about_one_task_share_a_thread_and_others_do_not() -> None:
    started = parsed(message("a@example.org", type="backup.started", delivery_id="d1"))
    failed = parsed(message("a@example.org", delivery_id="d2"))
    other = parsed(message("a@example.org", task_id="UPID:other"))
    assert started["References"] == failed["References"] != other["References"]
    assert started["Message-ID"] != failed["Message-ID"]


def test_without_a_task_the_resource_makes_the_thread_and_without_both_there_is_none() -> None:
    by_resource = parsed(message("a@example.org", task_id=""))
    alone = parsed(message("a@example.org", task_id="", resource="", canonical_resource=""))
    assert by_resource["References"]
    assert alone["References"] is None


def test_without_a_sender_the_host_sends() -> None:
    mail = parsed(message("a@example.org", sender=""))
    assert mail["From"] == "ibs-notifications@backup-host"


def test_the_targets_sender_goes_before_the_setting_and_may_have_a_name() -> None:
    composer = MailComposer(NO_TEMPLATE_SET, "IBS Größe <ibs@bücher.example>", "h")
    mail = message_from_bytes(
        composer.compose(message("a@example.org"), utf8=False), policy=policy.default
    )
    assert mail["From"] == "IBS Größe <ibs@xn--bcher-kva.example>"
    assert mail["Message-ID"].endswith("@xn--bcher-kva.example>")


def test_an_unusable_sender_is_a_setting_to_mend() -> None:
    with pytest.raises(AttemptFailed) as caught:
        COMPOSER.sender(InstallationSettings(sender="a@b, c@d"))
    assert caught.value.outcome.verdict is Verdict.RETRY
    assert caught.value.outcome.reason is OutcomeReason.MISCONFIGURED


def test_to_names_who_can_be_named() -> None:
    to = ("jürgen@example.org", "no address", "a@example.org")
    assert parsed(message("a@example.org", to=to))["To"] == "a@example.org"
    assert "jürgen@example.org" in raw(message("a@example.org", to=to), utf8=True).decode()
    assert parsed(message("x", to=("no address",)))["To"] == "undisclosed-recipients:;"


def test_a_subject_keeps_what_looks_like_an_encoded_word_from_being_one() -> None:
    mail = parsed(message("a@example.org", subject="=?utf-8?q?a=0D=0ABcc:_evil@example.org?="))
    assert mail["Bcc"] is None
    assert "= ?utf-8?q?a=0D=0ABcc:_evil@example.org?=" in mail["Subject"]


def test_a_template_result_that_is_too_large_is_refused() -> None:
    composer = MailComposer(TemplateSet(Templates(text="{{ event.summary }}" * 20)), "", "h")
    with pytest.raises(AttemptFailed) as caught:
        composer.compose(message("a@example.org", summary="x" * 32_000), utf8=False)
    assert caught.value.outcome.reason is OutcomeReason.TEMPLATE_FAILED


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("a@example.org", "a@example.org"),
        ("Ops Team <ops@example.org>", "ops@example.org"),
        ('"a b"@example.org', '"a b"@example.org'),
        ("jürgen@bücher.example", "jürgen@xn--bcher-kva.example"),
    ],
)
def test_an_address_is_read_with_or_without_a_name(text: str, mailbox: str) -> None:
    assert parse_address(text).addr_spec == mailbox


TEXT = st.text(st.characters(codec=None), max_size=300)


@given(subject=TEXT, summary=TEXT, task=TEXT, label=TEXT, actor=TEXT)
def test_no_text_breaks_a_header_or_a_line(
    subject: str, summary: str, task: str, label: str, actor: str
) -> None:
    sent = message(
        "a@example.org",
        subject=subject,
        summary=summary,
        task_id=task,
        actor=actor,
        labels={"k": label},
    )
    data = raw(sent)
    assert data.isascii()
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", data)
    assert max(map(len, data.split(b"\r\n"))) <= 998
    mail = parsed(sent)
    assert set(mail.keys()) - {"In-Reply-To", "References"} == {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "X-IBS-Event-Id",
        "X-IBS-Severity",
        "MIME-Version",
        "Content-Type",
    }
    assert list(texts(mail)) == ["text/plain", "text/html"]
