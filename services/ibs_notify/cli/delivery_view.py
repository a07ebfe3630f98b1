"""Deliveries as people see them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from ibs_notify.cli.digest_view import membership
from ibs_notify.cli.output import Table, moment, print_fields, print_table, severity, word
from ibs_notify.cli.session import Session
from ironcore.notification.v1 import delivery_pb2 as pb
from ironcore.notification.v1 import delivery_service_pb2

SHORT_ID = 12
_STATES = "DELIVERY_STATE_"


def deliveries_of(session: Session, event_id: str) -> dict[str, pb.Delivery]:
    """The deliveries of an event, by id."""
    request = delivery_service_pb2.ListDeliveriesRequest(
        filter=pb.DeliveryFilter(event_ids=[event_id]), page_size=1000
    )
    found: dict[str, pb.Delivery] = {}
    while True:
        answer = session.call(session.delivery.ListDeliveries, request)
        found |= {each.delivery_id: each for each in answer.deliveries}
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


def outcome(delivery: pb.Delivery) -> str:
    """``dead (SMTP_5XX): 550 no such user``."""
    if delivery.HasField("digest"):
        return f"{word(pb.DeliveryState, delivery.state, _STATES)}: {membership(delivery.digest)}"
    reason = f" ({delivery.reason})" if delivery.reason else ""
    detail = f": {delivery.detail}" if delivery.detail else ""
    return f"{word(pb.DeliveryState, delivery.state, _STATES)}{reason}{detail}"


def next_attempt(delivery: pb.Delivery) -> str:
    """When it is tried again; empty where that does not go by the clock."""
    if delivery.state != pb.DELIVERY_STATE_RETRY_WAIT:
        return ""
    return moment(delivery.due_time)


def held_warnings(
    answer: delivery_service_pb2.GetTargetStatusResponse
    | delivery_service_pb2.ListTroubledTargetsResponse,
) -> list[str]:
    """That the whole queue is held, and what ends that; empty where it is not."""
    if not answer.HasField("held_since"):
        return []
    since = moment(answer.held_since)
    return [
        f"the queue is held since {since}: nothing is sent to any target until delivery release"
    ]


def show_counts(counts: Sequence[delivery_service_pb2.DeliveryCount], total: int) -> None:
    """How many stand alike, the most first, and how many there are in all.

    Targets that had the same name one after the other are one line: filters go by the name as well.
    """
    alike = Counter[tuple[str, str, str]]()
    for each in counts:
        alike[each.target, word(pb.DeliveryState, each.state, _STATES), each.reason] += each.count
    print_table(
        Table(
            ("Target", "State", "Reason", "Count"),
            [(*standing, f"{count:,}") for standing, count in alike.most_common()],
            empty="no deliveries",
        )
    )
    if len(alike) > 1:
        click.echo(f"{total:,} in all")


def show_deliveries(deliveries: Sequence[pb.Delivery]) -> None:
    """A row for each; of the id what ``delivery show`` needs."""
    print_table(
        Table(
            ("Id", "Accepted", "Target", "Group", "State", "Tries", "Severity", "Event", "Subject"),
            [
                (
                    each.delivery_id[:SHORT_ID],
                    moment(each.create_time),
                    each.target,
                    each.group,
                    _state(each),
                    str(each.attempt_count),
                    severity(each.severity),
                    each.event_id,
                    each.subject or each.event_type,
                )
                for each in deliveries
            ],
            empty="no deliveries",
        )
    )


def show_delivery(delivery: pb.Delivery) -> None:
    """Every field of one, its recipients and its attempts."""
    print_fields(
        {
            "Id": delivery.delivery_id,
            "Event": f"{delivery.event_id} {delivery.event_type} {severity(delivery.severity)}",
            "Subject": delivery.subject,
            "Target": delivery.target,
            "Group": delivery.group,
            "Kind": word(pb.DeliveryKind, delivery.kind, "DELIVERY_KIND_"),
            "State": outcome(delivery),
            "Accepted": moment(delivery.create_time),
            "Next attempt": next_attempt(delivery),
            "Closed": moment(delivery.close_time),
            "Revision": str(delivery.revision),
        }
    )
    if delivery.recipients:
        click.echo()
        print_table(
            Table(
                ("Recipient", "State", "Code", "Reply"),
                [
                    (
                        each.address,
                        word(pb.DeliveryState, each.state, _STATES),
                        str(each.code or ""),
                        each.reply,
                    )
                    for each in delivery.recipients
                ],
            )
        )
    click.echo()
    print_table(
        Table(
            ("Attempt", "Began", "Took", "Outcome", "Reason", "Code", "Reply"),
            [_attempt_row(each) for each in delivery.attempts],
            empty="no attempts yet",
        )
    )


def _attempt_row(attempt: pb.Attempt) -> tuple[str, ...]:
    took = ""
    if attempt.HasField("duration"):
        took = f"{attempt.duration.ToTimedelta().total_seconds():.3f} s"
    again = " (may arrive twice)" if attempt.maybe_duplicate else ""
    return (
        str(attempt.number),
        moment(attempt.start_time),
        took,
        f"{attempt.outcome}{again}",
        attempt.reason,
        str(attempt.code or ""),
        attempt.reply,
    )


def _state(delivery: pb.Delivery) -> str:
    state = word(pb.DeliveryState, delivery.state, _STATES)
    return f"{state} ({delivery.reason})" if delivery.reason else state
