"""Delivery's tables. ``migrations/delivery`` makes them; a test holds the two equal."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ibs_notify.audit.tables import audit_tables
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
    # Whether its event is in the totals of its target, a Pushgateway.
    sa.Column("counted", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
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
    sa.Column("delivered_count", sa.BigInteger, nullable=False),
    sa.Column("last_success_at", sa.BigInteger, nullable=True),
    sa.Column("last_failure_at", sa.BigInteger, nullable=True),
    sa.Column("last_failure", sa.Text, nullable=False),
    sa.Column("failing_since", sa.BigInteger, nullable=True),
    sa.Column("last_code", sa.Integer, nullable=False),
    # JSON list of [moment, count]: what max_rate let through in the last minute.
    sa.Column("rate_window", sa.Text, nullable=False),
    # Of the peer, as the last handshake showed it.
    sa.Column("certificate_until", sa.BigInteger, nullable=True),
    # Of the last that was attempted: it outlives the target, and what was delivered to it.
    sa.Column("target_name", sa.String(63), nullable=False, server_default=sa.text("''")),
)

BREAKERS = sa.Table(
    "delivery_breakers",
    METADATA,
    sa.Column("target_uid", sa.String(64), primary_key=True),
    sa.Column("phase", sa.String(16), nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("openings", sa.Integer, nullable=False),
    sa.Column("ramp_limit", sa.Integer, nullable=False),
    sa.Column("successes", sa.Integer, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=True),
    sa.Column("probe_at", sa.BigInteger, nullable=True),
    sa.Column("reason", sa.String(32), nullable=False),
    # The target's revision when it failed or paused: a later one is tried at once.
    sa.Column("revision", sa.BigInteger, nullable=False),
)
"""See ``targets.breaker.Breaker``. Targets that never failed have no row; replicas share what there
is, and whoever settles or claims for a target holds its row until the commit."""

SEQUENCE = sa.Table(
    "delivery_sequence",
    METADATA,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
"""Numbers in commit order: whoever adds to the journal holds its row until it commits. Beside it,
up to which moment what was accepted may be gone (``queue.retention``), and since when the queue is
held (``queue.hold``), 0 for neither."""

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
    # Of a target that turned, which is no delivery: how, which, and since when the trouble was.
    sa.Column("turning", sa.String(16), nullable=True),
    sa.Column("target_uid", sa.String(64), nullable=True),
    sa.Column("since", sa.BigInteger, nullable=True),
)
"""The journal of deaths, cancellations and targets that fail, recover or pause; without gaps from
its oldest entry on."""

HOURS = sa.Table(
    "delivery_target_hours",
    METADATA,
    sa.Column("target_uid", sa.String(64), primary_key=True),
    sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("delivered", sa.BigInteger, nullable=False),
    sa.Column("dead", sa.BigInteger, nullable=False),
    sa.Column("failed_attempts", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How many deliveries ended at each target in each hour, and attempts failed: for charts."""

METRIC_LABELS = sa.Table(
    "delivery_metric_labels",
    METADATA,
    sa.Column("target_uid", sa.String(64), primary_key=True),
    sa.Column("label", sa.String(16), primary_key=True),
    sa.Column("value", sa.String(200), primary_key=True),
    sqlite_with_rowid=False,
)
"""The values that keep their names in a metric server, for good; others are ``other``. The empty
value is the row that whoever adds to a label locks."""

METRIC_SERIES = sa.Table(
    "delivery_metric_series",
    METADATA,
    sa.Column("target_uid", sa.String(64), primary_key=True),
    # A hash of the metric and the labels, which may be longer than an index takes.
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("metric", sa.String(16), nullable=False),
    # JSON list of the labels' values.
    sa.Column("labels", sa.Text, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("last_at", sa.BigInteger, nullable=False),
)
"""The totals of each Pushgateway: what was counted once is in them for good."""

METRIC_GROUPS = sa.Table(
    "delivery_metric_groups",
    METADATA,
    sa.Column("target_uid", sa.String(64), primary_key=True),
    # A hash of the gateway's address, the job and the target's name.
    sa.Column("place", sa.LargeBinary, primary_key=True),
    # JSON: how the gateway is reached, with the secrets as they are sealed.
    sa.Column("content", sa.Text, nullable=False),
    # Since when it is to be removed from the gateway.
    sa.Column("left_at", sa.BigInteger, nullable=True),
)
"""The groups that were made on gateways, so that they can be removed when their target is gone."""

LEASES = lease_table(METADATA, "delivery_leases")
"""Whose turn it is to push to a Pushgateway, and to cut digests."""

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
    # See ``digests.windows.WindowState``.
    sa.Column("state", sa.SmallInteger, nullable=False),
    # When an open one is to be looked at; null: at once.
    sa.Column("due_at", sa.BigInteger, nullable=True),
    # Of one that is closed: why, and the date or hour that it was of. Its period is known before.
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

AUDIT = audit_tables(METADATA, "delivery")
