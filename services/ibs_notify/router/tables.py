"""The Router's tables. ``migrations/router`` makes them; a test holds the two equal."""

from __future__ import annotations

import sqlalchemy as sa

from ibs_notify.store.leases import lease_table

METADATA = sa.MetaData()

# On SQLite only INTEGER is the row's own key; anything else costs a second tree.
ROW_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")

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
    sa.Column("type", sa.String(64), nullable=False),
    # Sanitised copies of the body's fields, for lists.
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("task_id", sa.Text, nullable=False),
    # Of what the emitter sent; null where the id is ours and cannot come again.
    sa.Column("content_hash", sa.LargeBinary, nullable=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    # Closed dispositions and warnings, protobuf; empty where there are none.
    sa.Column("packed", sa.LargeBinary, nullable=False),
)

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
    sqlite_with_rowid=False,
)

sa.Index(
    "router_obligations_ready",
    OBLIGATIONS.c.severity.desc(),
    OBLIGATIONS.c.event_seq,
    sqlite_where=OBLIGATIONS.c.state == "ready",
    postgresql_where=OBLIGATIONS.c.state == "ready",
)

LEASES = lease_table(METADATA, "router_leases")
