"""ConfigService over a real server: targets, settings, rules, tests and health."""

from __future__ import annotations

import asyncio
import logging
import stat
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support import keys
from tests.support.config import (
    ALICE,
    FakeDelivery,
    RunningConfig,
    config_settings,
    create,
    refusal,
    running_config,
    smtp_target,
    webhook_target,
)

from ibs_notify.config.app import ConfigApp
from ibs_notify.domain.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Reason,
    Unavailable,
)
from ibs_notify.settings import Settings
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub
from ironcore.notification.v1.event_pb2 import Event
from ironcore.notification.v1.group_pb2 import Group, Subscription
from ironcore.notification.v1.settings_pb2 import Settings as InstallationSettings
from ironcore.notification.v1.target_pb2 import (
    SMTP_AUTH_METHOD_NONE,
    SMTP_TLS_MODE_IMPLICIT,
    SMTP_TLS_MODE_NONE,
    InfluxDbTarget,
    Target,
)


@pytest.fixture
async def config(tmp_path: Path) -> AsyncIterator[RunningConfig]:
    async with running_config(tmp_path) as running:
        yield running


def change(target: Target, *paths: str, remove: list[str] | None = None) -> pb.UpdateTargetRequest:
    return pb.UpdateTargetRequest(
        target=target, update_mask=FieldMask(paths=paths), remove_headers=remove or []
    )


async def test_a_target_is_created_read_listed_changed_and_deleted(
    tmp_path: Path, database_url: str
) -> None:
    async with running_config(tmp_path, database_url) as config:
        stub = config.stub
        request = pb.CreateTargetRequest(target=smtp_target())
        made = (await stub.CreateTarget(request, metadata=ALICE)).target
        assert (made.smtp.port, made.smtp.password, made.smtp.password_set) == (587, "", True)
        assert (made.created_by, made.revision) == ("alice", 1)
        config.clock.pass_time(timedelta(hours=1))
        asked = Target(name="ops-smtp", description="mail", etag=made.etag)
        changed = (await stub.UpdateTarget(change(asked, "description"))).target
        assert changed.description == "mail"
        assert changed.update_time.seconds - changed.create_time.seconds == 3600
        assert changed.updated_by == "unknown"
        assert (await stub.GetTarget(pb.GetTargetRequest(name="ops-smtp"))).target == changed
        assert list((await stub.ListTargets(pb.ListTargetsRequest())).targets) == [changed]
        deleted = await stub.DeleteTarget(pb.DeleteTargetRequest(name="ops-smtp"))
        assert deleted.revision == 3
        error = await refusal(stub.GetTarget(pb.GetTargetRequest(name="ops-smtp")))
        assert isinstance(error, NotFound)
        assert error.reason is Reason.TARGET_NOT_FOUND


async def test_a_taken_name_is_refused(config: RunningConfig) -> None:
    await create(config.stub, smtp_target())
    error = await refusal(config.stub.CreateTarget(pb.CreateTargetRequest(target=smtp_target())))
    assert isinstance(error, AlreadyExists)
    assert error.reason is Reason.TARGET_EXISTS


async def test_a_refused_target_names_each_field_on_the_wire_and_changes_nothing(
    config: RunningConfig,
) -> None:
    bad = smtp_target("ops-smtp", server="no host", port=70000)
    error = await refusal(config.stub.CreateTarget(pb.CreateTargetRequest(target=bad)))
    assert isinstance(error, InvalidArgument)
    assert [each.path for each in error.violations] == ["target.smtp.server", "target.smtp.port"]
    assert not (await config.stub.ListTargets(pb.ListTargetsRequest())).targets


async def test_targets_are_paged_by_name(config: RunningConfig) -> None:
    for name in ("c", "a", "b"):
        await create(config.stub, webhook_target(name))
    first = await config.stub.ListTargets(pb.ListTargetsRequest(page_size=2))
    assert [each.name for each in first.targets] == ["a", "b"]
    rest = await config.stub.ListTargets(
        pb.ListTargetsRequest(page_size=2, page_token=first.next_page_token)
    )
    assert [each.name for each in rest.targets] == ["c"]
    assert rest.next_page_token == ""
    error = await refusal(
        config.stub.ListGroups(pb.ListGroupsRequest(page_token=first.next_page_token))
    )
    assert error.reason is Reason.PAGE_TOKEN_INVALID


