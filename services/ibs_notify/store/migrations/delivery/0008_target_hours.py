"""What became of deliveries at each target in each hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delivery_target_hours",
        sa.Column("target_uid", sa.String(64), primary_key=True),
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("delivered", sa.BigInteger, nullable=False),
        sa.Column("dead", sa.BigInteger, nullable=False),
        sa.Column("failed_attempts", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    # What is still kept, so that charts do not begin empty. 6 is delivered, 8 is dead.
    op.execute(
        "INSERT INTO delivery_target_hours (target_uid, hour, delivered, dead, failed_attempts) "
        "SELECT target_uid, hour, sum(delivered), sum(dead), sum(failed) FROM ("
        "SELECT target_uid, closed_at / 3600000000 * 3600000000 AS hour, "
        "CASE state WHEN 6 THEN 1 ELSE 0 END AS delivered, "
        "CASE state WHEN 8 THEN 1 ELSE 0 END AS dead, 0 AS failed "
        "FROM delivery_deliveries WHERE state IN (6, 8) AND closed_at IS NOT NULL "
        "UNION ALL "
        "SELECT d.target_uid, (a.started_at + a.duration) / 3600000000 * 3600000000, 0, 0, 1 "
        "FROM delivery_attempts AS a JOIN delivery_deliveries AS d ON d.seq = a.delivery_seq "
        "WHERE a.outcome IN ('retry', 'refused') AND a.duration IS NOT NULL"
        ") AS ends GROUP BY target_uid, hour"
    )


def downgrade() -> None:
    op.drop_table("delivery_target_hours")
