"""An event that the disk damaged is shown as such, and holds up nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.router import (
    OPERATIONS,
    Surroundings,
    fake_config,
    fake_delivery,
    items,
    router_settings,
    running_router,
    serving,
    surrounded,
)

from ibs_notify.router.views import DAMAGED
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Surroundings]:
    async with surrounded(tmp_path, *OPERATIONS) as found:
        yield found


def damage(home: Path, event_id: str, column: str) -> None:
    """Other bytes than were written, as after a fault of the disk."""
    with closing(sqlite3.connect(home / "router.db", timeout=10)) as database, database:
        changed = database.execute(
            f"UPDATE router_events SET {column} = x'ffff' WHERE event_id = ?", (event_id,)
        )
        assert changed.rowcount == 1


async def test_what_waits_for_delivery_goes_on_beside_a_damaged_event(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, delivery = fake_config(), fake_delivery()
    config.change(items(*OPERATIONS))
    async with serving(config) as config_port:
        away = router_settings(tmp_path, config=config_port)
        async with running_router(away) as router:
            await router.stub.AwaitConfig(pb.RouterServiceAwaitConfigRequest(revision=1))
            for name in ("e1", "e2", "e3"):
                event = event_pb2.Event(event_id=name, type="backup.failed", resource=f"a:{name}")
                await router.stub.Emit(pb.EmitRequest(event=event))
        damage(tmp_path, "e2", "body")
        async with serving(delivery) as port:
            settings = router_settings(tmp_path, config=config_port, delivery=port)
            async with running_router(settings):
                await delivery.until(lambda: len(delivery.stored) == 4)
    assert {event_id for event_id, _, _ in delivery.told()} == {"e1", "e3"}
    assert "the stored event is damaged" in caplog.text


@pytest.mark.parametrize("column", ["body", "packed"])
async def test_a_damaged_event_does_not_hide_the_others_of_its_page(
    tmp_path: Path, around: Surroundings, column: str
) -> None:
    for name in ("e1", "e2", "e3"):
        await around.emit(name)
    damage(tmp_path, "e2", column)
    listed = await around.stub.ListEvents(pb.ListEventsRequest())
    assert [each.event.event_id for each in listed.events] == ["e3", "e2", "e1"]
    assert listed.events[1].event.subject == DAMAGED
    found = await around.stub.GetEvent(pb.GetEventRequest(event_id="e2"))
    assert found.event.event.subject == DAMAGED