async def test_an_old_etag_is_refused(config: RunningConfig) -> None:
    made = await create(config.stub, webhook_target())
    await config.stub.UpdateTarget(change(Target(name="chat-ops", description="1"), "description"))
    stale = Target(name="chat-ops", description="2", etag=made.etag)
    error = await refusal(config.stub.UpdateTarget(change(stale, "description")))
    assert isinstance(error, Aborted)
    assert error.reason is Reason.ETAG_MISMATCH
    request = pb.DeleteTargetRequest(name="chat-ops", etag=made.etag)
    assert isinstance(await refusal(config.stub.DeleteTarget(request)), Aborted)


async def test_a_mail_server_that_moves_needs_its_password_in_the_same_request(
    config: RunningConfig,
) -> None:
    await create(config.stub, smtp_target())
    moved = Target(name="ops-smtp")
    moved.smtp.server = "evil.example.com"
    error = await refusal(config.stub.UpdateTarget(change(moved, "smtp.server")))
    assert isinstance(error, FailedPrecondition)
    assert error.reason is Reason.SECRET_REQUIRED
    assert "smtp.password" in error.message
    still = (await config.stub.GetTarget(pb.GetTargetRequest(name="ops-smtp"))).target
    assert still.smtp.server == "smtp.example.com"
    moved.smtp.password = "again"
    response = await config.stub.UpdateTarget(change(moved, "smtp.server", "smtp.password"))
    assert response.target.smtp.server == "evil.example.com"
    assert response.target.smtp.password_set


async def test_another_tls_mode_takes_its_default_port_along(config: RunningConfig) -> None:
    await create(config.stub, smtp_target())
    changed = Target(name="ops-smtp")
    changed.smtp.tls_mode = SMTP_TLS_MODE_IMPLICIT
    changed.smtp.password = "again"
    response = await config.stub.UpdateTarget(change(changed, "smtp.tls_mode", "smtp.password"))
    assert response.target.smtp.port == 465
    assert any("before it was 587" in warning for warning in response.warnings)


async def test_a_login_that_is_given_up_clears_the_password_with_a_warning(
    config: RunningConfig,
) -> None:
    await create(config.stub, smtp_target())
    changed = Target(name="ops-smtp")
    changed.smtp.auth_method = SMTP_AUTH_METHOD_NONE
    response = await config.stub.UpdateTarget(change(changed, "smtp.auth_method"))
    assert not response.target.smtp.password_set
    assert any("smtp.password was cleared" in warning for warning in response.warnings)


async def test_the_headers_of_a_webhook_are_merged_and_kept_within_their_origin(
    config: RunningConfig,
) -> None:
    await create(config.stub, webhook_target())
    request = Target(name="chat-ops")
    request.webhook.headers.add(name="X-Key", value="k")
    request.webhook.url = "https://chat.example.com/other"
    paths = ("webhook.headers", "webhook.url")
    response = await config.stub.UpdateTarget(change(request, *paths))
    headers = {each.name: each.value_set for each in response.target.webhook.headers}
    assert headers == {"Authorization": True, "X-Key": True}
    request.webhook.url = "https://elsewhere.example.com/"
    error = await refusal(config.stub.UpdateTarget(change(request, *paths)))
    assert error.reason is Reason.SECRET_REQUIRED
    assert "webhook.headers[authorization]" in error.message
    assert "x-key" not in error.message
    response = await config.stub.UpdateTarget(change(request, *paths, remove=["authorization"]))
    assert [each.name for each in response.target.webhook.headers] == ["X-Key"]


async def test_headers_that_come_back_as_they_were_read_keep_their_values(
    config: RunningConfig,
) -> None:
    read = await create(config.stub, webhook_target())
    response = await config.stub.UpdateTarget(change(read, "webhook.headers"))
    assert [each.value_set for each in response.target.webhook.headers] == [True]
    read.webhook.headers.add(name="X-New")
    read.etag = ""
    error = await refusal(config.stub.UpdateTarget(change(read, "webhook.headers")))
    assert error.reason is Reason.SECRET_REQUIRED


@pytest.mark.parametrize("name", ["", "No Name", "a\0b"])
async def test_what_is_no_name_is_not_found_on_any_database(
    tmp_path: Path, database_url: str, name: str
) -> None:
    async with running_config(tmp_path, database_url) as config:
        error = await refusal(config.stub.GetTarget(pb.GetTargetRequest(name=name)))
        assert error.reason is Reason.TARGET_NOT_FOUND
        error = await refusal(config.stub.GetGroup(pb.GetGroupRequest(name=name)))
        assert error.reason is Reason.GROUP_NOT_FOUND


