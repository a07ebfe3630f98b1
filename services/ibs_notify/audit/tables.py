"""The two tables of an audit log. In the database are triggers that refuse to change an entry."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from ibs_notify.audit.entry import MAX_NAME


@dataclass(frozen=True, slots=True)
class AuditTables:
    """``service`` is part of each hash, so that an entry of one log is none of another."""

    service: str
    entries: sa.Table
    head: sa.Table


def audit_tables(metadata: sa.MetaData, service: str) -> AuditTables:
    """The tables of the log of ``service``."""
    entries = sa.Table(
        f"{service}_audit",
        metadata,
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(MAX_NAME), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(MAX_NAME), nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    head = sa.Table(
        f"{service}_audit_head",
        metadata,
        # One row. Whoever appends locks it first, so there is one chain, whatever the replicas.
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    return AuditTables(service, entries, head)
