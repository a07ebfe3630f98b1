"""Retrying and cancelling deliveries because somebody asked for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from ibs_notify.audit.journal import append
from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.audited import filtered_act
from ibs_notify.delivery.digests import store as digest_store
from ibs_notify.delivery.model import LIFETIME, Alike, Filter, QueueReason, State
from ibs_notify.delivery.ports import Admit
from ibs_notify.delivery.queue import outcome_journal
from ibs_notify.delivery.queue.listing import REASON, conditions_of
from ibs_notify.delivery.queue.rows import NOBODY, Row, recipients_from_json, recipients_to_json
from ibs_notify.delivery.tables import AUDIT, DELIVERIES
from ibs_notify.delivery.targets import breakers
from ibs_notify.delivery.targets.breaker import Phase
from ibs_notify.domain.clock import Clock, to_micros
from ibs_notify.domain.errors import FailedPrecondition, InvalidArgument, Reason
from ibs_notify.store.database import Database

RETRYABLE = (State.QUEUED, State.RETRY_WAIT, State.WAITING, State.DEAD, State.CANCELLED)
"""What is queued only where its target fails: then the target is tried at once."""
CANCELLABLE = (State.QUEUED, State.RETRY_WAIT, State.WAITING, State.DIGEST_OPEN)
"""Not what is being sent right now: it may have arrived. It can be cancelled if it fails."""
_CHUNK = 500
_C = DELIVERIES.c
_STANDS_STILL = sa.or_(_C.state != State.QUEUED.value, breakers.is_in(Phase.OPEN, _C.target_uid))


@dataclass(frozen=True, slots=True)
class Retried:
    """How many are sent again, by where they stood, and the targets with something to send now."""

    counts: Counter[Alike]
    targets: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who asked for what; each transaction of the work writes down its part of it."""

    action: str
    actor: str
    which: Filter

    def note(self, connection: sa.Connection, count: int, now: datetime) -> None:
        if count:
            act = filtered_act(self.action, self.which, count)
            append(connection, AUDIT, self.actor, act, now)


Change = Callable[[sa.Connection, Sequence[Row], datetime], Sequence[Row]]
"""Returns the rows that it has changed."""


