"""Deliveries, their attempts and the state of their targets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ID = sa.String(64).with_variant(postgresql.VARCHAR(64, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "delivery_deliveries",
        sa.Column("seq", SEQ, primary_key=True, autoincrement=True),
        sa.Column("delivery_id", ID, nullable=False, unique=True),
        sa.Column("obligation_id", sa.String(160), nullable=False),
        sa.Column("event_id", sa.String(128), nullable=False),
        sa.Column("event_type", sa.String(64), nullable=False),
        sa.Column("severity", sa.SmallInteger, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("target_uid", sa.String(64), nullable=False),
        sa.Column("target_name", sa.String(63), nullable=False),
        sa.Column("group_name", sa.String(63), nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("digest", sa.SmallInteger, nullable=False),
        sa.Column("recipients", sa.Text, nullable=False),
        sa.Column("suppressed_count", sa.Integer, nullable=False),
        sa.Column("suppressed_since", sa.BigInteger, nullable=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("attempt_count", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("unfinished", sa.SmallInteger, nullable=False),
        sa.Column("maybe_duplicate", sa.SmallInteger, nullable=False),
        sa.Column("lease_holder", sa.String(64), nullable=False),
        sa.Column("lease_fence", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger, nullable=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("delivery_by_event", "delivery_deliveries", ["event_id"])
    _index_of_state("delivery_queued", 1, "target_uid", sa.text("severity DESC"), "due_at", "seq")
    _index_of_state("delivery_leased", 2, "lease_until")
    _index_of_state("delivery_retries", 3, "due_at", "target_uid")
    _index_of_state("delivery_waiting", 4, "target_uid")
    _index_of_state("delivery_dead", 8, "target_uid")
    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("duration", sa.BigInteger, nullable=True),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("code", sa.Integer, nullable=False),
        sa.Column("reply", sa.Text, nullable=False),
        sa.Column("maybe_duplicate", sa.SmallInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "delivery_target_state",
        sa.Column("target_uid", sa.String(64), primary_key=True),
        sa.Column("paused_reason", sa.String(32), nullable=False),
        sa.Column("paused_at", sa.BigInteger, nullable=True),
        sa.Column("paused_revision", sa.BigInteger, nullable=False),
        sa.Column("delivered_count", sa.BigInteger, nullable=False),
        sa.Column("last_success_at", sa.BigInteger, nullable=True),
        sa.Column("last_failure_at", sa.BigInteger, nullable=True),
        sa.Column("last_failure", sa.Text, nullable=False),
        sa.Column("failing_since", sa.BigInteger, nullable=True),
        sa.Column("last_code", sa.Integer, nullable=False),
        sa.Column("rate_window", sa.Text, nullable=False),
    )


def _index_of_state(name: str, state: int, *columns: str | sa.TextClause) -> None:
    where = sa.text(f"state = {state}")
    op.create_index(
        name, "delivery_deliveries", list(columns), sqlite_where=where, postgresql_where=where
    )


def downgrade() -> None:
    for table in ("delivery_target_state", "delivery_attempts", "delivery_deliveries"):
        op.drop_table(table)
