"""Reads both sides of the ledger, a span of ids at a time, and has them compared."""

from __future__ import annotations

from datetime import timedelta

from ibs_notify.router.books import handed_off_before, handed_off_ids, read_books, released_ids
from ibs_notify.router.ledger import Balance, Comparison, Span, span_after
from ibs_notify.router.ports import DeliveryIds
from ibs_notify.router.retention import retired_before
from ibs_notify.store.database import Database

SPAN = 50_000
"""The most ids of each side at a time. The Router reads all its obligations for each span: an index
of them by id would cost each release more than it saves here."""

SKEW = timedelta(hours=1)
"""The clocks of Router and Delivery differ by less."""


async def audit(database: Database, delivery: DeliveryIds, limit: int = SPAN) -> Balance:
    """Compare everything. ``Unavailable`` where Delivery or the database cannot answer."""
    comparison = Comparison(await database.read(read_books))
    after: str | None = ""
    while after is not None:
        after = await _compare(database, delivery, comparison, after, limit)
    return comparison.balance()


async def _compare(
    database: Database, delivery: DeliveryIds, comparison: Comparison, after: str, limit: int
) -> str | None:
    """Compare the span behind ``after``; where it ends. ``Comparison`` tells why in this order."""
    handed_off = await database.read(lambda c: handed_off_ids(c, after, limit))
    deliveries = await delivery.ids(after, limit)
    span = span_after(after, handed_off, deliveries, limit)
    released, retired = frozenset[str](), 0
    if span.surplus:
        released, retired = await database.read(
            lambda c: (released_ids(c, after, span.end), retired_before(c))
        )
    comparison.add(span, released, retired, await _given_up(database, delivery, span))
    return span.end


async def _given_up(database: Database, delivery: DeliveryIds, span: Span) -> frozenset[str]:
    """Those missing of ``span`` that Delivery may have finished so long ago that they are gone."""
    # Asked after the ids: what was gone by then is not after it.
    before = await delivery.retired_before() if span.missing else 0
    if not before:
        return frozenset()
    moment = before + SKEW // timedelta(microseconds=1)
    return await database.read(lambda c: handed_off_before(c, span.after, span.end, moment))
