"""``notification group …``: who hears of what."""

from __future__ import annotations

from typing import Any

import click
from google.protobuf.field_mask_pb2 import FieldMask

from ibs_notify.cli.changed import report_change
from ibs_notify.cli.complete import group_names
from ibs_notify.cli.digest_view import next_digest
from ibs_notify.cli.group_dedup import group_dedup
from ibs_notify.cli.group_flags import group_flags, read_group
from ibs_notify.cli.group_status import group_status
from ibs_notify.cli.group_target import group_target
from ibs_notify.cli.group_view import show_group, show_groups, show_hearers, show_names, show_places
from ibs_notify.cli.output import document, output_option, print_document
from ibs_notify.cli.params import Slot, names, no_wait_option
from ibs_notify.cli.session import Session
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import group_pb2

_NAME = Slot("name", ["--name"], group_names, of="group")
_GROUP = Slot("group", ["--group", "--name"], group_names)


@click.group("group")
def group() -> None:
    """Groups: targets, each with a rule, and what keeps them quiet.

    \b
    Example:
      ironcore-backup notification group list
    """


group.add_command(group_target)
group.add_command(group_status)
group.add_command(group_dedup)


@group.command("create")
@names(_NAME)
@group_flags
@no_wait_option
@output_option
def create(name: str, no_wait: bool, output: str, **flags: Any) -> None:
    """Make a group.

    \b
    Example:
      ironcore-backup notification group create \\
        --name ops-team --description "Daily operations team"
    """
    message, _ = read_group(name, flags)
    with Session() as session:
        answer = session.call(session.config.CreateGroup, pb.CreateGroupRequest(group=message))
        report_change(
            session,
            f"created group {name}",
            answer.group,
            answer.warnings,
            output,
            wait=not no_wait,
        )


@group.command("update")
@names(_NAME)
@group_flags
@click.option("--no-digest", is_flag=True, help="Send everything singly again.")
@no_wait_option
@output_option
def update(name: str, no_digest: bool, no_wait: bool, output: str, **flags: Any) -> None:
    """Change what the flags name; the rest stays. An empty value goes back to the default.

    \b
    Examples:
      ironcore-backup notification group update --name compliance \\
        --digest-rule "severity in (info, notice)" \\
        --digest-frequency daily --digest-time "09:00"
      ironcore-backup notification group update ops-team --rate-limit off
    """
    message, paths = read_group(name, flags)
    if no_digest:
        if message.HasField("digest"):
            raise click.UsageError("--no-digest excludes the other digest flags")
        paths.append("digest")
    if not paths:
        raise click.UsageError("nothing to change: give at least one flag")
    with Session() as session:
        request = pb.UpdateGroupRequest(group=message, update_mask=FieldMask(paths=paths))
        answer = session.call(session.config.UpdateGroup, request)
        report_change(
            session,
            f"updated group {name}",
            answer.group,
            answer.warnings,
            output,
            wait=not no_wait,
        )


@group.command("list")
@click.option("--resource", metavar="R", help="Who hears of this resource?")
@click.option("--text", metavar="TEXT", help="Which rules, targets, descriptions … have this?")
@click.option("--names", "names_only", is_flag=True, help="Only names: all that an emitter sees.")
@output_option
def list_groups(resource: str | None, text: str | None, names_only: bool, output: str) -> None:
    """List all groups; with --resource those that hear of it, and whom they tell.

    With --text those that have it, in any case, in their name, description, a rule, a target, a
    recipient or an attached resource, and where.

    \b
    Examples:
      ironcore-backup notification group list
      ironcore-backup notification group list --names
      ironcore-backup notification group list \\
        --resource ibs-primary:production/vm/12345
      ironcore-backup notification group list --text nightly
    """
    for flag, given in (("--resource", resource), ("--text", text)):
        if given == "":
            raise click.UsageError(f"{flag} is empty")
        if given and names_only:
            raise click.UsageError(f"--names and {flag} exclude each other")
    if names_only:
        _list_names(output)
        return
    with Session() as session:
        groups: list[group_pb2.Group] = []
        request = pb.ListGroupsRequest(page_size=1000, resource=resource or "", text=text or "")
        while True:
            answer = session.call(session.config.ListGroups, request)
            groups += answer.groups
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
    if output != "table":
        print_document([document(each) for each in groups], output)
    elif text:
        show_places(groups, text)
    elif resource:
        show_hearers(groups, resource)
    else:
        help_line = "no groups yet: ironcore-backup notification group create --help"
        show_groups(groups, empty=help_line)


def _list_names(output: str) -> None:
    with Session() as session:
        found: list[pb.GroupName] = []
        request = pb.ListGroupNamesRequest(page_size=1000)
        while True:
            answer = session.call(session.config.ListGroupNames, request)
            found += answer.groups
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
    if output == "table":
        show_names(found)
    else:
        print_document([document(each) for each in found], output)


@group.command("show")
@names(_NAME)
@output_option
def show(name: str, output: str) -> None:
    """Show a group, its targets, and when its digest is sent next.

    \b
    Example:
      ironcore-backup notification group show ops-team
    """
    with Session() as session:
        found = session.call(session.config.GetGroup, pb.GetGroupRequest(name=name)).group
        if output == "table":
            show_group(found, next_digest(session, found))
        else:
            print_document(document(found), output)


@group.command("delete")
@names(_NAME)
@click.option("--force", is_flag=True, help="Also when it holds targets or attached resources.")
@no_wait_option
def delete(name: str, force: bool, no_wait: bool) -> None:
    """Delete a group. What it sent already goes on.

    \b
    Example:
      ironcore-backup notification group delete on-call --force
    """
    with Session() as session:
        request = pb.DeleteGroupRequest(name=name, force=force)
        answer = session.call(session.config.DeleteGroup, request)
        click.echo(f"deleted group {name}")
        if not no_wait:
            session.await_revision(answer.revision)


@group.command("attach")
@names(_GROUP)
@click.option("--resource", metavar="R", required=True, help="It stands for all below it, too.")
@no_wait_option
@output_option
def attach(group: str, resource: str, no_wait: bool, output: str) -> None:
    """Let a group hear of a resource; the first one sets its scope to attached.

    \b
    Example:
      ironcore-backup notification group attach --group ops-team \\
        --resource /datastore/ibs-primary/production
    """
    with Session() as session:
        request = pb.AttachResourceRequest(group=group, resource=resource)
        answer = session.call(session.config.AttachResource, request)
        done = f"attached {resource} to group {group}"
        report_change(session, done, answer.group, answer.warnings, output, wait=not no_wait)


@group.command("detach")
@names(_GROUP)
@click.option("--resource", metavar="R", required=True, help="In either spelling.")
@no_wait_option
@output_option
def detach(group: str, resource: str, no_wait: bool, output: str) -> None:
    """Take a resource from a group; its scope stays attached.

    \b
    Example:
      ironcore-backup notification group detach --group ops-team \\
        --resource /datastore/ibs-primary/production
    """
    with Session() as session:
        request = pb.DetachResourceRequest(group=group, resource=resource)
        answer = session.call(session.config.DetachResource, request)
        done = f"detached {resource} from group {group}"
        report_change(session, done, answer.group, answer.warnings, output, wait=not no_wait)
