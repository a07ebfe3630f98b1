"""Delivery's tables. ``migrations/delivery`` makes them; a test holds the two equal."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ibs_notify.store.leases import lease_table

METADATA = sa.MetaData()

_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# Bytewise order, as SQLite and Python have it: the Router merges lists of ids from both sides.
_ID = sa.String(64).with_variant(postgresql.VARCHAR(64, collation="C"), "postgresql")

DELIVERIES = sa.Table(
    "delivery_deliveries",
    METADATA,
    # Grows with acceptance: lists are newest first by it.
    sa.Column("seq", _SEQ, primary_key=True, autoincrement=True),
    sa.Column("delivery_id", _ID, nullable=False, unique=True),
    sa.Column("obligation_id", sa.String(160), nullable=False),
    sa.Column("event_id", sa.String(128), nullable=False),
    sa.Column("event_type", sa.String(64), nullable=False),
    sa.Column("severity", sa.SmallInteger, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("target_uid", sa.String(64), nullable=False),
    # Names at the time of routing.
    sa.Column("target_name", sa.String(63), nullable=False),
    sa.Column("group_name", sa.String(63), nullable=False),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("digest", sa.SmallInteger, nullable=False),
    # JSON list of [address, state, code, reply]; empty until they are resolved.
    sa.Column("recipients", sa.Text, nullable=False),
    sa.Column("suppressed_count", sa.Integer, nullable=False),
    sa.Column("suppressed_since", sa.BigInteger, nullable=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    sa.Column("reason", sa.String(32), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("attempt_count", sa.Integer, nullable=False),
    # Attempts that failed, and claims without an outcome, in a row; both since its life began.
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("unfinished", sa.SmallInteger, nullable=False),
    # The last attempt may have reached the peer.
    sa.Column("maybe_duplicate", sa.SmallInteger, nullable=False),
    sa.Column("lease_holder", sa.String(64), nullable=False),
    sa.Column("lease_fence", sa.BigInteger, nullable=False),
    # By the database's clock; all other moments are by the service's.
    sa.Column("lease_until", sa.BigInteger, nullable=False),
    # Of what is leased: when it was claimed.
    sa.Column("due_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("closed_at", sa.BigInteger, nullable=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    # Of what a digest gathers: its window.
    sa.Column("window_seq", sa.BigInteger, nullable=True),
)
"""The queue and its history. A row is in at most one of the partial indexes at a time."""


def _index_of_state(name: str, state: int, *columns: sa.ColumnElement[object]) -> None:
    where = sa.text(f"state = {state}")
    sa.Index(name, *columns, sqlite_where=where, postgresql_where=where)


_C = DELIVERIES.c
sa.Index("delivery_by_event", _C.event_id)
_index_of_state("delivery_queued", 1, _C.target_uid, _C.severity.desc(), _C.due_at, _C.seq)
_index_of_state("delivery_leased", 2, _C.lease_until)
_index_of_state("delivery_retries", 3, _C.due_at, _C.target_uid)
_index_of_state("delivery_waiting", 4, _C.target_uid)
_index_of_state("delivery_gathered", 5, _C.window_seq, _C.seq)
_index_of_state("delivery_gathered_for", 5, _C.target_uid)
_index_of_state("delivery_dead", 8, _C.target_uid)

ATTEMPTS = sa.Table(
    "delivery_attempts",
    METADATA,
    sa.Column("delivery_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("started_at", sa.BigInteger, nullable=False),
    sa.Column("duration", sa.BigInteger, nullable=True),
    # delivered, retry, refused or unknown; started only in rows of former releases.
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(32), nullable=False),
    sa.Column("code", sa.Integer, nullable=False),
    sa.Column("reply", sa.Text, nullable=False),
    sa.Column("maybe_duplicate", sa.SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Written with the outcome. That an attempt has begun is in the delivery's row, before anything is
sent: it is leased, and ``attempt_count`` is the attempt's number."""

TARGETS = sa.Table(
    "delivery_target_state",
    METADATA,
    sa.Column("target_uid", sa.String(64), primary_key=True),
    sa.Column("paused_reason", sa.String(32), nullable=False),
    sa.Column("paused_at", sa.BigInteger, nullable=True),
    # The target's revision when it was paused: a later one lifts the pause.
    sa.Column("paused_revision", sa.BigInteger, nullable=False),
    sa.Column("delivered_count", sa.BigInteger, nullable=False),
    sa.Column("last_success_at", sa.BigInteger, nullable=True),
    sa.Column("last_failure_at", sa.BigInteger, nullable=True),
    sa.Column("last_failure", sa.Text, nullable=False),
    sa.Column("failing_since", sa.BigInteger, nullable=True),
    sa.Column("last_code", sa.Integer, nullable=False),
    # JSON list of [moment, count]: what max_rate let through in the last minute.
    sa.Column("rate_window", sa.Text, nullable=False),
)

SEQUENCE = sa.Table(
    "delivery_sequence",
    METADATA,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
"""Numbers in commit order: whoever adds to the journal holds this row until it commits."""

OUTCOMES = sa.Table(
    "delivery_outcomes",
    METADATA,
    sa.Column("number", _SEQ, primary_key=True, autoincrement=False),
    sa.Column("delivery_id", _ID, nullable=False),
    # As they were at that end: a delivery may be sent again.
    sa.Column("state", sa.SmallInteger, nullable=False),
    sa.Column("reason", sa.String(32), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("closed_at", sa.BigInteger, nullable=False),
)
"""The journal of deaths and cancellations, without gaps from its oldest entry on."""

WINDOWS = sa.Table(
    "delivery_digest_windows",
    METADATA,
    sa.Column("seq", _SEQ, primary_key=True, autoincrement=True),
    # Whose: DIGEST or SUMMARY, of a group, for a target and, for mail, these recipients.
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("group_name", sa.String(63), nullable=False),
    sa.Column("target_uid", sa.String(64), nullable=False),
    sa.Column("audience", sa.String(32), nullable=False),
    sa.Column("target_name", sa.String(63), nullable=False),
    # JSON list of addresses.
    sa.Column("recipients", sa.Text, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("opened_at", sa.BigInteger, nullable=False),
    # See ``digest_windows.WindowState``.
    sa.Column("state", sa.SmallInteger, nullable=False),
    # When an open one is to be looked at; null: at once.
    sa.Column("due_at", sa.BigInteger, nullable=True),
    # Of one that is closed: why, and the date or hour that it was of.
    sa.Column("reason", sa.String(16), nullable=False),
    sa.Column("period", sa.String(16), nullable=True),
    sa.Column("name", sa.String(48), nullable=True),
    sa.Column("closed_at", sa.BigInteger, nullable=True),
    sa.Column("event_count", sa.BigInteger, nullable=False),
    sa.Column("delivery_id", sa.String(64), nullable=False),
)
"""What digests gather, and what became of it. A delivery that is gathered names its window."""

_W = WINDOWS.c
_STREAM = (_W.kind, _W.group_name, _W.target_uid, _W.audience)
# One digest of a date, and one open window: whatever replicas do, the database sees to it.
sa.Index("delivery_digest_once", *_STREAM, _W.period, _W.name, unique=True)
sa.Index(
    "delivery_digest_open",
    *_STREAM,
    unique=True,
    sqlite_where=sa.text("state = 1"),
    postgresql_where=sa.text("state = 1"),
)
sa.Index(
    "delivery_digest_unfinished",
    _W.state,
    sqlite_where=sa.text("state < 4"),
    postgresql_where=sa.text("state < 4"),
)

LEASES = lease_table(METADATA, "delivery_leases")
