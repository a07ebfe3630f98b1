"""Leases: claiming deliveries, completing them, and taking up what a dead worker left.

A claim counts before anything is sent: the row says leased and the attempt's row says started, so
that a worker that dies leaves a trace (RFC 1047 shows why nobody else could tell).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ibs_notify.delivery import outcome_journal, target_state
from ibs_notify.delivery.model import (
    MAX_UNFINISHED,
    Completion,
    QueueReason,
    State,
    Work,
)
from ibs_notify.delivery.ports import Sweep, Turn, Turned
from ibs_notify.delivery.rows import (
    WORK_COLUMNS,
    Row,
    addresses_to_json,
    moment,
    recipients_to_json,
    work_of,
)
from ibs_notify.delivery.tables import ATTEMPTS, DELIVERIES
from ibs_notify.domain.clock import to_micros
from ibs_notify.store.bulk import Bulk, bulk_insert
from ibs_notify.store.leases import database_now

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
) -> list[Turned]:
    """Complete what the turns have done, then claim what they have room for."""
    done = [turn.done for turn in turns if turn.done is not None]
    kept = _complete(connection, done, terms.holder)
    wanted: dict[str, int] = {}
    latest: dict[str, Turn] = {}
    for turn in turns:
        wanted[turn.target_uid] = wanted.get(turn.target_uid, 0) + turn.wanted
        latest[turn.target_uid] = turn
    claimed: dict[str, list[Work]] = {}
    next_at: dict[str, datetime | None] = {}
    for uid in sorted(wanted):
        claimed[uid], next_at[uid] = _claim(connection, latest[uid], wanted[uid], terms, now)
    answers: list[Turned] = []
    for turn in turns:
        available = claimed[turn.target_uid]
        mine = tuple(available[: turn.wanted])
        del available[: turn.wanted]
        is_kept = turn.done is None or turn.done.work.seq in kept
        answers.append(Turned(mine, is_kept, next_at[turn.target_uid]))
    ended = [each.work.seq for each in done if each.settlement.state.is_undelivered]
    outcome_journal.note_ended(connection, kept.intersection(ended))
    return answers


def _claim(
    connection: sa.Connection, turn: Turn, wanted: int, terms: Terms, now: datetime
) -> tuple[list[Work], datetime | None]:
    next_at: datetime | None = None
    most = wanted
    if turn.max_rate and wanted:
        most, next_at = target_state.allowed(
            connection, turn.target_uid, turn.max_rate, wanted, now
        )
    if most == 0:
        return [], next_at
    rows = connection.execute(
        _CLAIM[connection.dialect.name],
        {
            "uid": turn.target_uid,
            "most": most,
            "fallback": addresses_to_json(turn.fallback),
            "holder": terms.holder,
            "lease": terms.lease_micros,
        },
    ).all()
    works = [work_of(row) for row in sorted(rows, key=_most_severe_first)]
    started_at = to_micros(now)
    _START_ATTEMPT.run(
        connection,
        [
            (
                work.seq,
                work.attempt,
                started_at,
                None,
                "started",
                "",
                0,
                "",
                int(work.maybe_duplicate),
            )
            for work in works
        ],
    )
    if turn.max_rate and works:
        target_state.note_passed(connection, turn.target_uid, len(works), now)
    return works, next_at


def _most_severe_first(row: Row) -> tuple[int, int, int]:
    return (-row.severity, row.due_at, row.seq)


def _complete(connection: sa.Connection, done: Sequence[Completion], holder: str) -> set[int]:
    """Write what was done where the lease is still held; the ``seq`` of those."""
    if not done:
        return set()
    held = _held(connection, [each.work.seq for each in done], holder)
    kept = [each for each in done if held.get(each.work.seq) == each.work.fence]
    for each in done:
        if held.get(each.work.seq) != each.work.fence:
            log.warning(
                "delivery %s: the lease was lost before its outcome was known here",
                each.work.delivery_id,
            )
    _SETTLE.run(connection, [_settled_row(each) for each in kept])
    _END_ATTEMPT.run(
        connection,
        [
            (
                each.end.duration // timedelta(microseconds=1),
                each.end.outcome,
                each.end.reason,
                each.end.code,
                each.end.reply,
                each.work.seq,
                each.work.attempt,
            )
            for each in kept
            if each.end is not None
        ],
    )
    _forget_attempts(connection, [each.work for each in kept if each.end is None])
    target_state.note_ends(connection, kept)
    return {each.work.seq for each in kept}


def _held(connection: sa.Connection, seqs: Sequence[int], holder: str) -> Mapping[int, int]:
    rows = connection.execute(_HELD, {"seqs": sorted(seqs), "holder": holder})
    return {row.seq: row.lease_fence for row in rows}


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


def _forget_attempts(connection: sa.Connection, works: Sequence[Work]) -> None:
    for work in works:
        connection.execute(
            sa.delete(ATTEMPTS).where(
                ATTEMPTS.c.delivery_seq == work.seq, ATTEMPTS.c.number == work.attempt
            )
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
    due = sa.select(_C.seq).where(_IS_IN_RETRY, _C.due_at <= to_micros(now)).order_by(_C.due_at)
    due = due.limit(_CHUNK).with_for_update(skip_locked=True)
    targets = set(
        connection.execute(
            sa.update(DELIVERIES)
            .where(_C.seq.in_(due))
            .values(state=State.QUEUED.value)
            .returning(_C.target_uid)
        ).scalars()
    )
    targets |= _take_up(connection, now, every_lease=every_lease)
    next_due = connection.execute(sa.select(sa.func.min(_C.due_at)).where(_IS_IN_RETRY)).scalar()
    return Sweep(frozenset(targets), moment(next_due))


def _take_up(connection: sa.Connection, now: datetime, *, every_lease: bool) -> set[str]:
    orphans = sa.select(_C.seq, _C.delivery_id, _C.target_uid, _C.attempt_count, _C.unfinished)
    orphans = orphans.where(_IS_LEASED).order_by(_C.lease_until, _C.seq)
    orphans = orphans.with_for_update(skip_locked=True)
    if not every_lease:
        orphans = orphans.where(_C.lease_until < database_now(connection.dialect.name))
    rows = connection.execute(orphans).all()
    _ABANDON.run(connection, [_abandoned_row(row, now) for row in rows])
    _END_ATTEMPT.run(
        connection,
        [
            (None, "unknown", QueueReason.WORKER_DIED, 0, "", row.seq, row.attempt_count)
            for row in rows
        ],
    )
    poisonous = [row.seq for row in rows if row.unfinished >= MAX_UNFINISHED]
    outcome_journal.note_ended(connection, poisonous)
    for row in rows:
        log.info("delivery %s: its worker died; it is taken up", row.delivery_id)
    return {row.target_uid for row in rows}


def _abandoned_row(row: Row, now: datetime) -> tuple[Any, ...]:
    due_at, closed_at = now, None
    state, reason = State.QUEUED, QueueReason.WORKER_DIED
    if row.unfinished >= MAX_UNFINISHED:
        state, reason, closed_at = State.DEAD, QueueReason.POISON, to_micros(now)
    elif row.unfinished > 1:
        state, due_at = State.RETRY_WAIT, now + SUSPECT_DELAY
    return (state.value, reason.value, to_micros(due_at), closed_at, 1, "", row.seq)


def _claim_statement(dialect: str) -> sa.Update:
    picked = (
        sa.select(_C.seq)
        .where(_C.target_uid == sa.bindparam("uid"), _IS_QUEUED)
        .order_by(_C.severity.desc(), _C.due_at, _C.seq)
        .limit(sa.bindparam("most", type_=sa.Integer))
        .with_for_update(skip_locked=True)
        .cte("picked")
    )
    nobody = sa.literal_column("'[]'", sa.Text)
    return (
        sa.update(DELIVERIES)
        .where(_C.seq.in_(sa.select(picked.c.seq)))
        .values(
            state=State.LEASED.value,
            recipients=sa.case(
                (_C.recipients == nobody, sa.bindparam("fallback", type_=sa.Text)),
                else_=_C.recipients,
            ),
            lease_holder=sa.bindparam("holder"),
            lease_fence=_C.lease_fence + 1,
            lease_until=database_now(dialect) + sa.bindparam("lease", type_=sa.BigInteger),
            attempt_count=_C.attempt_count + 1,
            unfinished=_C.unfinished + 1,
        )
        .returning(*WORK_COLUMNS)
    )


_CLAIM = {dialect: _claim_statement(dialect) for dialect in ("sqlite", "postgresql")}
_HELD = (
    sa.select(_C.seq, _C.lease_fence)
    .where(
        _C.seq.in_(sa.bindparam("seqs", expanding=True)),
        _C.lease_holder == sa.bindparam("holder"),
        _IS_LEASED,
    )
    .order_by(_C.seq)
    .with_for_update()
)
_START_ATTEMPT = bulk_insert(ATTEMPTS)


def _bulk_update(table: sa.Table, columns: Sequence[str], keys: Mapping[str, str]) -> Bulk:
    """Sets ``columns`` where each key column equals its parameter, in that order."""
    statement = sa.update(table).ordered_values(
        *((table.c[name], sa.bindparam(name, type_=table.c[name].type)) for name in columns)
    )
    for parameter, column in keys.items():
        key = table.c[column]
        statement = statement.where(key == sa.bindparam(parameter, type_=key.type))
    return Bulk(statement, [*columns, *keys])


_SETTLE = _bulk_update(
    DELIVERIES,
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
    ),
    {"key_seq": "seq"},
)
_ABANDON = _bulk_update(
    DELIVERIES,
    ("state", "reason", "due_at", "closed_at", "maybe_duplicate", "lease_holder"),
    {"key_seq": "seq"},
)
_END_ATTEMPT = _bulk_update(
    ATTEMPTS,
    ("duration", "outcome", "reason", "code", "reply"),
    {"key_seq": "delivery_seq", "key_number": "number"},
)
