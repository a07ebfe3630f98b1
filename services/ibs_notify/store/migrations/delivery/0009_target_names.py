"""The name that each target had last, for those that are deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With a default: the release before this one adds rows without it.
    op.add_column(
        "delivery_target_state",
        sa.Column("target_name", sa.String(63), nullable=False, server_default=sa.text("''")),
    )
    # By the newest of what is still kept.
    op.execute(
        "UPDATE delivery_target_state SET target_name = d.target_name "
        "FROM delivery_deliveries AS d "
        "WHERE d.target_uid = delivery_target_state.target_uid AND d.seq IN "
        "(SELECT max(seq) FROM delivery_deliveries GROUP BY target_uid)"
    )


def downgrade() -> None:
    op.drop_column("delivery_target_state", "target_name")
