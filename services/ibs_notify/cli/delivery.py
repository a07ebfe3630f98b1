"""``notification delivery …``: what was sent, waits or was given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ibs_notify.cli.complete import group_names, target_names
from ibs_notify.cli.confirm import confirm
from ibs_notify.cli.delivery_view import show_counts, show_deliveries, show_delivery
from ibs_notify.cli.options import Command, with_options
from ibs_notify.cli.output import document, moment, output_option, print_document
from ibs_notify.cli.params import time
from ibs_notify.cli.session import LONG_CALL_SECONDS, Session
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1 import delivery_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb

STATES = tuple(
    name.removeprefix("DELIVERY_STATE_").lower().replace("_", "-")
    for name, number in delivery_pb2.DeliveryState.items()
    if number
)
_FILTERS = (
    click.option("--target", multiple=True, shell_complete=target_names, help="Of this target."),
    click.option(
        "--target-uid",
        multiple=True,
        metavar="UID",
        help="Of the target with this uid, and of no other that had its name.",
    ),
    click.option("--group", multiple=True, shell_complete=group_names, help="Of this group."),
    click.option("--state", multiple=True, type=click.Choice(STATES), help="In this state."),
    click.option("--reason", multiple=True, help="For this reason, such as SMTP_5XX."),
    click.option("--event", multiple=True, metavar="ID", help="About this event."),
    click.option(
        "--after", "--since", type=time, help="Accepted at or after: ISO 8601, or 2h ago."
    ),
    click.option("--before", "--until", type=time, help="Accepted before."),
    click.option("--troubled", is_flag=True, help="That failed, or that something keeps back."),
)


def _filters(command: Command) -> Command:
    return with_options(_FILTERS)(command)


def _filter(flags: dict[str, Any]) -> delivery_pb2.DeliveryFilter:
    return delivery_pb2.DeliveryFilter(
        targets=flags["target"],
        groups=flags["group"],
        states=[
            delivery_pb2.DeliveryState.Value(f"DELIVERY_STATE_{each.upper().replace('-', '_')}")
            for each in flags["state"]
        ],
        reasons=flags["reason"],
        event_ids=flags["event"],
        after=moment_to_proto(flags["after"]),
        before=moment_to_proto(flags["before"]),
        target_uids=flags["target_uid"],
        troubled=flags["troubled"],
    )


@click.group("delivery")
def delivery() -> None:
    """Deliveries: what was sent, waits or was given up.

    \b
    Example:
      ironcore-backup notification delivery list --state dead
    """


@delivery.command("list")
@_filters
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@click.option("--count", is_flag=True, help="Only count them, by target, state and reason.")
@output_option
def list_deliveries(limit: int, count: bool, output: str, **flags: Any) -> None:
    """List deliveries, newest first. A filter given twice means either.

    \b
    Examples:
      ironcore-backup notification delivery list --state dead --count
      ironcore-backup notification delivery list --state dead --after 1d
      ironcore-backup notification delivery list --target chat-ops -o json
    """
    if count:
        _count(_filter(flags), output)
        return
    found: list[delivery_pb2.Delivery] = []
    request = pb.ListDeliveriesRequest(filter=_filter(flags))
    with Session() as session:
        while len(found) < limit:
            request.page_size = min(1000, limit - len(found))
            answer = session.call(session.delivery.ListDeliveries, request)
            found += answer.deliveries
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
    if output == "table":
        show_deliveries(found)
    else:
        print_document([document(each) for each in found], output)


def _count(which: delivery_pb2.DeliveryFilter, output: str) -> None:
    with Session() as session:
        request = pb.CountDeliveriesRequest(filter=which)
        answer = session.call(session.delivery.CountDeliveries, request, timeout=LONG_CALL_SECONDS)
    if output == "table":
        show_counts(answer.counts, answer.total)
    else:
        print_document(document(answer), output)


@delivery.command("show")
@click.argument("delivery_id", metavar="ID")
@output_option
def show(delivery_id: str, output: str) -> None:
    """Show a delivery, its recipients and each attempt. Eight characters of the id will do.

    \b
    Example:
      ironcore-backup notification delivery show 3f9a1c0b52d7
    """
    with Session() as session:
        found = _get(session, delivery_id)
    if output == "table":
        show_delivery(found)
    else:
        print_document(document(found), output)


@delivery.command("retry")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@_filters
@click.option("--dry-run", is_flag=True, help="Only say how many.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
def retry(ids: tuple[str, ...], dry_run: bool, yes: bool, output: str, **flags: Any) -> None:
    """Send dead and cancelled deliveries again, and those that wait for a retry now.

    A target that fails is tried at once. Not those whose target is disabled or paused, or that
    have no recipient: see to that first.

    \b
    Examples:
      ironcore-backup notification delivery retry 3f9a1c0b52d7
      ironcore-backup notification delivery retry --target ops-smtp \\
        --state dead --dry-run
    """
    with Session() as session:
        chosen = _chosen(session, ids, flags)

        def apply(*, only_count: bool) -> pb.RetryDeliveriesResponse:
            request = pb.RetryDeliveriesRequest(filter=chosen, dry_run=only_count)
            method = session.delivery.RetryDeliveries
            return session.call(method, request, timeout=LONG_CALL_SECONDS)

        why_none = " (what a disabled or paused target, or mail to nobody, holds back cannot)"
        _apply("retried", apply, dry_run=dry_run, yes=yes, output=output, why_none=why_none)


@delivery.command("cancel")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@_filters
@click.option("--dry-run", is_flag=True, help="Only say how many.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
def cancel(ids: tuple[str, ...], dry_run: bool, yes: bool, output: str, **flags: Any) -> None:
    """Cancel open deliveries. They stay listed, and can be retried.

    \b
    Examples:
      ironcore-backup notification delivery cancel 3f9a1c0b52d7
      ironcore-backup notification delivery cancel --target chat-ops --yes
    """
    with Session() as session:
        chosen = _chosen(session, ids, flags)

        def apply(*, only_count: bool) -> pb.CancelDeliveriesResponse:
            request = pb.CancelDeliveriesRequest(filter=chosen, dry_run=only_count)
            method = session.delivery.CancelDeliveries
            return session.call(method, request, timeout=LONG_CALL_SECONDS)

        _apply("cancelled", apply, dry_run=dry_run, yes=yes, output=output)


@delivery.command("hold")
@output_option
def hold(output: str) -> None:
    """Send nothing more, to any target, until delivery release. What is accepted waits.

    \b
    Example:
      ironcore-backup notification delivery hold
    """
    with Session() as session:
        answer = session.call(session.delivery.HoldDeliveries, pb.HoldDeliveriesRequest())
    if output == "table":
        since = moment(answer.held_since)
        click.echo(f"held since {since}: nothing is sent until delivery release")
    else:
        print_document(document(answer), output)


@delivery.command("release")
@click.option("--dry-run", is_flag=True, help="Only say how many would be sent.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
def release(dry_run: bool, yes: bool, output: str) -> None:
    """Send what is held: after a restore, once you have looked at it.

    \b
    Examples:
      ironcore-backup notification delivery list --reason HELD
      ironcore-backup notification delivery cancel --reason HELD --before 1d
      ironcore-backup notification delivery release --yes
    """
    with Session() as session:
        answer = _release(session, dry_run=True)
        if not dry_run and answer.HasField("held_since"):
            if answer.count and not yes:
                confirm(f"{answer.count:,} deliveries", "released")
            answer = _release(session, dry_run=False)
    if output != "table":
        print_document(document(answer) | {"dry_run": dry_run}, output)
    elif not answer.HasField("held_since"):
        click.echo("the queue is not held")
    else:
        things = "1 delivery" if answer.count == 1 else f"{answer.count:,} deliveries"
        click.echo(f"{things} would be sent" if dry_run else f"released; to be sent: {things}")


def _release(session: Session, *, dry_run: bool) -> pb.ReleaseDeliveriesResponse:
    request = pb.ReleaseDeliveriesRequest(dry_run=dry_run)
    return session.call(session.delivery.ReleaseDeliveries, request)


def _get(session: Session, delivery_id: str) -> delivery_pb2.Delivery:
    request = pb.GetDeliveryRequest(delivery_id=delivery_id)
    return session.call(session.delivery.GetDelivery, request).delivery


def _chosen(
    session: Session, ids: tuple[str, ...], flags: dict[str, Any]
) -> delivery_pb2.DeliveryFilter:
    chosen = _filter(flags)
    # Tables show the beginning of an id; this finds all of it, or says that there is none.
    chosen.delivery_ids.extend(_get(session, each).delivery_id for each in ids)
    if not chosen.ByteSize():
        raise click.UsageError("which? Give an id or at least one filter")
    return chosen


def _apply(
    done: str,
    apply: Callable[..., pb.RetryDeliveriesResponse | pb.CancelDeliveriesResponse],
    *,
    dry_run: bool,
    yes: bool,
    output: str,
    why_none: str = "",
) -> None:
    """Count first, and ask where it is more than one."""
    answer = apply(only_count=True)
    if output == "table" and answer.count > 1 and (dry_run or not yes):
        show_counts(answer.counts, answer.count)
    if not dry_run and answer.count:
        if answer.count > 1 and not yes:
            confirm(f"{answer.count:,} deliveries", done)
        answer = apply(only_count=False)
    count = answer.count
    if output != "table":
        print_document({**document(answer), "count": count, "dry_run": dry_run}, output)
        return
    if not count:
        click.echo(f"nothing that can be {done} now matches{why_none}")
        return
    things = "1 delivery" if count == 1 else f"{count:,} deliveries"
    click.echo(f"{things} would be {done}" if dry_run else f"{things} {done}")
