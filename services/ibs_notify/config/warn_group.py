"""What is legal in a group and yet probably not meant. Pure."""

from __future__ import annotations

from ibs_notify.config.validate_group import resource_warnings, rule_warnings
from ironcore.notification.v1.group_pb2 import (
    GROUP_SCOPE_ATTACHED,
    Group,
    Subscription,
)
from ironcore.notification.v1.settings_pb2 import Settings
from ironcore.notification.v1.target_pb2 import Target


def group_warnings(group: Group) -> list[str]:
    """Of a group that is right, its subscriptions apart."""
    warnings = [each for resource in group.attachments for each in resource_warnings(resource)]
    if group.scope == GROUP_SCOPE_ATTACHED and not group.attachments:
        warnings.append(
            f"the scope of group {group.name!r} is attached and nothing is attached to it: it only "
            "hears of events that name it"
        )
    elif group.attachments and group.scope != GROUP_SCOPE_ATTACHED:
        warnings.append("the attached resources decide nothing unless the scope is attached")
    if group.HasField("digest"):
        warnings += rule_warnings(group.digest.rule, "digest")
    return warnings


def subscription_warnings(
    subscription: Subscription, target: Target, settings: Settings
) -> list[str]:
    """Of a subscription that is right."""
    warnings = rule_warnings(subscription.rule, f"target {target.name!r}")
    if target.WhichOneof("kind") == "smtp" and not (
        subscription.recipients or target.smtp.recipients or settings.default_recipients
    ):
        warnings.append(
            f"nobody receives mail of target {target.name!r} here: neither the subscription nor "
            "the target nor the setting default_recipients names anybody, so it will wait"
        )
    if target.disabled:
        warnings.append(f"target {target.name!r} is disabled: what is sent there waits")
    return warnings
