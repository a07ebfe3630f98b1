"""Whether a group or the settings may be saved: every bad field is named. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration

from ibs_notify.config import syntax
from ibs_notify.config.faults import Faults
from ibs_notify.config.validate_target import MAX_DESCRIPTION, check_recipients
from ibs_notify.config.validate_templates import check_group_bodies, check_group_templates
from ibs_notify.domain.errors import InvalidArgument, Reason
from ibs_notify.domain.group import DEFAULT_DEDUP_WINDOW, DEFAULT_RATE_LIMIT, MAX_DEDUP_WINDOW
from ibs_notify.domain.naming import NAME_RULE, is_name
from ibs_notify.domain.resource import canonical
from ibs_notify.domain.time_zone import zone_problem
from ibs_notify.rules import parse, warn
from ironcore.notification.v1 import group_pb2 as pb
from ironcore.notification.v1.settings_pb2 import Settings
from ironcore.notification.v1.target_pb2 import Target

MAX_SUBSCRIPTIONS = 100
MAX_ATTACHMENTS = 10_000
MAX_RESOURCE = 1024
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def fill_group_defaults(group: pb.Group) -> None:
    """Write the API's defaults where nothing was given, so that what is stored says all of it."""
    group.scope = group.scope or pb.GROUP_SCOPE_EVERYTHING
    if not group.HasField("rate_limit_per_minute"):
        group.rate_limit_per_minute = DEFAULT_RATE_LIMIT
    if not group.HasField("dedup_window"):
        group.dedup_window.FromTimedelta(DEFAULT_DEDUP_WINDOW)
    if group.HasField("digest"):
        digest = group.digest
        digest.frequency = digest.frequency or pb.DIGEST_FREQUENCY_DAILY
        digest.time = digest.time or "09:00"
        digest.weekday = digest.weekday or pb.WEEKDAY_MONDAY


def check_group(group: pb.Group, faults: Faults) -> None:
    """Add every fault of ``group`` itself, defaults filled; subscriptions are checked apart."""
    if not is_name(group.name):
        faults.add("group.name", f"is not of {NAME_RULE}" if group.name else "is missing")
    length = len(group.description)
    if length > MAX_DESCRIPTION:
        faults.add("group.description", f"has {length} characters; at most {MAX_DESCRIPTION}")
    if group.scope not in pb.GroupScope.values():
        faults.add("group.scope", f"no scope has the number {group.scope}")
    if len(group.attachments) > MAX_ATTACHMENTS:
        count = len(group.attachments)
        faults.add("group.attachments", f"has {count} resources; at most {MAX_ATTACHMENTS}")
    for index, resource in enumerate(group.attachments[:MAX_ATTACHMENTS]):
        faults.add(f"group.attachments[{index}]", resource_problem(resource))
    faults.add("group.dedup_window", _window_problem(group.dedup_window))
    if group.HasField("digest"):
        _check_digest(group.digest, faults)
    check_group_templates(group.templates, faults)


def check_subscriptions(group: pb.Group, targets: Mapping[str, Target], faults: Faults) -> None:
    """Add every fault of the subscriptions of a new group; ``targets`` are those there are."""
    if len(group.subscriptions) > MAX_SUBSCRIPTIONS:
        count = len(group.subscriptions)
        faults.add("group.subscriptions", f"has {count} targets; at most {MAX_SUBSCRIPTIONS}")
    seen: set[str] = set()
    for index, subscription in enumerate(group.subscriptions[:MAX_SUBSCRIPTIONS]):
        path = f"group.subscriptions[{index}]"
        name = subscription.target
        if name in seen:
            advice = "join their rules with 'or'"
            faults.add(f"{path}.target", "is there twice; a group holds a target once", advice)
        elif name not in targets:
            problem = f"there is no target {name!r}" if name else "is missing"
            faults.add(f"{path}.target", problem, "create it first", Reason.TARGET_NOT_FOUND)
        seen.add(name)
        check_subscription(subscription, targets.get(name), faults, path)
    check_group_bodies(group, targets, faults)


def check_subscription(
    subscription: pb.Subscription, target: Target | None, faults: Faults, path: str
) -> None:
    """Add every fault of a subscription's rule and recipients."""
    _check_rule(subscription.rule, faults, f"{path}.rule")
    check_recipients(subscription.recipients, faults, f"{path}.recipients")
    if subscription.recipients and target is not None and target.WhichOneof("kind") != "smtp":
        faults.add(f"{path}.recipients", f"are for mail targets, and {target.name!r} is none")


def resource_problem(resource: str) -> str:
    """Of a resource that is to be attached, in either spelling."""
    if not resource.strip():
        return "is empty"
    if len(resource) > MAX_RESOURCE:
        return f"has {len(resource)} characters; at most {MAX_RESOURCE}"
    return ""


def resource_warnings(resource: str) -> list[str]:
    """What is odd about a canonical resource."""
    if resource.startswith("/"):
        return []
    meant = canonical(f"{resource}:")
    return [
        f"{resource!r} is of neither spelling of a resource and only matches events that say "
        f"exactly that; the datastore would be {meant!r}"
    ]


def rule_warnings(rule: str, what: str) -> list[str]:
    """What is legal in a rule that parses, and yet probably not meant."""
    return [f"{what}: {each}" for each in warn.warnings(parse.parse(rule))]


def check_settings(settings: Settings, faults: Faults) -> None:
    """Add every fault of the settings."""
    check_recipients(settings.default_recipients, faults, "settings.default_recipients")
    if settings.public_url:
        faults.add("settings.public_url", syntax.url_problem(settings.public_url))
        if "?" in settings.public_url:
            faults.add("settings.public_url", "has a query; paths of task pages are appended to it")
    faults.add("settings.time_zone", zone_problem(settings.time_zone))
    if settings.sender:
        faults.add("settings.sender", syntax.address_problem(settings.sender))


def _check_rule(rule: str, faults: Faults, path: str) -> None:
    try:
        parse.parse(rule)
    except InvalidArgument as error:
        faults.adopt(path, error)


def _check_digest(digest: pb.Digest, faults: Faults) -> None:
    if digest.rule.strip():
        _check_rule(digest.rule, faults, "group.digest.rule")
    else:
        faults.add("group.digest.rule", "is missing, and a digest needs one", "* gathers all")
    if digest.frequency not in pb.DigestFrequency.values():
        faults.add("group.digest.frequency", f"no frequency has the number {digest.frequency}")
    if not _TIME.fullmatch(digest.time):
        faults.add("group.digest.time", "is no time of day of the form HH:MM", "such as 09:00")
    if digest.weekday not in pb.Weekday.values():
        faults.add("group.digest.weekday", f"no day has the number {digest.weekday}")
    faults.add("group.digest.time_zone", zone_problem(digest.time_zone))


def _window_problem(window: Duration) -> str:
    most = int(MAX_DEDUP_WINDOW.total_seconds())
    total = window.seconds + window.nanos / 1e9
    if not -1_000_000_000 < window.nanos < 1_000_000_000 or not 0 <= total <= most:
        return "is not between 0 and 7 days"
    return ""
