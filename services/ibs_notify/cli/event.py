"""``notification event …``: the inbox, and what became of each event."""

from __future__ import annotations

from typing import Any

import click

from ibs_notify.cli.delivery_view import deliveries_of
from ibs_notify.cli.event_view import show_event, show_events
from ibs_notify.cli.output import document, output_option, print_document, warn
from ibs_notify.cli.params import time
from ibs_notify.cli.session import Session
from ibs_notify.domain.errors import NotificationError
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1 import delivery_pb2, disposition_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb


@click.group("event")
def event() -> None:
    """Events: what happened, and what became of each.

    \b
    Example:
      ironcore-backup notification event list --min-severity error
    """


@event.command("list")
@click.option("--source", multiple=True, help="From this source, such as backup. Repeatable.")
@click.option("--type", "types", multiple=True, help="Of this type. Repeatable.")
@click.option(
    "--min-severity",
    type=click.Choice([each.label for each in Severity], case_sensitive=False),
    help="At least this bad.",
)
@click.option("--resource", metavar="R", help="About this or anything below it.")
@click.option("--task-id", help="Of this task.")
@click.option("--actor", help="By this actor.")
@click.option("--after", type=time, help="Accepted at or after: ISO 8601, or 2h ago.")
@click.option("--before", type=time, help="Accepted before.")
@click.option("--rule", help="That this rule matches.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@output_option
def list_events(limit: int, output: str, **flags: Any) -> None:
    """List events, newest first; every filter given must hold.

    \b
    Examples:
      ironcore-backup notification event list --min-severity error --after 1d
      ironcore-backup notification event list --source backup -o json
    """
    request = pb.ListEventsRequest(filter=_filter(flags))
    found: list[pb.EventRecord] = []
    with Session() as session:
        while len(found) < limit:
            request.page_size = min(1000, limit - len(found))
            answer = session.call(session.router.ListEvents, request)
            found += answer.events
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
    if output == "table":
        show_events(found)
    else:
        print_document([document(each) for each in found], output)


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
        request = pb.GetEventRequest(event_id=event_id)
        found = session.call(session.router.GetEvent, request).event
        deliveries: dict[str, delivery_pb2.Delivery] | None = {}
        problem = ""
        if any(
            each.state == disposition_pb2.DISPOSITION_STATE_HANDED_OFF
            for each in found.dispositions
        ):
            try:
                deliveries = deliveries_of(session, event_id)
            except NotificationError as error:
                deliveries = None
                problem = error.message
    if output == "table":
        show_event(found, deliveries)
    else:
        whole = document(found)
        whole["deliveries"] = (
            None if deliveries is None else [document(each) for each in deliveries.values()]
        )
        print_document(whole, output)
    if problem:
        warn(f"how far the notifications are is not known: {problem}")


def _filter(flags: dict[str, Any]) -> pb.EventFilter:
    chosen = pb.EventFilter(
        sources=flags["source"],
        types=flags["types"],
        resource=flags["resource"] or "",
        task_id=flags["task_id"] or "",
        actor=flags["actor"] or "",
        after=moment_to_proto(flags["after"]),
        before=moment_to_proto(flags["before"]),
        rule=flags["rule"] or "",
    )
    if flags["min_severity"] is not None:
        number = Severity.parse(flags["min_severity"]).value
        chosen.min_severity = event_pb2.Severity.ValueType(number)
    return chosen
