"""The tables of the first release."""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    state = op.create_table(
        "config_state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("log_id", sa.String(32), nullable=False),
    )
    op.bulk_insert(state, [{"id": 1, "revision": 0, "log_id": uuid4().hex}])
    for name in ("config_targets", "config_groups"):
        op.create_table(
            name,
            sa.Column("uid", sa.String(32), primary_key=True),
            sa.Column("name", sa.String(63), nullable=False, unique=True),
            sa.Column("message", sa.LargeBinary, nullable=False),
        )
    op.create_table(
        "config_secrets",
        sa.Column(
            "target_uid", sa.String(32), sa.ForeignKey("config_targets.uid"), primary_key=True
        ),
        sa.Column("field", sa.String(256), primary_key=True),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "config_settings",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("message", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "config_revisions",
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("author", sa.String(256), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("uid", sa.String(32), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("operation", sa.String(16), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    for name in (
        "config_revisions",
        "config_settings",
        "config_secrets",
        "config_groups",
        "config_targets",
        "config_state",
    ):
        op.drop_table(name)
