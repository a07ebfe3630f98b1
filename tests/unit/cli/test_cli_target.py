"""Targets on the command line, the product page's commands word for word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tests.support.command_line import Cli

from ibs_notify.domain.errors import (
    AlreadyExists,
    FailedPrecondition,
    FieldViolation,
    InvalidArgument,
    NotFound,
    Reason,
    Unavailable,
)
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import delivery_service_pb2, target_pb2

SMTP = ["target", "create", "--name", "ops-smtp", "--type", "smtp", "--server", "smtp.example.com"]

PAUSED = delivery_service_pb2.GetTargetStatusResponse(
    paused_reason="HTTP_GONE",
    paused_time=Timestamp(seconds=1_800_000_000),
    health=delivery_service_pb2.TARGET_HEALTH_PAUSED,
    trouble_reason="HTTP_GONE",
    trouble_since=Timestamp(seconds=1_800_000_000),
)
FAILING = delivery_service_pb2.GetTargetStatusResponse(
    open_count=12,
    last_code=0,
    health=delivery_service_pb2.TARGET_HEALTH_FAILING,
    trouble_reason="CONNECT_FAILED",
    trouble_since=Timestamp(seconds=1_800_000_000),
    probe_time=Timestamp(seconds=1_800_000_300),
    certificate_expire_time=Timestamp(seconds=1_900_000_000),
)


def _created(request: Any) -> pb.CreateTargetResponse:
    target = request.target
    target.revision = 7
    return pb.CreateTargetResponse(target=target)


@pytest.fixture(autouse=True)
def _config(cli: Cli) -> None:
    cli.config.answers["CreateTarget"] = _created
    cli.config.answers["GetTarget"] = lambda request: pb.GetTargetResponse(
        target=target_pb2.Target(
            name=request.name,
            webhook=target_pb2.WebhookTarget(url="https://chat.example.com/hook"),
        )
    )
    cli.config.answers["UpdateTarget"] = lambda request: pb.UpdateTargetResponse(
        target=request.target
    )


def test_the_page_registers_an_smtp_target(cli: Cli, secret_file: str) -> None:
    result = cli(
        "target", "create",
        "--name", "ops-smtp",
        "--type", "smtp",
        "--server", "smtp.example.com",
        "--port", "587",
        "--from", "ironcore-backup@example.com",
        "--auth-method", "plain",
        "--username", "ibs-svc",
        "--password-file", secret_file,
        "--tls", "starttls",
    )  # fmt: skip

    assert result.exit_code == 0
    assert result.stdout == "created target ops-smtp (revision 7)\n"
    assert result.stderr == ""
    (request,) = cli.config.received("CreateTarget")
    assert request.target.smtp == target_pb2.SmtpTarget(
        server="smtp.example.com",
        port=587,
        from_address="ironcore-backup@example.com",
        auth_method=target_pb2.SMTP_AUTH_METHOD_PLAIN,
        username="ibs-svc",
        password="s3cret",
        tls_mode=target_pb2.SMTP_TLS_MODE_STARTTLS,
    )


def test_the_page_registers_a_webhook_target(cli: Cli, tmp_path: Path) -> None:
    template = tmp_path / "chat-ops.json"
    template.write_text('{"type": "{{event.type}}"}\n')

    result = cli(
        "target", "create",
        "--name", "chat-ops",
        "--type", "webhook",
        "--url", "https://chat.example.com/webhooks/ironcore-backup",
        "--method", "POST",
        "--header", "Authorization: Bearer <token>",
        "--body-template", str(template),
    )  # fmt: skip

    assert result.exit_code == 0
    (request,) = cli.config.received("CreateTarget")
    assert request.target.webhook == target_pb2.WebhookTarget(
        url="https://chat.example.com/webhooks/ironcore-backup",
        method="POST",
        headers=[target_pb2.Header(name="Authorization", value="Bearer <token>")],
        body_template='{"type": "{{event.type}}"}\n',
    )


def test_the_page_registers_an_influxdb_target(cli: Cli, secret_file: str) -> None:
    result = cli(
        "target", "create",
        "--name", "metrics-influx",
        "--type", "metric-server",
        "--protocol", "influxdb-v2",
        "--url", "https://metrics.example.com",
        "--org", "polystack",
        "--bucket", "ibs-events",
        "--token-file", secret_file,
    )  # fmt: skip

    assert result.exit_code == 0
    (request,) = cli.config.received("CreateTarget")
    assert request.target.influxdb == target_pb2.InfluxDbTarget(
        url="https://metrics.example.com", org="polystack", bucket="ibs-events", token="s3cret"
    )


def test_a_pushgateway_takes_its_own_flags(cli: Cli, secret_file: str) -> None:
    line = "target create push --type metric-server --protocol prometheus-pushgateway"
    result = cli(
        *line.split(), "--url", "http://push", "--job", "ibs", "--username", "u",
        "--password-file", secret_file,
    )  # fmt: skip

    assert result.exit_code == 0
    (request,) = cli.config.received("CreateTarget")
    assert request.target.pushgateway == target_pb2.PushgatewayTarget(
        url="http://push", job="ibs", username="u", password="s3cret"
    )


def test_the_page_tests_a_target(cli: Cli) -> None:
    cli.config.answers["TestTarget"] = pb.ConfigServiceTestTargetResponse(
        ok=True,
        stages=[target_pb2.TestStage(name="send", ok=True, detail="250 ok", duration_ms=12.5)],
        summary="accepted",
    )

    result = cli("target", "test", "ops-smtp", "--recipient", "admin@example.com")

    assert result.exit_code == 0
    assert "✓   send    12.5 ms   250 ok" in result.stdout
    assert result.stdout.endswith("ok: accepted\n")
    (request,) = cli.config.received("TestTarget")
    assert request == pb.ConfigServiceTestTargetRequest(
        name="ops-smtp", recipients=["admin@example.com"]
    )


def test_the_page_replaces_a_header(cli: Cli) -> None:
    result = cli("target", "update", "chat-ops", "--header", "Authorization: Bearer <new-token>")

    assert result.exit_code == 0
    (request,) = cli.config.received("UpdateTarget")
    assert list(request.update_mask.paths) == ["webhook.headers"]
    (header,) = request.target.webhook.headers
    assert (header.name, header.value) == ("Authorization", "Bearer <new-token>")


def test_a_test_that_fails_has_exit_code_1_and_shows_its_stage(cli: Cli) -> None:
    cli.config.answers["TestTarget"] = pb.ConfigServiceTestTargetResponse(
        stages=[target_pb2.TestStage(name="auth", detail="535 no")], summary="wrong password"
    )

    result = cli("target", "test", "--name", "ops-smtp")

    assert result.exit_code == 1
    assert "✗   auth" in result.stdout
    assert "failed: wrong password" in result.stdout


def test_a_draft_is_tested_with_the_flags_of_create(cli: Cli) -> None:
    line = "target test --type smtp --server smtp.example.com --recipient a@example.com"

    assert cli(*line.split()).exit_code == 1
    (request,) = cli.config.received("TestTarget")
    assert request.draft == target_pb2.Target(
        name="draft", smtp=target_pb2.SmtpTarget(server="smtp.example.com")
    )


def test_flags_of_a_draft_without_a_type_are_a_usage_error(cli: Cli) -> None:
    result = cli("target", "test", "ops-smtp", "--server", "other")

    assert result.exit_code == 2
    assert "--type" in result.stderr


@pytest.mark.parametrize(
    "flags",
    [["--password", "hunter2"], ["--header", "A: hunter2"], ["--token", "hunter2"]],
)
def test_a_secret_on_the_command_line_is_warned_of_once_and_not_repeated(
    cli: Cli, flags: list[str]
) -> None:
    kind = {"--password": "smtp", "--header": "webhook"}.get(flags[0], "metric-server")
    protocol = ["--protocol", "influxdb-v2"] if kind == "metric-server" else []

    result = cli("target", "create", "x", "--type", kind, *protocol, *flags)

    assert result.exit_code == 0
    assert result.stderr.count("warning:") == 1
    assert "process list" in result.stderr
    assert "hunter2" not in result.output


def test_a_password_can_come_from_standard_input(cli: Cli) -> None:
    for flags in (["--password-stdin"], ["--password-file", "-"]):
        assert cli(*SMTP, *flags, input="from stdin\n").exit_code == 0

    assert {each.target.smtp.password for each in cli.config.received("CreateTarget")} == {
        "from stdin"
    }


def test_headers_can_come_from_a_file(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "headers"
    path.write_text("Authorization: Bearer a:b\n\nX-Key:  k \n")

    result = cli(
        *["target", "create", "x", "--type", "webhook", "--url", "http://x", "--header-file"],
        str(path),
    )

    assert result.stderr == ""
    headers = cli.config.received("CreateTarget")[0].target.webhook.headers
    assert [(each.name, each.value) for each in headers] == [
        ("Authorization", "Bearer a:b"),
        ("X-Key", "k"),
    ]


def test_a_header_without_a_colon_is_refused_without_being_repeated(cli: Cli) -> None:
    result = cli("target", "create", "x", "--type", "webhook", "--header", "hunter2")

    assert result.exit_code == 2
    assert "Name: value" in result.stderr
    assert "hunter2" not in result.output


def test_two_ways_to_give_the_password_exclude_each_other(cli: Cli, secret_file: str) -> None:
    result = cli(*SMTP, "--password", "x", "--password-file", secret_file)

    assert result.exit_code == 2
    assert "--password and --password-file" in result.stderr


def test_standard_input_cannot_be_read_twice(cli: Cli) -> None:
    result = cli(*SMTP, "--password-file", "-", "--ca-file", "-", input="x")

    assert result.exit_code == 2
    assert "cannot both read standard input" in result.stderr


def test_a_file_that_is_missing_is_named_with_its_flag(cli: Cli) -> None:
    result = cli(*SMTP, "--password-file", "/nowhere/at-all")

    assert result.exit_code == 2
    assert "--password-file: cannot read /nowhere/at-all: No such file" in result.stderr
    assert cli.config.calls == []


def test_an_empty_secret_file_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")

    result = cli(*SMTP, "--password-file", str(tmp_path / "empty"))

    assert result.exit_code == 2
    assert "is empty" in result.stderr


def test_a_flag_of_another_kind_is_a_usage_error(cli: Cli) -> None:
    result = cli(*SMTP, "--url", "https://x")

    assert result.exit_code == 2
    assert "--url: not a setting of an smtp target" in result.stderr


def test_a_metric_server_needs_a_protocol(cli: Cli) -> None:
    result = cli("target", "create", "x", "--type", "metric-server", "--url", "http://x")

    assert result.exit_code == 2
    assert "--protocol" in result.stderr


def test_an_update_sends_only_what_was_given(cli: Cli) -> None:
    result = cli("target", "update", "chat-ops", "--max-rate", "off", "--description", "")

    assert result.exit_code == 0
    (request,) = cli.config.received("UpdateTarget")
    assert set(request.update_mask.paths) == {"description", "max_rate_per_minute"}
    assert request.target.max_rate_per_minute == 0


def test_an_update_without_a_flag_is_a_usage_error(cli: Cli) -> None:
    assert cli("target", "update", "chat-ops").exit_code == 2


def test_a_header_can_be_removed(cli: Cli) -> None:
    assert cli("target", "update", "chat-ops", "--remove-header", "X-Key").exit_code == 0

    assert list(cli.config.received("UpdateTarget")[0].remove_headers) == ["X-Key"]


@pytest.mark.parametrize(("verb", "disabled"), [("enable", False), ("disable", True)])
def test_a_target_is_enabled_and_disabled(cli: Cli, verb: str, disabled: bool) -> None:
    assert cli("target", verb, "chat-ops").stdout.startswith(f"{verb}d target chat-ops")

    (request,) = cli.config.received("UpdateTarget")
    assert list(request.update_mask.paths) == ["disabled"]
    assert request.target.disabled is disabled


@pytest.mark.parametrize("name", [["ops-smtp"], ["--name", "ops-smtp"]])
def test_a_name_is_an_argument_or_a_flag(cli: Cli, name: list[str]) -> None:
    assert cli("target", "show", *name).exit_code == 0

    assert cli.config.received("GetTarget")[0].name == "ops-smtp"


def test_a_missing_name_and_one_too_many_are_usage_errors(cli: Cli) -> None:
    assert cli("target", "show").exit_code == 2
    result = cli("target", "show", "one", "two")

    assert result.exit_code == 2
    assert "unexpected argument 'two'" in result.stderr


def test_show_tells_the_last_result_and_never_a_secret(cli: Cli) -> None:
    cli.delivery.answers["GetTargetStatus"] = delivery_service_pb2.GetTargetStatusResponse(
        dead_count=3, last_failure="401 nope", last_failure_time=Timestamp(seconds=1_800_000_000)
    )

    result = cli("target", "show", "chat-ops")

    assert "0 open, 0 delivered, 3 dead" in result.stdout
    assert "2027-01-15 08:00:00Z 401 nope" in result.stdout


def test_show_tells_a_pause_and_how_it_ends(cli: Cli) -> None:
    cli.delivery.answers["GetTargetStatus"] = PAUSED

    result = cli("target", "show", "chat-ops")

    assert "HTTP_GONE since 2027-01-15 08:00:00Z; target resume sends to it again" in result.stdout


def test_show_tells_since_when_a_target_fails_and_when_it_is_tried_next(cli: Cli) -> None:
    cli.delivery.answers["GetTargetStatus"] = FAILING

    shown = cli("target", "show", "chat-ops").stdout

    assert (
        "failing: CONNECT_FAILED since 2027-01-15 08:00:00Z; one delivery is tried at "
        "2027-01-15 08:05:00Z, or now with target resume"
    ) in shown
    assert "expires 2030-03-17 17:46:40Z" in shown


def test_a_target_whose_last_attempts_failed_is_not_just_called_ok(cli: Cli) -> None:
    cli.delivery.answers["GetTargetStatus"] = delivery_service_pb2.GetTargetStatusResponse(
        health=delivery_service_pb2.TARGET_HEALTH_OK,
        failing_since=Timestamp(seconds=1_800_000_000),
        held_since=Timestamp(seconds=1_800_000_000),
    )

    result = cli("target", "show", "chat-ops")

    since = "2027-01-15 08:00:00Z"
    assert f"ok so far, but every attempt since {since} failed" in result.stdout
    assert f"the queue is held since {since}" in result.stderr


def test_a_failing_target_is_tried_now_when_it_is_resumed(cli: Cli) -> None:
    cli.delivery.answers["GetTargetStatus"] = FAILING
    told = "target chat-ops is tried again now; target show tells how it went\n"
    assert cli("target", "resume", "chat-ops").stdout == told


def test_the_list_tells_which_targets_fail_and_that_nobody_knows(cli: Cli) -> None:
    targets = [target_pb2.Target(name=each, uid=each) for each in ("chat", "mail")]
    cli.config.answers["ListTargets"] = pb.ListTargetsResponse(targets=targets)
    cli.delivery.answers["ListTroubledTargets"] = delivery_service_pb2.ListTroubledTargetsResponse(
        targets=[
            delivery_service_pb2.TroubledTarget(
                target_uid="mail", health=delivery_service_pb2.TARGET_HEALTH_FAILING
            )
        ]
    )
    chat, mail = cli("target", "list").stdout.splitlines()[-2:]
    assert ("ok" in chat, "failing" in mail) == (True, True)
    whole = json.loads(cli("target", "list", "-o", "json").stdout)
    assert whole[1]["trouble"]["health"] == "TARGET_HEALTH_FAILING"

    cli.delivery.answers["ListTroubledTargets"] = Unavailable(Reason.STORAGE_UNAVAILABLE, "away")
    result = cli("target", "list")
    assert "how they fare is not known: away" in result.stderr
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("waited", "told"),
    [
        (0, "resumed target chat-ops; nothing had waited for it\n"),
        (1, "resumed target chat-ops; sent now: 1 delivery that had waited\n"),
        (1200, "resumed target chat-ops; sent now: 1,200 that had waited\n"),
    ],
)
def test_a_paused_target_is_resumed_by_its_uid(cli: Cli, waited: int, told: str) -> None:
    target = target_pb2.Target(name="chat-ops", uid="t1")
    cli.config.answers["GetTarget"] = pb.GetTargetResponse(target=target)
    cli.delivery.answers["GetTargetStatus"] = PAUSED
    cli.delivery.answers["ResumeTarget"] = delivery_service_pb2.ResumeTargetResponse(count=waited)

    result = cli("target", "resume", "chat-ops")

    assert (result.exit_code, result.stdout, result.stderr) == (0, told, "")
    assert cli.delivery.received("ResumeTarget")[0].target_uid == "t1"


def test_resume_says_that_a_target_was_not_paused(cli: Cli) -> None:
    assert cli("target", "resume", "chat-ops").stdout == "target chat-ops was not paused\n"

    document = json.loads(cli("target", "resume", "chat-ops", "-o", "json").stdout)
    assert document == {"was_paused": False, "count": "0"}


def test_resume_warns_that_a_disabled_target_goes_on_waiting(cli: Cli) -> None:
    target = target_pb2.Target(name="chat-ops", disabled=True)
    cli.config.answers["GetTarget"] = pb.GetTargetResponse(target=target)
    cli.delivery.answers["GetTargetStatus"] = PAUSED

    assert "target enable chat-ops" in cli("target", "resume", "chat-ops").stderr


def test_an_unknown_target_cannot_be_resumed(cli: Cli) -> None:
    cli.config.answers["GetTarget"] = NotFound(Reason.TARGET_NOT_FOUND, "no such target")

    assert cli("target", "resume", "x").exit_code == 3
    assert cli.delivery.calls == []


def test_show_works_without_delivery(cli: Cli) -> None:
    cli.delivery.answers["GetTargetStatus"] = Unavailable(Reason.NOT_READY, "not ready")

    result = cli("target", "show", "chat-ops", "-o", "json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["status"] is None
    assert result.stderr == "warning: how it fares is not known: not ready\n"


def test_all_pages_of_targets_are_listed(cli: Cli) -> None:
    def page(request: pb.ListTargetsRequest) -> pb.ListTargetsResponse:
        name = request.page_token or "one"
        return pb.ListTargetsResponse(
            targets=[target_pb2.Target(name=name, smtp=target_pb2.SmtpTarget(server="s"))],
            next_page_token="" if request.page_token else "two",
        )

    cli.config.answers["ListTargets"] = page

    assert [each["name"] for each in json.loads(cli("target", "list", "-o", "json").stdout)] == [
        "one",
        "two",
    ]


def test_every_call_says_who_it_is_from(cli: Cli) -> None:
    cli("target", "list")

    assert cli.config.calls[0].metadata["ibs-user"] == "alice"


def test_a_change_waits_until_router_and_delivery_apply_it(cli: Cli) -> None:
    assert cli(*SMTP).exit_code == 0

    assert cli.router.received("AwaitConfig")[0].revision == 7
    assert cli.delivery.received("AwaitConfig")[0].revision == 7


def test_no_wait_does_not_wait(cli: Cli) -> None:
    assert cli(*SMTP, "--no-wait").exit_code == 0

    assert cli.router.calls + cli.delivery.calls == []


def test_a_change_that_is_not_applied_yet_is_a_warning(cli: Cli) -> None:
    cli.router.answers["AwaitConfig"] = Unavailable(Reason.NOT_READY, "not ready")

    result = cli(*SMTP)

    assert result.exit_code == 0
    assert result.stderr.startswith("warning: the change is saved, but Router")


def test_warnings_of_the_service_go_to_standard_error(cli: Cli) -> None:
    cli.config.answers["CreateTarget"] = pb.CreateTargetResponse(warnings=["no recipients"])

    result = cli(*SMTP, "-o", "json")

    assert result.stderr == "warning: no recipients\n"
    assert json.loads(result.stdout)["name"] == ""


def test_a_refused_target_names_each_field_and_the_advice(cli: Cli) -> None:
    cli.config.answers["CreateTarget"] = InvalidArgument(
        Reason.FIELD_INVALID,
        "the target is not valid",
        advice="look again",
        violations=[FieldViolation("target.smtp.port", "is 0"), FieldViolation("target.name", "x")],
    )

    result = cli(*SMTP)

    assert result.exit_code == 4
    assert result.stderr.splitlines() == [
        "error: the target is not valid",
        "  target.smtp.port: is 0",
        "  target.name: x",
        "advice: look again",
    ]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound(Reason.TARGET_NOT_FOUND, "no such target"), 3),
        (FailedPrecondition(Reason.TARGET_IN_USE, "in use"), 4),
        (AlreadyExists(Reason.TARGET_EXISTS, "exists"), 4),
        (Unavailable(Reason.STORAGE_UNAVAILABLE, "locked"), 5),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(cli: Cli, error: Exception, code: int) -> None:
    cli.config.answers["DeleteTarget"] = error  # type: ignore[assignment]

    result = cli("target", "delete", "x")

    assert result.exit_code == code
    assert result.stderr == f"error: {error}\n"
