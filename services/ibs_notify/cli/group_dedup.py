"""``notification group dedup preview``: what deduplication saves, before it is changed."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from ibs_notify.cli.complete import group_names
from ibs_notify.cli.output import (
    Table,
    counted,
    document,
    output_option,
    paragraph,
    print_document,
    print_table,
    severity,
    warn_all,
)
from ibs_notify.cli.params import Slot, duration, names, time
from ibs_notify.cli.session import LONG_CALL_SECONDS, Session
from ibs_notify.domain.duration import show_duration
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1 import router_service_pb2 as pb

_GROUP = Slot("group", ["--group", "--name"], group_names)


@click.group("dedup")
def group_dedup() -> None:
    """Deduplication: identical events are told once within a group's window.

    \b
    Example:
      ironcore-backup notification group dedup preview ops-team
    """


@group_dedup.command("preview")
@names(_GROUP)
@click.option("--since", type=time, help="Events accepted since; default: 24h ago.")
@click.option("--window", type=duration, help="The window to try; default: the group's. 0 is off.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="Rows of the table.",
)
@output_option
def preview(
    group: str, since: datetime | None, window: timedelta | None, limit: int, output: str
) -> None:
    """Say what would be told and what suppressed, had the window been so. Nothing is changed.

    \b
    Examples:
      ironcore-backup notification group dedup preview ops-team
      ironcore-backup notification group dedup preview ops-team \\
        --since 7d --window 30m
    """
    request = pb.PreviewDedupRequest(group=group, since=moment_to_proto(since))
    if window is not None:
        request.window.FromTimedelta(window)
        # An empty message would read as no window given.
        request.window.SetInParent()
    with Session() as session:
        answer = session.call(session.router.PreviewDedup, request, timeout=LONG_CALL_SECONDS)
    if output == "table":
        _show(answer, limit)
    else:
        print_document(document(answer), output)
    warn_all(answer.warnings)


def _show(answer: pb.PreviewDedupResponse, limit: int) -> None:
    shown = answer.fingerprints[:limit]
    if shown:
        print_table(
            Table(
                ("Came", "Told", "Suppressed", "Severity", "Type", "Target", "Subject"),
                [
                    (
                        f"{each.count:,}",
                        f"{each.told:,}",
                        f"{each.suppressed:,}",
                        severity(each.severity),
                        each.type,
                        each.target,
                        each.subject or each.resource,
                    )
                    for each in shown
                ],
            )
        )
        click.echo()
    if more := len(answer.fingerprints) - len(shown):
        click.echo(f"and {more:,} more: --limit shows them\n")
    suppressed = answer.count - answer.told
    window = answer.window.ToTimedelta()
    with_window = f"a window of {show_duration(window)}" if window else "no window"
    paragraph(
        f"With {with_window}, {answer.told:,} of {answer.count:,} notifications would be told and "
        f"{suppressed:,} suppressed ({counted(answer.examined, 'event')} looked at)."
    )
