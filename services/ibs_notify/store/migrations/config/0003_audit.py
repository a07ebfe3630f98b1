"""The audit log, which the database itself lets nobody change, and how far it was announced."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ibs_notify.store.append_only import forget_append_only, make_append_only

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "config_audit",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(256), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    make_append_only(op.get_bind(), "config_audit", "sequence")
    head = op.create_table(
        "config_audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "sequence": 0, "hash": bytes(32)}])
    announced = op.create_table(
        "config_announced",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("planned", sa.BigInteger, nullable=False),
        sa.Column("planned_at", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(announced, [{"id": 1, "sequence": None, "planned": 0, "planned_at": 0}])


def downgrade() -> None:
    op.drop_table("config_announced")
    op.drop_table("config_audit_head")
    op.drop_table("config_audit")
    forget_append_only(op.get_bind(), "config_audit")
