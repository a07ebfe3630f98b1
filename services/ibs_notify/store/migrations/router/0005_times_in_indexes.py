"""The indexes by type and by resource know when an event came: charts are counted by them alone."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEXES = {"router_events_by_type": "type", "router_events_by_resource": "resource"}


def upgrade() -> None:
    for name, key in INDEXES.items():
        op.drop_index(name, "router_events")
        op.create_index(name, "router_events", [key, "seq", "severity", "received_at"])


def downgrade() -> None:
    for name, key in INDEXES.items():
        op.drop_index(name, "router_events")
        op.create_index(name, "router_events", [key, "seq", "severity"])
