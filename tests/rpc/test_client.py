"""The client against a real Router that goes away and comes back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.router import (
    PATIENCE_SECONDS,
    RunningRouter,
    fake_config,
    fake_delivery,
    group,
    items,
    router_settings,
    running_router,
    serving,
    webhook,
)
from tests.system.installation import free_port

from ibs_notify.client import AsyncNotifier, Notifier
from ibs_notify.domain.errors import AlreadyExists, Reason
from ibs_notify.settings import Settings
from ironcore.notification.v1 import router_service_pb2 as pb


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[Settings]:
    """Of a Router that is found at the same address each time it runs."""
    config = fake_config()
    # A backup that is completed matches no rule: the Router adds no event of its own.
    config.change(items(webhook("chat-ops"), group("ops-team", {"chat-ops": "severity = error"})))
    async with serving(config) as port, serving(fake_delivery()) as delivery:
        found = router_settings(tmp_path / "home", config=port, delivery=delivery)
        (tmp_path / "home").mkdir()
        yield replace(found, router_address=f"127.0.0.1:{free_port()}")


async def kept_ids(router: RunningRouter) -> list[str]:
    """The ids of every event, oldest first."""
    ids: list[str] = []
    token = ""
    while True:
        request = pb.ListEventsRequest(page_size=1000, page_token=token)
        page = await router.stub.ListEvents(request, timeout=PATIENCE_SECONDS)
        ids += [each.event.event_id for each in page.events]
        token = page.next_page_token
        if not token:
            return ids[::-1]


async def accepted_count(router: RunningRouter) -> int:
    return (await router.stub.VerifyLedger(pb.VerifyLedgerRequest())).accepted_events


async def test_an_emitter_is_told_who_hears_of_its_event(settings: Settings) -> None:
    async with running_router(settings), AsyncNotifier(settings.router_address) as notifier:
        answer = await notifier.emit("backup.failed", resource="ibs-primary:vm/1")
    assert [each.target for each in answer.dispositions] == ["chat-ops"]


async def test_the_same_id_is_the_same_event_and_other_content_is_refused(
    settings: Settings,
) -> None:
    when = datetime(2026, 5, 21, tzinfo=UTC)
    async with running_router(settings), AsyncNotifier(settings.router_address) as notifier:
        first = await notifier.emit("a.b", event_id="e1", timestamp=when)
        again = await notifier.emit("a.b", event_id="e1", timestamp=when)
        with pytest.raises(AlreadyExists) as caught:
            await notifier.emit("c.d", event_id="e1", timestamp=when)
    assert (first.duplicate, again.duplicate) == (False, True)
    assert caught.value.reason is Reason.EVENT_ID_REUSED


@pytest.mark.parametrize("spooled", [False, True])
async def test_nothing_is_lost_or_doubled_while_the_router_comes_and_goes(
    settings: Settings, tmp_path: Path, *, spooled: bool
) -> None:
    spool = tmp_path / "spool" if spooled else None
    notifier = Notifier(settings.router_address, spool=spool)
    emitted: list[str] = []
    stop = threading.Event()

    def emit() -> None:
        while not stop.is_set():
            emitted.extend(notifier.emit("backup.completed").event_id for _ in range(20))
            notifier.flush(PATIENCE_SECONDS)

    thread = threading.Thread(target=emit)
    thread.start()
    for _ in range(3):
        async with running_router(settings) as router:
            before = await accepted_count(router)
            while await accepted_count(router) < before + 100:
                pass
    stop.set()
    async with running_router(settings) as router:
        await asyncio.to_thread(thread.join, PATIENCE_SECONDS)
        await asyncio.to_thread(notifier.close)
        assert await kept_ids(router) == emitted
        assert await accepted_count(router) == len(emitted) >= 300


async def test_events_of_an_outage_wait_in_the_spool_over_a_restart_of_the_emitter(
    settings: Settings, tmp_path: Path
) -> None:
    emitted = []
    for _ in range(3):
        notifier = Notifier(settings.router_address, spool=tmp_path / "spool")
        emitted += [notifier.emit("backup.completed").event_id for _ in range(50)]
        notifier.close(0)
    async with running_router(settings) as router:
        notifier = Notifier(settings.router_address, spool=tmp_path / "spool")
        await asyncio.to_thread(notifier.flush, PATIENCE_SECONDS)
        await asyncio.to_thread(notifier.close)
        assert await kept_ids(router) == emitted


async def test_what_was_sent_before_and_not_noted_is_recognised(
    settings: Settings, tmp_path: Path
) -> None:
    directory = tmp_path / "spool"
    async with running_router(settings) as router:
        for _ in range(2):
            notifier = Notifier(settings.router_address, spool=directory)
            if not emitted_in(directory):
                notifier.emit("backup.completed")
            await asyncio.to_thread(notifier.flush, PATIENCE_SECONDS)
            kept = {path: path.read_bytes() for path in emitted_in(directory)}
            await asyncio.to_thread(notifier.close)
            # As if the power went before the acknowledgement was noted.
            (directory / "position").unlink()
            for path, content in kept.items():
                path.write_bytes(content)
        assert await accepted_count(router) == 1


def emitted_in(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.events"))
