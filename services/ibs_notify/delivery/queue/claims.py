"""Leases: claiming deliveries, completing them, and taking up what a dead worker left.

A claim counts before anything is sent: the row says leased and counts the attempt, so that a worker
that dies leaves a trace (RFC 1047 shows why nobody else could tell). How the attempt ended gets a
row of its own; while a delivery is leased, its attempt is "started".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ibs_notify.delivery.model import (
    MAX_UNFINISHED,
    AttemptEnd,
    Completion,
    QueueReason,
    State,
    TargetTurn,
    Work,
)
from ibs_notify.delivery.ports import Sweep, Turn, Turned
from ibs_notify.delivery.queue import outcome_journal
from ibs_notify.delivery.queue.rows import (
    WORK_COLUMNS,
    Row,
    moment,
    recipients_to_json,
    work_of,
)
from ibs_notify.delivery.sending.retry import FARTHEST
from ibs_notify.delivery.tables import ATTEMPTS, DELIVERIES
from ibs_notify.delivery.targets import breaker, hours, target_state
from ibs_notify.delivery.targets.breaker import Hold, Phase
from ibs_notify.delivery.targets.breakers import Panel
from ibs_notify.domain.clock import to_micros
from ibs_notify.store.bulk import Bulk, bulk_insert
from ibs_notify.store.leases import database_now
from ibs_notify.store.value_list import is_among, listed

log = logging.getLogger(__name__)

SUSPECT_DELAY = timedelta(seconds=10)
"""A delivery that two workers died with waits a little, so that others get through before it."""
_CHUNK = 1000
"""Deliveries that one sweep queues; the next one is due at once where there are more."""
_C = DELIVERIES.c
# Written out, not bound: only then do the databases use the partial indexes.
_IS_QUEUED = sa.text("state = 1")
_IS_LEASED = sa.text("state = 2")
_IS_IN_RETRY = sa.text("state = 3")


@dataclass(frozen=True, slots=True)
class Terms:
    """Who claims, and for how long without a heartbeat."""

    holder: str
    lease_micros: int


def take_turns(
    connection: sa.Connection, turns: Sequence[Turn], terms: Terms, now: datetime
) -> tuple[list[Turned], set[int], Sequence[TargetTurn]]:
    """Complete what the turns have done, then claim what they have room for.

    Returns an answer for each, and for the journal the ``seq`` of those that died or were cancelled
    and the news of targets.
    """
    if not turns:
        return [], set(), ()
    panel = Panel(connection, {turn.target_uid for turn in turns}, now)
    done = [each for turn in turns for each in turn.done]
    lost = frozenset(_complete(connection, panel, done, terms.holder))
    wanted: dict[str, int] = {}
    latest: dict[str, Turn] = {}
    for turn in turns:
        wanted[turn.target_uid] = wanted.get(turn.target_uid, 0) + turn.wanted
        latest[turn.target_uid] = turn
    claimed: dict[str, list[Work]] = {}
    next_at: dict[str, datetime | None] = {}
    for uid in sorted(wanted):
        claimed[uid], next_at[uid] = _claim(connection, panel, latest[uid], wanted[uid], terms)
    answers: list[Turned] = []
    for turn in turns:
        available = claimed[turn.target_uid]
        mine = tuple(available[: turn.wanted])
        del available[: turn.wanted]
        hold = breaker.room(panel.breaker(turn.target_uid), now).hold
        answers.append(Turned(mine, lost, next_at[turn.target_uid], hold))
    ended = {each.work.seq for each in done if each.settlement.state.is_undelivered}
    return answers, ended - lost, panel.turns


def _claim(
    connection: sa.Connection, panel: Panel, turn: Turn, wanted: int, terms: Terms
) -> tuple[list[Work], datetime | None]:
    uid, now = turn.target_uid, panel.now
    most, next_at = _bounded(connection, panel, uid, wanted)
    if turn.max_rate and most:
        most, next_at = target_state.allowed(connection, uid, turn.max_rate, most, now)
    if most == 0:
        return [], next_at
    standing = panel.breaker(uid)
    found = _NEXT[connection.dialect.name].fetch(connection, (uid, most))
    if not found and standing.phase is Phase.RAMPING and not _in_hand(connection, uid):
        panel.put(uid, breaker.drained(standing))
    is_trial = standing.phase is not Phase.CLOSED
    works = _without_company(
        [work_of(row, turn.fallback, epoch=standing.epoch, is_trial=is_trial) for row in found],
        turn.in_hand,
    )
    if works:
        lease_until = found[0][-1] + terms.lease_micros
        dialect = connection.dialect.name
        seqs = listed([work.seq for work in works], dialect)
        _LEASE[dialect].change(connection, (terms.holder, lease_until, to_micros(now), seqs))
        _NAME_RECIPIENTS.run(
            connection,
            [(recipients_to_json(each.recipients), each.seq) for each in works if each.recipients],
        )
    if turn.max_rate and works:
        target_state.note_passed(connection, uid, len(works), now)
    return works, next_at


def _bounded(
    connection: sa.Connection, panel: Panel, uid: str, wanted: int
) -> tuple[int, datetime | None]:
    """How many of ``wanted`` the breaker lets through, and when that changes by itself.

    What all replicas have in hand counts, and the breaker is locked: a probe is one of all of them.
    """
    room = breaker.room(panel.breaker(uid), panel.now)
    if room.hold is Hold.NONE or not wanted:
        return wanted, None
    if not room.limit:
        return 0, room.next_at
    return max(0, min(wanted, room.limit - _in_hand(connection, uid))), room.next_at


def _in_hand(connection: sa.Connection, uid: str) -> int:
    return connection.execute(
        sa.select(sa.func.count()).select_from(DELIVERIES).where(_C.target_uid == uid, _IS_LEASED)
    ).scalar_one()


def _without_company(works: list[Work], in_hand: int) -> list[Work]:
    """What two workers died with is alone in its lane: if a third dies, only it is to blame."""
    for index, work in enumerate(works):
        if work.is_suspect:
            return works[: index or int(not in_hand)]
    return works


def _complete(
    connection: sa.Connection, panel: Panel, done: Sequence[Completion], holder: str
) -> set[int]:
    """Write what was done where the lease is still held; the ``seq`` of the others."""
    if not done:
        return set()
    held = _held(connection, [each.work.seq for each in done], holder)
    kept = [each for each in done if held.get(each.work.seq) == each.work.fence]
    lost = {each.work.seq: each.work.delivery_id for each in done}
    for each in kept:
        del lost[each.work.seq]
    for delivery_id in lost.values():
        log.warning(
            "delivery %s: the lease was lost before its outcome was known here", delivery_id
        )
    _SETTLE.run(connection, [_settled_row(each) for each in kept])
    _NOTE_ATTEMPT.run(
        connection,
        [_attempt_row(each.work, each.end, each.ended_at) for each in kept if each.end],
    )
    target_state.note_ends(connection, kept)
    hours.note_ends(connection, kept)
    panel.see(kept)
    return set(lost)


def _held(connection: sa.Connection, seqs: Sequence[int], holder: str) -> Mapping[int, int]:
    dialect = connection.dialect.name
    return dict(_HELD[dialect].fetch(connection, (listed(seqs, dialect), holder)))


def _settled_row(done: Completion) -> tuple[Any, ...]:
    work, settlement = done.work, done.settlement
    begun = done.end is not None
    ended_at = to_micros(done.ended_at)
    return (
        settlement.state.value,
        settlement.reason,
        settlement.detail,
        recipients_to_json(settlement.recipients),
        settlement.failures,
        work.attempt if begun else work.attempt - 1,
        0 if begun else work.unfinished - 1,
        int(settlement.maybe_duplicate),
        to_micros(settlement.due_at) if settlement.due_at else ended_at,
        None if settlement.state.is_open else ended_at,
        "",
        work.seq,
    )


def _attempt_row(work: Work, end: AttemptEnd, ended_at: datetime) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    duration = end.duration // timedelta(microseconds=1)
    return (
        work.seq,
        work.attempt,
        to_micros(ended_at) - duration,
        duration,
        end.outcome,
        end.reason,
        end.code,
        end.reply,
        int(work.maybe_duplicate),
    )


def prolong(connection: sa.Connection, seqs: Sequence[int], terms: Terms) -> int:
    """Prolong the leases that are still held; how many."""
    until = database_now(connection.dialect.name) + terms.lease_micros
    return connection.execute(
        sa.update(DELIVERIES)
        .where(_C.seq.in_(sorted(seqs)), _C.lease_holder == terms.holder, _IS_LEASED)
        .values(lease_until=until)
    ).rowcount


def sweep(connection: sa.Connection, now: datetime, *, every_lease: bool = False) -> Sweep:
    """Queue what is due, and what was leased to workers that died.

    ``every_lease`` takes up also leases that last: right where no other process can hold one.
    """
    targets = _queue(connection, _C.due_at <= to_micros(now))
    targets |= _queue(connection, _C.due_at >= to_micros(now + FARTHEST))
    targets |= _take_up(connection, now, every_lease=every_lease)
    next_due = connection.execute(sa.select(sa.func.min(_C.due_at)).where(_IS_IN_RETRY)).scalar()
    return Sweep(frozenset(targets), moment(next_due))


def _queue(connection: sa.Connection, is_due: sa.ColumnElement[bool]) -> set[str]:
    """Queue some of what is due of that which waits for its next attempt; their targets."""
    due = sa.select(_C.seq).where(_IS_IN_RETRY, is_due).order_by(_C.due_at)
    due = due.limit(_CHUNK).with_for_update(skip_locked=True)
    queued = sa.update(DELIVERIES).where(_C.seq.in_(due)).values(state=State.QUEUED.value)
    return set(connection.execute(queued.returning(_C.target_uid)).scalars())


def _take_up(connection: sa.Connection, now: datetime, *, every_lease: bool) -> set[str]:
    orphans = sa.select(
        _C.seq,
        _C.delivery_id,
        _C.target_uid,
        _C.attempt_count,
        _C.unfinished,
        _C.maybe_duplicate,
        _C.due_at,
    )
    orphans = orphans.where(_IS_LEASED).order_by(_C.lease_until, _C.seq)
    orphans = orphans.with_for_update(skip_locked=True)
    if not every_lease:
        orphans = orphans.where(_C.lease_until < database_now(connection.dialect.name))
    rows = connection.execute(orphans).all()
    _ABANDON.run(connection, [_abandoned_row(row, now) for row in rows])
    # A worker of the release before this one has written the row of its attempt already.
    _FORGET_ATTEMPT.run(connection, [(row.seq, row.attempt_count) for row in rows])
    _NOTE_ATTEMPT.run(connection, [_unknown_attempt_row(row) for row in rows])
    poisonous = [row for row in rows if row.unfinished >= MAX_UNFINISHED]
    hours.note_deaths(connection, [row.target_uid for row in poisonous], now)
    outcome_journal.note_ended(connection, [row.seq for row in poisonous])
    for row in rows:
        log.info("delivery %s: its worker died; it is taken up", row.delivery_id)
    return {row.target_uid for row in rows}


def _unknown_attempt_row(row: Row) -> tuple[Any, ...]:
    """In the order of the table's columns. Of what is leased, ``due_at`` is when it was claimed."""
    reason = QueueReason.WORKER_DIED.value
    return (
        row.seq,
        row.attempt_count,
        row.due_at,
        None,
        "unknown",
        reason,
        0,
        "",
        row.maybe_duplicate,
    )


