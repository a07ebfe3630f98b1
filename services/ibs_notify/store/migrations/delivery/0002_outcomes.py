"""The journal of deaths and cancellations, and the sequence of its numbers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ID = sa.String(64).with_variant(postgresql.VARCHAR(64, collation="C"), "postgresql")


def upgrade() -> None:
    sequence = op.create_table(
        "delivery_sequence",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(sequence, [{"name": "outcome", "value": 0}])
    op.create_table(
        "delivery_outcomes",
        sa.Column("number", SEQ, primary_key=True, autoincrement=False),
        sa.Column("delivery_id", ID, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("closed_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("delivery_outcomes")
    op.drop_table("delivery_sequence")
