"""What quietens, what is read, and what is kept: lanes, windows, silences, summaries, marks."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
SEQUENCES = ("silences", "retired_before", "retired_through")
INDEXES = {
    "router_events_by_severity": ("router_events", ["severity", "seq", "received_at"]),
    "router_events_by_type": ("router_events", ["type", "seq", "severity"]),
    "router_events_by_resource": ("router_events", ["resource", "seq", "severity"]),
    "router_events_by_task": ("router_events", ["task_id", "seq", "severity"]),
}
ADDED = ("lane_id", "suppressed", "suppressed_since")


def upgrade() -> None:
    op.add_column(
        "router_events",
        sa.Column("states", sa.SmallInteger, nullable=False, server_default="0"),
    )
    _order_by_bytes('"C"')
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns)
    for column in (
        sa.Column("lane_id", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("suppressed", sa.Integer, nullable=False, server_default="0"),
        sa.Column("suppressed_since", sa.BigInteger, nullable=True),
    ):
        op.add_column("router_obligations", column)
    op.drop_index("router_obligations_ready", "router_obligations")
    _partial(
        "router_obligations_waiting",
        "state = 'ready' AND released_at IS NULL",
        ["lane_id", sa.text("severity DESC"), "event_seq"],
    )
    _partial(
        "router_obligations_released",
        "state = 'ready' AND released_at IS NOT NULL",
        [sa.text("severity DESC"), "event_seq"],
    )
    _partial("router_obligations_collapsed", "state = 'collapsed'", ["pointer", "lane_id"])
    _create_noise()
    _create_inbox()
    _create_outcomes()
    _create_revisions()
    sequence = sa.table("router_sequence", sa.column("name"), sa.column("value"))
    op.bulk_insert(sequence, [{"name": name, "value": 0} for name in SEQUENCES])


def downgrade() -> None:
    for name in SEQUENCES:
        op.execute(sa.text("DELETE FROM router_sequence WHERE name = :name").bindparams(name=name))
    for table in (
        "router_revision_parts",
        "router_revisions",
        "router_end_counts",
        "router_cursors",
        "router_retired",
        "router_readers",
        "router_marks",
        "router_summaries",
        "router_silences",
        "router_windows",
        "router_lanes",
    ):
        op.drop_table(table)
    for name in ("waiting", "released", "collapsed"):
        op.drop_index(f"router_obligations_{name}", "router_obligations")
    for column in ADDED:
        op.drop_column("router_obligations", column)
    _partial("router_obligations_ready", "state = 'ready'", [sa.text("severity DESC"), "event_seq"])
    for name, (table, _) in INDEXES.items():
        op.drop_index(name, table)
    _order_by_bytes('"default"')
    op.drop_column("router_events", "states")


def _order_by_bytes(collation: str) -> None:
    """SQLite does so anyway."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"ALTER TABLE router_events ALTER COLUMN type TYPE varchar(64) COLLATE {collation}, "
            f"ALTER COLUMN resource TYPE text COLLATE {collation}"
        )


def _partial(name: str, condition: str, columns: list[str | sa.TextClause]) -> None:
    where = sa.text(condition)
    op.create_index(name, "router_obligations", columns, sqlite_where=where, postgresql_where=where)


def _create_noise() -> None:
    op.create_table(
        "router_lanes",
        sa.Column("lane_id", ROW_KEY, primary_key=True),
        sa.Column("group_uid", sa.String(64), nullable=False, unique=True),
        sa.Column("releases", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "router_windows",
        sa.Column("subject", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("standing", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("told_seq", sa.BigInteger, nullable=False),
        sa.Column("told_position", sa.SmallInteger, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("closed", sa.SmallInteger, nullable=False),
        sa.Column("suppressed", sa.Integer, nullable=False),
        sa.Column("suppressed_since", sa.BigInteger, nullable=True),
        sa.Column("keyed_subject", sa.BigInteger, nullable=True),
        sa.Column("keyed_standing", sa.BigInteger, nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "router_windows_keyed",
        "router_windows",
        ["keyed_subject", "keyed_standing"],
        sqlite_where=sa.text("keyed_subject IS NOT NULL"),
        postgresql_where=sa.text("keyed_subject IS NOT NULL"),
    )
    op.create_table(
        "router_silences",
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
    op.create_table(
        "router_summaries",
        sa.Column("lane_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("route_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("event_seq", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.String(128), nullable=False),
    )


def _create_inbox() -> None:
    op.create_table(
        "router_marks",
        sa.Column("user_name", sa.String(256), primary_key=True),
        sa.Column("event_seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "router_readers",
        sa.Column("user_name", sa.String(256), primary_key=True),
        sa.Column("read_through", sa.BigInteger, nullable=False),
        sa.Column("archived_through", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "router_retired",
        sa.Column("event_id", sa.String(128), primary_key=True),
        sa.Column("content_hash", sa.LargeBinary, nullable=False),
        sa.Column("retired_at", sa.BigInteger, nullable=False),
    )
    op.create_index("router_retired_by_time", "router_retired", ["retired_at"])


def _create_outcomes() -> None:
    op.create_table(
        "router_cursors",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.String(64), nullable=False),
    )
    op.create_table(
        "router_end_counts",
        sa.Column("target_uid", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(16), primary_key=True),
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("count", sa.BigInteger, nullable=False),
    )


def _create_revisions() -> None:
    op.create_table(
        "router_revisions",
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("in_force_at", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
    )
    op.create_table(
        "router_revision_parts",
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("uid", sa.String(64), primary_key=True),
        sa.Column("since", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("until", sa.BigInteger, nullable=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
