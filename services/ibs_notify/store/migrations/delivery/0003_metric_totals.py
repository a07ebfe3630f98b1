"""The totals of Pushgateways, the names their labels keep, their groups, and turns to push."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "delivery_deliveries",
        sa.Column("counted", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
    )
    op.create_table(
        "delivery_metric_labels",
        sa.Column("target_uid", sa.String(64), primary_key=True),
        sa.Column("label", sa.String(16), primary_key=True),
        sa.Column("value", sa.String(200), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "delivery_metric_series",
        sa.Column("target_uid", sa.String(64), primary_key=True),
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("metric", sa.String(16), nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "delivery_metric_groups",
        sa.Column("target_uid", sa.String(64), primary_key=True),
        sa.Column("place", sa.LargeBinary, primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("left_at", sa.BigInteger, nullable=True),
    )
    op.create_table(
        "delivery_leases",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for table in (
        "delivery_leases",
        "delivery_metric_groups",
        "delivery_metric_series",
        "delivery_metric_labels",
    ):
        op.drop_table(table)
    op.drop_column("delivery_deliveries", "counted")