async def test_what_is_odd_about_a_target_is_warned_of(config: RunningConfig) -> None:
    lonely = smtp_target(tls_mode=SMTP_TLS_MODE_NONE, from_address="")
    del lonely.smtp.recipients[:]
    response = await config.stub.CreateTarget(pb.CreateTargetRequest(target=lonely))
    said = " | ".join(response.warnings)
    assert "password will travel in clear text" in said
    assert "has no recipients" in said
    assert "has no from address" in said
    clear = webhook_target(url="http://chat.example.com/")
    response = await config.stub.CreateTarget(pb.CreateTargetRequest(target=clear))
    assert "not https" in response.warnings[0]


async def make_group(config: RunningConfig, name: str, *targets: str) -> Group:
    subscriptions = [Subscription(target=target, rule="*") for target in targets]
    request = pb.CreateGroupRequest(group=Group(name=name, subscriptions=subscriptions))
    return (await config.stub.CreateGroup(request)).group


async def test_a_target_in_use_is_deleted_by_force_only_and_taken_out_in_the_same_revision(
    config: RunningConfig,
) -> None:
    await create(config.stub, smtp_target())
    await create(config.stub, webhook_target())
    await make_group(config, "ops-team", "ops-smtp", "chat-ops")
    await make_group(config, "on-call", "chat-ops")
    error = await refusal(config.stub.DeleteTarget(pb.DeleteTargetRequest(name="chat-ops")))
    assert error.reason is Reason.TARGET_IN_USE
    assert "'on-call', 'ops-team'" in error.message
    response = await config.stub.DeleteTarget(pb.DeleteTargetRequest(name="chat-ops", force=True))
    assert len(response.warnings) == 2
    groups = (await config.stub.ListGroups(pb.ListGroupsRequest())).groups
    assert [[each.target for each in group.subscriptions] for group in groups] == [[], ["ops-smtp"]]
    assert {group.revision for group in groups} == {response.revision}


async def test_a_target_with_a_queue_is_deleted_by_force_only(config: RunningConfig) -> None:
    await create(config.stub, webhook_target())
    config.delivery.waiting = 3
    error = await refusal(config.stub.DeleteTarget(pb.DeleteTargetRequest(name="chat-ops")))
    assert isinstance(error, FailedPrecondition)
    assert error.reason is Reason.TARGET_HAS_QUEUE
    response = await config.stub.DeleteTarget(pb.DeleteTargetRequest(name="chat-ops", force=True))
    assert "cancelled with it: 3 open deliveries" in response.warnings[0]


async def test_a_target_is_not_deleted_while_delivery_cannot_be_asked_unless_forced(
    config: RunningConfig,
) -> None:
    await create(config.stub, webhook_target())
    config.delivery.error = Unavailable(Reason.SERVICE_UNREACHABLE, "nobody there")
    error = await refusal(config.stub.DeleteTarget(pb.DeleteTargetRequest(name="chat-ops")))
    assert isinstance(error, Unavailable)
    assert "force" in error.advice
    response = await config.stub.DeleteTarget(pb.DeleteTargetRequest(name="chat-ops", force=True))
    assert "could not be asked" in response.warnings[0]


async def test_a_delivery_service_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, config_address="127.0.0.1:0", delivery_address="127.0.0.1:1")
    async with (
        ConfigApp(settings) as app,
        grpc.aio.insecure_channel(f"127.0.0.1:{app.port}") as channel,
    ):
        stub = ConfigServiceStub(channel)
        await create(stub, webhook_target())
        request = pb.ConfigServiceTestTargetRequest(name="chat-ops")
        error = await refusal(stub.TestTarget(request))
        assert error.reason is Reason.SERVICE_UNREACHABLE
        assert "Delivery" in error.message


async def run_test(
    config: RunningConfig, *recipients: str, name: str = "", draft: Target | None = None
) -> pb.ConfigServiceTestTargetResponse:
    request = pb.ConfigServiceTestTargetRequest(recipients=recipients)
    if draft is not None:
        request.draft.CopyFrom(draft)
    else:
        request.name = name
    return await config.stub.TestTarget(request)


def opened(config: RunningConfig) -> dict[str, str]:
    """The secrets that Delivery received, opened with the key file as it would."""
    target, secrets, _ = config.delivery.tested[-1]
    keyring = keys.load(keys.key_path(config.settings))
    return {
        each.field: keyring.open(each.ciphertext, target_uid=target.uid, field=each.field)
        for each in secrets
    }


