"""Letting the deliveries of a target wait, go on or end, all at once: a statement for each target.

Deliveries that are being sent are left alone: their worker decides when the attempt has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.model import State
from ibs_notify.delivery.ports import Standing
from ibs_notify.delivery.rows import NOBODY
from ibs_notify.delivery.tables import DELIVERIES
from ibs_notify.domain.clock import to_micros

_C = DELIVERIES.c
# One statement for each state: the partial indexes serve one state each.
_IS_QUEUED = sa.text("state = 1")
_IS_IN_RETRY = sa.text("state = 3")
_IS_WAITING = sa.text("state = 4")
_BY_EXAMINATION = frozenset(
    each.value
    for each in (
        Admission.CONFIG_BEHIND,
        Admission.TARGET_DISABLED,
        Admission.TARGET_PAUSED,
        Admission.TRANSPORT_NOT_AVAILABLE,
    )
)
"""Why a delivery may wait that nothing but an examination ends."""
_WHEN_SENT = tuple(
    each.value
    for each in (
        Admission.SECRET_UNREADABLE,
        Admission.SECRET_REQUIRED,
        Admission.MISCONFIGURED,
    )
)
"""Why a delivery may wait that only opening its target's transport finds out."""
_SENDABLE = (_IS_QUEUED, _IS_IN_RETRY)
_OPEN = (_IS_QUEUED, _IS_IN_RETRY, _IS_WAITING)


def examine(
    connection: sa.Connection, revision: int, standings: Mapping[str, Standing], now: datetime
) -> frozenset[str]:
    """See ``ports.Queue.examine``."""
    freed: set[str] = set()
    for uid in _targets_with_open(connection):
        mine = (_C.target_uid == uid, _C.revision <= revision)
        standing = standings.get(uid, Standing(Admission.TARGET_DELETED))
        if standing.admission.cancels:
            _cancel(connection, mine, standing.admission, now)
        elif standing.admission is not Admission.SENDABLE:
            _wait(connection, mine, standing.admission)
        elif _free(connection, mine, standing, now):
            freed.add(uid)
    return frozenset(freed)


def is_astray(connection: sa.Connection, revision: int, standings: Mapping[str, Standing]) -> bool:
    """See ``ports.Queue.is_astray``. Only for reasons that ``examine`` decides about."""
    for state in _OPEN:
        columns = (_C.target_uid, _C.reason)
        statement = sa.select(*columns).where(state, _C.revision <= revision).distinct()
        for row in connection.execute(statement):
            standing = standings.get(row.target_uid, Standing(Admission.TARGET_DELETED))
            waits_for = row.reason if state is _IS_WAITING else ""
            if _is_astray(waits_for, standing):
                return True
    return False


def _is_astray(waits_for: str, standing: Standing) -> bool:
    """``waits_for`` is empty for what is to be sent."""
    if standing.admission is not Admission.SENDABLE:
        return waits_for != standing.admission.value
    if waits_for == Admission.NO_RECIPIENTS:
        return not standing.lacks_recipients
    return waits_for in _BY_EXAMINATION


def blocked(connection: sa.Connection) -> list[tuple[str, Admission]]:
    """See ``ports.Queue.blocked``."""
    columns = (_C.target_uid, _C.reason)
    statement = sa.select(*columns).where(_IS_WAITING, _C.reason.in_(_WHEN_SENT)).distinct()
    return [
        (row.target_uid, Admission(row.reason))
        for row in connection.execute(statement.order_by(*columns))
    ]


def park(connection: sa.Connection, uid: str, reason: Admission) -> None:
    """Everything to be sent to a target waits."""
    _wait(connection, (_C.target_uid == uid,), reason)


def unpark(connection: sa.Connection, uid: str, reason: Admission, now: datetime) -> int:
    """What waits for ``reason`` is queued; how many."""
    return _update(
        connection,
        _IS_WAITING,
        (_C.target_uid == uid, _C.reason == reason.value),
        _queued(now),
    )


def _targets_with_open(connection: sa.Connection) -> list[str]:
    uids: set[str] = set()
    for state in _OPEN:
        statement = sa.select(_C.target_uid).where(state).distinct()
        uids.update(connection.execute(statement).scalars())
    # Replicas examine in the same order, so that they do not lock each other out.
    return sorted(uids)


def _cancel(
    connection: sa.Connection,
    mine: tuple[sa.ColumnElement[bool], ...],
    reason: Admission,
    now: datetime,
) -> None:
    for state in _OPEN:
        _update(
            connection,
            state,
            mine,
            {
                "state": State.CANCELLED.value,
                "reason": reason.value,
                "closed_at": to_micros(now),
            },
        )


def _wait(
    connection: sa.Connection, mine: tuple[sa.ColumnElement[bool], ...], reason: Admission
) -> None:
    values = {"state": State.WAITING.value, "reason": reason.value}
    for state in _SENDABLE:
        _update(connection, state, mine, values)
    _update(connection, _IS_WAITING, (*mine, _C.reason != reason.value), values)


def _free(
    connection: sa.Connection,
    mine: tuple[sa.ColumnElement[bool], ...],
    standing: Standing,
    now: datetime,
) -> int:
    """Queue what waits. Mails that name nobody wait on where nobody is configured."""
    if not standing.lacks_recipients:
        return _update(connection, _IS_WAITING, mine, _queued(now))
    names_nobody = _C.recipients == NOBODY
    no_recipients = {"reason": Admission.NO_RECIPIENTS.value}
    _update(connection, _IS_WAITING, (*mine, names_nobody), no_recipients)
    return _update(connection, _IS_WAITING, (*mine, sa.not_(names_nobody)), _queued(now))


def _queued(now: datetime) -> dict[str, object]:
    return {"state": State.QUEUED.value, "reason": "", "due_at": to_micros(now)}


def _update(
    connection: sa.Connection,
    state: sa.TextClause,
    conditions: tuple[sa.ColumnElement[bool], ...],
    values: Mapping[str, object],
) -> int:
    statement = sa.update(DELIVERIES).where(state, *conditions).values(values)
    return connection.execute(statement).rowcount
