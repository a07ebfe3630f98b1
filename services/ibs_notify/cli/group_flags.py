"""The flags that describe a group, and the message that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from ibs_notify.cli.options import Command, with_options
from ibs_notify.cli.params import duration, number_or_off
from ibs_notify.cli.template_flags import read_templates, template_flags
from ibs_notify.domain.group import WEEKDAYS, Frequency, Scope
from ironcore.notification.v1 import group_pb2 as pb

_DIGEST = {
    "digest_rule": "rule",
    "digest_frequency": "frequency",
    "digest_time": "time",
    "digest_day": "weekday",
    "timezone": "time_zone",
    "digest_send_empty": "send_empty",
}
_OPTIONS = (
    click.option("--description", help="For people."),
    click.option(
        "--scope",
        type=click.Choice([each.value for each in Scope]),
        help="Which events it hears before its rules; default everything.",
    ),
    click.option(
        "--rate-limit",
        type=number_or_off,
        metavar="N|off",
        help="Events a minute; the excess waits. Default 60.",
    ),
    click.option(
        "--dedup-window", type=duration, help="For how long identical events are told once; 5m."
    ),
    click.option("--digest-rule", metavar="RULE", help="Events to gather instead of sending."),
    click.option(
        "--digest-frequency",
        type=click.Choice([each.value for each in Frequency]),
        help="Default daily.",
    ),
    click.option("--digest-time", metavar="HH:MM", help="Local time; default 09:00."),
    click.option("--digest-day", type=click.Choice(WEEKDAYS), help="Of a weekly digest."),
    click.option("--timezone", metavar="ZONE", help="Of the digest; default: the setting."),
    click.option(
        "--digest-send-empty/--no-digest-send-empty",
        default=None,
        help="Whether a window without events sends a digest too.",
    ),
    click.option(
        "--weekly-summary/--no-weekly-summary", default=None, help="The weekly report to all."
    ),
)


def group_flags(command: Command) -> Command:
    """Adds every flag that describes a group; the command passes them on to ``read_group``."""
    return with_options(_OPTIONS)(template_flags(command))


def read_group(name: str, flags: Mapping[str, Any]) -> tuple[pb.Group, list[str]]:
    """The message with what was given, and the update mask of it."""
    message = pb.Group(name=name)
    paths: list[str] = []
    if flags["description"] is not None:
        message.description = flags["description"]
        paths.append("description")
    if flags["scope"] is not None:
        message.scope = pb.GroupScope.Value(f"GROUP_SCOPE_{flags['scope'].upper()}")
        paths.append("scope")
    if flags["rate_limit"] is not None:
        message.rate_limit_per_minute = flags["rate_limit"]
        paths.append("rate_limit_per_minute")
    if flags["dedup_window"] is not None:
        message.dedup_window.FromTimedelta(flags["dedup_window"])
        message.dedup_window.SetInParent()
        paths.append("dedup_window")
    if flags["weekly_summary"] is not None:
        message.weekly_summary = flags["weekly_summary"]
        paths.append("weekly_summary")
    return message, paths + _read_digest(message, flags) + _read_templates(message, flags)


def _read_templates(message: pb.Group, flags: Mapping[str, Any]) -> list[str]:
    paths: list[str] = []
    for flag, text in read_templates(flags).items():
        part, _, suffix = flag.partition("-template")
        field = f"digest_{part}" if suffix else part
        setattr(message.templates, field, text)
        paths.append(f"templates.{field}")
    return paths


def _read_digest(message: pb.Group, flags: Mapping[str, Any]) -> list[str]:
    given = {flag: flags[flag] for flag in _DIGEST if flags[flag] is not None}
    if "digest_frequency" in given:
        name = f"DIGEST_FREQUENCY_{given['digest_frequency'].upper()}"
        given["digest_frequency"] = pb.DigestFrequency.Value(name)
    if "digest_day" in given:
        given["digest_day"] = pb.Weekday.Value(f"WEEKDAY_{given['digest_day'].upper()}")
    if given:
        message.digest.CopyFrom(pb.Digest(**{_DIGEST[flag]: each for flag, each in given.items()}))
    return [f"digest.{_DIGEST[flag]}" for flag in given]