async def test_a_saved_target_is_tested_with_its_secrets_and_recipients(
    config: RunningConfig,
) -> None:
    await create(config.stub, smtp_target())
    response = await run_test(config, name="ops-smtp")
    assert response.ok
    assert [stage.name for stage in response.stages] == ["connect"]
    assert config.delivery.tested[-1][2] == ["ops@example.com"]
    assert opened(config) == {"smtp.password": "correct horse"}
    await run_test(config, "admin@example.com", name="ops-smtp")
    assert config.delivery.tested[-1][2] == ["admin@example.com"]


async def test_a_mail_test_falls_back_to_the_default_recipients_and_needs_somebody(
    config: RunningConfig,
) -> None:
    lonely = smtp_target()
    del lonely.smtp.recipients[:]
    await create(config.stub, lonely)
    request = pb.ConfigServiceTestTargetRequest(name="ops-smtp")
    error = await refusal(config.stub.TestTarget(request))
    assert error.reason is Reason.RECIPIENT_REQUIRED
    await config.stub.UpdateSettings(
        pb.UpdateSettingsRequest(
            settings=InstallationSettings(default_recipients=["all@example.com"]),
            update_mask=FieldMask(paths=["default_recipients"]),
        )
    )
    await run_test(config, name="ops-smtp")
    assert config.delivery.tested[-1][2] == ["all@example.com"]


async def test_a_draft_is_tested_without_being_saved(config: RunningConfig) -> None:
    await run_test(config, draft=webhook_target(""))
    assert opened(config) == {"webhook.headers[authorization]": "Bearer t0ken"}
    assert not (await config.stub.ListTargets(pb.ListTargetsRequest())).targets


async def test_a_draft_of_a_saved_target_uses_its_secrets_in_the_same_place_only(
    config: RunningConfig,
) -> None:
    await create(config.stub, smtp_target())
    await run_test(config, draft=smtp_target(password="", from_address="new@example.com"))
    assert opened(config) == {"smtp.password": "correct horse"}
    request = pb.ConfigServiceTestTargetRequest(
        draft=smtp_target(password="", server="evil.example.com")
    )
    error = await refusal(config.stub.TestTarget(request))
    assert error.reason is Reason.SECRET_REQUIRED
    assert len(config.delivery.tested) == 1


async def test_recipients_for_a_webhook_test_are_refused(config: RunningConfig) -> None:
    await create(config.stub, webhook_target())
    request = pb.ConfigServiceTestTargetRequest(name="chat-ops", recipients=["a@example.com"])
    error = await refusal(config.stub.TestTarget(request))
    assert isinstance(error, InvalidArgument)


async def test_settings_have_defaults_and_change_by_mask(config: RunningConfig) -> None:
    before = (await config.stub.GetSettings(pb.GetSettingsRequest())).settings
    assert (before.time_zone, before.revision) == ("UTC", 0)
    wanted = InstallationSettings(
        public_url="https://ibs.example.com", time_zone="Europe/Berlin", etag=before.etag
    )
    request = pb.UpdateSettingsRequest(settings=wanted, update_mask=FieldMask(paths=["public_url"]))
    after = (await config.stub.UpdateSettings(request, metadata=ALICE)).settings
    assert (after.public_url, after.time_zone) == ("https://ibs.example.com", "UTC")
    assert after.updated_by == "alice"
    assert isinstance(await refusal(config.stub.UpdateSettings(request)), Aborted)


async def test_settings_that_leave_mail_without_recipients_are_warned_of(
    config: RunningConfig,
) -> None:
    lonely = smtp_target()
    del lonely.smtp.recipients[:]
    await create(config.stub, lonely)
    request = pb.UpdateSettingsRequest(update_mask=FieldMask(paths=["default_recipients"]))
    response = await config.stub.UpdateSettings(request)
    assert "'ops-smtp'" in response.warnings[0]


async def test_a_rule_is_checked_against_an_event(config: RunningConfig) -> None:
    event = Event(type="backup.failed", resource="ibs-primary:production/vm/12345")
    rule = "Severity  IN (error,critical) AND resource under ibs-primary:production"
    response = await config.stub.CheckRule(pb.CheckRuleRequest(rule=rule, event=event))
    assert response.matches
    assert response.canonical_rule == (
        "severity in (error, critical) and resource under /datastore/ibs-primary/production"
    )
    odd = await config.stub.CheckRule(pb.CheckRuleRequest(rule="type = backup.faild"))
    assert "unknown event type" in odd.warnings[0]
    error = await refusal(config.stub.CheckRule(pb.CheckRuleRequest(rule="severity >=")))
    assert error.reason is Reason.RULE_INVALID
    assert isinstance(error, InvalidArgument)
    assert [each.path for each in error.violations] == ["rule"]
    request = pb.CheckRuleRequest(rule="*", event=Event(type="Bad Type"))
    error = await refusal(config.stub.CheckRule(request))
    assert isinstance(error, InvalidArgument)
    assert [each.path for each in error.violations] == ["event.type"]


