"""The breakers of targets, which take the place of pauses; targets in the journal; certificates;
what is kept no more."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def pause_columns() -> tuple[sa.Column[Any], ...]:
    """Those of ``delivery_target_state`` that are now the breaker's."""
    return (
        sa.Column("paused_reason", sa.String(32), nullable=False, server_default=""),
        sa.Column("paused_at", sa.BigInteger, nullable=True),
        sa.Column("paused_revision", sa.BigInteger, nullable=False, server_default="0"),
    )


def journal_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("turning", sa.String(16), nullable=True),
        sa.Column("target_uid", sa.String(64), nullable=True),
        sa.Column("since", sa.BigInteger, nullable=True),
    )


def upgrade() -> None:
    op.create_table(
        "delivery_breakers",
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
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.execute(
        "INSERT INTO delivery_breakers (target_uid, phase, failures, openings, ramp_limit, "
        "successes, epoch, since, probe_at, reason, revision) "
        "SELECT target_uid, 'paused', 0, 0, 0, 0, 1, paused_at, NULL, paused_reason, "
        "paused_revision FROM delivery_target_state WHERE paused_reason <> ''"
    )
    for column in pause_columns():
        op.drop_column("delivery_target_state", column.name)
    op.add_column(
        "delivery_target_state", sa.Column("certificate_until", sa.BigInteger, nullable=True)
    )
    for column in journal_columns():
        op.add_column("delivery_outcomes", column)
    op.execute("INSERT INTO delivery_sequence (name, value) VALUES ('retired_before', 0)")


def downgrade() -> None:
    op.execute("DELETE FROM delivery_sequence WHERE name = 'retired_before'")
    # The release before this one would take a target's turning for the end of a delivery.
    op.execute("DELETE FROM delivery_outcomes WHERE turning IS NOT NULL")
    for column in journal_columns():
        op.drop_column("delivery_outcomes", column.name)
    op.drop_column("delivery_target_state", "certificate_until")
    for column in pause_columns():
        op.add_column("delivery_target_state", column)
    op.execute(
        "UPDATE delivery_target_state SET paused_reason = b.reason, paused_at = b.since, "
        "paused_revision = b.revision FROM delivery_breakers AS b "
        "WHERE b.target_uid = delivery_target_state.target_uid AND b.phase = 'paused'"
    )
    op.drop_table("delivery_breakers")
