"""Config writes down who changed what: each change once, no refused one, and no secret."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import patch

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.audit import ALICE, Auditor
from tests.support.config import RunningConfig, refusal, running_config, smtp_target, webhook_target

from ibs_notify.config import sql_change
from ibs_notify.domain.errors import Internal, InvalidArgument, NotificationError
from ironcore.notification.v1 import audit_service_pb2, target_pb2
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.group_pb2 import Group, Subscription
from ironcore.notification.v1.settings_pb2 import Settings
from ironcore.notification.v1.target_pb2 import Target

SIGNING = "whsec_" + "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5"
CANARY = "canary-7f3a"


@pytest.fixture
async def config(tmp_path: Path) -> AsyncIterator[RunningConfig]:
    async with running_config(tmp_path) as running:
        yield running


@pytest.fixture
def auditor(config: RunningConfig) -> Auditor:
    return Auditor.at(config.channel)


async def make(config: RunningConfig, target: Target) -> Target:
    request = pb.CreateTargetRequest(target=target)
    return (await config.stub.CreateTarget(request, metadata=ALICE)).target


async def update(config: RunningConfig, target: Target, *paths: str) -> None:
    request = pb.UpdateTargetRequest(target=target, update_mask=FieldMask(paths=paths))
    await config.stub.UpdateTarget(request, metadata=ALICE)


async def make_group(config: RunningConfig, name: str, *targets: str) -> None:
    group = Group(name=name, subscriptions=[Subscription(target=t, rule="*") for t in targets])
    await config.stub.CreateGroup(pb.CreateGroupRequest(group=group), metadata=ALICE)


async def test_every_change_is_one_entry_in_the_name_of_who_made_it(
    config: RunningConfig, auditor: Auditor
) -> None:
    stub, mask = config.stub, FieldMask(paths=["description"])
    await make(config, webhook_target("chat"))
    await update(config, Target(name="chat", description="new"), "description")
    await make_group(config, "ops")
    group = Group(name="ops", description="new")
    await stub.UpdateGroup(pb.UpdateGroupRequest(group=group, update_mask=mask), metadata=ALICE)
    subscription = Subscription(target="chat", rule="*")
    await stub.AddSubscription(
        pb.AddSubscriptionRequest(group="ops", subscription=subscription), metadata=ALICE
    )
    subscription.rule = "severity = error"
    await stub.UpdateSubscription(
        pb.UpdateSubscriptionRequest(
            group="ops", subscription=subscription, update_mask=FieldMask(paths=["rule"])
        ),
        metadata=ALICE,
    )
    await stub.AttachResource(
        pb.AttachResourceRequest(group="ops", resource="store:vm/1"), metadata=ALICE
    )
    await stub.DetachResource(
        pb.DetachResourceRequest(group="ops", resource="store:vm/1"), metadata=ALICE
    )
    await stub.RemoveSubscription(
        pb.RemoveSubscriptionRequest(group="ops", target="chat"), metadata=ALICE
    )
    await stub.UpdateSettings(
        pb.UpdateSettingsRequest(
            settings=Settings(time_zone="Europe/Vienna"), update_mask=FieldMask(paths=["time_zone"])
        ),
        metadata=ALICE,
    )
    await stub.TestTarget(pb.ConfigServiceTestTargetRequest(name="chat"), metadata=ALICE)
    await stub.DeleteGroup(pb.DeleteGroupRequest(name="ops"), metadata=ALICE)
    await stub.DeleteTarget(pb.DeleteTargetRequest(name="chat"), metadata=ALICE)
    assert await auditor.told() == [
        ("alice", "target.create", "target/chat"),
        ("alice", "target.update", "target/chat"),
        ("alice", "group.create", "group/ops"),
        *[("alice", "group.update", "group/ops")] * 6,
        ("alice", "settings.update", "settings"),
        ("alice", "target.test", "target/chat"),
        ("alice", "group.delete", "group/ops"),
        ("alice", "target.delete", "target/chat"),
    ]
    assert await auditor.is_intact()


async def test_an_update_tells_what_differs_and_nothing_else(
    config: RunningConfig, auditor: Auditor
) -> None:
    await make(config, smtp_target(port=587))
    smtp = target_pb2.SmtpTarget(recipients=["new@example.com"])
    await update(config, Target(name="ops-smtp", smtp=smtp), "smtp.recipients")
    assert await auditor.last() == (
        {"smtp": {"recipients": ["ops@example.com"]}},
        {"smtp": {"recipients": ["new@example.com"]}},
    )


async def test_what_is_made_and_deleted_is_told_whole(
    config: RunningConfig, auditor: Auditor
) -> None:
    await make(config, smtp_target(port=587))
    before, made = await auditor.last()
    assert before is None
    assert made["smtp"]["server"] == "smtp.example.com"
    assert made["smtp"]["password"] == "(set)"
    await config.stub.DeleteTarget(pb.DeleteTargetRequest(name="ops-smtp"))
    assert await auditor.last() == (made, None)


async def test_a_secret_that_was_replaced_or_taken_away_is_told_without_being_shown(
    config: RunningConfig, auditor: Auditor
) -> None:
    await make(config, webhook_target("hook", signing_secret=SIGNING))
    webhook = target_pb2.WebhookTarget(signing_secret=SIGNING.replace("Y2", "Z2"))
    await update(config, Target(name="hook", webhook=webhook), "webhook.signing_secret")
    told = {"webhook": {"signing_secret": "(set)"}}
    assert await auditor.last() == (told, told)
    await update(config, Target(name="hook"), "webhook.signing_secret")
    assert await auditor.last() == (told, {"webhook": {}})


async def test_a_header_that_was_replaced_is_told_by_its_name(
    config: RunningConfig, auditor: Auditor
) -> None:
    await make(config, webhook_target())
    webhook = webhook_target().webhook
    webhook.headers[0].value = "Bearer other"
    await update(config, Target(name="chat-ops", webhook=webhook), "webhook.headers")
    told = {"webhook": {"headers": {"Authorization": "(set)"}}}
    assert await auditor.last() == (told, told)


async def test_of_a_webhook_s_address_the_host_is_told_and_that_the_rest_changed(
    config: RunningConfig, auditor: Auditor
) -> None:
    await make(config, webhook_target(url=f"https://chat.example.com/{CANARY}"))
    webhook = target_pb2.WebhookTarget(url="https://chat.example.com/other")
    await update(config, Target(name="chat-ops", webhook=webhook), "webhook.url")
    before, after = (side["webhook"]["url"] for side in await auditor.last())
    assert before.startswith("https://chat.example.com/… (SHA-256 ")
    assert after.startswith("https://chat.example.com/… (SHA-256 ")
    assert before != after


async def test_a_secret_that_does_not_follow_to_another_host_is_told(
    config: RunningConfig, auditor: Auditor
) -> None:
    await make(config, webhook_target())
    webhook = target_pb2.WebhookTarget(url="https://other.example.com/webhooks/ironcore-backup")
    request = pb.UpdateTargetRequest(
        target=Target(name="chat-ops", webhook=webhook),
        update_mask=FieldMask(paths=["webhook.url"]),
        remove_headers=["authorization"],
    )
    await config.stub.UpdateTarget(request, metadata=ALICE)
    before, after = await auditor.last()
    assert before["webhook"]["headers"] == {"Authorization": "(set)"}
    assert after["webhook"]["headers"] == {}


async def test_a_forced_deletion_tells_of_the_groups_that_it_changes(
    config: RunningConfig, auditor: Auditor
) -> None:
    await make(config, webhook_target("chat"))
    await make_group(config, "ops", "chat")
    await config.stub.DeleteTarget(pb.DeleteTargetRequest(name="chat", force=True), metadata=ALICE)
    assert (await auditor.told())[2:] == [
        ("alice", "group.update", "group/ops"),
        ("alice", "target.delete", "target/chat"),
    ]


async def test_what_is_refused_writes_nothing(config: RunningConfig, auditor: Auditor) -> None:
    await make(config, webhook_target("chat"))
    for call in (
        config.stub.CreateTarget(pb.CreateTargetRequest(target=webhook_target("chat"))),
        config.stub.CreateTarget(pb.CreateTargetRequest(target=Target(name="BAD"))),
        config.stub.DeleteTarget(pb.DeleteTargetRequest(name="none")),
        config.stub.TestTarget(pb.ConfigServiceTestTargetRequest(name="none")),
        config.stub.UpdateTarget(
            pb.UpdateTargetRequest(
                target=Target(name="chat", etag="r99", description="x"),
                update_mask=FieldMask(paths=["description"]),
            )
        ),
    ):
        assert isinstance(await refusal(call), NotificationError)
    assert len(await auditor.told()) == 1


async def test_a_change_that_cannot_be_written_down_does_not_happen(
    config: RunningConfig, auditor: Auditor
) -> None:
    with patch.object(sql_change, "append", side_effect=RuntimeError("no room")):
        request = pb.CreateTargetRequest(target=webhook_target("chat"))
        assert isinstance(await refusal(config.stub.CreateTarget(request)), Internal)
    assert not (await config.stub.ListTargets(pb.ListTargetsRequest())).targets
    with patch.object(sql_change, "append", side_effect=RuntimeError("no room")):
        draft = pb.ConfigServiceTestTargetRequest(draft=webhook_target("chat"))
        assert isinstance(await refusal(config.stub.TestTarget(draft)), Internal)
    assert config.delivery.tested == []
    assert await auditor.told() == []


def with_canaries() -> list[Target]:
    """A target of each kind, with a canary in every field that holds a secret."""
    webhook = webhook_target("hook", token=CANARY, signing_secret=SIGNING)
    webhook.webhook.url = f"https://discord.com/api/webhooks/1/{CANARY}"
    webhook.webhook.headers[0].value = CANARY
    pagerduty = Target(name="pager")
    pagerduty.webhook.preset = target_pb2.WEBHOOK_PRESET_PAGERDUTY
    pagerduty.webhook.token = CANARY
    influx = Target(name="influx")
    influx.influxdb.url, influx.influxdb.org = "https://influx.example.com", "ibs"
    influx.influxdb.bucket, influx.influxdb.token = "events", CANARY
    gateway = Target(name="gateway")
    gateway.pushgateway.url, gateway.pushgateway.username = "https://push.example.com", "ibs"
    gateway.pushgateway.password = CANARY
    bearer = Target(name="bearer")
    bearer.pushgateway.url = "https://push.example.com"
    bearer.pushgateway.bearer_token = CANARY
    webhook.webhook.token = ""
    return [smtp_target(password=CANARY), webhook, pagerduty, influx, gateway, bearer]


async def test_no_secret_is_in_any_entry_nor_in_the_database_of_the_log(
    config: RunningConfig, auditor: Auditor
) -> None:
    for target in with_canaries():
        await config.stub.TestTarget(
            pb.ConfigServiceTestTargetRequest(draft=target), metadata=ALICE
        )
        await make(config, target)
        await config.stub.TestTarget(pb.ConfigServiceTestTargetRequest(name=target.name))
        await update(config, Target(name=target.name, description="new"), "description")
        await config.stub.DeleteTarget(pb.DeleteTargetRequest(name=target.name))
    entries = await auditor.entries()
    assert len(entries) == 5 * len(with_canaries())
    text = "".join(str(each) for each in entries)
    assert "(set)" in text
    assert CANARY not in text
    assert SIGNING not in text
    assert "Y2FuYXJ5" not in text


async def test_entries_are_read_in_pages(config: RunningConfig, auditor: Auditor) -> None:
    for number in range(5):
        await make_group(config, f"g{number}")
    request = audit_service_pb2.ListAuditEntriesRequest(page_size=2)
    seen: list[int] = []
    while True:
        page = await auditor.stub.ListAuditEntries(request)
        seen += [each.sequence for each in page.entries]
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    assert seen == [5, 4, 3, 2, 1]


async def test_what_cannot_be_asked_is_refused(auditor: Auditor) -> None:
    known = audit_service_pb2.VerifyAuditLogRequest
    asked = audit_service_pb2.ListAuditEntriesRequest
    bad = asked()
    bad.since.seconds = 10**15
    for call in (
        auditor.stub.VerifyAuditLog(known(known_sequence=3)),
        auditor.stub.VerifyAuditLog(known(known_hash=bytes(32))),
        auditor.stub.VerifyAuditLog(known(known_sequence=1, known_hash=b"short")),
        auditor.stub.ListAuditEntries(asked(page_size=-1)),
        auditor.stub.ListAuditEntries(asked(page_token="nonsense")),
        auditor.stub.ListAuditEntries(asked(actor="a\0b")),
        auditor.stub.ListAuditEntries(bad),
    ):
        assert isinstance(await refusal(call), InvalidArgument)
