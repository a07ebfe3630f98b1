"""``notification event …``: what happened, and what became of each event."""

from __future__ import annotations

from typing import Any

import click

from ibs_notify.cli.event_filter import event_filters, read_filter
from ibs_notify.cli.event_reading import print_event, print_events
from ibs_notify.cli.output import output_option
from ibs_notify.cli.session import Session


@click.group("event")
def event() -> None:
    """Events: what happened, and what became of each.

    \b
    Example:
      ironcore-backup notification event list --min-severity error
    """


@event.command("list")
@event_filters()
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@output_option
def list_events(limit: int, output: str, **flags: Any) -> None:
    """List events, newest first; every filter given must hold.

    \b
    Examples:
      ironcore-backup notification event list --min-severity error --after 1d
      ironcore-backup notification event list --disposition silenced --text vm/12345
      ironcore-backup notification event list --source backup -o json
    """
    with Session() as session:
        print_events(session, read_filter(flags), limit, output)


@event.command("show")
@click.argument("event_id", metavar="ID")
@output_option
def show(event_id: str, output: str) -> None:
    """Show an event, who was to hear of it, and how far each notification is.

    \b
    Example:
      ironcore-backup notification event show evt-2026-05-21-001
    """
    with Session() as session:
        print_event(session, event_id, output)