async def test_secrets_show_up_in_no_answer_no_log_and_no_file(
    config: RunningConfig, caplog: pytest.LogCaptureFixture
) -> None:
    canary = "canary-0815"
    caplog.set_level(logging.DEBUG)
    answers: list[object] = []
    influx = Target(
        name="metrics",
        influxdb=InfluxDbTarget(url="https://m.example.com", org="o", bucket="b", token=canary),
    )
    webhook = webhook_target()
    webhook.webhook.headers[0].value = canary
    for target in (smtp_target(password=canary), webhook, influx):
        answers.append(await config.stub.CreateTarget(pb.CreateTargetRequest(target=target)))
        answers.append(await config.stub.GetTarget(pb.GetTargetRequest(name=target.name)))
        target.description = "x" * 1001
        answers.append(await refusal(config.stub.UpdateTarget(change(target, "description"))))
    answers.append(await config.stub.ListTargets(pb.ListTargetsRequest()))
    assert canary not in str(answers)
    assert canary not in caplog.text
    files = [path for path in config.settings.home.iterdir() if path.is_file()]
    assert any(path.name.startswith("config.db") for path in files)
    assert all(canary.encode() not in path.read_bytes() for path in files)


async def test_the_key_file_is_made_at_first_start_for_its_owner_only(
    config: RunningConfig,
) -> None:
    assert stat.S_IMODE(keys.key_path(config.settings).stat().st_mode) == 0o600


async def test_a_lost_key_file_is_said_so_and_not_replaced(tmp_path: Path) -> None:
    async with running_config(tmp_path) as config:
        await config.stub.CreateTarget(pb.CreateTargetRequest(target=smtp_target()))
        key_path = keys.key_path(config.settings)
    kept = key_path.read_bytes()
    key_path.unlink()
    with pytest.raises(FailedPrecondition, match="1 stored secrets are sealed"):
        async with running_config(tmp_path):
            pass
    assert not key_path.exists()
    key_path.write_bytes(kept)
    key_path.chmod(0o600)
    async with running_config(tmp_path):
        pass


async def test_health_is_serving_and_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    async with running_config(tmp_path) as config:
        made = await create(config.stub, smtp_target())
        health = health_pb2_grpc.HealthStub(config.channel)
        request = health_pb2.HealthCheckRequest(service="ironcore.notification.v1.ConfigService")
        status = await health.Check(request)  # type: ignore[attr-defined]  # its stubs lack it
        assert status.status == health_pb2.HealthCheckResponse.SERVING
    async with running_config(tmp_path) as config:
        again = await config.stub.GetTarget(pb.GetTargetRequest(name="ops-smtp"))
        assert again.target == made


async def test_a_database_that_cannot_be_opened_is_said_in_a_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "config.db"
    broken.write_bytes(b"this is no database, but long enough to be read as its header" * 20)
    app = ConfigApp(config_settings(tmp_path), delivery=FakeDelivery())
    with pytest.raises(Unavailable, match=r"the database sqlite.*cannot be opened"):
        await app.__aenter__()


async def test_a_password_in_a_database_address_is_not_repeated(tmp_path: Path) -> None:
    url = "postgresql://ibs:canary@127.0.0.1:1/ibs"
    app = ConfigApp(config_settings(tmp_path, url), delivery=FakeDelivery())
    with pytest.raises(Unavailable, match="cannot be reached") as caught:
        await app.__aenter__()
    assert "canary" not in str(caught.value)


async def test_the_process_ends_with_one_line_and_code_1_without_its_database(
    tmp_path: Path,
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ibs_notify.config",
        env={
            "IBS_NOTIFY_HOME": str(tmp_path),
            "IBS_NOTIFY_CONFIG_ADDRESS": "127.0.0.1:0",
            "IBS_NOTIFY_CONFIG_DATABASE": f"sqlite:///{tmp_path}",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 1
    assert output == b""
    lines = errors.decode().splitlines()
    assert len(lines) == 1
    assert "cannot be opened" in lines[0]