def _abandoned_row(row: Row, now: datetime) -> tuple[Any, ...]:
    due_at, closed_at = now, None
    state, reason = State.QUEUED, QueueReason.WORKER_DIED
    if row.unfinished >= MAX_UNFINISHED:
        state, reason, closed_at = State.DEAD, QueueReason.POISON, to_micros(now)
    elif row.unfinished > 1:
        state, due_at = State.RETRY_WAIT, now + SUSPECT_DELAY
    return (state.value, reason.value, to_micros(due_at), closed_at, 1, "", row.seq)


def _next_statement(dialect: str) -> sa.Select[Any]:
    """The next deliveries of a target and, last in each row, the database's clock."""
    return (
        sa.select(*WORK_COLUMNS, sa.select(database_now(dialect)).scalar_subquery())
        .where(_C.target_uid == sa.bindparam("uid"), _IS_QUEUED)
        .order_by(_C.severity.desc(), _C.due_at, _C.seq)
        .limit(sa.bindparam("most", type_=sa.Integer))
        .offset(sa.literal_column("0"))  # SQLite has it bound otherwise
        .with_for_update(skip_locked=True)
    )


def _lease_statement(dialect: str) -> sa.Update:
    """As ``rows.work_of`` has it: one more attempt, unfinished as yet, under the next fence."""
    one = sa.literal_column("1", sa.Integer)
    return (
        sa.update(DELIVERIES)
        .ordered_values(
            (_C.state, sa.literal_column(str(State.LEASED.value))),
            (_C.attempt_count, _C.attempt_count + one),
            (_C.unfinished, _C.unfinished + one),
            (_C.lease_holder, sa.bindparam("holder", type_=_C.lease_holder.type)),
            (_C.lease_fence, _C.lease_fence + one),
            (_C.lease_until, sa.bindparam("until", type_=_C.lease_until.type)),
            (_C.due_at, sa.bindparam("now", type_=_C.due_at.type)),
        )
        .where(is_among(_C.seq, "seqs", dialect))
    )


