"""Whether the queue is held, and since when."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("INSERT INTO delivery_sequence (name, value) VALUES ('held_since', 0)")


def downgrade() -> None:
    op.execute("DELETE FROM delivery_sequence WHERE name = 'held_since'")
