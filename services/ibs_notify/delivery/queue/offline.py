"""What is done to the database of a Delivery that does not run."""

from __future__ import annotations

from datetime import datetime

from ibs_notify.delivery.queue.hold import hold
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade


async def hold_queue(
    database_url: str, actor: str, now: datetime, *, is_copy: bool = False
) -> datetime:
    """Let Delivery send nothing from its next start on, until it is released; since when.

    ``FailedPrecondition`` where it runs, on SQLite: then it is asked itself. On a copy nobody runs.
    """
    database = await open_database(database_url, exclusive=not is_copy)
    try:
        await upgrade(database, "delivery")
        return await database.write(lambda connection: hold(connection, actor, now))
    finally:
        await database.close()
