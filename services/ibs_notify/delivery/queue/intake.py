"""Accepting obligations: new ones become rows, known ones are counted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.digests import store as digest_store
from ibs_notify.delivery.digests.windows import Stream
from ibs_notify.delivery.model import LIFETIME, Accepted, Handoff, Kind, State
from ibs_notify.delivery.ports import Admit
from ibs_notify.delivery.queue.rows import addresses_to_json
from ibs_notify.delivery.tables import DELIVERIES
from ibs_notify.domain.clock import to_micros
from ibs_notify.domain.failpoints import hit
from ibs_notify.store.bulk import Bulk
from ibs_notify.store.upsert import insert_or_ignore
from ibs_notify.store.value_list import is_among, listed

_DIALECTS = ("sqlite", "postgresql")
_LIFETIME = LIFETIME // timedelta(microseconds=1)
_COLUMNS = [each.name for each in DELIVERIES.columns if each.name not in ("seq", "counted")]
# Ignoring is for replicas that store the same id at once; whoever waits sees the row of the other.
_INSERT = {
    dialect: Bulk(
        insert_or_ignore(DELIVERIES, dialect).values(
            {name: sa.bindparam(name) for name in _COLUMNS}
        ),
        _COLUMNS,
    )
    for dialect in _DIALECTS
}
_IS_NAMED = {dialect: is_among(DELIVERIES.c.delivery_id, "ids", dialect) for dialect in _DIALECTS}
_FIND = {
    dialect: Bulk(sa.select(DELIVERIES.c.delivery_id).where(_IS_NAMED[dialect]), ("ids",))
    for dialect in _DIALECTS
}
_CANCELLED = {
    dialect: Bulk(
        sa.select(DELIVERIES.c.seq).where(
            _IS_NAMED[dialect],
            DELIVERIES.c.closed_at == sa.bindparam("moment", type_=sa.BigInteger),
        ),
        ("ids", "moment"),
    )
    for dialect in _DIALECTS
}


@dataclass(frozen=True, slots=True)
class Batch:
    """The handoffs of one call, to be stored together."""

    handoffs: Sequence[Handoff]
    admit: Admit


def accept_all(
    connection: sa.Connection, batches: Sequence[Batch], now: datetime
) -> tuple[list[Accepted], list[int]]:
    """Store what is new of all ``batches``; an answer for each, in order.

    Returns also the ``seq`` of those that were cancelled, for the journal.
    """
    if not batches:
        return [], []
    known = _known(connection, {each.delivery_id for b in batches for each in b.handoffs})
    windows = _windows(connection, batches, known, now)
    rows: list[tuple[Any, ...]] = []
    cancelled: list[str] = []
    moment = to_micros(now)
    answers: list[Accepted] = []
    for batch in batches:
        before = len(rows)
        targets: set[str] = set()
        for handoff in batch.handoffs:
            if handoff.delivery_id in known:
                continue
            known.add(handoff.delivery_id)
            admission = batch.admit(handoff.target_uid, handoff.revision, bool(handoff.recipients))
            stream = None if admission.cancels else _stream(handoff)
            window = None if stream is None else windows[stream]
            rows.append(_row(handoff, admission, moment, window))
            if window is None and admission is Admission.SENDABLE:
                targets.add(handoff.target_uid)
            elif admission.cancels:
                cancelled.append(handoff.delivery_id)
        accepted = len(rows) - before
        answers.append(Accepted(accepted, len(batch.handoffs) - accepted, frozenset(targets)))
    _INSERT[connection.dialect.name].run(connection, rows)
    hit("delivery.after_accept_insert")
    return answers, _cancelled_seqs(connection, cancelled, moment)


def _windows(
    connection: sa.Connection, batches: Sequence[Batch], known: Collection[str], now: datetime
) -> Mapping[Stream, int]:
    """The open windows of the digests that gather what is new."""
    streams: dict[Stream, tuple[str, int]] = {}
    for batch in batches:
        for each in batch.handoffs:
            stream = _stream(each)
            if stream is None or each.delivery_id in known:
                continue
            if not batch.admit(each.target_uid, each.revision, bool(each.recipients)).cancels:
                streams.setdefault(stream, (each.target, each.revision))
    return digest_store.join(connection, streams, now)


def _stream(handoff: Handoff) -> Stream | None:
    """Whose digest gathers it; ``None`` for what is sent by itself."""
    if not handoff.digest:
        return None
    return Stream(Kind.DIGEST, handoff.group, handoff.target_uid, handoff.recipients)


def _known(connection: sa.Connection, ids: Iterable[str]) -> set[str]:
    dialect = connection.dialect.name
    return {row[0] for row in _FIND[dialect].fetch(connection, (listed(ids, dialect),))}


def _cancelled_seqs(connection: sa.Connection, ids: Sequence[str], moment: int) -> list[int]:
    """Of the rows that were cancelled at ``moment``, not of those that a replica stored first."""
    if not ids:
        return []
    dialect = connection.dialect.name
    return [row[0] for row in _CANCELLED[dialect].fetch(connection, (listed(ids, dialect), moment))]


def _row(
    handoff: Handoff, admission: Admission, moment: int, window: int | None
) -> tuple[Any, ...]:
    """In the order of ``_COLUMNS``."""
    if window is not None:
        state, reason = State.DIGEST_OPEN, ""
    elif admission is Admission.SENDABLE:
        state, reason = State.QUEUED, ""
    else:
        state = State.CANCELLED if admission.cancels else State.WAITING
        reason = admission.value
    since = handoff.suppressed_since
    return (
        handoff.delivery_id,
        handoff.obligation_id,
        handoff.event_id,
        handoff.event_type,
        handoff.severity,
        handoff.subject,
        handoff.target_uid,
        handoff.target,
        handoff.group,
        handoff.kind.value,
        int(handoff.digest),
        addresses_to_json(handoff.recipients),
        handoff.suppressed_count,
        None if since is None else to_micros(since),
        handoff.revision,
        state.value,
        reason,
        "",  # detail
        0,  # attempt_count
        0,  # failures
        0,  # unfinished
        0,  # maybe_duplicate
        "",  # lease_holder
        0,  # lease_fence
        0,  # lease_until
        moment,  # due_at
        moment + _LIFETIME,
        moment,  # created_at
        moment if state is State.CANCELLED else None,
        handoff.body,
        window,
    )
