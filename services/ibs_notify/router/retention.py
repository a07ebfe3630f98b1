"""What is kept of old events: nothing but the ids that emitters chose, for a while longer."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from ibs_notify.router.books import index_text
from ibs_notify.router.tables import RETIRED


def retired_ids(connection: sa.Connection, event_ids: Sequence[str]) -> dict[str, bytes]:
    """Those of the ids whose event is gone, with the hash of its content."""
    ids = [index_text(each) for each in event_ids]
    rows = connection.execute(
        sa.select(RETIRED.c.event_id, RETIRED.c.content_hash).where(RETIRED.c.event_id.in_(ids))
    )
    return {row.event_id: row.content_hash for row in rows}
