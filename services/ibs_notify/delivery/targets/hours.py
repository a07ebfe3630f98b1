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
from ibs_notify.store.upsert import insert_or_ignore

HOUR = 3_600_000_000
_H = HOURS.c


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

_NOTHING, _DEATH = Counts(), Counts(dead=1)


def note_ends(connection: sa.Connection, done: Iterable[Completion]) -> None:
    """Count what was settled."""
    _add(connection, ((each.work.target_uid, each.ended_at, _counts(each)) for each in done))


def note_deaths(connection: sa.Connection, target_uids: Iterable[str], now: datetime) -> None:
    """Count deliveries that died without an end of their last attempt."""
    _add(connection, ((each, now, _DEATH) for each in target_uids))


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


def _counts(done: Completion) -> Counts:
    return Counts(
        done.settlement.state is State.DELIVERED,
        done.settlement.state is State.DEAD,
        done.end is not None and done.end.outcome != "delivered",
    )


def _add(connection: sa.Connection, ends: Iterable[tuple[str, datetime, Counts]]) -> None:
    total: dict[tuple[str, int], Counts] = {}
    for uid, at, counts in ends:
        if counts != _NOTHING:
            key = uid, to_micros(at) // HOUR * HOUR
            total[key] = total.get(key, _NOTHING) + counts
    # In order, so that two that add wait for one another and never for each other.
    for (uid, hour), counts in sorted(total.items()):
        values = (counts.delivered, counts.dead, counts.failed_attempts, uid, hour)
        if _ADD.change(connection, values) == 0:
            first = insert_or_ignore(HOURS, connection.dialect.name)
            connection.execute(
                first.values(target_uid=uid, hour=hour, delivered=0, dead=0, failed_attempts=0)
            )
            _ADD.change(connection, values)


def _more(column: sa.Column[int]) -> tuple[sa.Column[int], sa.ColumnElement[int]]:
    return column, column + sa.bindparam(f"more_{column.name}", type_=sa.BigInteger)


_ADD = Bulk(
    sa.update(HOURS)
    .ordered_values(_more(_H.delivered), _more(_H.dead), _more(_H.failed_attempts))
    .where(
        _H.target_uid == sa.bindparam("uid", type_=sa.String),
        _H.hour == sa.bindparam("key_hour", type_=sa.BigInteger),
    ),
    ("more_delivered", "more_dead", "more_failed_attempts", "uid", "key_hour"),
)
