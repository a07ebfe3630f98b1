"""Delivery asks a real Router for the week, and hears when it cannot be asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.router import NOWHERE, OPERATIONS, Surroundings, surrounded

from ibs_notify.delivery.reports.router_client import RouterClient
from ibs_notify.delivery.reports.weekly_report import EventCount, Offender
from ibs_notify.domain.errors import Unavailable
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.channel import open_plain_channel

HOUR = timedelta(hours=1)


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Surroundings]:
    async with surrounded(tmp_path, *OPERATIONS) as around:
        yield around


async def test_the_routers_totals_are_those_of_the_week(around: Surroundings) -> None:
    await around.emit("e1", resource="a:vm/1")
    await around.emit("e2", resource="a:vm/1")
    await around.emit("e3", type="backup.completed", resource="a:vm/2")
    now = datetime.now(UTC)
    client = RouterClient(around.router.channel)
    totals = await client.totals(now - HOUR, now + HOUR)
    before = await client.totals(now - 2 * HOUR, now - HOUR)
    assert list(totals.counts) == [
        EventCount("a", "backup.completed", Severity.INFO, 1),
        EventCount("a", "backup.failed", Severity.ERROR, 2),
    ]
    assert list(totals.offenders) == [
        Offender("/datastore/a/vm/1", "backup.failed", Severity.ERROR, 2)
    ]
    assert not before.counts


async def test_a_router_that_is_away_is_said_to_be() -> None:
    now = datetime.now(UTC)
    async with open_plain_channel(NOWHERE) as channel:
        with pytest.raises(Unavailable, match="the Router service cannot be reached"):
            await RouterClient(channel).totals(now - HOUR, now)