def _held_statement(dialect: str) -> sa.Select[Any]:
    return (
        sa.select(_C.seq, _C.lease_fence)
        .where(
            is_among(_C.seq, "seqs", dialect), _C.lease_holder == sa.bindparam("holder"), _IS_LEASED
        )
        .order_by(_C.seq)
        .with_for_update()
    )


_DIALECTS = ("sqlite", "postgresql")
_NEXT = {each: Bulk(_next_statement(each), ("uid", "most")) for each in _DIALECTS}
_HELD = {each: Bulk(_held_statement(each), ("seqs", "holder")) for each in _DIALECTS}
_NOTE_ATTEMPT = bulk_insert(ATTEMPTS)
_FORGET_ATTEMPT = Bulk(
    sa.delete(ATTEMPTS).where(
        ATTEMPTS.c.delivery_seq == sa.bindparam("key_seq", type_=sa.BigInteger),
        ATTEMPTS.c.number == sa.bindparam("key_number", type_=sa.Integer),
    ),
    ("key_seq", "key_number"),
)


def _bulk_update(columns: Sequence[str]) -> Bulk:
    """Sets ``columns`` of the delivery whose ``seq`` is the last parameter."""
    statement = sa.update(DELIVERIES).ordered_values(
        *((_C[name], sa.bindparam(name, type_=_C[name].type)) for name in columns)
    )
    key = sa.bindparam("key_seq", type_=_C.seq.type)
    return Bulk(statement.where(_C.seq == key), (*columns, "key_seq"))


_LEASE = {
    each: Bulk(_lease_statement(each), ("holder", "until", "now", "seqs")) for each in _DIALECTS
}
_NAME_RECIPIENTS = _bulk_update(("recipients",))
_SETTLE = _bulk_update(
    (
        "state",
        "reason",
        "detail",
        "recipients",
        "failures",
        "attempt_count",
        "unfinished",
        "maybe_duplicate",
        "due_at",
        "closed_at",
        "lease_holder",
    )
)
_ABANDON = _bulk_update(
    ("state", "reason", "due_at", "closed_at", "maybe_duplicate", "lease_holder")
)
