"""``notification group target …``: the targets of a group and their rules."""

from __future__ import annotations

import click
from google.protobuf.field_mask_pb2 import FieldMask

from ibs_notify.cli.changed import report_change
from ibs_notify.cli.complete import group_names, target_names
from ibs_notify.cli.group_view import show_subscriptions
from ibs_notify.cli.output import document, output_option, print_document
from ibs_notify.cli.params import Slot, names, no_wait_option
from ibs_notify.cli.session import Session
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import group_pb2

_GROUP = Slot("group", ["--group"], group_names)
_TARGET = Slot("target", ["--target"], target_names)
_recipient = click.option(
    "--recipient", metavar="ADDR", multiple=True, help="smtp: who receives these. Repeatable."
)


@click.group("target")
def group_target() -> None:
    """The targets of a group and the rule of each.

    \b
    Example:
      ironcore-backup notification group target list ops-team
    """


@group_target.command("add")
@names(_GROUP, _TARGET)
@click.option("--rule", required=True, help="Which events; * is every event.")
@_recipient
@no_wait_option
@output_option
def add(
    group: str, target: str, rule: str, recipient: tuple[str, ...], no_wait: bool, output: str
) -> None:
    """Let a group tell a target of the events that match a rule.

    \b
    Example:
      ironcore-backup notification group target add \\
        --group ops-team --target chat-ops \\
        --rule "severity in (error, critical)"
    """
    with Session() as session:
        request = pb.AddSubscriptionRequest(
            group=group,
            subscription=group_pb2.Subscription(target=target, rule=rule, recipients=recipient),
        )
        answer = session.call(session.config.AddSubscription, request)
        done = f"added target {target} to group {group}"
        report_change(session, done, answer.group, answer.warnings, output, wait=not no_wait)


@group_target.command("list")
@names(_GROUP)
@output_option
def list_targets(group: str, output: str) -> None:
    """List the targets of a group with their rules.

    \b
    Example:
      ironcore-backup notification group target list ops-team
    """
    with Session() as session:
        found = session.call(session.config.GetGroup, pb.GetGroupRequest(name=group)).group
    if output == "table":
        show_subscriptions(found)
    else:
        print_document([document(each) for each in found.subscriptions], output)


@group_target.command("update")
@names(_GROUP, _TARGET)
@click.option("--rule", help="Which events; * is every event.")
@_recipient
@no_wait_option
@output_option
def update(
    group: str,
    target: str,
    rule: str | None,
    recipient: tuple[str, ...],
    no_wait: bool,
    output: str,
) -> None:
    """Change the rule or the recipients. --recipient '' goes back to the target's own.

    \b
    Example:
      ironcore-backup notification group target update ops-team chat-ops \\
        --rule "severity >= warning"
    """
    subscription = group_pb2.Subscription(
        target=target, rule=rule or "", recipients=[each for each in recipient if each]
    )
    paths = ["rule"] * (rule is not None) + ["recipients"] * bool(recipient)
    if not paths:
        raise click.UsageError("nothing to change: give --rule or --recipient")
    with Session() as session:
        request = pb.UpdateSubscriptionRequest(
            group=group, subscription=subscription, update_mask=FieldMask(paths=paths)
        )
        answer = session.call(session.config.UpdateSubscription, request)
        done = f"updated target {target} in group {group}"
        report_change(session, done, answer.group, answer.warnings, output, wait=not no_wait)


@group_target.command("remove")
@names(_GROUP, _TARGET)
@no_wait_option
@output_option
def remove(group: str, target: str, no_wait: bool, output: str) -> None:
    """Take a target out of a group. What it was sent already goes on.

    \b
    Example:
      ironcore-backup notification group target remove ops-team chat-ops
    """
    with Session() as session:
        request = pb.RemoveSubscriptionRequest(group=group, target=target)
        answer = session.call(session.config.RemoveSubscription, request)
        done = f"removed target {target} from group {group}"
        report_change(session, done, answer.group, answer.warnings, output, wait=not no_wait)
