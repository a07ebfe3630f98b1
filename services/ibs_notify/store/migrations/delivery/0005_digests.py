"""The windows of digests, and what each of them gathers."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STREAM = ["kind", "group_name", "target_uid", "audience"]


def upgrade() -> None:
    op.add_column("delivery_deliveries", sa.Column("window_seq", sa.BigInteger, nullable=True))
    _index("delivery_gathered", "delivery_deliveries", ["window_seq", "seq"], "state = 5")
    _index("delivery_gathered_for", "delivery_deliveries", ["target_uid"], "state = 5")
    op.create_table(
        "delivery_digest_windows",
        sa.Column("seq", SEQ, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("group_name", sa.String(63), nullable=False),
        sa.Column("target_uid", sa.String(64), nullable=False),
        sa.Column("audience", sa.String(32), nullable=False),
        sa.Column("target_name", sa.String(63), nullable=False),
        sa.Column("recipients", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=True),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("period", sa.String(16), nullable=True),
        sa.Column("name", sa.String(48), nullable=True),
        sa.Column("closed_at", sa.BigInteger, nullable=True),
        sa.Column("event_count", sa.BigInteger, nullable=False),
        sa.Column("delivery_id", sa.String(64), nullable=False),
    )
    windows = "delivery_digest_windows"
    op.create_index("delivery_digest_once", windows, [*STREAM, "period", "name"], unique=True)
    _index("delivery_digest_open", windows, STREAM, "state = 1", unique=True)
    _index("delivery_digest_unfinished", windows, ["state"], "state < 4")


def downgrade() -> None:
    op.drop_table("delivery_digest_windows")
    op.drop_index("delivery_gathered_for", "delivery_deliveries")
    op.drop_index("delivery_gathered", "delivery_deliveries")
    op.drop_column("delivery_deliveries", "window_seq")


def _index(
    name: str, table: str, columns: list[str], condition: str, *, unique: bool = False
) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
