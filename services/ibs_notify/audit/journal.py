"""Appends to an audit log, in the transaction of the change that the entry tells of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ibs_notify.audit.entry import Act, Entry, Head, seal
from ibs_notify.audit.tables import AuditTables
from ibs_notify.domain.clock import from_micros, to_micros


def append(
    connection: sa.Connection, log: AuditTables, actor: str, act: Act, now: datetime
) -> Entry:
    """Write down that ``actor`` does ``act``. If it cannot be written, the change is undone too.

    To be called last of all that the transaction locks, so that no two wait for each other.
    """
    head = _head(connection, log, for_update=True)
    entry = seal(log.service, head, actor, act, now)
    connection.execute(
        sa.insert(log.entries).values(
            sequence=entry.sequence,
            at=to_micros(entry.moment),
            actor=entry.actor,
            action=entry.act.action,
            subject=entry.act.subject,
            before=entry.act.before,
            after=entry.act.after,
            previous_hash=entry.previous_hash,
            hash=entry.hash,
        )
    )
    connection.execute(sa.update(log.head).values(sequence=entry.sequence, hash=entry.hash))
    return entry


def head_of(connection: sa.Connection, log: AuditTables) -> Head:
    """The end of the chain, as the log itself knows it."""
    return _head(connection, log, for_update=False)


def entry_of(row: sa.Row[tuple[Any, ...]]) -> Entry:
    """The entry that a row of the table is; raises ``TypeError``, ``ValueError`` or
    ``OverflowError`` of one that somebody has put other values into."""
    texts = (row.actor, row.action, row.subject, row.before, row.after)
    if not all(isinstance(each, str) for each in texts):
        raise TypeError(f"entry {row.sequence} holds a value that is no text")
    return Entry(
        sequence=row.sequence,
        moment=from_micros(row.at),
        actor=row.actor,
        act=Act(row.action, row.subject, row.before, row.after),
        previous_hash=bytes(row.previous_hash),
        hash=bytes(row.hash),
    )


def _head(connection: sa.Connection, log: AuditTables, *, for_update: bool) -> Head:
    query = sa.select(log.head.c.sequence, log.head.c.hash)
    row = connection.execute(query.with_for_update() if for_update else query).one()
    return Head(row.sequence, bytes(row.hash))
