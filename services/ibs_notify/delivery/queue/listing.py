"""What people and the ledger ask about deliveries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa

from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.digests import store as digest_store
from ibs_notify.delivery.model import (
    DELIVERY_ID_SYNTAX,
    Alike,
    DeliveryRecord,
    Filter,
    Kind,
    QueueReason,
    State,
    TargetStatus,
)
from ibs_notify.delivery.queue import retention
from ibs_notify.delivery.queue.hold import is_held
from ibs_notify.delivery.queue.rows import RECORD_COLUMNS, moment, record_of
from ibs_notify.delivery.tables import ATTEMPTS, DELIVERIES, TARGETS
from ibs_notify.delivery.targets import breakers
from ibs_notify.delivery.targets.breaker import Breaker, Phase
from ibs_notify.domain.clock import from_micros, to_micros
from ibs_notify.domain.errors import InvalidArgument, NotFound, Reason
from ibs_notify.store.database import Database
from ibs_notify.store.value_list import is_among, listed

MIN_PREFIX = 8
_C = DELIVERIES.c
_Condition: TypeAlias = sa.ColumnElement[bool] | sa.TextClause
_INDEXED_STATES = frozenset(State) - {State.DELIVERED, State.DIGESTED, State.CANCELLED}
"""Each has a partial index, in ``tables.py``."""
_OPEN_STATES = tuple(state for state in State if state.is_open)
_TROUBLED_STATES = (State.DEAD, State.RETRY_WAIT, State.WAITING, State.QUEUED, State.LEASED)
_ANSWERED_STATES = (State.DEAD, State.RETRY_WAIT)
_IS_QUEUED = _C.state == State.QUEUED.value
_IS_LEASED = _C.state == State.LEASED.value
# What a hold or a breaker keeps back stays in the queue as it is; why is looked up when asked.
REASON = sa.case(
    (_IS_QUEUED & is_held, sa.literal(QueueReason.HELD.value)),
    (
        _IS_QUEUED & breakers.is_in(Phase.OPEN, _C.target_uid),
        sa.literal(QueueReason.TARGET_FAILING.value),
    ),
    (
        _IS_QUEUED & breakers.is_in(Phase.PAUSED, _C.target_uid),
        sa.literal(Admission.TARGET_PAUSED.value),
    ),
    else_=_C.reason,
)
_SHOWN = tuple(REASON.label("reason") if each is _C.reason else each for each in RECORD_COLUMNS)


@dataclass(frozen=True, slots=True)
class IdAndState:
    """A line of the ledger. ``is_derived``: it was made here, of a window."""

    delivery_id: str
    kind: Kind
    state: State
    created_at: datetime
    is_derived: bool


class Listing:
    """Read-only views of the queue and its history."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, which: Filter, *, size: int, before_seq: int | None, bodies: bool = False
    ) -> Sequence[DeliveryRecord]:
        """Up to ``size`` deliveries, newest first, of those accepted before ``before_seq``."""
        columns = (*_SHOWN, _C.body) if bodies else _SHOWN
        conditions, parts = list(conditions_of(which)), _by_state(which)
        if parts:
            # Their numbers first: for the order alone SQLite would look at everything.
            numbers = (sa.select(_C.seq).where(*each).correlate(None) for each in parts)
            conditions = [_C.seq.in_(sa.union_all(*numbers))]
        if before_seq is not None:
            conditions.append(_C.seq < before_seq)
        statement = sa.select(*columns).where(*conditions).order_by(_C.seq.desc()).limit(size)
        return await self._database.read(
            lambda c: _in_full(c, [record_of(row) for row in c.execute(statement)])
        )

    async def counts(self, which: Filter) -> Mapping[Alike, int]:
        """How many deliveries there are, by what they have in common."""
        columns = (_C.target_name, _C.target_uid, _C.state, REASON.label("reason"))
        parts: Sequence[Sequence[_Condition]] = _by_state(which) or [conditions_of(which)]
        c = sa.union_all(*(sa.select(*columns).where(*each) for each in parts)).subquery().c
        statement = sa.select(*c, sa.func.count().label("number")).group_by(*c)
        rows = await self._database.read(lambda c: c.execute(statement).all())
        return {
            Alike(row.target_name, row.target_uid, State(row.state), row.reason): row.number
            for row in rows
        }

    async def find(self, delivery_id: str) -> DeliveryRecord:
        """A delivery with its attempts, by its id or the beginning of it where that is unique.

        Raises InvalidArgument for a beginning that is too short or not unique, NotFound.
        """

        def work(connection: sa.Connection) -> DeliveryRecord:
            row = connection.execute(
                sa.select(*_SHOWN, _C.body).where(_C.seq == _find(connection, delivery_id))
            ).one()
            attempts = connection.execute(
                sa.select(ATTEMPTS)
                .where(ATTEMPTS.c.delivery_seq == row.seq)
                .order_by(ATTEMPTS.c.number)
            ).all()
            return _in_full(connection, [record_of(row, attempts)])[0]

        return await self._database.read(work)

    async def ids(self, *, size: int, after: str) -> Sequence[IdAndState]:
        """Up to ``size`` deliveries in bytewise order of id, of those behind ``after``."""
        statement = (
            sa.select(_C.delivery_id, _C.kind, _C.state, _C.created_at, _C.obligation_id)
            .where(_C.delivery_id > after)
            .order_by(_C.delivery_id)
            .limit(size)
        )
        rows = await self._database.read(lambda c: c.execute(statement).all())
        return [
            IdAndState(
                row.delivery_id,
                Kind(row.kind),
                State(row.state),
                from_micros(row.created_at),
                row.kind != Kind.EVENT and not row.obligation_id,
            )
            for row in rows
        ]

    async def retired_before(self) -> datetime | None:
        """What was accepted up to this moment may be kept no more; ``None`` where all is kept."""
        micros = await self._database.read(retention.retired_before)
        return from_micros(micros) if micros else None

    async def target_status(self, uid: str) -> TargetStatus:
        """How a target fares; one that nothing was ever sent to has zeros."""
        return (await self.target_statuses((uid,)))[uid]

    async def target_statuses(self, uids: Collection[str]) -> Mapping[str, TargetStatus]:
        """How each of the targets fares, from one consistent view."""
        return await self._database.read(lambda c: _statuses(c, uids))


