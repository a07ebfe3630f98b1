"""Marking events of the inbox: some by id, or all that were there when it began."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ibs_notify.cli.confirm import confirm
from ibs_notify.cli.event_filter import event_filters, read_filter
from ibs_notify.cli.options import Command, with_options
from ibs_notify.cli.output import counted, output_option, print_document, warn
from ibs_notify.cli.session import LONG_CALL_SECONDS, Session
from ibs_notify.domain.errors import NotFound, Reason
from ibs_notify.rpc.event_filter import countable
from ironcore.notification.v1 import router_service_pb2 as pb

MOST_IDS = 1000

UNREAD = pb.INBOX_STATE_UNREAD
READ = pb.INBOX_STATE_READ
ARCHIVED = pb.INBOX_STATE_ARCHIVED


def mark_options(every: str) -> Callable[[Command], Command]:
    """Adds what ``mark`` takes; ``every`` says what --all is."""
    return with_options(
        (
            click.argument("ids", nargs=-1, metavar="[ID]..."),
            click.option("--all", "all_", is_flag=True, help=f"{every}; filters narrow it."),
            event_filters(),
            click.option("--yes", is_flag=True, help="Do not ask."),
            output_option,
        )
    )


def mark(
    state: pb.InboxState.ValueType,
    among: list[pb.InboxState.ValueType],
    *,
    ids: tuple[str, ...],
    all_: bool,
    yes: bool,
    output: str,
    **flags: Any,
) -> None:
    """Mark ``ids``, or all that match and are marked as one of ``among``."""
    chosen = read_filter(flags)
    narrowed = bool(chosen.ByteSize())
    if ids and (all_ or narrowed):
        raise click.UsageError("ids exclude --all and the filters")
    if not ids and not all_:
        raise click.UsageError("which? Give ids, or --all with or without filters")
    with Session() as session:
        if ids:
            count = _mark_ids(session, ids, state)
        else:
            chosen.inbox_states.extend(among)
            count = _mark_all(session, chosen, state, yes=yes)
    name = _name(state)
    if output != "table":
        print_document({"count": count, "state": name}, output)
    elif count:
        click.echo(f"{counted(count, 'event')} marked {name}")
    else:
        click.echo(f"nothing to mark {name}")


def _mark_ids(session: Session, given: tuple[str, ...], state: pb.InboxState.ValueType) -> int:
    ids = list(dict.fromkeys(given))
    count, unknown = 0, 0
    for start in range(0, len(ids), MOST_IDS):
        part = pb.MarkEventsRequest(event_ids=ids[start : start + MOST_IDS], state=state)
        answer = session.call(session.router.MarkEvents, part)
        count, unknown = count + answer.count, unknown + answer.unknown_count
    if unknown == len(ids):
        which = f"no event {ids[0]!r}" if unknown == 1 else f"none of these {unknown:,} events"
        advice = "list those that there are with: event list"
        raise NotFound(Reason.EVENT_NOT_FOUND, f"there is {which}", advice=advice)
    if unknown:
        warn(f"{unknown:,} of {len(ids):,} ids are of no event that there is")
    return count


def _mark_all(
    session: Session, chosen: pb.EventFilter, state: pb.InboxState.ValueType, *, yes: bool
) -> int:
    """Only what was there when it was counted: an event that comes now stays as it is."""
    part = countable(chosen)
    answer = session.call(session.router.CountEvents, pb.CountEventsRequest(filter=part))
    most = sum(each.count for each in answer.counts)
    if not most:
        return 0
    if most > 1 and not yes:
        at_most = "" if part == chosen else "those that match of "
        confirm(f"{at_most}{counted(most, 'event')}", f"marked {_name(state)}")
    request = pb.MarkEventsRequest(
        filter=chosen, up_to_sequence=answer.newest_sequence, state=state
    )
    return session.call(session.router.MarkEvents, request, timeout=LONG_CALL_SECONDS).count


def _name(state: pb.InboxState.ValueType) -> str:
    return pb.InboxState.Name(state).removeprefix("INBOX_STATE_").lower()
