"""The Router's tables. ``migrations/router`` makes them; a test holds the two equal."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ibs_notify.audit.tables import audit_tables
from ibs_notify.store.leases import lease_table

METADATA = sa.MetaData()

# On SQLite only INTEGER is the row's own key; anything else costs a second tree.
ROW_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _bytewise(kind: sa.String) -> sa.types.TypeEngine[str]:
    """Text in the order of its bytes, as SQLite has it anyway: a prefix is then a range."""
    return kind.with_variant(type(kind)(kind.length, collation="C"), "postgresql")


SEQUENCE = sa.Table(
    "router_sequence",
    METADATA,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
"""Numbers in commit order: whoever writes events holds this row until it commits."""

EVENTS = sa.Table(
    "router_events",
    METADATA,
    sa.Column("seq", ROW_KEY, primary_key=True, autoincrement=False),
    sa.Column("event_id", sa.String(128), nullable=False, unique=True),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    # How many obligations have a row, and how many were closed at once and are packed here.
    sa.Column("opened", sa.SmallInteger, nullable=False),
    sa.Column("closed", sa.SmallInteger, nullable=False),
    sa.Column("severity", sa.SmallInteger, nullable=False),
    sa.Column("type", _bytewise(sa.String(64)), nullable=False),
    # Sanitised copies of the body's fields, for lists.
    sa.Column("resource", _bytewise(sa.Text()), nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("task_id", sa.Text, nullable=False),
    # Of what the emitter sent; null where the id is ours and cannot come again.
    sa.Column("content_hash", sa.LargeBinary, nullable=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    # Closed dispositions and warnings, protobuf; empty where there are none.
    sa.Column("packed", sa.LargeBinary, nullable=False),
    # What became of it at once: a bit for each state, see ``dispositions.bit``.
    sa.Column("states", sa.SmallInteger, nullable=False, server_default="0"),
)

_COUNTED = (EVENTS.c.severity, EVENTS.c.received_at)
# For the filters of the inbox: in each the events of a key are in the order of the list. What
# follows ``seq`` is there to be counted without a look at the events.
sa.Index("router_events_by_severity", EVENTS.c.severity, EVENTS.c.seq, EVENTS.c.received_at)
sa.Index("router_events_by_type", EVENTS.c.type, EVENTS.c.seq, *_COUNTED)
sa.Index("router_events_by_resource", EVENTS.c.resource, EVENTS.c.seq, *_COUNTED)
sa.Index("router_events_by_task", EVENTS.c.task_id, EVENTS.c.seq, EVENTS.c.severity)

ROUTES = sa.Table(
    "router_routes",
    METADATA,
    sa.Column("route_id", ROW_KEY, primary_key=True),
    sa.Column("digest", sa.String(32), nullable=False, unique=True),
    sa.Column("group_name", sa.String(63), nullable=False),
    sa.Column("target_name", sa.String(63), nullable=False),
    sa.Column("target_uid", sa.String(64), nullable=False),
    sa.Column("subscription_uid", sa.String(64), nullable=False),
    # JSON list of addresses, for mail.
    sa.Column("recipients", sa.Text, nullable=False),
)
"""Every route that ever was in force, once; obligations name theirs by number."""

OBLIGATIONS = sa.Table(
    "router_obligations",
    METADATA,
    sa.Column("event_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("position", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("severity", sa.SmallInteger, nullable=False),
    sa.Column("route_id", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(32), nullable=False),
    sa.Column("pointer", sa.String(160), nullable=False),
    # Of a released one: the recipients that it took where those are not all; else empty.
    sa.Column("taken", sa.Text, nullable=False),
    # Both null until it is released.
    sa.Column("released_at", sa.BigInteger, nullable=True),
    sa.Column("delivery_id", sa.String(32), nullable=True),
    # Whose rate limit holds it; 0: nobody's.
    sa.Column("lane_id", sa.BigInteger, nullable=False, server_default="0"),
    # Identical events that were suppressed before this one was told.
    sa.Column("suppressed", sa.Integer, nullable=False, server_default="0"),
    sa.Column("suppressed_since", sa.BigInteger, nullable=True),
    sqlite_with_rowid=False,
)


def _obligations_where(name: str, condition: str, *columns: sa.ColumnElement[Any]) -> None:
    where = sa.text(condition)
    sa.Index(name, *columns, sqlite_where=where, postgresql_where=where)


_obligations_where(
    "router_obligations_waiting",
    "state = 'ready' AND released_at IS NULL",
    OBLIGATIONS.c.lane_id,
    OBLIGATIONS.c.severity.desc(),
    OBLIGATIONS.c.event_seq,
)
_obligations_where(
    "router_obligations_released",
    "state = 'ready' AND released_at IS NOT NULL",
    OBLIGATIONS.c.severity.desc(),
    OBLIGATIONS.c.event_seq,
)
_obligations_where(
    "router_obligations_collapsed",
    "state = 'collapsed'",
    OBLIGATIONS.c.pointer,
    OBLIGATIONS.c.lane_id,
)

LANES = sa.Table(
    "router_lanes",
    METADATA,
    sa.Column("lane_id", ROW_KEY, primary_key=True),
    sa.Column("group_uid", sa.String(64), nullable=False, unique=True),
    # When it last let events go, as ``limit`` packs it: as much as its limit looks back on.
    sa.Column("releases", sa.LargeBinary, nullable=False),
)
"""A queue for each group that ever was in force: what its rate limit counts."""

# All numbers, and in the order in which they are looked for: a storm writes as few pages as it can.
WINDOWS = sa.Table(
    "router_windows",
    METADATA,
    # Hashes: of what it is about, of how that stood, and of subscription and fingerprint.
    sa.Column("subject", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("standing", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.BigInteger, primary_key=True, autoincrement=False),
    # The obligation that was told.
    sa.Column("told_seq", sa.BigInteger, nullable=False),
    sa.Column("told_position", sa.SmallInteger, nullable=False),
    sa.Column("opened_at", sa.BigInteger, nullable=False),
    # See ``windows.OPEN``.
    sa.Column("closed", sa.SmallInteger, nullable=False),
    sa.Column("suppressed", sa.Integer, nullable=False),
    sa.Column("suppressed_since", sa.BigInteger, nullable=True),
    # Where a ``dedup_key`` takes the place of subject and standing: those of the one that was told.
    sa.Column("keyed_subject", sa.BigInteger, nullable=True),
    sa.Column("keyed_standing", sa.BigInteger, nullable=True),
    sqlite_with_rowid=False,
)
"""What was told last of each kind: deduplication's memory."""

