"""The durable book of metric servers: the adapter of ``transports.metric_book.MetricBook``.

The work is in ``totals``, as plain functions of a connection.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from ibs_notify.delivery.metrics import totals as metric_totals
from ibs_notify.delivery.tables import LEASES
from ibs_notify.delivery.transports.metric_book import TURN_SECONDS, Sample, Series
from ibs_notify.delivery.transports.metric_labels import Values
from ibs_notify.domain.failpoints import hit
from ibs_notify.store import leases
from ibs_notify.store.database import Database


class DurableMetricBook:
    """See ``MetricBook``. A turn is a lease by the database's clock."""

    def __init__(self, database: Database, *, turn_seconds: float = TURN_SECONDS) -> None:
        self._database = database
        self._turn_seconds = turn_seconds

    async def admit(self, target_uid: str, wanted: Values) -> Values:
        return await self._database.write(lambda c: metric_totals.admit(c, target_uid, wanted))

    async def count(
        self, target_uid: str, pusher: str, samples: Sequence[Sample]
    ) -> Sequence[Series] | None:
        def work(connection: sa.Connection) -> Sequence[Series] | None:
            name = _turn_of(target_uid)
            # Whoever waits here for the other's transaction sees what that counted.
            if leases.acquire(connection, LEASES, name, pusher, self._turn_seconds) is None:
                return None
            metric_totals.count(connection, target_uid, samples)
            return metric_totals.totals(connection, target_uid)

        series = await self._database.write(work)
        if samples:
            hit("delivery.after_count")
        return series

    async def end_turn(self, target_uid: str, pusher: str) -> None:
        turn = leases.Lease(_turn_of(target_uid), pusher, 0, 0)
        await self._database.write(lambda c: leases.release(c, LEASES, turn))

    async def forget(self, target_uid: str) -> None:
        """Let go of everything about a target that is gone for good."""

        def work(connection: sa.Connection) -> None:
            metric_totals.forget(connection, target_uid)
            connection.execute(sa.delete(LEASES).where(LEASES.c.name == _turn_of(target_uid)))

        await self._database.write(work)

    async def recover(self) -> None:
        """End the turns of a former process of this database, where there can be no other."""
        if self._database.dialect == "sqlite":
            ended = sa.update(LEASES).values(expires_at=0)
            await self._database.write(lambda c: c.execute(ended))


def _turn_of(target_uid: str) -> str:
    return f"push/{target_uid}"
