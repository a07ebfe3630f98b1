"""What outcomes change in the Router: windows that told in vain, and notices. Plain SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ibs_notify.domain.event import Event
from ibs_notify.router import end_counts
from ibs_notify.router.books import index_text, seqs_by_id
from ibs_notify.router.identity import obligation_id
from ibs_notify.router.intake import arrival_of
from ibs_notify.router.match import RoutingTable
from ibs_notify.router.notices import (
    MOST_TROUBLES,
    TROUBLES,
    by_hour,
    ids_of_trouble,
    notice_of_target,
    notices_of_ends,
)
from ibs_notify.router.ports import Ended, Outcome, TargetTurned, Turn
from ibs_notify.router.repository import NewEvent, accept, insert_own, take_turn
from ibs_notify.router.silences import SilenceBook
from ibs_notify.router.tables import EVENTS, OBLIGATIONS
from ibs_notify.router.windows import forget_told
from ibs_notify.rpc.convert import event_to_proto, moment_from_proto
from ironcore.notification.v1 import event_pb2

_C = OBLIGATIONS.c
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Way:
    """What the notices that are routed are routed by. ``table`` is ``Unavailable`` without one."""

    table: Callable[[], RoutingTable]
    silences: SilenceBook


def take_outcomes(
    connection: sa.Connection, outcomes: Sequence[Outcome], way: Way, now: datetime
) -> None:
    """Take all of them, in order of their kinds. Bears repeats."""
    ended = [each for each in outcomes if isinstance(each, Ended)]
    if ended:
        take_ends(connection, ended, now)
    for each in outcomes:
        if isinstance(each, TargetTurned):
            _take_turned(connection, each, way, now)


def _take_turned(connection: sa.Connection, turned: TargetTurned, way: Way, now: datetime) -> None:
    """Let a notice of a target go the way of every event."""
    notice = notice_of_target(turned)
    if turned.turn is Turn.RECOVERED:
        if not seqs_by_id(connection, ids_of_trouble(turned)):
            return
    elif _troubles_within(connection, notice, turned.at) >= MOST_TROUBLES:
        return
    table = way.table()
    arrival = arrival_of(table, notice, notice.event_id, now)
    body = event_to_proto(notice).SerializeToString()
    # Of the id: it stays known when the event is gone, and so is not told again by a repeat.
    content_hash = hashlib.blake2b(notice.event_id.encode(), digest_size=16).digest()
    new = NewEvent(arrival, table.revision, content_hash, body)
    accept(connection, [[new]], way.silences)


def _troubles_within(connection: sa.Connection, notice: Event, at: datetime) -> int:
    """How many troubles of the same target were told that began in the hour before, or later.

    By when they began, not by when they were told: after an outage much is told at once.
    """
    statement = (
        sa.select(EVENTS.c.body)
        .where(
            EVENTS.c.resource == index_text(notice.canonical_resource),
            EVENTS.c.type.in_(TROUBLES),
        )
        .order_by(EVENTS.c.seq.desc())
        .limit(MOST_TROUBLES)
    )
    told = map(event_pb2.Event.FromString, connection.execute(statement).scalars())
    return sum(moment_from_proto(each.timestamp) > at - _HOUR for each in told)


def take_ends(connection: sa.Connection, ended: Sequence[Ended], now: datetime) -> None:
    """Close the windows of what was told in vain, and write notices of it. Bears repeats."""
    take_turn(connection)
    forget_told(connection, _in_vain(connection, ended))
    hours = by_hour(ended)
    before = end_counts.add(connection, {hour: len(each) for hour, each in hours.items()})
    for notice in notices_of_ends(hours, before):
        insert_own(connection, notice, now)


def _in_vain(connection: sa.Connection, ended: Sequence[Ended]) -> list[tuple[int, int]]:
    """The obligations that ended, and those that share their fate: coalesced into, collapsed."""
    ids = {each.obligation_id for each in ended if each.obligation_id}
    events = [each.event_id for each in ended]
    of_events = connection.execute(
        sa.select(EVENTS.c.event_id, _C.event_seq, _C.position, _C.pointer)
        .join(EVENTS, EVENTS.c.seq == _C.event_seq)
        .where(EVENTS.c.event_id.in_(events))
    )
    in_vain = [
        (row.event_seq, row.position)
        for row in of_events
        if obligation_id(row.event_id, row.position) in ids or row.pointer in ids
    ]
    collapsed = connection.execute(
        sa.select(_C.event_seq, _C.position).where(
            sa.text("state = 'collapsed'"), _C.pointer.in_(events)
        )
    )
    return in_vain + [(row.event_seq, row.position) for row in collapsed]