def _in_full(
    connection: sa.Connection, records: Sequence[DeliveryRecord]
) -> Sequence[DeliveryRecord]:
    """With what the entries of digests belong to, and what the peers answered that took nothing."""
    seqs = {each.window_seq for each in records if each.window_seq is not None}
    digests = digest_store.memberships(connection, seqs)
    codes = _codes(connection, [each.seq for each in records if each.state in _ANSWERED_STATES])
    return [
        replace(
            each,
            digest=digests.get(each.window_seq) if each.window_seq else None,
            last_code=codes.get(each.seq, 0),
        )
        for each in records
    ]


def _codes(connection: sa.Connection, seqs: Sequence[int]) -> Mapping[int, int]:
    """What the last attempt at each was answered."""
    if not seqs:
        return {}
    attempt = ATTEMPTS.c
    statement = (
        sa.select(attempt.delivery_seq, attempt.code)
        .join(DELIVERIES, (_C.seq == attempt.delivery_seq) & (_C.attempt_count == attempt.number))
        .where(_C.seq.in_(seqs))
    )
    return {row.delivery_seq: row.code for row in connection.execute(statement)}


def conditions_of(which: Filter) -> Sequence[sa.ColumnElement[bool]]:
    """A filter in SQL."""
    conditions: list[sa.ColumnElement[bool]] = [
        column.in_(values)
        for column, values in (
            (_C.target_name, which.targets),
            (_C.group_name, which.groups),
            (_C.state, [state.value for state in which.states]),
            (REASON, which.reasons),
            (_C.event_id, which.event_ids),
            (_C.delivery_id, which.delivery_ids),
            (_C.target_uid, which.target_uids),
        )
        if values
    ]
    if which.after is not None:
        conditions.append(_C.created_at >= to_micros(which.after))
    if which.before is not None:
        conditions.append(_C.created_at < to_micros(which.before))
    if which.troubled:
        conditions.append(_C.state.in_([state.value for state in _TROUBLED_STATES]))
        # What is tried again keeps the reason of the try before.
        conditions.append(sa.not_(_IS_QUEUED | _IS_LEASED) | (REASON != ""))
    return conditions


