"""What became of deliveries at each target in each hour: for charts.

Counted in the transaction in which it happens, so that a chart reads a few rows however many
deliveries there were. Every function takes a connection inside a transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import sqlalchemy as sa

from ibs_notify.delivery.model import Completion, State
from ibs_notify.delivery.tables import HOURS
from ibs_notify.domain.clock import to_micros
from ibs_notify.store.bulk import Bulk
from ibs_notify.store.upsert import insert_or_add

HOUR = 3_600_000_000
_H = HOURS.c
_Total = defaultdict[tuple[str, int], list[int]]
"""By target's uid and hour since the epoch: delivered, dead and failed attempts."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Deliveries that ended delivered, that ended dead, and attempts that failed."""

    delivered: int = 0
    dead: int = 0
    failed_attempts: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.delivered + other.delivered,
            self.dead + other.dead,
            self.failed_attempts + other.failed_attempts,
        )


Chart: TypeAlias = Mapping[str, Mapping[int, Counts]]
"""By target's uid and by when a span begins, in microseconds."""


def note_ends(connection: sa.Connection, done: Iterable[Completion]) -> None:
    """Count what was settled."""
    total = _Total(_nothing)
    for each in done:
        state = each.settlement.state
        delivered, dead = state is State.DELIVERED, state is State.DEAD
        failed = each.end is not None and each.end.outcome != "delivered"
        if delivered or dead or failed:
            counts = total[each.work.target_uid, to_micros(each.ended_at) // HOUR]
            counts[0] += delivered
            counts[1] += dead
            counts[2] += failed
    _add(connection, total)


def note_deaths(connection: sa.Connection, target_uids: Iterable[str], now: datetime) -> None:
    """Count deliveries that died without an end of their last attempt."""
    total = _Total(_nothing)
    for uid in target_uids:
        total[uid, to_micros(now) // HOUR][1] += 1
    _add(connection, total)


def chart(
    connection: sa.Connection,
    target_uids: Collection[str] | None,
    after: int,
    before: int,
    step: int,
) -> Chart:
    """The hours from ``after`` until before ``before``, summed up to spans of ``step``.

    All in microseconds; of these targets, or of all where ``None``.
    """
    span = (_H.hour // sa.literal(step, sa.BigInteger)).label("span")
    statement = (
        sa.select(
            _H.target_uid,
            span,
            sa.func.sum(_H.delivered),
            sa.func.sum(_H.dead),
            sa.func.sum(_H.failed_attempts),
        )
        .where(_H.hour >= after // HOUR * HOUR, _H.hour < before)
        .group_by(_H.target_uid, span)
    )
    if target_uids is not None:
        statement = statement.where(_H.target_uid.in_(sorted(target_uids)))
    found: dict[str, dict[int, Counts]] = defaultdict(dict)
    for uid, number, *counts in connection.execute(statement):
        # PostgreSQL sums up to decimals.
        found[uid][number * step] = Counts(*map(int, counts))
    return found


def forget_before(connection: sa.Connection, moment: int) -> None:
    """Remove the hours before a moment."""
    connection.execute(sa.delete(HOURS).where(_H.hour < moment // HOUR * HOUR))


def _nothing() -> list[int]:
    return [0, 0, 0]


def _add(connection: sa.Connection, total: _Total) -> None:
    # In order, so that two that add wait for one another and never for each other.
    rows = [(uid, hour * HOUR, *counts) for (uid, hour), counts in sorted(total.items())]
    _ADD[connection.dialect.name].run(connection, rows)


_ADD = {
    each: Bulk(insert_or_add(HOURS, each), [column.name for column in HOURS.columns])
    for each in ("sqlite", "postgresql")
}
