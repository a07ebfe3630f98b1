"""What the forms of targets show as a command asks for just what they will ask for."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from tests.support.command_line import Cli

from ibs_notify.console.commands import targets as commands
from ibs_notify.console.forms import Form
from ibs_notify.console.targets.changes import update_of
from ibs_notify.console.targets.draft import form_of, target_of
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import target_pb2
from ironcore.notification.v1.target_pb2 import Target

AWKWARD = "it's \"$(rm -rf /)\" & 'more'\\ -"
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PEM = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
FILES = {
    "PASSWORD-FILE": "s3cret",
    "TOKEN-FILE": "t0ken",
    "HEADER-FILE": "Authorization: Bearer x\nX-Team: ops",
    "SIGNING-SECRET-FILE": SIGNING,
    "CA-FILE": PEM,
    "BODY-TEMPLATE-FILE": "no variable",
}

NEW = {
    "a mail server": (
        "smtp",
        {
            "name": ["ops-smtp"],
            "server": ["smtp.example.com"],
            "port": ["587"],
            "from_address": ["IBS <ironcore-backup@example.com>"],
            "auth_method": ["plain"],
            "username": ["ibs-svc"],
            "password": ["s3cret"],
            "tls_mode": ["starttls"],
            "recipients": ["a@example.com\nb@example.com"],
            "description": [AWKWARD],
            "max_rate": ["30"],
            "disabled": ["on"],
            "ca_pem": [PEM],
        },
    ),
    "a mail server without a login": (
        "smtp",
        {"name": ["m"], "server": ["mx"], "auth_method": ["none"], "tls_mode": ["none"]},
    ),
    "a webhook": (
        "webhook",
        {
            "name": ["chat-ops"],
            "url": ["https://chat.example.com/webhooks/ironcore-backup"],
            "method": ["PUT"],
            "header_name": ["Authorization", "X-Team", ""],
            "header_value": ["Bearer x", "ops", ""],
            "body_template": ['{"type": "{{event.type}}",\n "it\'s": "{{ event.actor }}"}'],
            "digest_body_template": ["no variable"],
            "content_type": ["text/plain"],
            "signing_secret": [SIGNING],
        },
    ),
    "a pager": ("webhook", {"name": ["p"], "preset": ["pagerduty"], "token": ["t0ken"]}),
    "a text message": (
        "webhook",
        {
            "name": ["sms"],
            "preset": ["twilio-sms"],
            "token": ["t0ken"],
            "account": ["AC" + "0" * 32],
            "sender": ["+15005550006"],
            "recipient": ["+491701234567"],
        },
    ),
    "an InfluxDB": (
        "influxdb",
        {
            "name": ["metrics-influx"],
            "url": ["https://metrics.example.com"],
            "org": ["polystack"],
            "bucket": ["ibs-events"],
            "token": ["t0ken"],
        },
    ),
    "a Pushgateway": (
        "pushgateway",
        {
            "name": ["push"],
            "url": ["https://push.example.com"],
            "job": ["nightly"],
            "username": ["ibs"],
            "password": ["s3cret"],
        },
    ),
}


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the commands name are those of the directory they are run in."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "DIGEST-BODY-TEMPLATE-FILE").write_text("no variable")
    monkeypatch.chdir(tmp_path)


def type_in(cli: Cli, command: str) -> None:
    words = shlex.split(command.replace(" \\\n  ", " "))  # a shell joins such lines
    assert words[:2] == ["ironcore-backup", "notification"]
    result = cli(*words[2:], "--no-wait")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("kind", NEW)
def test_a_new_target_is_the_same_target(cli: Cli, kind: str) -> None:
    field, values = NEW[kind]
    target = target_of(field, Form(values))
    command = commands.create(target)
    for secret in ("s3cret", "t0ken", "Bearer", SIGNING):
        assert secret not in command
    type_in(cli, command)
    (request,) = cli.config.received("CreateTarget")
    assert request.target == target


CHANGES = {
    "a mail server": {
        "description": [""],
        "max_rate": [""],
        "port": [""],
        "recipients": [""],
        "ca_pem": [""],
        "tls_mode": ["implicit"],
        "password": ["s3cret"],
    },
    "a webhook": {
        "header_name": ["Authorization", "X-Team"],
        "header_value": ["Bearer x", "ops"],
        "remove_header": ["X-Old"],
        "body_template": [""],
        "content_type": ["application/json"],
    },
    "a pager": {"preset": [""], "url": ["https://chat.example.com/x"], "description": ["d"]},
    "an InfluxDB": {"bucket": ["other"], "max_rate": ["9"]},
    "a Pushgateway": {"username": [""], "bearer_token": ["t0ken"]},
}


def stored(kind: str) -> Target:
    field, values = NEW[kind]
    target = target_of(field, Form(values))
    message = getattr(target, field)
    for secret in ("password", "token", "signing_secret"):
        if getattr(message, secret, ""):
            setattr(message, secret, "")
            setattr(message, f"{secret}_set", True)
    if field == "webhook":
        del message.headers[:]
        message.headers.add(name="X-Old", value_set=True)
        message.content_type = message.content_type or "application/json"
    return target


@pytest.mark.parametrize("kind", NEW)
def test_a_stored_target_is_made_again_with_its_secrets_in_files(cli: Cli, kind: str) -> None:
    field, values = NEW[kind]
    target = target_of(field, Form(values))
    again = stored(kind)
    if field == "webhook":
        del again.webhook.headers[:]
        if target.webhook.headers:
            again.webhook.headers.add(name="Authorization", value_set=True)
        target.webhook.content_type = again.webhook.content_type
    type_in(cli, commands.create_stored(again))
    (request,) = cli.config.received("CreateTarget")
    assert request.target == target


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_is_the_same_change(cli: Cli, kind: str) -> None:
    field, before = NEW[kind][0], stored(kind)
    cli.config.answers["GetTarget"] = pb.GetTargetResponse(target=before)
    form = Form({**form_of(before).values, **CHANGES[kind]})
    wanted = update_of(before, target_of(field, form, before), form)
    assert wanted is not None
    type_in(cli, commands.update(wanted, rotates=before.webhook.signing_secret_set))
    (request,) = cli.config.received("UpdateTarget")
    assert sorted(request.update_mask.paths) == sorted(wanted.update_mask.paths)
    assert request.remove_headers == wanted.remove_headers
    assert request.target == wanted.target


@pytest.mark.parametrize("overlap", [True, False])
def test_a_signing_secret_is_exchanged_as_the_form_does(cli: Cli, overlap: bool) -> None:
    before = stored("a webhook")
    cli.config.answers["GetTarget"] = pb.GetTargetResponse(target=before)
    more = {"signing_overlap": ["on"]} if overlap else {}
    form = Form({**form_of(before).values, "signing_secret": [SIGNING], **more})
    wanted = update_of(before, target_of("webhook", form, before), form)
    assert wanted is not None
    type_in(cli, commands.update(wanted, rotates=True))
    (request,) = cli.config.received("UpdateTarget")
    assert request == wanted
    assert request.HasField("signing_overlap") is overlap


def test_signing_no_more_is_the_same(cli: Cli) -> None:
    before = stored("a webhook")
    cli.config.answers["GetTarget"] = pb.GetTargetResponse(target=before)
    form = Form({**form_of(before).values, "unsign": ["on"]})
    wanted = update_of(before, target_of("webhook", form, before), form)
    assert wanted is not None
    type_in(cli, commands.update(wanted, rotates=True))
    (request,) = cli.config.received("UpdateTarget")
    assert [*request.update_mask.paths] == ["webhook.signing_secret"]
    assert request.target.webhook == target_pb2.WebhookTarget()


@pytest.mark.parametrize(
    ("verb", "method"),
    [
        ("show", "GetTarget"),
        ("test", "TestTarget"),
        ("enable", "UpdateTarget"),
        ("disable", "UpdateTarget"),
    ],
)
def test_what_is_done_with_a_target_is_a_command(cli: Cli, verb: str, method: str) -> None:
    cli.config.answers["TestTarget"] = pb.ConfigServiceTestTargetResponse(ok=True)
    cli.config.answers["UpdateTarget"] = lambda asked: pb.UpdateTargetResponse(target=asked.target)
    result = cli(*shlex.split(commands.plain(verb, "chat-ops"))[2:])
    assert result.exit_code == 0, result.output
    (request,) = cli.config.received(method)
    assert "chat-ops" in str(request)
    if method == "UpdateTarget":
        assert request.target.disabled is (verb == "disable")


def test_resuming_is_a_command(cli: Cli) -> None:
    cli.config.answers["GetTarget"] = pb.GetTargetResponse(target=Target(name="x", uid="u1"))
    result = cli(*shlex.split(commands.plain("resume", "chat-ops"))[2:])
    assert result.exit_code == 0, result.output
    (request,) = cli.delivery.received("ResumeTarget")
    assert request.target_uid == "u1"


def test_deleting_is_the_same(cli: Cli) -> None:
    type_in(cli, commands.delete("chat-ops", force=True))
    assert cli.config.received("DeleteTarget") == [
        pb.DeleteTargetRequest(name="chat-ops", force=True)
    ]
