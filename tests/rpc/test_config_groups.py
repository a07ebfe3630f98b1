"""ConfigService over a real server: groups, subscriptions and attachments."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.config import (
    ALICE,
    RunningConfig,
    create,
    refusal,
    running_config,
    smtp_target,
    webhook_target,
)

from ibs_notify.domain.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Reason,
)
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import group_pb2
from ironcore.notification.v1.group_pb2 import Digest, Group, Subscription


@pytest.fixture
async def config(tmp_path: Path) -> AsyncIterator[RunningConfig]:
    async with running_config(tmp_path) as running:
        await create(running.stub, smtp_target())
        await create(running.stub, webhook_target())
        yield running


async def make(config: RunningConfig, group: Group) -> pb.CreateGroupResponse:
    return await config.stub.CreateGroup(pb.CreateGroupRequest(group=group), metadata=ALICE)


async def add(
    config: RunningConfig, target: str, rule: str = "*", *recipients: str
) -> pb.AddSubscriptionResponse:
    subscription = Subscription(target=target, rule=rule, recipients=recipients)
    return await config.stub.AddSubscription(
        pb.AddSubscriptionRequest(group="ops-team", subscription=subscription)
    )


async def attach(config: RunningConfig, group: str, resource: str) -> pb.AttachResourceResponse:
    return await config.stub.AttachResource(
        pb.AttachResourceRequest(group=group, resource=resource)
    )


async def test_the_group_of_the_product_page_is_built_step_by_step(
    tmp_path: Path, database_url: str
) -> None:
    async with running_config(tmp_path, database_url) as config:
        await create(config.stub, smtp_target())
        await create(config.stub, webhook_target())
        made = await make(config, Group(name="ops-team", description="Daily operations team"))
        assert made.group.created_by == "alice"
        assert made.group.rate_limit_per_minute == 60
        await add(config, "ops-smtp")
        added = await add(config, "chat-ops", "severity in (error, critical)")
        assert [each.target for each in added.group.subscriptions] == ["ops-smtp", "chat-ops"]
        assert len({each.uid for each in added.group.subscriptions}) == 2
        digest = Digest(
            rule="severity in (info, notice)",
            frequency=group_pb2.DIGEST_FREQUENCY_DAILY,
            time="09:00",
        )
        updated = await config.stub.UpdateGroup(
            pb.UpdateGroupRequest(
                group=Group(name="ops-team", digest=digest, etag=added.group.etag),
                update_mask=FieldMask(paths=["digest.rule", "digest.frequency", "digest.time"]),
            )
        )
        assert updated.group.digest.rule == "severity in (info, notice)"
        got = await config.stub.GetGroup(pb.GetGroupRequest(name="ops-team"))
        assert got.group == updated.group
        deleted = await config.stub.DeleteGroup(pb.DeleteGroupRequest(name="ops-team", force=True))
        assert deleted.revision == 7
        error = await refusal(config.stub.GetGroup(pb.GetGroupRequest(name="ops-team")))
        assert isinstance(error, NotFound)


async def test_a_group_that_holds_something_is_deleted_by_force_only(
    config: RunningConfig,
) -> None:
    subscription = Subscription(target="ops-smtp", rule="*")
    await make(config, Group(name="ops-team", subscriptions=[subscription]))
    await make(config, Group(name="on-call", attachments=["/datastore/ibs-primary"]))
    for name, held in (
        ("ops-team", "target 'ops-smtp'"),
        ("on-call", "resource '/datastore/ibs-primary'"),
    ):
        error = await refusal(config.stub.DeleteGroup(pb.DeleteGroupRequest(name=name)))
        assert isinstance(error, FailedPrecondition)
        assert error.reason is Reason.GROUP_IN_USE
        assert held in error.message
        assert "force" in error.advice
        await config.stub.DeleteGroup(pb.DeleteGroupRequest(name=name, force=True))


async def test_a_group_that_holds_nothing_is_deleted_without_force(config: RunningConfig) -> None:
    await make(config, Group(name="ops-team"))
    await config.stub.DeleteGroup(pb.DeleteGroupRequest(name="ops-team"))
    error = await refusal(config.stub.GetGroup(pb.GetGroupRequest(name="ops-team")))
    assert error.reason is Reason.GROUP_NOT_FOUND


async def test_a_refused_deletion_names_some_of_what_a_large_group_holds(
    config: RunningConfig,
) -> None:
    places = [f"/datastore/d{number}" for number in range(7)]
    await make(config, Group(name="ops-team", attachments=places))
    error = await refusal(config.stub.DeleteGroup(pb.DeleteGroupRequest(name="ops-team")))
    assert error.message.endswith("'/datastore/d4' and 2 more")


async def test_a_group_can_be_made_whole(config: RunningConfig) -> None:
    response = await make(
        config,
        Group(
            name="ops-team",
            attachments=["ibs-primary:production", "/datastore/ibs-primary/production/"],
            subscriptions=[Subscription(target="ops-smtp", rule="type = backup.faild")],
        ),
    )
    assert list(response.group.attachments) == ["/datastore/ibs-primary/production"]
    assert response.group.scope == group_pb2.GROUP_SCOPE_ATTACHED
    assert "unknown event type" in response.warnings[0]


async def test_a_taken_name_and_a_missing_group_are_refused(config: RunningConfig) -> None:
    await make(config, Group(name="ops-team"))
    request = pb.CreateGroupRequest(group=Group(name="ops-team"))
    error = await refusal(config.stub.CreateGroup(request))
    assert isinstance(error, AlreadyExists)
    assert error.reason is Reason.GROUP_EXISTS
    error = await refusal(config.stub.DeleteGroup(pb.DeleteGroupRequest(name="nobody")))
    assert error.reason is Reason.GROUP_NOT_FOUND


async def test_a_group_holds_a_target_once_and_only_one_that_exists(config: RunningConfig) -> None:
    await make(config, Group(name="ops-team"))
    await add(config, "ops-smtp")
    with_twice = Subscription(target="ops-smtp", rule="*")
    error = await refusal(
        config.stub.AddSubscription(
            pb.AddSubscriptionRequest(group="ops-team", subscription=with_twice)
        )
    )
    assert error.reason is Reason.SUBSCRIPTION_EXISTS
    nowhere = Subscription(target="nowhere", rule="*")
    error = await refusal(
        config.stub.AddSubscription(
            pb.AddSubscriptionRequest(group="ops-team", subscription=nowhere)
        )
    )
    assert isinstance(error, NotFound)
    assert error.reason is Reason.TARGET_NOT_FOUND


async def test_all_faults_of_a_subscription_are_named(config: RunningConfig) -> None:
    await make(config, Group(name="ops-team"))
    bad = Subscription(target="chat-ops", rule="severity >= eror", recipients=["nobody"])
    error = await refusal(
        config.stub.AddSubscription(pb.AddSubscriptionRequest(group="ops-team", subscription=bad))
    )
    assert isinstance(error, InvalidArgument)
    assert [each.path for each in error.violations] == [
        "subscription.rule",
        "subscription.recipients[0]",
        "subscription.recipients",
    ]


async def test_a_subscription_is_changed_by_mask_and_removed(config: RunningConfig) -> None:
    await make(config, Group(name="ops-team"))
    made = (await add(config, "ops-smtp", "*", "a@example.com")).group.subscriptions[0]
    request = pb.UpdateSubscriptionRequest(
        group="ops-team",
        subscription=Subscription(target="ops-smtp", rule="severity = critical"),
        update_mask=FieldMask(paths=["rule"]),
    )
    changed = (await config.stub.UpdateSubscription(request)).group.subscriptions[0]
    assert changed.rule == "severity = critical"
    assert (changed.uid, list(changed.recipients)) == (made.uid, ["a@example.com"])
    request.update_mask.paths.append("target")
    error = await refusal(config.stub.UpdateSubscription(request))
    assert "'target'" in error.message
    remove = pb.RemoveSubscriptionRequest(group="ops-team", target="ops-smtp")
    removed = await config.stub.RemoveSubscription(remove)
    assert not removed.group.subscriptions
    assert "no target any more" in removed.warnings[0]
    error = await refusal(config.stub.RemoveSubscription(remove))
    assert error.reason is Reason.SUBSCRIPTION_NOT_FOUND


async def test_the_first_attachment_sets_the_scope_and_the_last_leaves_it(
    config: RunningConfig,
) -> None:
    await make(config, Group(name="ops-team"))
    first = await attach(config, "ops-team", "ibs-primary:production")
    assert first.group.scope == group_pb2.GROUP_SCOPE_ATTACHED
    assert "scope of group 'ops-team' is attached now" in first.warnings[0]
    again = await attach(config, "ops-team", "/datastore/ibs-primary//production")
    assert again.group == first.group
    second = await attach(config, "ops-team", "/tape")
    assert not second.warnings
    await config.stub.DetachResource(pb.DetachResourceRequest(group="ops-team", resource="/tape"))
    detach = pb.DetachResourceRequest(group="ops-team", resource="ibs-primary:production")
    last = await config.stub.DetachResource(detach)
    assert last.group.scope == group_pb2.GROUP_SCOPE_ATTACHED
    assert "stays attached" in last.warnings[0]
    error = await refusal(config.stub.DetachResource(detach))
    assert error.reason is Reason.ATTACHMENT_NOT_FOUND


async def test_who_hears_of_a_resource_is_listed_in_either_spelling_and_paged(
    config: RunningConfig,
) -> None:
    for name in ("a-all", "b-here", "c-elsewhere", "d-selected", "e-above"):
        await make(config, Group(name=name))
    await attach(config, "b-here", "ibs-primary:production/vm")
    await attach(config, "c-elsewhere", "ibs-secondary:production")
    await attach(config, "e-above", "/datastore/ibs-primary")
    await config.stub.UpdateGroup(
        pb.UpdateGroupRequest(
            group=Group(name="d-selected", scope=group_pb2.GROUP_SCOPE_SELECTED),
            update_mask=FieldMask(paths=["scope"]),
        )
    )
    names: list[str] = []
    request = pb.ListGroupsRequest(resource="ibs-primary:production/vm/12345", page_size=2)
    for _ in range(2):
        page = await config.stub.ListGroups(request)
        names += [group.name for group in page.groups]
        request.page_token = page.next_page_token
    assert names == ["a-all", "b-here", "e-above"]
    assert request.page_token == ""


async def names_with(config: RunningConfig, text: str, **asked: str) -> list[str]:
    """Of all pages of one group each."""
    found: list[str] = []
    request = pb.ListGroupsRequest(text=text, page_size=1, **asked)
    while True:
        page = await config.stub.ListGroups(request)
        found += [group.name for group in page.groups]
        request.page_token = page.next_page_token
        if not request.page_token:
            return found


async def test_groups_are_found_by_whatever_names_a_thing_page_by_page(
    config: RunningConfig,
) -> None:
    await make(config, Group(name="a-nightly"))
    await make(config, Group(name="b-described", description="The NIGHTLY jobs"))
    await make(config, Group(name="c-other", description="anything else"))
    rule = Subscription(target="chat-ops", rule='subject = "Nightly VMs"')
    await make(config, Group(name="d-rule", subscriptions=[rule]))
    mail = Subscription(target="ops-smtp", rule="*", recipients=["nightly@example.com"])
    await make(config, Group(name="e-recipient", subscriptions=[mail]))
    await make(config, Group(name="f-digest", digest=Digest(rule="subject contains nightly")))
    await make(config, Group(name="g-attached", attachments=["tank:nightly/vm"]))

    found = ["a-nightly", "b-described", "d-rule", "e-recipient", "f-digest", "g-attached"]
    assert await names_with(config, "nIGHTly") == found
    assert await names_with(config, "chat-ops") == ["d-rule"]
    assert await names_with(config, "nightly vm") == ["d-rule"]
    assert await names_with(config, "nightly", resource="tank:other") == found[:-1]
    assert await names_with(config, "weekly") == []


async def test_a_text_is_no_pattern_and_no_longer_than_in_the_inbox(config: RunningConfig) -> None:
    await make(config, Group(name="a", description="at 100% of the Übung"))
    await make(config, Group(name="b", description="of 100 x"))
    assert await names_with(config, "100%") == ["a"]
    assert await names_with(config, "1_0") == []
    assert await names_with(config, "übung") == ["a"]
    error = await refusal(config.stub.ListGroups(pb.ListGroupsRequest(text="x" * 1001)))
    assert isinstance(error, InvalidArgument)
    assert [each.path for each in error.violations] == ["text"]


async def test_a_masked_field_that_is_unset_gets_its_default_and_zero_stays_zero(
    config: RunningConfig,
) -> None:
    await make(config, Group(name="ops-team", rate_limit_per_minute=5, dedup_window=Duration()))
    request = pb.UpdateGroupRequest(
        group=Group(name="ops-team"), update_mask=FieldMask(paths=["rate_limit_per_minute"])
    )
    group = (await config.stub.UpdateGroup(request)).group
    assert group.rate_limit_per_minute == 60
    assert group.dedup_window == Duration()
    request.group.rate_limit_per_minute = 0
    assert (await config.stub.UpdateGroup(request)).group.rate_limit_per_minute == 0


async def test_an_old_etag_and_a_bad_path_are_refused(config: RunningConfig) -> None:
    made = (await make(config, Group(name="ops-team"))).group
    await add(config, "ops-smtp")
    request = pb.UpdateGroupRequest(
        group=Group(name="ops-team", etag=made.etag), update_mask=FieldMask(paths=["description"])
    )
    assert isinstance(await refusal(config.stub.UpdateGroup(request)), Aborted)
    request = pb.UpdateGroupRequest(
        group=Group(name="ops-team"), update_mask=FieldMask(paths=["subscriptions"])
    )
    assert "'subscriptions'" in (await refusal(config.stub.UpdateGroup(request))).message
