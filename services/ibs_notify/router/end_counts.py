"""How many deliveries ended at each target in each hour: what tells one death from a storm."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import sqlalchemy as sa

from ibs_notify.domain.clock import to_micros
from ibs_notify.router.notices import Hour
from ibs_notify.store.upsert import insert_or_ignore

KEPT = timedelta(days=7)


def end_count_table(metadata: sa.MetaData, name: str) -> sa.Table:
    """The table of the counts."""
    return sa.Table(
        name,
        metadata,
        sa.Column("target_uid", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(16), primary_key=True),
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("count", sa.BigInteger, nullable=False),
    )


def add(
    connection: sa.Connection, table: sa.Table, counts: Mapping[Hour, int]
) -> Mapping[Hour, int]:
    """Add ``counts``; how many there were of each before. Forgets what is older than ``KEPT``."""
    before: dict[Hour, int] = {}
    for hour, count in counts.items():
        key = {
            "target_uid": hour.target_uid,
            "state": hour.state.value,
            "hour": to_micros(hour.start),
        }
        first = insert_or_ignore(table, connection.dialect.name).values(**key, count=0)
        connection.execute(first)
        total = connection.execute(
            sa.update(table)
            .where(*(table.c[name] == value for name, value in key.items()))
            .values(count=table.c.count + count)
            .returning(table.c.count)
        ).scalar_one()
        before[hour] = total - count
    if counts:
        oldest = max(hour.start for hour in counts) - KEPT
        connection.execute(sa.delete(table).where(table.c.hour < to_micros(oldest)))
    return before
