"""Reads an audit log: a page of it, and whether its chain holds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from ibs_notify.audit.entry import Entry, Flaw, Head, flaw_of
from ibs_notify.audit.journal import entry_of, head_of
from ibs_notify.audit.tables import AuditTables
from ibs_notify.domain.clock import to_micros
from ibs_notify.store.database import Database

CHUNK = 100
"""Entries that are looked at in one transaction: two milliseconds, in which a server waits."""
PAUSE_SECONDS = 0.005
"""From one to the next, so that others are served as if there were no verification."""
MOST_TEXT = 2_000_000
"""Characters of before and after on one page, beyond which it ends: a message is bounded."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries: below the number ``before``, and as each field that is not empty says."""

    before: int | None = None
    actor: str = ""
    action_prefix: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, and whether there are ``more`` after them."""

    entries: Sequence[Entry]
    more: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a chain says up to its ``end``; ``broken`` is the first bad entry, 0 where none is."""

    end: Head
    broken: int = 0
    flaw: Flaw | None = None


def page(connection: sa.Connection, log: AuditTables, query: Query, limit: int) -> Page:
    """At most ``limit`` entries, the newest first."""
    entries = log.entries.c
    statement = sa.select(log.entries).order_by(entries.sequence.desc()).limit(limit + 1)
    if query.before is not None:
        statement = statement.where(entries.sequence < query.before)
    if query.actor:
        statement = statement.where(entries.actor == query.actor)
    if query.action_prefix:
        beginning = sa.func.substr(entries.action, 1, len(query.action_prefix))
        statement = statement.where(beginning == query.action_prefix)
    if query.subject:
        statement = statement.where(entries.subject == query.subject)
    if query.since is not None:
        statement = statement.where(entries.at >= to_micros(query.since))
    if query.until is not None:
        statement = statement.where(entries.at < to_micros(query.until))
    found: list[Entry] = []
    length = 0
    for row in connection.execute(statement):
        if len(found) == limit or length > MOST_TEXT:
            return Page(found, more=True)
        found.append(entry_of(row))
        length += len(row.before) + len(row.after)
    return Page(found, more=False)


async def verify(database: Database, log: AuditTables, known: Head | None = None) -> Verdict:
    """Compute the chain anew, as far as it is now.

    ``known`` is what somebody noted of it earlier: it finds a log that was cut or written anew.
    """
    end, last = await database.read(lambda c: (head_of(c, log), _last_number(c, log)))
    before = Head()
    found_known = known is None or known.sequence == 0
    while before.sequence < end.sequence:
        look = partial(_chunk, log=log, after=before.sequence, end=end)
        entries = await database.read(look)
        for entry in entries:
            flaw = flaw_of(log.service, entry, before)
            if flaw is not None:
                return Verdict(end, before.sequence + 1, flaw)
            before = Head(entry.sequence, entry.hash)
            if known is not None and known.sequence == entry.sequence:
                if known.hash != entry.hash:
                    return Verdict(end, entry.sequence, Flaw.OTHER)
                found_known = True
        if len(entries) < CHUNK and before.sequence < end.sequence:
            return Verdict(end, before.sequence + 1, await _what_is_missing(database, log, before))
        # A database in this process, and the hashes, do not give way by themselves.
        await asyncio.sleep(PAUSE_SECONDS)
    if before.hash != end.hash:
        return Verdict(end, end.sequence, Flaw.OTHER)
    if last > end.sequence:
        return Verdict(end, end.sequence + 1, Flaw.BEYOND)
    if known is not None and not found_known:
        return Verdict(end, end.sequence + 1, Flaw.CUT)
    return Verdict(end)


async def _what_is_missing(database: Database, log: AuditTables, before: Head) -> Flaw:
    """An entry that is there but cannot be read is not as it was written."""
    number = log.entries.c.sequence
    query = sa.select(number).where(number == before.sequence + 1)
    there = await database.read(lambda c: c.execute(query).first())
    return Flaw.MISSING if there is None else Flaw.CHANGED


def _last_number(connection: sa.Connection, log: AuditTables) -> int:
    number = connection.execute(sa.select(sa.func.max(log.entries.c.sequence))).scalar()
    return number or 0


def _chunk(connection: sa.Connection, log: AuditTables, after: int, end: Head) -> Sequence[Entry]:
    """The entries behind ``after``, up to the first that cannot be read."""
    number = log.entries.c.sequence
    statement = (
        sa.select(log.entries)
        .where(number > after, number <= end.sequence)
        .order_by(number)
        .limit(CHUNK)
    )
    entries: list[Entry] = []
    with suppress(TypeError, ValueError, OverflowError):
        for row in connection.execute(statement):
            entries.append(entry_of(row))  # noqa: PERF401  # those before a bad one are kept
    return entries
