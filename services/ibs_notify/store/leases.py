"""Leases by the database's clock, with fencing numbers: one holder at a time among replicas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from ibs_notify.store.bulk import Bulk
from ibs_notify.store.upsert import insert_or_ignore


@dataclass(frozen=True, slots=True)
class Lease:
    """``fence`` grows with every change of holder: work done under an older one must be refused.

    ``acquired_at`` is the database's clock when it was taken or prolonged last, in microseconds.
    """

    name: str
    holder: str
    fence: int
    acquired_at: int


def lease_table(metadata: sa.MetaData, name: str) -> sa.Table:
    """The table of a service's leases."""
    return sa.Table(
        name,
        metadata,
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )


def database_now(dialect: str) -> ColumnElement[int]:
    """The database's clock in microseconds since the epoch."""
    if dialect == "sqlite":
        return sa.literal_column(
            "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)", sa.BigInteger
        )
    return sa.literal_column(
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)", sa.BigInteger
    )


def acquire(
    connection: sa.Connection, table: sa.Table, name: str, holder: str, seconds: float
) -> Lease | None:
    """Take or prolong the lease ``name``; ``None`` where another holder has it."""
    dialect = connection.dialect.name
    length = int(seconds * 1_000_000)
    parameters = (holder, holder, length, name, holder)
    taken = _take(table, dialect).fetch(connection, parameters)
    if not taken:
        # Another holder has it, or nobody ever had.
        connection.execute(
            insert_or_ignore(table, dialect).values(name=name, holder="", fence=0, expires_at=0)
        )
        taken = _take(table, dialect).fetch(connection, parameters)
    for fence, expires_at in taken:
        return Lease(name, holder, fence, expires_at - length)
    return None


@cache
def _take(table: sa.Table, dialect: str) -> Bulk:
    """Made once: to put it together takes longer than to run it."""
    now = database_now(dialect)

    def is_of(parameter: str) -> ColumnElement[bool]:
        return table.c.holder == sa.bindparam(parameter, type_=table.c.holder.type)

    statement = (
        sa.update(table)
        .ordered_values(
            (table.c.holder, sa.bindparam("who", type_=table.c.holder.type)),
            (
                table.c.fence,
                sa.case(
                    (is_of("former"), table.c.fence),
                    else_=table.c.fence + sa.literal_column("1"),
                ),
            ),
            (table.c.expires_at, now + sa.bindparam("length", type_=sa.BigInteger)),
        )
        .where(
            table.c.name == sa.bindparam("lease"),
            sa.or_(is_of("holding"), table.c.expires_at < now),
        )
        .returning(table.c.fence, table.c.expires_at)
    )
    return Bulk(statement, ("who", "former", "length", "lease", "holding"))


def release(connection: sa.Connection, table: sa.Table, lease: Lease) -> None:
    """Give the lease back, so that another holder need not wait for its end."""
    connection.execute(
        sa.update(table)
        .where(table.c.name == lease.name, table.c.holder == lease.holder)
        .values(expires_at=0)
    )
