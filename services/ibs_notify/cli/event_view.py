"""Events as people see them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import click

from ibs_notify.cli.delivery_view import SHORT_ID, outcome
from ibs_notify.cli.emit_view import state
from ibs_notify.cli.output import Table, moment, print_fields, print_table, severity, word
from ironcore.notification.v1 import delivery_pb2, disposition_pb2
from ironcore.notification.v1 import router_service_pb2 as pb


def show_events(
    records: Sequence[pb.EventRecord], *, empty: str = "no events", marks: bool = False
) -> None:
    """A row for each; with ``marks`` how the caller has marked it."""
    print_table(
        Table(
            (
                *(("Mark",) if marks else ()),
                *("Received", "Severity", "Type", "Subject", "Resource", "Notified", "Id"),
            ),
            [
                (
                    *((word(pb.InboxState, each.inbox_state, "INBOX_STATE_"),) if marks else ()),
                    moment(each.receive_time),
                    severity(each.event.severity),
                    each.event.type,
                    each.event.subject,
                    each.event.resource,
                    _notified(each),
                    each.event.event_id,
                )
                for each in records
            ],
            empty=empty,
        )
    )


def show_event(
    record: pb.EventRecord, deliveries: Mapping[str, delivery_pb2.Delivery] | None
) -> None:
    """Every field of one, then what became of it; ``None``: Delivery could not be asked."""
    event = record.event
    print_fields(
        {
            "Id": event.event_id,
            "Type": event.type,
            "Severity": severity(event.severity),
            "Subject": event.subject,
            "Summary": event.summary,
            "Task": event.task_id,
            "Actor": event.actor,
            "Resource": event.resource,
            "Happened": moment(event.timestamp),
            "Received": moment(record.receive_time),
            "Task page": event.task_url,
            **{f"Link {name}": event.links[name] for name in sorted(event.links)},
            **{f"Label {name}": event.labels[name] for name in sorted(event.labels)},
            "Groups named": ", ".join(event.groups),
            "Dedup key": event.dedup_key,
            "Routed by": f"revision {record.revision}",
            "Warnings": "; ".join(record.warnings),
        }
    )
    click.echo()
    print_table(
        Table(
            ("Target", "Group", "Disposition", "Reason", "Delivery", "Now"),
            [
                (
                    each.target,
                    each.group,
                    state(each) + (f" ({each.pointer})" if each.pointer else ""),
                    each.reason,
                    each.delivery_id[:SHORT_ID],
                    _now(each, deliveries),
                )
                for each in record.dispositions
            ],
            empty="no rule matched: only the inbox has it",
        )
    )


def _now(
    disposition: disposition_pb2.Disposition,
    deliveries: Mapping[str, delivery_pb2.Delivery] | None,
) -> str:
    if disposition.state != disposition_pb2.DISPOSITION_STATE_HANDED_OFF:
        return ""
    if deliveries is None:
        return "unknown"
    found = deliveries.get(disposition.delivery_id)
    return outcome(found) if found is not None else "no longer kept"


def _notified(record: pb.EventRecord) -> str:
    counts = Counter(state(each) for each in record.dispositions)
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "inbox only"
