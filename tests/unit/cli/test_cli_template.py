"""Templates, presets and signatures on the command line."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import Cli

from ibs_notify.domain.errors import NotFound, Reason
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import (
    delivery_service_pb2,
    event_pb2,
    router_service_pb2,
    target_pb2,
)

PREVIEW = delivery_service_pb2.PreviewMessageResponse(
    headers=[delivery_service_pb2.PreviewHeader(name="Subject", value="hello")],
    subject="hello",
    text="line one\nline two\x1b[2J\n",
    html="<p>hello</p>",
    content=b"Subject: hello\r\n\r\n",
)


@pytest.fixture(autouse=True)
def _answers(cli: Cli) -> None:
    cli.config.answers["CreateTarget"] = lambda request: pb.CreateTargetResponse(
        target=request.target
    )
    cli.config.answers["UpdateTarget"] = lambda request: pb.UpdateTargetResponse(
        target=request.target
    )
    cli.config.answers["UpdateGroup"] = lambda request: pb.UpdateGroupResponse(group=request.group)
    cli.delivery.answers["PreviewMessage"] = PREVIEW
    cli.delivery.answers["ListTemplates"] = delivery_service_pb2.ListTemplatesResponse(
        templates=[
            delivery_service_pb2.BuiltinTemplate(
                name="mail.html", description="the HTML", text="<p>{{ event.subject }}</p>\n"
            )
        ]
    )


def stored(cli: Cli, **kind: Any) -> None:
    cli.config.answers["GetTarget"] = lambda request: pb.GetTargetResponse(
        target=target_pb2.Target(name=request.name, **kind)
    )


def created(cli: Cli) -> target_pb2.WebhookTarget:
    (request,) = cli.config.received("CreateTarget")
    found: target_pb2.WebhookTarget = request.target.webhook
    return found


def test_a_preset_needs_no_type_and_only_what_its_peer_gives(cli: Cli, secret_file: str) -> None:
    result = cli(
        "target", "create", "on-call", "--preset", "pagerduty", "--token-file", secret_file
    )

    assert result.exit_code == 0, result.output
    webhook = created(cli)
    assert webhook.preset == target_pb2.WEBHOOK_PRESET_PAGERDUTY
    assert webhook.token


def test_twilio_takes_account_and_numbers_by_the_usual_flags(cli: Cli, secret_file: str) -> None:
    sid = "AC" + "0" * 32
    result = cli(
        "target", "create", "sms", "--preset", "twilio-sms",
        "--username", sid, "--token-file", secret_file,
        "--from", "+15005550006", "--to", "+491701234567",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    webhook = created(cli)
    assert (webhook.account, webhook.sender) == (sid, "+15005550006")
    assert webhook.recipient == "+491701234567"
    two = cli("target", "create", "sms", "--preset", "twilio-sms", "--to", "+1", "--to", "+2")
    assert two.exit_code == 2
    assert "make a target for each" in two.stderr


def test_without_a_preset_a_type_is_needed(cli: Cli) -> None:
    result = cli("target", "create", "x", "--url", "https://x.example")

    assert result.exit_code == 2
    assert "--type is missing" in result.stderr


def test_a_template_is_a_file_or_the_text_itself(cli: Cli, tmp_path: Path) -> None:
    stored(cli, smtp=target_pb2.SmtpTarget(server="x"))
    page = tmp_path / "mail.html"
    page.write_text("<p>{{ event.summary }}</p>")
    result = cli(
        "target", "update", "ops-smtp",
        "--subject-template", "[ACME] {{ event.subject }}",
        "--html-template", str(page),
        "--text-template-digest", "",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    (request,) = cli.config.received("UpdateTarget")
    assert request.target.smtp.subject_template == "[ACME] {{ event.subject }}"
    assert request.target.smtp.html_template == "<p>{{ event.summary }}</p>"
    assert set(request.update_mask.paths) == {
        "smtp.subject_template",
        "smtp.html_template",
        "smtp.digest_text_template",
    }


def test_a_template_of_mail_is_no_setting_of_a_webhook(cli: Cli) -> None:
    stored(cli, webhook=target_pb2.WebhookTarget(url="https://x"))
    result = cli("target", "update", "chat", "--subject-template", "{{ event.type }}")

    assert result.exit_code == 2
    assert "--subject-template: not a setting of a webhook target" in result.stderr


def test_a_group_takes_templates_for_events_and_for_digests(cli: Cli) -> None:
    result = cli(
        "group", "update", "compliance",
        "--subject-template", "{{ event.type }}",
        "--body-template-digest", '{"a": "{{ event.type }}"}',
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    (request,) = cli.config.received("UpdateGroup")
    assert request.group.templates.subject == "{{ event.type }}"
    assert request.group.templates.digest_body == '{"a": "{{ event.type }}"}'
    assert list(request.update_mask.paths) == ["templates.subject", "templates.digest_body"]


def test_a_rotation_gives_the_new_secret_and_for_how_long_the_former_one_goes_on(
    cli: Cli, secret_file: str
) -> None:
    stored(cli, webhook=target_pb2.WebhookTarget(url="https://x"))
    assert cli("target", "update", "t", "--rotate-signing-secret", secret_file).exit_code == 0
    longer = ["--rotate-signing-secret", secret_file, "--overlap", "2d"]
    assert cli("target", "update", "t", *longer).exit_code == 0
    assert cli("target", "update", "t", "--signing-secret-file", "").exit_code == 0

    first, second, third = cli.config.received("UpdateTarget")
    assert list(first.update_mask.paths) == ["webhook.signing_secret"]
    assert first.signing_overlap.ToTimedelta() == timedelta(hours=24)
    assert second.signing_overlap.ToTimedelta() == timedelta(days=2)
    assert list(third.update_mask.paths) == ["webhook.signing_secret"]
    assert (third.target.webhook.signing_secret, third.HasField("signing_overlap")) == ("", False)


@pytest.mark.parametrize(
    "flags",
    [["--overlap", "1h"], ["--rotate-signing-secret", "a", "--signing-secret-file", "b"]],
)
def test_flags_of_a_rotation_that_do_not_go_together_are_refused(
    cli: Cli, flags: list[str]
) -> None:
    assert cli("target", "update", "t", *flags).exit_code == 2


def test_show_tells_preset_signature_and_own_templates(cli: Cli) -> None:
    webhook = target_pb2.WebhookTarget(
        url="https://ntfy.sh/x",
        preset=target_pb2.WEBHOOK_PRESET_NTFY,
        token_set=True,
        signing_secret_set=True,
    )
    webhook.former_signing_secret_expire_time.seconds = 1_800_000_000
    stored(cli, webhook=webhook)
    out = cli("target", "show", "phone").stdout
    assert "ntfy" in out
    assert "on; with the former secret too until 2027-01-15 08:00:00Z" in out
    assert "the preset's" in out
    stored(cli, smtp=target_pb2.SmtpTarget(subject_template="x", digest_html_template="y"))
    out = cli("target", "show", "mail").stdout
    assert "Own templates:" in out
    assert "Own digest templates:" in out


def test_a_preview_of_a_file_shows_headers_and_text_and_hides_nothing_harmful(
    cli: Cli, tmp_path: Path
) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"type": "backup.failed"}')
    result = cli(
        "template", "preview", "--event", str(event), "--target", "ops-smtp",
        "--group", "ops-team", "--digest", "--recipient", "a@example.org",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Subject: hello\n\nline one\nline two\\x1b[2J\n")
    assert "--part html" in result.stdout
    (request,) = cli.delivery.received("PreviewMessage")
    assert (request.target, request.group, request.digest) == ("ops-smtp", "ops-team", True)
    assert request.event.type == "backup.failed"
    assert list(request.recipients) == ["a@example.org"]


def test_a_preview_of_an_id_asks_the_router(cli: Cli) -> None:
    cli.router.answers["GetEvent"] = router_service_pb2.GetEventResponse(
        event=router_service_pb2.EventRecord(event=event_pb2.Event(event_id="evt-1", type="a.b"))
    )
    assert cli("template", "preview", "--event", "evt-1", "--target", "t").exit_code == 0

    (request,) = cli.delivery.received("PreviewMessage")
    assert request.event.event_id == "evt-1"


@pytest.mark.parametrize("given", ["nope.json", '{"summary": "' + "x" * 300 + '"}'])
def test_a_preview_of_neither_says_so(cli: Cli, given: str) -> None:
    cli.router.answers["GetEvent"] = NotFound(Reason.EVENT_NOT_FOUND, "no")
    result = cli("template", "preview", "--event", given, "--target", "t")

    assert result.exit_code == 3
    assert f"neither a file nor an event {given!r}" in result.stderr


@pytest.mark.parametrize(
    ("part", "printed"),
    [
        ("subject", "hello\n"),
        ("html", "<p>hello</p>"),
        ("content", "Subject: hello\r\n\r\n"),
    ],
)
def test_one_part_is_printed_as_it_is(cli: Cli, part: str, printed: str) -> None:
    cli.router.answers["GetEvent"] = router_service_pb2.GetEventResponse()
    result = cli("template", "preview", "--event", "e", "--target", "t", "--part", part)
    assert result.stdout_bytes.decode() == printed


def test_builtin_templates_are_listed_and_shown(cli: Cli) -> None:
    assert "mail.html" in cli("template", "list").stdout
    assert json.loads(cli("template", "list", "-o", "json").stdout)[0]["name"] == "mail.html"
    assert cli("template", "show", "mail.html").stdout == "<p>{{ event.subject }}</p>\n"
    assert cli("template", "show", "nope").exit_code == 2
