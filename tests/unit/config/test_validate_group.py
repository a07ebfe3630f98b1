"""Every bad field of a group and of the settings is named in one answer."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from tests.support.config import smtp_target, webhook_target

from ibs_notify.config import validate_group as validate
from ibs_notify.config.faults import Faults
from ibs_notify.config.groups import hears_of
from ibs_notify.config.warn_group import group_warnings, subscription_warnings
from ibs_notify.domain.errors import InvalidArgument, Reason
from ironcore.notification.v1 import group_pb2 as pb
from ironcore.notification.v1.settings_pb2 import Settings

TARGETS = {"ops-smtp": smtp_target(), "chat-ops": webhook_target()}


def paths_of(faults: Faults) -> dict[str, str]:
    with pytest.raises(InvalidArgument) as caught:
        faults.raise_any()
    return {each.path: each.description for each in caught.value.violations}


def checked(group: pb.Group) -> Faults:
    validate.fill_group_defaults(group)
    faults = Faults()
    validate.check_group(group, faults)
    validate.check_subscriptions(group, TARGETS, faults)
    return faults


def test_an_empty_group_gets_every_default() -> None:
    group = pb.Group(name="ops-team", digest=pb.Digest(rule="*"))
    assert not checked(group)
    assert group.scope == pb.GROUP_SCOPE_EVERYTHING
    assert group.rate_limit_per_minute == 60
    assert group.dedup_window.seconds == 300
    assert (group.digest.time, group.digest.frequency) == ("09:00", pb.DIGEST_FREQUENCY_DAILY)


def test_zero_means_off_and_is_no_default() -> None:
    group = pb.Group(name="ops-team", rate_limit_per_minute=0, dedup_window=Duration())
    assert not checked(group)
    assert group.rate_limit_per_minute == 0
    assert group.dedup_window.seconds == 0


def test_all_faults_of_a_group_are_named_at_once() -> None:
    group = pb.Group(
        name="Ops",
        scope=9,  # type: ignore[arg-type]  # a number of a later release
        attachments=["", "x" * 1025],
        dedup_window=Duration(seconds=8 * 86400),
        digest=pb.Digest(rule="severity", time="9:00", time_zone="Mars/Olympus"),
        subscriptions=[
            pb.Subscription(target="ops-smtp", rule="severity >= eror"),
            pb.Subscription(target="ops-smtp", rule="*"),
            pb.Subscription(target="nowhere", rule="*"),
            pb.Subscription(target="chat-ops", rule="*", recipients=["a@example.com", "b"]),
        ],
    )
    found = paths_of(checked(group))
    assert found.keys() == {
        "group.name",
        "group.scope",
        "group.attachments[0]",
        "group.attachments[1]",
        "group.dedup_window",
        "group.digest.rule",
        "group.digest.time",
        "group.digest.time_zone",
        "group.subscriptions[0].rule",
        "group.subscriptions[1].target",
        "group.subscriptions[2].target",
        "group.subscriptions[3].recipients[1]",
        "group.subscriptions[3].recipients",
    }
    assert "line 1, column 13" in found["group.subscriptions[0].rule"]
    assert "error" in found["group.subscriptions[0].rule"]


def test_a_rule_fault_alone_has_its_own_reason() -> None:
    faults = checked(
        pb.Group(name="ops", subscriptions=[pb.Subscription(target="chat-ops", rule="severity")])
    )
    assert faults.only_reason is Reason.RULE_INVALID


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(-1, 0), (0, -1), (7 * 86400, 1), (1, 2_000_000_000)]
)
def test_a_window_outside_of_seven_days_is_refused(seconds: int, nanos: int) -> None:
    group = pb.Group(name="ops", dedup_window=Duration(seconds=seconds, nanos=nanos))
    assert paths_of(checked(group)).keys() == {"group.dedup_window"}


def test_all_faults_of_the_settings_are_named_at_once() -> None:
    faults = Faults()
    settings = Settings(
        default_recipients=["x"], public_url="ibs.example.com", time_zone="Nowhere", sender="y"
    )
    validate.check_settings(settings, faults)
    assert paths_of(faults).keys() == {
        "settings.default_recipients[0]",
        "settings.public_url",
        "settings.time_zone",
        "settings.sender",
    }


@pytest.mark.parametrize(
    ("scope", "attachments", "hears"),
    [
        (pb.GROUP_SCOPE_EVERYTHING, [], True),
        (pb.GROUP_SCOPE_SELECTED, ["/datastore/a"], False),
        (pb.GROUP_SCOPE_ATTACHED, [], False),
        (pb.GROUP_SCOPE_ATTACHED, ["/datastore/a"], True),
        (pb.GROUP_SCOPE_ATTACHED, ["/datastore/a/vm"], True),
        (pb.GROUP_SCOPE_ATTACHED, ["/datastore/a/vm/1/disk"], False),
        (pb.GROUP_SCOPE_ATTACHED, ["/datastore/a/v"], False),
    ],
)
def test_a_group_hears_of_what_is_attached_or_below_it(
    scope: pb.GroupScope.ValueType,
    attachments: list[str],
    hears: bool,
) -> None:
    group = pb.Group(scope=scope, attachments=attachments)
    assert hears_of(group, "/datastore/a/vm/1") is hears


def test_odd_but_legal_things_are_warned_of() -> None:
    target = smtp_target()
    del target.smtp.recipients[:]
    target.disabled = True
    subscription = pb.Subscription(target="ops-smtp", rule="type = backup.faild")
    said = " | ".join(subscription_warnings(subscription, target, Settings()))
    assert "unknown event type" in said
    assert "nobody receives" in said
    assert "disabled" in said
    group = pb.Group(name="g", scope=pb.GROUP_SCOPE_EVERYTHING, attachments=["ibs-primary"])
    said = " | ".join(group_warnings(group))
    assert "/datastore/ibs-primary" in said
    assert "decide nothing" in said