class Requests:
    """Works through what matches in transactions of bounded size, oldest first.

    What matches is looked for beside the writer; the writer only touches the rows that were found,
    where they still match.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def retry(self, which: Filter, admit: Admit, actor: str, *, dry_run: bool) -> Retried:
        """Queue what is dead or cancelled with a new life, and what waits at once.

        Targets that fail are tried at once; those that are paused stay so. What still may not be
        sent, by ``admit``, is left as it is and not counted. Delivered recipients of a mail stay
        delivered.
        """
        asked = _Asked("delivery.retry", actor, which)
        which = _narrowed(which, RETRYABLE, "retried")

        def is_sendable(row: Row) -> bool:
            names_somebody = row.recipients != NOBODY
            return admit(row.target_uid, row.revision, names_somebody) is Admission.SENDABLE

        counts, targets, probed = Counter[Alike](), set[str](), 0
        async for found in self._chunks(which, _STANDS_STILL):
            rows = [row for row in found if is_sendable(row)]
            if not dry_run:
                queued = [row for row in rows if row.state == State.QUEUED]
                others = [row for row in rows if row.state != State.QUEUED]
                probed += len(queued)
                rows = [*queued, *await self._write(which, others, _requeue, asked)]
            counts.update(map(_alike, rows))
            targets |= {row.target_uid for row in rows}
        if targets and not dry_run:
            await self._probe(targets, probed, asked)
        return Retried(counts, frozenset(targets))

    async def cancel(self, which: Filter, actor: str, *, dry_run: bool) -> Counter[Alike]:
        """Cancel what is open and not being sent right now; how many, by where they stood."""
        asked = _Asked("delivery.cancel", actor, which)
        which = _narrowed(which, CANCELLABLE, "cancelled")
        counts = Counter[Alike]()
        async for found in self._chunks(which, sa.true()):
            rows = found if dry_run else await self._write(which, found, _cancel, asked)
            counts.update(map(_alike, rows))
        return counts

    async def _probe(self, targets: Collection[str], queued: int, asked: _Asked) -> None:
        """Try the targets at once; that is all that is done for what was ``queued`` already."""
        now = self._clock.now()

        def work(connection: sa.Connection) -> None:
            breakers.probe(connection, targets, now)
            asked.note(connection, queued, now)

        await self._database.write(work)

    async def _chunks(
        self, which: Filter, condition: sa.ColumnElement[bool]
    ) -> AsyncIterator[Sequence[Row]]:
        after_seq = 0
        while True:
            statement = _matching(which, sa.and_(_C.seq > after_seq, condition)).limit(_CHUNK)
            rows = await self._database.read(partial(_rows, statement))
            yield rows
            if len(rows) < _CHUNK:
                return
            after_seq = rows[-1].seq

    async def _write(
        self, which: Filter, rows: Sequence[Row], change: Change, asked: _Asked
    ) -> Sequence[Row]:
        """Change those of ``rows`` that still match and nobody else is changing."""
        if not rows:
            return rows
        now = self._clock.now()
        statement = _matching(which, _C.seq.in_([row.seq for row in rows]))
        statement = statement.with_for_update(skip_locked=True)

        def work(connection: sa.Connection) -> Sequence[Row]:
            changed = change(connection, _rows(statement, connection), now)
            asked.note(connection, len(changed), now)
            return changed

        return await self._database.write(work)


def _narrowed(which: Filter, able: Sequence[State], verb: str) -> Filter:
    if which.is_empty:
        raise InvalidArgument(
            Reason.FIELD_INVALID,
            "filter: is empty",
            advice="give at least one field; list shows what it matches",
        )
    states = tuple(state for state in which.states if state in able)
    if which.states and not states:
        raise FailedPrecondition(
            Reason.DELIVERY_NOT_RETRYABLE,
            f"no delivery of these states can be {verb}",
            advice=f"it is for {', '.join(state.name.lower() for state in able)}",
        )
    return replace(which, states=states or tuple(able))


def _matching(which: Filter, condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return (
        sa.select(
            _C.seq,
            _C.target_uid,
            _C.target_name,
            _C.revision,
            _C.state,
            REASON.label("reason"),
            _C.recipients,
            _C.window_seq,
        )
        .where(*conditions_of(which), condition)
        .order_by(_C.seq)
    )


def _alike(row: Row) -> Alike:
    return Alike(row.target_name, row.target_uid, State(row.state), row.reason)


def _rows(statement: sa.Select[Any], connection: sa.Connection) -> Sequence[Row]:
    return connection.execute(statement).all()


def _requeue(connection: sa.Connection, rows: Sequence[Row], now: datetime) -> Sequence[Row]:
    for row in rows:
        values: dict[str, object] = {
            "state": State.QUEUED.value,
            "reason": "",
            "due_at": to_micros(now),
            "closed_at": None,
        }
        if row.state in (State.DEAD, State.CANCELLED):
            values |= _new_life(row, now)
        connection.execute(sa.update(DELIVERIES).where(_C.seq == row.seq).values(values))
    return rows


def _new_life(row: Row, now: datetime) -> dict[str, object]:
    reopened = [
        replace(each, state=State.QUEUED) if each.state is not State.DELIVERED else each
        for each in recipients_from_json(row.recipients)
    ]
    return {
        "recipients": recipients_to_json(reopened),
        "expires_at": to_micros(now + LIFETIME),
        "failures": 0,
        "unfinished": 0,
    }


def _cancel(connection: sa.Connection, rows: Sequence[Row], now: datetime) -> Sequence[Row]:
    """Not what is in a window that is closed: a digest is being made of it."""
    gathered = {row.window_seq for row in rows if row.state == State.DIGEST_OPEN}
    gathering = digest_store.still_gathering(connection, gathered)
    rows = [row for row in rows if row.state != State.DIGEST_OPEN or row.window_seq in gathering]
    seqs = [row.seq for row in rows]
    connection.execute(
        sa.update(DELIVERIES)
        .where(_C.seq.in_(seqs))
        .values(
            state=State.CANCELLED.value,
            reason=QueueReason.BY_REQUEST.value,
            closed_at=to_micros(now),
        )
    )
    outcome_journal.note_ended(connection, seqs)
    return rows
