"""From the group that there is to the group that a form means: the calls that lead there, in order.

A group's fields change by one call, each of its targets and resources by one of its own. Only what
differs is called for, so that the audit log says what was changed and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from google.protobuf.field_mask_pb2 import FieldMask

from ironcore.notification.v1 import config_service_pb2 as config
from ironcore.notification.v1 import group_pb2 as pb

Request: TypeAlias = (
    config.UpdateGroupRequest
    | config.AddSubscriptionRequest
    | config.UpdateSubscriptionRequest
    | config.RemoveSubscriptionRequest
    | config.AttachResourceRequest
    | config.DetachResourceRequest
)

FIELDS = ("description", "rate_limit_per_minute", "dedup_window", "weekly_summary")
DIGEST = ("rule", "frequency", "time", "weekday", "time_zone", "send_empty")


@dataclass(frozen=True, slots=True)
class Change:
    """A call, and what to say once it is made. ``target`` is the row that it is about."""

    request: Request
    done: str
    target: str = ""


def changes(current: pb.Group, wanted: pb.Group) -> tuple[Change, ...]:
    """In an order in which the first refusal leaves a group that makes sense."""
    return (
        *_fields(current, wanted),
        *_targets(current, wanted),
        *_resources(current, wanted),
    )


def _fields(current: pb.Group, wanted: pb.Group) -> Iterator[Change]:
    paths = [name for name in FIELDS if getattr(current, name) != getattr(wanted, name)]
    if current.scope != wanted.scope and not _is_set_by_attaching(current, wanted):
        paths.append("scope")
    if wanted.HasField("digest"):
        paths += [
            f"digest.{name}"
            for name in DIGEST
            if not current.HasField("digest")
            or getattr(current.digest, name) != getattr(wanted.digest, name)
        ]
    elif current.HasField("digest"):
        paths.append("digest")
    if paths:
        yield _update(wanted, paths, "its settings are changed", etag=wanted.etag)


def _targets(current: pb.Group, wanted: pb.Group) -> Iterator[Change]:
    before = {each.target: each for each in current.subscriptions}
    after = {each.target: each for each in wanted.subscriptions}
    for target in before:
        if target not in after:
            request = config.RemoveSubscriptionRequest(group=wanted.name, target=target)
            yield Change(request, f"target {target} is taken out", target)
    for each in wanted.subscriptions:
        stored = before.get(each.target)
        if stored is None:
            add = config.AddSubscriptionRequest(group=wanted.name, subscription=each)
            yield Change(add, f"target {each.target} is added", each.target)
            continue
        paths = [name for name in ("rule", "recipients") if _differs(stored, each, name)]
        if paths:
            change = config.UpdateSubscriptionRequest(
                group=wanted.name,
                subscription=pb.Subscription(
                    target=each.target,
                    rule=each.rule if "rule" in paths else "",
                    recipients=each.recipients if "recipients" in paths else (),
                ),
                update_mask=FieldMask(paths=paths),
            )
            yield Change(change, f"target {each.target} is changed", each.target)


def _resources(current: pb.Group, wanted: pb.Group) -> Iterator[Change]:
    attached = [each for each in wanted.attachments if each not in current.attachments]
    for resource in attached:
        attach = config.AttachResourceRequest(group=wanted.name, resource=resource)
        yield Change(attach, f"{resource} is attached")
    for resource in current.attachments:
        if resource not in wanted.attachments:
            detach = config.DetachResourceRequest(group=wanted.name, resource=resource)
            yield Change(detach, f"{resource} is detached")
    if attached and not current.attachments and wanted.scope != pb.GROUP_SCOPE_ATTACHED:
        # The first resource made it attached.
        yield _update(wanted, ["scope"], "its scope is set")


def _is_set_by_attaching(current: pb.Group, wanted: pb.Group) -> bool:
    first = bool(wanted.attachments) and not current.attachments
    return first and wanted.scope == pb.GROUP_SCOPE_ATTACHED


def _differs(stored: pb.Subscription, given: pb.Subscription, name: str) -> bool:
    return bool(getattr(stored, name) != getattr(given, name))


def _update(wanted: pb.Group, paths: list[str], done: str, etag: str = "") -> Change:
    group = pb.Group(name=wanted.name, etag=etag)
    for path in paths:
        name, _, part = path.partition(".")
        if part:
            group.digest.SetInParent()
            setattr(group.digest, part, getattr(wanted.digest, part))
        elif name == "dedup_window":
            group.dedup_window.CopyFrom(wanted.dedup_window)
            group.dedup_window.SetInParent()
        elif name != "digest":
            setattr(group, name, getattr(wanted, name))
    request = config.UpdateGroupRequest(group=group, update_mask=FieldMask(paths=paths))
    return Change(request, done)
