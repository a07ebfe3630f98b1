"""Templates, presets and signing secrets as they are saved, over a real Config."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support import keys
from tests.support.config import RunningConfig, create, refusal, running_config, webhook_target

from ibs_notify.domain.errors import FailedPrecondition, InvalidArgument, NotificationError, Reason
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.group_pb2 import Group, GroupTemplates, Subscription
from ironcore.notification.v1.target_pb2 import WEBHOOK_PRESET_SLACK, Target

OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + "B" * 32
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def config(tmp_path: Path) -> AsyncIterator[RunningConfig]:
    async with running_config(tmp_path) as running:
        yield running


def group(*targets: str, **templates: str) -> Group:
    made = Group(name="ops-team", templates=GroupTemplates(**templates))
    made.subscriptions.extend(Subscription(target=each, rule="*") for each in targets)
    return made


def violations(error: NotificationError) -> set[str]:
    assert isinstance(error, InvalidArgument)
    return {each.path for each in error.violations}


async def change(config: RunningConfig, target: Target, *paths: str) -> Target:
    request = pb.UpdateTargetRequest(target=target, update_mask=FieldMask(paths=paths))
    return (await config.stub.UpdateTarget(request)).target


async def secrets_of(config: RunningConfig) -> dict[str, str]:
    keyring = keys.load(keys.key_path(config.settings))
    request = pb.WatchConfigRequest(include_secrets=True)
    watch = config.stub.WatchConfig(request)
    try:
        async for item in watch:
            if item.WhichOneof("item") == "target":
                uid = item.target.target.uid
                return {
                    each.field: keyring.open(each.ciphertext, target_uid=uid, field=each.field)
                    for each in item.target.secrets
                }
    finally:
        watch.cancel()
    raise AssertionError("no target is watched")


async def test_templates_of_a_group_are_changed_one_by_one(config: RunningConfig) -> None:
    made = group(subject="{{ event.type }}", digest_text="{{ event.summary }}")
    await config.stub.CreateGroup(pb.CreateGroupRequest(group=made))
    request = pb.UpdateGroupRequest(
        group=Group(name="ops-team", templates=GroupTemplates(subject="[x] {{ event.type }}")),
        update_mask=FieldMask(paths=["templates.subject"]),
    )
    changed = (await config.stub.UpdateGroup(request)).group
    assert changed.templates.subject == "[x] {{ event.type }}"
    assert changed.templates.digest_text == "{{ event.summary }}"


async def test_a_fault_of_a_groups_template_has_field_line_and_column(
    config: RunningConfig,
) -> None:
    made = group(text="a\n{{ event.nope }}", digest_body="{")
    error = await refusal(config.stub.CreateGroup(pb.CreateGroupRequest(group=made)))
    assert violations(error) == {"group.templates.text", "group.templates.digest_body"}
    assert error.reason is Reason.TEMPLATE_INVALID
    assert "line 2, column 10" in str(error.violations)  # type: ignore[attr-defined]


async def test_a_groups_body_has_to_suit_the_webhooks_that_it_holds(config: RunningConfig) -> None:
    await create(config.stub, webhook_target("chat"))
    form = webhook_target("sms", content_type=FORM, body_template="text={{ event.subject }}")
    await create(config.stub, form)
    slack = webhook_target("slack")
    slack.webhook.preset = WEBHOOK_PRESET_SLACK
    await create(config.stub, slack)
    text = "text={{ event.type }}"
    refused = pb.CreateGroupRequest(group=group("chat", body=text))
    assert violations(await refusal(config.stub.CreateGroup(refused))) == {"group.templates.body"}
    await config.stub.CreateGroup(pb.CreateGroupRequest(group=group("sms", "slack", body=text)))
    joined = pb.AddSubscriptionRequest(
        group="ops-team", subscription=Subscription(target="chat", rule="*")
    )
    error = await refusal(config.stub.AddSubscription(joined))
    assert violations(error) == {"group.templates.body"}
    json_again = Target(name="sms")
    error = await refusal(
        change(config, json_again, "webhook.content_type", "webhook.body_template")
    )
    assert violations(error) == {"group.templates.body"}


async def test_a_signing_secret_goes_in_and_only_whether_it_is_set_comes_out(
    config: RunningConfig,
) -> None:
    made = await create(config.stub, webhook_target(signing_secret=OLD))
    assert (made.webhook.signing_secret, made.webhook.signing_secret_set) == ("", True)
    assert (await secrets_of(config))["webhook.signing_secret"] == OLD
    emptied = await change(config, Target(name="chat-ops"), "webhook.signing_secret")
    assert not emptied.webhook.signing_secret_set


async def test_a_rotation_keeps_the_former_secret_until_its_time_is_over(
    config: RunningConfig,
) -> None:
    await create(config.stub, webhook_target(signing_secret=OLD))
    asked = Target(name="chat-ops")
    asked.webhook.signing_secret = NEW
    request = pb.UpdateTargetRequest(
        target=asked, update_mask=FieldMask(paths=["webhook.signing_secret"])
    )
    request.signing_overlap.FromTimedelta(timedelta(hours=2))
    rotated = (await config.stub.UpdateTarget(request)).target
    until = rotated.webhook.former_signing_secret_expire_time
    assert until.ToDatetime(UTC) == config.clock.now() + timedelta(hours=2)
    opened = await secrets_of(config)
    assert opened["webhook.signing_secret"] == NEW
    assert opened["webhook.former_signing_secret"] == OLD
    config.clock.pass_time(timedelta(hours=3))
    later = await change(config, Target(name="chat-ops", description="x"), "description")
    assert not later.webhook.HasField("former_signing_secret_expire_time")
    assert "webhook.former_signing_secret" not in await secrets_of(config)


async def test_a_signed_webhook_that_moves_has_to_be_given_its_secret_again(
    config: RunningConfig,
) -> None:
    target = webhook_target(signing_secret=OLD)
    del target.webhook.headers[:]
    await create(config.stub, target)
    moved = Target(name="chat-ops")
    moved.webhook.url = "https://evil.example.com/hook"
    error = await refusal(change(config, moved, "webhook.url"))
    assert isinstance(error, FailedPrecondition)
    assert error.reason is Reason.SECRET_REQUIRED
    unsigned = await change(config, moved, "webhook.url", "webhook.signing_secret")
    assert not unsigned.webhook.signing_secret_set


async def test_nobody_says_himself_until_when_a_former_secret_signs(config: RunningConfig) -> None:
    target = webhook_target(signing_secret=OLD)
    target.webhook.former_signing_secret_expire_time.seconds = 4_000_000_000
    made = await create(config.stub, target)
    assert not made.webhook.HasField("former_signing_secret_expire_time")
    path = "webhook.former_signing_secret_expire_time"
    assert violations(await refusal(change(config, target, path))) == {"update_mask"}
    whole = webhook_target(signing_secret=OLD)
    whole.webhook.former_signing_secret_expire_time.seconds = 4_000_000_000
    changed = await change(config, whole, "webhook")
    assert not changed.webhook.HasField("former_signing_secret_expire_time")
