"""Events, obligations, the sequence and the leases of the Router."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    sequence = op.create_table(
        "router_sequence",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(sequence, [{"name": "event", "value": 0}])
    op.create_table(
        "router_events",
        sa.Column("seq", ROW_KEY, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.String(128), nullable=False, unique=True),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("opened", sa.SmallInteger, nullable=False),
        sa.Column("closed", sa.SmallInteger, nullable=False),
        sa.Column("severity", sa.SmallInteger, nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("content_hash", sa.LargeBinary, nullable=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("packed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "router_routes",
        sa.Column("route_id", ROW_KEY, primary_key=True),
        sa.Column("digest", sa.String(32), nullable=False, unique=True),
        sa.Column("group_name", sa.String(63), nullable=False),
        sa.Column("target_name", sa.String(63), nullable=False),
        sa.Column("target_uid", sa.String(64), nullable=False),
        sa.Column("subscription_uid", sa.String(64), nullable=False),
        sa.Column("recipients", sa.Text, nullable=False),
    )
    op.create_table(
        "router_obligations",
        sa.Column("event_seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("severity", sa.SmallInteger, nullable=False),
        sa.Column("route_id", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("pointer", sa.String(160), nullable=False),
        sa.Column("taken", sa.Text, nullable=False),
        sa.Column("released_at", sa.BigInteger, nullable=True),
        sa.Column("delivery_id", sa.String(32), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "router_obligations_ready",
        "router_obligations",
        [sa.text("severity DESC"), "event_seq"],
        sqlite_where=sa.text("state = 'ready'"),
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_table(
        "router_leases",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for table in (
        "router_leases",
        "router_obligations",
        "router_routes",
        "router_events",
        "router_sequence",
    ):
        op.drop_table(table)
