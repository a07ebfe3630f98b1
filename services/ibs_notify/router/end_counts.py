"""How many deliveries ended at each target in each hour: what tells one death from a storm."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import sqlalchemy as sa

from ibs_notify.domain.clock import to_micros
from ibs_notify.router.notices import Hour
from ibs_notify.router.tables import END_COUNTS
from ibs_notify.store.upsert import insert_or_ignore

KEPT = timedelta(days=7)


def add(connection: sa.Connection, counts: Mapping[Hour, int]) -> Mapping[Hour, int]:
    """Add ``counts``; how many there were of each before. Forgets what is older than ``KEPT``."""
    before: dict[Hour, int] = {}
    for hour, count in counts.items():
        key = {
            "target_uid": hour.target_uid,
            "state": hour.state.value,
            "hour": to_micros(hour.start),
        }
        first = insert_or_ignore(END_COUNTS, connection.dialect.name).values(**key, count=0)
        connection.execute(first)
        total = connection.execute(
            sa.update(END_COUNTS)
            .where(*(END_COUNTS.c[name] == value for name, value in key.items()))
            .values(count=END_COUNTS.c.count + count)
            .returning(END_COUNTS.c.count)
        ).scalar_one()
        before[hour] = total - count
    if counts:
        oldest = max(hour.start for hour in counts) - KEPT
        connection.execute(sa.delete(END_COUNTS).where(END_COUNTS.c.hour < to_micros(oldest)))
    return before


def clear(connection: sa.Connection) -> None:
    """Forget all of them: they are about to be counted again."""
    connection.execute(sa.delete(END_COUNTS))
