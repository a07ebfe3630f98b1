"""Letting the deliveries of a target wait, go on or end.

Deliveries that are being sent are left alone: their worker decides when the attempt has ended. Of
the others there may be very many, and what is changed at a time is bounded: see ``repository``.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.model import Recipient, State
from ibs_notify.delivery.ports import Standing
from ibs_notify.delivery.queue import outcome_journal
from ibs_notify.delivery.queue.rows import NOBODY, recipients_to_json
from ibs_notify.delivery.tables import DELIVERIES
from ibs_notify.domain.clock import to_micros

_C = DELIVERIES.c
Conditions = tuple[sa.ColumnElement[bool], ...]
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
_SENDABLE = (State.QUEUED, State.RETRY_WAIT)
_OPEN = (*_SENDABLE, State.WAITING)
_CANCELLABLE = (*_OPEN, State.DIGEST_OPEN)
"""What ends with its target. What a digest gathers waits for nothing else."""
# One statement for each state: the partial indexes serve one state each, where it is written out.
_IS = {state: sa.text(f"state = {state.value}") for state in _CANCELLABLE}


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of the deliveries in ``state`` for which ``conditions`` hold."""

    state: State
    conditions: Conditions
    values: Mapping[str, object]
    queues: bool = False
    """Whether there is something new to send by it."""
    ends: bool = False
    """Whether it closes them undelivered."""


def find(connection: sa.Connection, change: Change) -> array[int]:
    """The ``seq`` of every delivery that it concerns."""
    statement = sa.select(_C.seq).where(_IS[change.state], *change.conditions)
    return array("q", connection.execute(statement).scalars())


def make(connection: sa.Connection, change: Change, seqs: Sequence[int]) -> int:
    """Change those of ``seqs`` that it still concerns; how many."""
    # Of a sum no partial index knows: the numbers lead to the rows, and not all of a target's.
    is_still = _C.state + 0 == change.state.value
    statement = sa.update(DELIVERIES).where(_C.seq.in_(seqs), is_still, *change.conditions)
    changed = connection.execute(statement.values(change.values).returning(_C.seq)).scalars().all()
    if change.ends:
        outcome_journal.note_ended(connection, changed)
    return len(changed)


def targets_with_open(connection: sa.Connection) -> list[str]:
    """The targets of all open deliveries."""
    uids: set[str] = set()
    for state in _CANCELLABLE:
        statement = sa.select(_C.target_uid).where(_IS[state]).distinct()
        uids.update(connection.execute(statement).scalars())
    # Replicas examine in the same order, so that they do not lock each other out.
    return sorted(uids)


def stand(uid: str, revision: int, standing: Standing, now: datetime) -> list[Change]:
    """Let the open deliveries of a target, of revisions up to ``revision``, stand as it does."""
    mine = (_C.target_uid == uid, _C.revision <= revision)
    if standing.admission.cancels:
        return _cancel(mine, standing.admission, now)
    if standing.admission is not Admission.SENDABLE:
        return _wait(mine, standing.admission)
    return _free(mine, standing, now)


def is_astray(connection: sa.Connection, revision: int, standings: Mapping[str, Standing]) -> bool:
    """See ``ports.Queue.is_astray``. Only for reasons that ``examine`` decides about."""
    for state in _CANCELLABLE:
        columns = (_C.target_uid, _C.reason)
        statement = sa.select(*columns).where(_IS[state], _C.revision <= revision).distinct()
        for row in connection.execute(statement):
            standing = standings.get(row.target_uid, Standing(Admission.TARGET_DELETED))
            waits_for = row.reason if state is State.WAITING else ""
            if state is State.DIGEST_OPEN:
                if standing.admission.cancels:
                    return True
            elif _is_astray(waits_for, standing):
                return True
    return any(
        _waits_for_group(connection, revision, uid, standing.named)
        for uid, standing in standings.items()
        if standing.named and standing.admission is Admission.SENDABLE
    )


def _waits_for_group(
    connection: sa.Connection, revision: int, uid: str, groups: Collection[str]
) -> bool:
    """Whether a mail waits for somebody to receive it whom its group names by now."""
    statement = sa.select(_C.seq).where(
        _IS[State.WAITING],
        _C.target_uid == uid,
        _C.revision <= revision,
        _C.recipients == NOBODY,
        _C.group_name.in_(groups),
    )
    return connection.execute(statement.limit(1)).first() is not None


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
    statement = sa.select(*columns).where(_IS[State.WAITING], _C.reason.in_(_WHEN_SENT)).distinct()
    return [
        (row.target_uid, Admission(row.reason))
        for row in connection.execute(statement.order_by(*columns))
    ]


def park(uid: str, reason: Admission) -> list[Change]:
    """Everything to be sent to a target waits."""
    return _wait((_C.target_uid == uid,), reason)


def unpark(uid: str, reason: Admission, now: datetime) -> list[Change]:
    """What waits for ``reason`` is queued."""
    return [_queue((_C.target_uid == uid, _C.reason == reason.value), now)]


def _cancel(mine: Conditions, reason: Admission, now: datetime) -> list[Change]:
    values = {
        "state": State.CANCELLED.value,
        "reason": reason.value,
        "closed_at": to_micros(now),
    }
    return [Change(state, mine, values, ends=True) for state in _CANCELLABLE]


def _wait(mine: Conditions, reason: Admission) -> list[Change]:
    values = {"state": State.WAITING.value, "reason": reason.value}
    otherwise = (*mine, _C.reason != reason.value)
    return [
        *(Change(state, mine, values) for state in _SENDABLE),
        Change(State.WAITING, otherwise, values),
    ]


def _free(mine: Conditions, standing: Standing, now: datetime) -> list[Change]:
    """Queue what waits. Mails that name nobody wait on where nobody is configured; those of a group
    that names somebody by now are for them."""
    if not standing.lacks_recipients:
        return [_queue(mine, now)]
    names_nobody = _C.recipients == NOBODY
    no_recipients = Admission.NO_RECIPIENTS.value
    otherwise = (*mine, names_nobody, _C.reason != no_recipients)
    return [
        *(
            _queue((*mine, names_nobody, _C.group_name == group), now, addresses)
            for group, addresses in standing.named.items()
        ),
        Change(State.WAITING, otherwise, {"reason": no_recipients}),
        _queue((*mine, sa.not_(names_nobody)), now),
    ]


def _queue(which: Conditions, now: datetime, addresses: Sequence[str] = ()) -> Change:
    """For ``addresses``, where the deliveries are to name somebody else than they do."""
    values: dict[str, object] = {
        "state": State.QUEUED.value,
        "reason": "",
        "due_at": to_micros(now),
    }
    if addresses:
        values["recipients"] = recipients_to_json([Recipient(each) for each in addresses])
    return Change(State.WAITING, which, values, queues=True)
