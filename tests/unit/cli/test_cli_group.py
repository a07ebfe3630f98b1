"""Groups, settings and rules on the command line."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from tests.support.command_line import Cli

from ibs_notify.domain.errors import InvalidArgument, Reason
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import event_pb2, group_pb2, settings_pb2


def test_the_page_builds_a_group(cli: Cli) -> None:
    cli("group", "create", "--name", "ops-team", "--description", "Daily operations team")
    for target, rule in (("ops-smtp", "*"), ("chat-ops", "severity in (error, critical)")):
        flags = ["--group", "ops-team", "--target", target, "--rule", rule]
        assert cli("group", "target", "add", *flags).exit_code == 0

    (created,) = cli.config.received("CreateGroup")
    assert created.group == group_pb2.Group(name="ops-team", description="Daily operations team")
    first, second = cli.config.received("AddSubscription")
    assert first.subscription == group_pb2.Subscription(target="ops-smtp", rule="*")
    assert (second.group, second.subscription.rule) == (
        "ops-team",
        "severity in (error, critical)",
    )


def test_the_page_configures_a_digest(cli: Cli) -> None:
    result = cli(
        "group", "update",
        "--name", "compliance",
        "--digest-rule", "severity in (info, notice)",
        "--digest-frequency", "daily",
        "--digest-time", "09:00",
    )  # fmt: skip

    assert result.exit_code == 0
    (request,) = cli.config.received("UpdateGroup")
    assert request.group == group_pb2.Group(
        name="compliance",
        digest=group_pb2.Digest(
            rule="severity in (info, notice)",
            frequency=group_pb2.DIGEST_FREQUENCY_DAILY,
            time="09:00",
        ),
    )
    assert list(request.update_mask.paths) == ["digest.rule", "digest.frequency", "digest.time"]


def test_a_group_takes_every_setting(cli: Cli) -> None:
    line = (
        "group create g --scope selected --rate-limit off --dedup-window 0 --digest-day friday "
        "--digest-frequency weekly --timezone Europe/Vienna --digest-send-empty --weekly-summary"
    )

    assert cli(*line.split(), "--digest-rule", "*").exit_code == 0

    group = cli.config.received("CreateGroup")[0].group
    assert group.scope == group_pb2.GROUP_SCOPE_SELECTED
    assert group.HasField("rate_limit_per_minute")
    assert group.rate_limit_per_minute == 0
    assert group.HasField("dedup_window")
    assert group.dedup_window.ToTimedelta() == timedelta(0)
    assert group.weekly_summary
    assert group.digest == group_pb2.Digest(
        rule="*",
        frequency=group_pb2.DIGEST_FREQUENCY_WEEKLY,
        weekday=group_pb2.WEEKDAY_FRIDAY,
        time_zone="Europe/Vienna",
        send_empty=True,
    )


def test_a_digest_can_be_taken_away(cli: Cli) -> None:
    assert cli("group", "update", "g", "--no-digest").exit_code == 0

    (request,) = cli.config.received("UpdateGroup")
    assert list(request.update_mask.paths) == ["digest"]
    assert not request.group.HasField("digest")


@pytest.mark.parametrize(
    "flags",
    [
        ["--rate-limit", "0"],
        ["--rate-limit", "many"],
        ["--dedup-window", "5"],
        ["--dedup-window", "soon"],
        ["--scope", "some"],
        ["--no-digest", "--digest-time", "09:00"],
        [],
    ],
)
def test_a_wrong_flag_is_a_usage_error(cli: Cli, flags: list[str]) -> None:
    result = cli("group", "update", "g", *flags)

    assert result.exit_code == 2
    assert "error: " in result.stderr
    assert cli.config.calls == []


def test_the_names_of_group_and_target_may_be_arguments(cli: Cli) -> None:
    cli("group", "target", "remove", "ops-team", "chat-ops")
    cli("group", "target", "remove", "--group", "ops-team", "chat-ops")
    cli("group", "target", "remove", "ops-team", "--target", "chat-ops")

    requests = cli.config.received("RemoveSubscription")
    assert [(each.group, each.target) for each in requests] == [("ops-team", "chat-ops")] * 3


def test_a_subscription_goes_back_to_the_recipients_of_its_target(cli: Cli) -> None:
    assert cli("group", "target", "update", "g", "t", "--recipient", "").exit_code == 0

    (request,) = cli.config.received("UpdateSubscription")
    assert list(request.update_mask.paths) == ["recipients"]
    assert list(request.subscription.recipients) == []


@pytest.mark.parametrize("group", [["ops-team"], ["--group", "ops-team"], ["--name", "ops-team"]])
def test_a_resource_is_attached_and_detached(cli: Cli, group: list[str]) -> None:
    assert cli("group", "attach", *group, "--resource", "a:b").exit_code == 0
    assert cli("group", "detach", *group, "--resource", "a:b").exit_code == 0

    assert cli.config.received("AttachResource") == [
        pb.AttachResourceRequest(group="ops-team", resource="a:b")
    ]
    assert cli.config.received("DetachResource") == [
        pb.DetachResourceRequest(group="ops-team", resource="a:b")
    ]


def test_who_hears_of_a_resource_is_a_row_for_each_target(cli: Cli) -> None:
    cli.config.answers["ListGroups"] = pb.ListGroupsResponse(
        groups=[
            group_pb2.Group(
                name="ops-team",
                scope=group_pb2.GROUP_SCOPE_ATTACHED,
                subscriptions=[group_pb2.Subscription(target="chat-ops", rule="*")],
            )
        ]
    )

    result = cli("group", "list", "--resource", "a:b")

    assert "ops-team   attached   chat-ops   *" in result.stdout
    assert cli.config.received("ListGroups")[0].resource == "a:b"


def test_where_a_text_stands_is_a_row_for_each_place(cli: Cli) -> None:
    cli.config.answers["ListGroups"] = pb.ListGroupsResponse(
        groups=[
            group_pb2.Group(
                name="ops-team",
                description="told of Nightly",
                digest=group_pb2.Digest(rule="subject = nightly"),
                subscriptions=[
                    group_pb2.Subscription(target="chat-ops", rule="*"),
                    group_pb2.Subscription(
                        target="ops-smtp", rule="task_id = nightly", recipients=["nightly@x.test"]
                    ),
                ],
            )
        ]
    )

    shown = cli("group", "list", "--text", "nightly", "--resource", "a:b").stdout

    rows = [" ".join(line.split()) for line in shown.splitlines() if line.startswith("ops-team")]
    assert rows == [
        "ops-team description told of Nightly",
        "ops-team rule of ops-smtp task_id = nightly",
        "ops-team recipient of ops-smtp nightly@x.test",
        "ops-team digest rule subject = nightly",
    ]
    (request,) = cli.config.received("ListGroups")
    assert (request.text, request.resource) == ("nightly", "a:b")


def test_that_no_group_has_a_text_is_said(cli: Cli) -> None:
    assert cli("group", "list", "--text", "x").stdout == "no group has 'x' in it\n"
    assert cli("group", "list", "--text", "").exit_code == 2
    assert cli("group", "list", "--text", "x", "--names").exit_code == 2


def test_a_group_is_shown_with_its_targets_and_defaults(cli: Cli) -> None:
    cli.config.answers["GetGroup"] = pb.GetGroupResponse(
        group=group_pb2.Group(
            name="g", subscriptions=[group_pb2.Subscription(target="chat-ops", rule="[bold]*")]
        )
    )

    shown = cli("group", "show", "g").stdout

    assert "60/min" in shown
    assert "5m" in shown
    assert "chat-ops   [bold]*" in shown


def test_settings_are_updated_by_mask(cli: Cli) -> None:
    line = "settings update --default-recipient a@x --default-recipient b@x --timezone"

    assert cli(*line.split(), "").exit_code == 0

    (request,) = cli.config.received("UpdateSettings")
    assert list(request.update_mask.paths) == ["default_recipients", "time_zone"]
    assert list(request.settings.default_recipients) == ["a@x", "b@x"]


def test_settings_are_the_same_in_json_and_yaml(cli: Cli) -> None:
    cli.config.answers["GetSettings"] = pb.GetSettingsResponse(
        settings=settings_pb2.Settings(public_url="https://x", time_zone="UTC", revision=12)
    )

    as_json = json.loads(cli("settings", "show", "-o", "json").stdout)

    assert as_json == yaml.safe_load(cli("settings", "show", "-o", "yaml").stdout)
    assert as_json["revision"] == "12"
    assert as_json["sender"] == ""


def test_a_right_rule_is_shown_in_canonical_form(cli: Cli) -> None:
    cli.config.answers["CheckRule"] = pb.CheckRuleResponse(canonical_rule="type = backup.failed")

    result = cli("rule", "check", "type=backup.failed")

    assert (result.exit_code, result.stdout) == (0, "right: type = backup.failed\n")


def test_a_wrong_rule_is_refused_with_its_column_and_the_fix(cli: Cli) -> None:
    message = "line 1, column 14: unknown severity `eror`"
    cli.config.answers["CheckRule"] = InvalidArgument(
        Reason.RULE_INVALID, message, advice="did you mean `error`?"
    )

    result = cli("rule", "check", "severity in (eror)")

    assert result.exit_code == 4
    assert result.stderr == f"error: {message}\nadvice: did you mean `error`?\n"


@pytest.mark.parametrize(("matches", "code"), [(True, 0), (False, 1)])
def test_a_rule_is_held_against_an_event(
    cli: Cli, tmp_path: Path, matches: bool, code: int
) -> None:
    cli.config.answers["CheckRule"] = pb.CheckRuleResponse(matches=matches)
    (tmp_path / "event.json").write_text('{"type": "backup.failed", "severity": "error"}')

    result = cli("rule", "check", "*", "--event", str(tmp_path / "event.json"))

    assert result.exit_code == code
    assert cli.config.received("CheckRule")[0].event == event_pb2.Event(
        type="backup.failed", severity=event_pb2.SEVERITY_ERROR
    )


@pytest.mark.parametrize(("flags", "force"), [((), False), (("--force",), True)])
def test_a_group_is_deleted_by_force_where_so_asked(
    cli: Cli, flags: tuple[str, ...], force: bool
) -> None:
    result = cli("group", "delete", "on-call", *flags)

    assert result.exit_code == 0
    assert result.stdout == "deleted group on-call\n"
    assert cli.config.received("DeleteGroup") == [
        pb.DeleteGroupRequest(name="on-call", force=force)
    ]