sa.Index(
    "router_windows_keyed",
    WINDOWS.c.keyed_subject,
    WINDOWS.c.keyed_standing,
    sqlite_where=sa.text("keyed_subject IS NOT NULL"),
    postgresql_where=sa.text("keyed_subject IS NOT NULL"),
)

SILENCES = sa.Table(
    "router_silences",
    METADATA,
    sa.Column("silence_id", sa.String(64), primary_key=True),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("starts_at", sa.BigInteger, nullable=False),
    sa.Column("ends_at", sa.BigInteger, nullable=True),
    sa.Column("weekly", sa.String(256), nullable=False),
    sa.Column("time_zone", sa.String(64), nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

SUMMARIES = sa.Table(
    "router_summaries",
    METADATA,
    sa.Column("lane_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("route_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event_seq", sa.BigInteger, nullable=False),
    sa.Column("event_id", sa.String(128), nullable=False),
)
"""The summary of each lane and route that still gathers: not released yet."""

MARKS = sa.Table(
    "router_marks",
    METADATA,
    sa.Column("user_name", sa.String(256), primary_key=True),
    sa.Column("event_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How a user marked an event, where that differs from the user's line."""

READERS = sa.Table(
    "router_readers",
    METADATA,
    sa.Column("user_name", sa.String(256), primary_key=True),
    # Every event up to here is read, or archived, unless it is marked otherwise.
    sa.Column("read_through", sa.BigInteger, nullable=False),
    sa.Column("archived_through", sa.BigInteger, nullable=False),
)

RETIRED = sa.Table(
    "router_retired",
    METADATA,
    sa.Column("event_id", sa.String(128), primary_key=True),
    sa.Column("content_hash", sa.LargeBinary, nullable=False),
    sa.Column("retired_at", sa.BigInteger, nullable=False),
)
"""Ids that emitters chose, of events that are gone: they stay known for a while."""

sa.Index("router_retired_by_time", RETIRED.c.retired_at)

CURSORS = sa.Table(
    "router_cursors",
    METADATA,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.String(64), nullable=False),
)
"""How far the Router has read in what others stream."""

END_COUNTS = sa.Table(
    "router_end_counts",
    METADATA,
    sa.Column("target_uid", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), primary_key=True),
    sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("count", sa.BigInteger, nullable=False),
)
"""How many deliveries ended at each target in each hour, for the notices."""

REVISIONS = sa.Table(
    "router_revisions",
    METADATA,
    sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("in_force_at", sa.BigInteger, nullable=False),
    # Of all its parts.
    sa.Column("digest", sa.String(32), nullable=False),
)
"""The revisions of the configuration that events were routed by here."""

REVISION_PARTS = sa.Table(
    "router_revision_parts",
    METADATA,
    sa.Column("kind", sa.String(8), primary_key=True),
    sa.Column("uid", sa.String(64), primary_key=True),
    # Of the revisions from ``since`` until before ``until``.
    sa.Column("since", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("until", sa.BigInteger, nullable=True),
    # Protobuf, compressed.
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""Their groups, targets and settings, each stored when it changed."""

LEASES = lease_table(METADATA, "router_leases")

AUDIT = audit_tables(METADATA, "router")
