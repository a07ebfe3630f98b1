"""Groups as people see them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ibs_notify.cli.output import Table, moment, print_fields, print_table, word
from ibs_notify.cli.target_view import own_templates
from ibs_notify.domain.duration import show_duration
from ibs_notify.domain.group import DEFAULT_DEDUP_WINDOW, DEFAULT_RATE_LIMIT
from ibs_notify.rpc.group_places import places_with
from ironcore.notification.v1 import group_pb2 as pb
from ironcore.notification.v1.config_service_pb2 import GroupName


def show_groups(groups: Sequence[pb.Group], *, empty: str) -> None:
    """A row for each."""
    print_table(
        Table(
            ("Name", "Scope", "Targets", "Rate limit", "Dedup", "Digest", "Description"),
            [
                (
                    each.name,
                    _scope(each),
                    ", ".join(one.target for one in each.subscriptions),
                    _rate(each),
                    _dedup(each),
                    _digest(each),
                    each.description,
                )
                for each in groups
            ],
            empty=empty,
        )
    )


def show_names(groups: Sequence[GroupName]) -> None:
    """A row for each, of what a form offers."""
    rows = [(each.name, each.description) for each in groups]
    print_table(Table(("Name", "Description"), rows, empty="no groups yet"))


def show_group(group: pb.Group, next_digest: str = "") -> None:
    """Every field of one, then its targets. ``next_digest`` says when its digest is sent."""
    print_fields(
        {
            "Name": group.name,
            "Description": group.description,
            "Scope": _scope(group),
            "Attached": ", ".join(group.attachments),
            "Rate limit": _rate(group),
            "Dedup window": _dedup(group),
            "Digest": _digest(group),
            "Next digest": next_digest,
            "Weekly summary": "yes" if group.weekly_summary else "no",
            **own_templates(group.templates, "{}"),
            "Created": f"{moment(group.create_time)} by {group.created_by}",
            "Updated": f"{moment(group.update_time)} by {group.updated_by}",
            "Revision": str(group.revision),
        }
    )
    click.echo()
    show_subscriptions(group)


def show_subscriptions(group: pb.Group) -> None:
    """A row for each target of a group."""
    print_table(
        Table(
            ("Target", "Rule", "Own recipients"),
            [(each.target, each.rule, ", ".join(each.recipients)) for each in group.subscriptions],
            empty="no targets yet: ironcore-backup notification group target add --help",
        )
    )


def show_hearers(groups: Sequence[pb.Group], resource: str) -> None:
    """Who hears of a resource: a row for each target of each group that does."""
    print_table(
        Table(
            ("Group", "Scope", "Target", "Rule"),
            [
                (group.name, _scope(group), each.target, each.rule)
                for group in groups
                for each in group.subscriptions or [pb.Subscription(target="(no target)")]
            ],
            empty=f"no group hears of {resource}; the inbox does",
        )
    )


def show_places(groups: Sequence[pb.Group], text: str) -> None:
    """Where groups have ``text`` in them: a row for each place."""
    print_table(
        Table(
            ("Group", "Where", "What it says"),
            [
                (group.name, each.title, each.text)
                for group in groups
                for each in places_with(group, text)
            ],
            empty=f"no group has {text!r} in it",
        )
    )


def _scope(group: pb.Group) -> str:
    return word(pb.GroupScope, group.scope, "GROUP_SCOPE_") or "everything"


def _rate(group: pb.Group) -> str:
    limit = DEFAULT_RATE_LIMIT
    if group.HasField("rate_limit_per_minute"):
        limit = group.rate_limit_per_minute
    return f"{limit}/min" if limit else "off"


def _dedup(group: pb.Group) -> str:
    window = DEFAULT_DEDUP_WINDOW
    if group.HasField("dedup_window"):
        window = group.dedup_window.ToTimedelta()
    return show_duration(window) if window else "off"


def _digest(group: pb.Group) -> str:
    if not group.HasField("digest"):
        return "none"
    digest = group.digest
    often = word(pb.DigestFrequency, digest.frequency, "DIGEST_FREQUENCY_") or "daily"
    day = ""
    if digest.frequency == pb.DIGEST_FREQUENCY_WEEKLY:
        day = f" {word(pb.Weekday, digest.weekday, 'WEEKDAY_') or 'monday'}"
    zone = f" {digest.time_zone}" if digest.time_zone else ""
    return f"{often}{day} at {digest.time or '09:00'}{zone}: {digest.rule}"
