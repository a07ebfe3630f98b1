"""Groups: several calls are several commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from ibs_notify.console.commands.line import Flag, line
from ibs_notify.console.groups.changes import Request, changes
from ibs_notify.domain.duration import show_duration
from ironcore.notification.v1 import config_service_pb2 as config
from ironcore.notification.v1 import group_pb2 as pb

_DIGEST_FLAGS = {
    "rule": "digest-rule",
    "frequency": "digest-frequency",
    "time": "digest-time",
    "weekday": "digest-day",
    "time_zone": "timezone",
}


def create(group: pb.Group) -> str:
    """``group create``, then what is added to it."""
    bare = pb.Group()
    bare.CopyFrom(group)
    del bare.subscriptions[:]
    del bare.attachments[:]
    # Attaching sets the scope; and what is the default needs no flag.
    if group.attachments and group.scope == pb.GROUP_SCOPE_ATTACHED:
        bare.scope = pb.GROUP_SCOPE_EVERYTHING
    first = line("group", "create", group.name, flags=_flags(bare, _given(bare)))
    added = [each.request for each in changes(bare, group)]
    return "\n".join([first, *map(command, added)])


def update(requests: Sequence[Request]) -> str:
    """A command for each call; a remark where nothing is changed."""
    return "\n".join(map(command, requests)) or "# nothing is changed"


def command(request: Request) -> str:
    """The command that makes a call."""
    match request:
        case config.UpdateGroupRequest():
            flags = _flags(request.group, request.update_mask.paths)
            return line("group", "update", request.group.name, flags=flags)
        case config.AddSubscriptionRequest():
            return _target("add", request.group, request.subscription, ("rule", "recipients"))
        case config.UpdateSubscriptionRequest():
            paths = request.update_mask.paths
            return _target("update", request.group, request.subscription, paths)
        case config.RemoveSubscriptionRequest():
            return line("group", "target", "remove", request.group, request.target)
        case config.AttachResourceRequest():
            return line("group", "attach", request.group, flags=[("resource", request.resource)])
        case config.DetachResourceRequest():
            return line("group", "detach", request.group, flags=[("resource", request.resource)])
        case _:
            assert_never(request)


def delete(name: str, *, force: bool) -> str:
    """``group delete NAME``."""
    return line("group", "delete", name, flags=[("force", force)])


def list_(request: config.ListGroupsRequest) -> str:
    """``group list``"""
    return line(
        "group",
        "list",
        flags=[("resource", request.resource or None), ("text", request.text or None)],
    )


def preview_dedup(name: str, window: str) -> str:
    """``group dedup preview NAME``."""
    return line("group", "dedup", "preview", name, flags=[("window", window or None)])


def _target(verb: str, group: str, subscription: pb.Subscription, paths: Sequence[str]) -> str:
    recipients = list(subscription.recipients)
    if verb == "update":
        recipients = recipients or [""]  # back to the target's own
    return line(
        "group",
        "target",
        verb,
        group,
        subscription.target,
        flags=[
            ("rule", subscription.rule if "rule" in paths else None),
            ("recipient", recipients if "recipients" in paths else None),
        ],
    )


def _given(group: pb.Group) -> list[str]:
    """The paths that say something of a new group."""
    paths = ["description"] if group.description else []
    if group.scope != pb.GROUP_SCOPE_EVERYTHING:
        paths.append("scope")
    paths += ["rate_limit_per_minute", "dedup_window"]
    if group.weekly_summary:
        paths.append("weekly_summary")
    if group.HasField("digest"):
        paths += [f"digest.{each}" for each in _DIGEST_FLAGS if getattr(group.digest, each)]
        paths += ["digest.send_empty"] if group.digest.send_empty else []
    return paths


def _flags(group: pb.Group, paths: Sequence[str]) -> list[Flag]:
    return [_flag(group, path) for path in paths]


def _flag(group: pb.Group, path: str) -> Flag:
    match path:
        case "description":
            return "description", group.description
        case "scope":
            return "scope", _word(pb.GroupScope.Name(group.scope))
        case "rate_limit_per_minute":
            return "rate-limit", str(group.rate_limit_per_minute or "off")
        case "dedup_window":
            return "dedup-window", show_duration(group.dedup_window.ToTimedelta())
        case "weekly_summary":
            return ("" if group.weekly_summary else "no-") + "weekly-summary", True
        case "digest":
            return "no-digest", True
        case "digest.send_empty":
            return ("" if group.digest.send_empty else "no-") + "digest-send-empty", True
        case "digest.frequency":
            return "digest-frequency", _word(pb.DigestFrequency.Name(group.digest.frequency))
        case "digest.weekday":
            return "digest-day", _word(pb.Weekday.Name(group.digest.weekday))
        case _:
            name = path.removeprefix("digest.")
            return _DIGEST_FLAGS[name], str(getattr(group.digest, name))


def _word(name: str) -> str:
    return name.rpartition("_")[2].lower()
