"""Between rows and values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ibs_notify.delivery.model import (
    AttemptRecord,
    DeliveryRecord,
    Kind,
    Recipient,
    State,
    Work,
)
from ibs_notify.delivery.tables import DELIVERIES
from ibs_notify.domain.clock import from_micros

Row = sa.Row[*tuple[Any, ...]]
_C = DELIVERIES.c
WORK_COLUMNS = (
    _C.seq,
    _C.delivery_id,
    _C.target_uid,
    _C.kind,
    _C.recipients,
    _C.suppressed_count,
    _C.revision,
    _C.created_at,
    _C.expires_at,
    _C.attempt_count,
    _C.failures,
    _C.unfinished,
    _C.maybe_duplicate,
    _C.lease_fence,
    _C.body,
    _C.group_name,
)
RECORD_COLUMNS = (
    _C.seq,
    _C.delivery_id,
    _C.obligation_id,
    _C.event_id,
    _C.event_type,
    _C.severity,
    _C.subject,
    _C.target_name,
    _C.target_uid,
    _C.group_name,
    _C.kind,
    _C.state,
    _C.reason,
    _C.detail,
    _C.recipients,
    _C.attempt_count,
    _C.created_at,
    _C.due_at,
    _C.closed_at,
    _C.revision,
    _C.maybe_duplicate,
    _C.window_seq,
)
NOBODY = "[]"
_KINDS = {each.value: each for each in Kind}


def addresses_to_json(addresses: Sequence[str]) -> str:
    """Recipients of whom nothing is known yet."""
    return (
        json.dumps([[address, State.QUEUED, 0, ""] for address in addresses])
        if addresses
        else NOBODY
    )


def recipients_to_json(recipients: Sequence[Recipient]) -> str:
    """ASCII, with NUL escaped: PostgreSQL takes it whatever an address holds."""
    if not recipients:
        return NOBODY
    return json.dumps([[each.address, each.state, each.code, each.reply] for each in recipients])


def recipients_from_json(text: str) -> tuple[Recipient, ...]:
    if text == NOBODY:
        return ()
    return tuple(
        Recipient(address, State(state), code, reply)
        for address, state, code, reply in json.loads(text)
    )


def work_of(
    row: Sequence[Any], fallback: Sequence[str], *, epoch: int = 0, is_trial: bool = False
) -> Work:
    """The work of ``WORK_COLUMNS``, which is claimed: one more attempt, which nobody else makes.

    A mail that names nobody goes to ``fallback``. ``epoch`` and ``is_trial`` are of the breaker.
    """
    return Work(
        seq=row[0],
        delivery_id=row[1],
        target_uid=row[2],
        kind=_KINDS[row[3]],
        recipients=recipients_from_json(row[4]) or tuple(map(Recipient, fallback)),
        suppressed_count=row[5],
        revision=row[6],
        created_at=from_micros(row[7]),
        expires_at=from_micros(row[8]),
        attempt=row[9] + 1,
        failures=row[10],
        unfinished=row[11] + 1,
        maybe_duplicate=bool(row[12]),
        fence=row[13] + 1,
        body=row[14],
        group=row[15],
        epoch=epoch,
        is_trial=is_trial,
    )


def record_of(row: Row, attempts: Sequence[Row] | None = None) -> DeliveryRecord:
    """The record of ``RECORD_COLUMNS``, with its attempts where the rows of them are given, and
    with its body where that was read as well.
    """
    state = State(row.state)
    is_gathered = state is State.DIGEST_OPEN
    return DeliveryRecord(
        seq=row.seq,
        delivery_id=row.delivery_id,
        obligation_id=row.obligation_id,
        event_id=row.event_id,
        event_type=row.event_type,
        severity=row.severity,
        subject=row.subject,
        target=row.target_name,
        target_uid=row.target_uid,
        group=row.group_name,
        kind=Kind(row.kind),
        state=state,
        reason=row.reason,
        detail=row.detail,
        recipients=_as_the_whole(recipients_from_json(row.recipients), state),
        attempt_count=row.attempt_count,
        created_at=from_micros(row.created_at),
        due_at=from_micros(row.due_at) if state.is_open and not is_gathered else None,
        closed_at=moment(row.closed_at),
        revision=row.revision,
        attempts=() if attempts is None else _attempts(row, attempts),
        body=getattr(row, "body", b""),
        window_seq=row.window_seq if state in (State.DIGEST_OPEN, State.DIGESTED) else None,
    )


def _attempts(row: Row, attempts: Sequence[Row]) -> tuple[AttemptRecord, ...]:
    """One that is being made has no row yet."""
    made = tuple(_attempt_of(each) for each in attempts)
    if row.state != State.LEASED or any(each.number == row.attempt_count for each in made):
        return made
    started_at, is_flagged = from_micros(row.due_at), bool(row.maybe_duplicate)
    started = AttemptRecord(row.attempt_count, started_at, None, "started", "", 0, "", is_flagged)
    return (*made, started)


def moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _as_the_whole(recipients: tuple[Recipient, ...], state: State) -> tuple[Recipient, ...]:
    """A closed delivery has no open recipient: what was open when it ended shares its end."""
    if state.is_open:
        return recipients
    return tuple(
        Recipient(each.address, state, each.code, each.reply)
        if each.state is State.QUEUED
        else each
        for each in recipients
    )


def _attempt_of(row: Row) -> AttemptRecord:
    return AttemptRecord(
        number=row.number,
        started_at=from_micros(row.started_at),
        duration=None if row.duration is None else timedelta(microseconds=row.duration),
        outcome=row.outcome,
        reason=row.reason,
        code=row.code,
        reply=row.reply,
        maybe_duplicate=bool(row.maybe_duplicate),
    )
