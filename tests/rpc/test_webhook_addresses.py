"""The whole address of a webhook is for administrators and for Delivery, and for nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.secured import Secured, bearing, secured

from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.target_pb2 import Target, WebhookTarget

KEY = "B000-hunter2"
URL = f"https://127.0.0.1/services/{KEY}?also={KEY}"


def files_with(text: str, home: Path) -> set[str]:
    """The names of the files that hold ``text``."""
    files = [path for path in home.rglob("*") if path.is_file()]
    return {path.name for path in files if text.encode() in path.read_bytes()}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Secured]:
    async with secured(tmp_path) as services:
        target = Target(name="chat", webhook=WebhookTarget(url=URL))
        made = await services.root.CreateTarget(pb.CreateTargetRequest(target=target))
        await services.apply(made.target.revision)
        yield services


async def shown_to(running: Secured, role: str) -> set[str]:
    metadata = bearing(await running.make(f"some-{role}", role))
    got = await running.config.GetTarget(pb.GetTargetRequest(name="chat"), metadata=metadata)
    listed = await running.config.ListTargets(pb.ListTargetsRequest(), metadata=metadata)
    return {got.target.webhook.url, *(each.webhook.url for each in listed.targets)}


async def test_an_administrator_sees_it_whole(running: Secured) -> None:
    assert await shown_to(running, "administrator") == {URL}


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_others_see_it_up_to_its_host(running: Secured, role: str) -> None:
    assert await shown_to(running, role) == {"https://127.0.0.1/…"}


@pytest.mark.usefixtures("running")
async def test_it_is_in_no_file_of_the_router(tmp_path: Path) -> None:
    holders = files_with(KEY, tmp_path)
    assert not {name for name in holders if "router" in name}
    assert "delivery-snapshot.pb" in holders