def _by_state(which: Filter) -> Sequence[Sequence[_Condition]]:
    """The filter once for each state, to be put together: so the partial indexes serve.

    Empty where not all states that are asked for have one, or a better index serves.
    """
    if which.event_ids or which.delivery_ids or not _INDEXED_STATES.issuperset(which.states):
        return ()
    rest = conditions_of(replace(which, states=()))
    # Written out, not bound: only then do they serve.
    return [(sa.text(f"state = {each.value}"), *rest) for each in which.states]


def _find(connection: sa.Connection, delivery_id: str) -> int:
    found: Sequence[int] = ()
    if DELIVERY_ID_SYNTAX.fullmatch(delivery_id):
        seq = connection.execute(sa.select(_C.seq).where(_C.delivery_id == delivery_id)).scalar()
        if seq is not None:
            return int(seq)
        begins = _C.delivery_id.startswith(delivery_id, autoescape=True)
        found = connection.execute(sa.select(_C.seq).where(begins).limit(2)).scalars().all()
    if len(delivery_id) < MIN_PREFIX:
        raise InvalidArgument(
            Reason.FIELD_INVALID,
            f"delivery_id: give the whole id, or at least its first {MIN_PREFIX} characters",
        )
    if len(found) > 1:
        raise InvalidArgument(
            Reason.FIELD_INVALID,
            f"delivery_id: several deliveries begin with {delivery_id!r}",
            advice="give more of the id",
        )
    if not found:
        raise NotFound(
            Reason.DELIVERY_NOT_FOUND,
            f"there is no delivery {delivery_id!r}",
            advice="see delivery list; old deliveries are removed after a while",
        )
    return int(found[0])


def _statuses(connection: sa.Connection, uids: Collection[str]) -> Mapping[str, TargetStatus]:
    opened: Counter[str] = Counter()
    for state in _OPEN_STATES:
        opened.update(_counts(connection, uids, state))
    dead = _counts(connection, uids, State.DEAD)
    found = breakers.of(connection, uids)
    known = is_among(TARGETS.c.target_uid, "uids", connection.dialect.name)
    rows = connection.execute(
        sa.select(TARGETS).where(known), {"uids": listed(uids, connection.dialect.name)}
    )
    states = {row.target_uid: row for row in rows}
    return {
        uid: _status(states.get(uid), opened[uid], dead[uid], found.get(uid, breakers.CLOSED))
        for uid in uids
    }


def _status(
    row: sa.Row[*tuple[Any, ...]] | None, open_count: int, dead_count: int, breaker: Breaker
) -> TargetStatus:
    if row is None:
        return TargetStatus(open_count, dead_count, breaker=breaker)
    return TargetStatus(
        open_count,
        dead_count,
        row.delivered_count,
        last_success_at=moment(row.last_success_at),
        last_failure_at=moment(row.last_failure_at),
        last_failure=row.last_failure,
        failing_since=moment(row.failing_since),
        last_code=row.last_code,
        certificate_until=moment(row.certificate_until),
        breaker=breaker,
    )


def _counts(connection: sa.Connection, uids: Collection[str], state: State) -> Counter[str]:
    # The state is written out, not bound: only then do the partial indexes serve.
    statement = (
        sa.select(_C.target_uid, sa.func.count())
        .where(
            is_among(_C.target_uid, "uids", connection.dialect.name),
            sa.text(f"state = {state.value}"),
        )
        .group_by(_C.target_uid)
    )
    rows = connection.execute(statement, {"uids": listed(uids, connection.dialect.name)})
    return Counter({row[0]: row[1] for row in rows})
