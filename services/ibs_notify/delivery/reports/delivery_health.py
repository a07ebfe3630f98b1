"""How deliveries fared in a window, counted in turns of bounded cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa

from ibs_notify.delivery.model import LIFETIME, State
from ibs_notify.delivery.reports.weekly_report import (
    MOST_OF_A_NAME,
    MOST_TARGETS,
    DeliveryHealth,
    FailingTarget,
)
from ibs_notify.delivery.reports.words import shortened
from ibs_notify.delivery.tables import BREAKERS, DELIVERIES, TARGETS
from ibs_notify.delivery.targets.breaker import Phase
from ibs_notify.domain.clock import from_micros, to_micros
from ibs_notify.domain.target import Target
from ibs_notify.store.database import Database

PIECE = 20_000
"""So many deliveries are looked at in a turn."""
_SLACK = timedelta(days=1)
"""Clocks may have gone back meanwhile."""
_C = DELIVERIES.c
_ENDS = (State.DELIVERED, State.DEAD, State.CANCELLED)
_SECOND = 1_000_000
_TOOK = _C.closed_at - _C.created_at
# Fine where most are, coarse where few are: at most ten thousand different ones.
_STEP = sa.case(
    (_TOOK < 10 * _SECOND, _TOOK // 10_000 * 10_000),
    (_TOOK < 1000 * _SECOND, _TOOK // _SECOND * _SECOND),
    else_=_TOOK // (60 * _SECOND) * (60 * _SECOND),
)


@dataclass(slots=True)
class _Sums:
    """``steps`` counts the delivered by how long they took, in microseconds."""

    ended: Counter[State] = field(default_factory=Counter)
    steps: Counter[int] = field(default_factory=Counter)
    retried: int = 0

    def add(self, rows: Sequence[Sequence[int]]) -> None:
        for state, step, count, again in rows:
            self.ended[State(state)] += count
            if state == State.DELIVERED:
                self.steps[max(step, 0)] += count
                self.retried += again


class DeliveryHealths:
    """Implements ``ports.Healths``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def health(
        self, after: datetime, before: datetime, targets: Mapping[str, Target]
    ) -> DeliveryHealth:
        sums = _Sums()
        earliest = to_micros(after - LIFETIME - _SLACK)
        span = (to_micros(after), to_micros(before))
        recorders = [uid for uid, target in targets.items() if target.is_metric_server]
        last: int | None = None
        while True:
            rows, last = await self._database.read(
                partial(_turn, last=last, earliest=earliest, span=span, recorders=recorders)
            )
            sums.add(rows)
            if last is None:
                break
        failing = await self._database.read(partial(_failing, targets=targets))
        return DeliveryHealth(
            sums.ended[State.DELIVERED],
            sums.retried,
            sums.ended[State.DEAD],
            sums.ended[State.CANCELLED],
            timedelta(microseconds=_share(sums.steps, 50)),
            timedelta(microseconds=_share(sums.steps, 95)),
            tuple(failing[:MOST_TARGETS]),
            len(failing[MOST_TARGETS:]),
        )


def _turn(
    connection: sa.Connection,
    last: int | None,
    earliest: int,
    span: tuple[int, int],
    recorders: Sequence[str],
) -> tuple[Sequence[Sequence[int]], int | None]:
    """Count the next piece down from ``last``; where to go on, None at the end.

    Numbers grow with acceptance, and what was accepted long before the window has ended before it.
    """
    newest = sa.select(_C.seq, _C.created_at).order_by(_C.seq.desc()).limit(1)
    found = connection.execute(
        newest if last is None else newest.where(_C.seq <= last)
    ).one_or_none()
    if found is None or found.created_at < earliest:
        return (), None
    seq = int(found.seq)
    after, before = span
    rows = connection.execute(
        sa.select(
            _C.state,
            _STEP.label("step"),
            sa.func.count(),
            sa.func.sum(sa.case((_C.attempt_count > 1, 1), else_=0)),
        )
        .where(
            _C.seq.between(seq - PIECE + 1, seq),
            _C.state.in_([each.value for each in _ENDS]),
            _C.closed_at >= after,
            _C.closed_at < before,
            _C.target_uid.not_in(recorders),
        )
        .group_by(_C.state, "step")
    ).all()
    return [tuple(row) for row in rows], seq - PIECE


def _failing(connection: sa.Connection, targets: Mapping[str, Target]) -> Sequence[FailingTarget]:
    """Targets that there still are; those that fail for longest first."""
    t, b = TARGETS.c, BREAKERS.c
    since = sa.func.coalesce(b.since, t.failing_since).label("trouble_since")
    rows = connection.execute(
        sa.select(t.target_uid, since, t.last_code, t.last_failure, b.reason)
        .join_from(TARGETS, BREAKERS, b.target_uid == t.target_uid, isouter=True)
        .where(sa.or_(t.failing_since.is_not(None), b.phase.in_([Phase.OPEN, Phase.PAUSED])))
    )
    found = [
        FailingTarget(
            targets[row.target_uid].name,
            from_micros(row.trouble_since or 0),
            _reason(row.last_code, row.last_failure or row.reason or ""),
        )
        for row in rows
        if row.target_uid in targets
    ]
    return sorted(found, key=lambda each: (each.since, each.name))


def _reason(code: int, said: str) -> str:
    return shortened(f"{code} {said}" if code else said, MOST_OF_A_NAME)


def _share(steps: Counter[int], percent: int) -> int:
    """What ``percent`` of 100 did not exceed (nearest rank); 0 of none."""
    wanted = -(-steps.total() * percent // 100)
    passed = 0
    for step, count in sorted(steps.items()):
        passed += count
        if passed >= wanted:
            return step
    return 0
