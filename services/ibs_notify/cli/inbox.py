"""``notification inbox …``: what I have not seen yet. Each user has marks of their own."""

from __future__ import annotations

from typing import Any

import click

from ibs_notify.cli.event_filter import event_filters, read_filter
from ibs_notify.cli.event_reading import print_event, print_events
from ibs_notify.cli.inbox_mark import ARCHIVED, READ, UNREAD, mark, mark_options
from ibs_notify.cli.inbox_watch import Watch, print_watched
from ibs_notify.cli.output import (
    Table,
    document,
    output_option,
    print_document,
    print_table,
    severity,
)
from ibs_notify.cli.session import Session
from ironcore.notification.v1 import router_service_pb2 as pb


@click.group("inbox")
def inbox() -> None:
    """The inbox: every event, marked read or archived by you, for you alone.

    \b
    Examples:
      ironcore-backup notification inbox list
      ironcore-backup notification inbox watch --min-severity error
    """


@inbox.command("list")
@event_filters()
@click.option("--unread", is_flag=True, help="What you have not read; the default.")
@click.option("--all", "all_", is_flag=True, help="Also what you have read.")
@click.option("--archived", is_flag=True, help="What you put away; with --all everything.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@output_option
def list_inbox(
    unread: bool, all_: bool, archived: bool, limit: int, output: str, **flags: Any
) -> None:
    """List what you have not read, newest first.

    Every filter given must hold; one given twice means either.

    \b
    Examples:
      ironcore-backup notification inbox list --min-severity warning
      ironcore-backup notification inbox list --all --text vm/12345 --after 7d
    """
    chosen = read_filter(flags)
    if unread or all_ or not archived:
        chosen.inbox_states.append(UNREAD)
    if all_:
        chosen.inbox_states.append(READ)
    if archived:
        chosen.inbox_states.append(ARCHIVED)
    several = len(chosen.inbox_states) > 1
    empty = "nothing matches" if several or archived else "nothing unread"
    with Session() as session:
        print_events(session, chosen, limit, output, empty=empty, marks=several)


@inbox.command("show")
@click.argument("event_id", metavar="ID")
@click.option("--keep-unread", is_flag=True, help="Leave it unread.")
@output_option
def show(event_id: str, keep_unread: bool, output: str) -> None:
    """Show an event and what became of it, and mark it read.

    \b
    Example:
      ironcore-backup notification inbox show evt-2026-05-21-001
    """
    with Session() as session:
        found = print_event(session, event_id, output)
        if found.inbox_state == UNREAD and not keep_unread:
            request = pb.MarkEventsRequest(event_ids=[event_id], state=READ)
            session.call(session.router.MarkEvents, request)


@inbox.command("watch")
@event_filters(times=False)
@output_option
def watch(output: str, **flags: Any) -> None:
    """Follow events as they are accepted.

    Ctrl-C ends it, with exit code 0. Where the Router goes away it is waited for, and the watch
    goes on where it stopped: nothing is missed, nothing comes twice. -o json prints a document a
    line.

    \b
    Examples:
      ironcore-backup notification inbox watch --min-severity error
      ironcore-backup notification inbox watch -o json
    """
    with Session() as session:
        try:
            for record in Watch(session, read_filter(flags)).events():
                print_watched(record, output)
        except KeyboardInterrupt:
            # The way in which a watch is meant to end.
            return


@inbox.command("read")
@mark_options("All unread ones")
def read(**given: Any) -> None:
    """Mark events read: some by id, or all that match.

    \b
    Examples:
      ironcore-backup notification inbox read evt-2026-05-21-001
      ironcore-backup notification inbox read --all --source backup --yes
    """
    mark(READ, [UNREAD], **given)


@inbox.command("unread")
@mark_options("All that are read")
def unread(**given: Any) -> None:
    """Mark events unread again: some by id, or all that are read.

    \b
    Example:
      ironcore-backup notification inbox unread evt-2026-05-21-001
    """
    mark(UNREAD, [READ], **given)


@inbox.command("archive")
@mark_options("All, read or not")
def archive(**given: Any) -> None:
    """Put events away: some by id, or all that match. They stay in "event list".

    \b
    Examples:
      ironcore-backup notification inbox archive evt-2026-05-21-001
      ironcore-backup notification inbox archive --all --before 30d
    """
    mark(ARCHIVED, [UNREAD, READ], **given)


@inbox.command("count")
@event_filters(costly=False)
@click.option("--archived", is_flag=True, help="Also what you put away.")
@output_option
def count(archived: bool, output: str, **flags: Any) -> None:
    """Count events by severity, and those you have not read.

    \b
    Example:
      ironcore-backup notification inbox count --after 1d
    """
    chosen = read_filter(flags)
    chosen.inbox_states.extend([UNREAD, READ, *([ARCHIVED] if archived else [])])
    with Session() as session:
        answer = session.call(session.router.CountEvents, pb.CountEventsRequest(filter=chosen))
    if output != "table":
        print_document(document(answer), output)
        return
    rows = [(severity(each.severity), each.count, each.unread) for each in answer.counts]
    if len(rows) > 1:
        rows.append(("total", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    print_table(
        Table(
            ("Severity", "Events", "Unread"),
            [(word, f"{events:,}", f"{unseen:,}") for word, events, unseen in rows],
            empty="no events",
        )
    )
