"""The ledger is compared span by span, and finds the same on every database as all at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random

import pytest
import sqlalchemy as sa

from ibs_notify.router.audit import audit
from ibs_notify.router.books import handed_off_ids, released_ids
from ibs_notify.router.ledger import Balance
from ibs_notify.router.ports import DeliveryId, Handoff
from ibs_notify.router.tables import OBLIGATIONS
from ibs_notify.store.database import Database

pytestmark = pytest.mark.tables("router")

HOUR = 3_600_000_000


def ids(count: int) -> list[str]:
    """In order; they differ in their first digit and in their last."""
    chance = Random(count)
    return sorted(f"{chance.getrandbits(128):032x}" for _ in range(count))


class DeliveryDouble:
    """Has ``stored``, and notes the longest answer that it gave."""

    def __init__(self, stored: Collection[str]) -> None:
        self.stored = set(stored)
        self.most = 0
        self.retired = 0

    async def deliver(self, handoffs: Sequence[Handoff]) -> None:
        raise AssertionError("an audit hands nothing over")

    async def ids(self, after: str, limit: int) -> Sequence[DeliveryId]:
        found = [each for each in sorted(self.stored) if each > after][:limit]
        self.most = max(self.most, len(found))
        return [DeliveryId(each, "queued", is_derived=False) for each in found]

    async def retired_before(self) -> int:
        return self.retired


async def release(
    database: Database,
    released: Sequence[str],
    *,
    marked: Collection[str],
    at: int = 1,
    first: int = 0,
) -> None:
    """Obligations that were released with these ids; ``marked`` are handed off too."""
    rows = [
        {
            "event_seq": number,
            "position": 0,
            "severity": 4,
            "route_id": 1,
            "state": "handed_off" if each in marked else "ready",
            "reason": "",
            "pointer": "",
            "taken": "",
            "released_at": at,
            "delivery_id": each,
        }
        for number, each in enumerate(released, start=first)
    ]
    await database.write(lambda c: c.execute(sa.insert(OBLIGATIONS), rows))


async def compare(database: Database, delivery: DeliveryDouble, limit: int) -> Balance:
    result = await audit(database, delivery, limit)
    assert delivery.most <= limit
    assert sum(result.delivery_states.values()) == len(delivery.stored)
    return result


@pytest.mark.parametrize("limit", [1, 7, 60, 61, 1000])
async def test_gaps_are_found_whatever_the_span(database: Database, limit: int) -> None:
    known = ids(60)
    await release(database, known, marked=known[:50])
    # Lost are the first, one within and the last that are marked; two were never released.
    lost, foreign = {known[0], known[20], known[49]}, {"0" * 32, "f" * 32}
    result = await compare(database, DeliveryDouble({*known, *foreign} - lost), limit)
    assert set(result.unaccounted) == lost | foreign
    assert len(result.unaccounted) == len(lost | foreign)


@pytest.mark.parametrize("limit", [1, 7, 1000])
async def test_books_that_balance_do_so_whatever_the_span(database: Database, limit: int) -> None:
    known = ids(40)
    await release(database, known, marked=known[::2])
    # What is not marked yet may be there or not.
    assert (await compare(database, DeliveryDouble(known[::2]), limit)).balanced
    assert (await compare(database, DeliveryDouble(known), limit)).balanced


async def test_what_delivery_keeps_no_more_is_not_lost_and_what_is_younger_is(
    database: Database,
) -> None:
    known = ids(4)
    await release(database, known[:3], marked=known[:3])
    await release(database, known[3:], marked=known[3:], at=2 * HOUR, first=3)
    delivery = DeliveryDouble(())
    assert set((await compare(database, delivery, 2)).unaccounted) == set(known)
    # Of an hour it is not sure: clocks differ.
    delivery.retired = HOUR - 1
    assert (await compare(database, delivery, 2)).unaccounted == (known[3],)
    delivery.retired = HOUR
    assert (await compare(database, delivery, 2)).balanced


async def test_nothing_on_either_side_balances(database: Database) -> None:
    assert (await compare(database, DeliveryDouble(()), 1)).balanced


async def test_ids_come_in_bytewise_order(database: Database) -> None:
    known = ["0a", "A0", "Z", "_", "a", "a0", "b"]
    await release(database, known[::-1], marked=known)
    assert await database.read(lambda c: handed_off_ids(c, "", 3)) == known[:3]
    assert await database.read(lambda c: handed_off_ids(c, "Z", 9)) == known[3:]
    assert await database.read(lambda c: released_ids(c, "A0", "a")) == {"Z", "_", "a"}
