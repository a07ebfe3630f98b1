"""Pages for who may only look: nothing is offered that would be refused."""

from __future__ import annotations

import pytest
from tests.support.console import Console
from tests.support.console_work import add_webhook, deaths, deliver
from tests.support.http_server import HttpServer

from ibs_notify.console.api import Metadata
from ibs_notify.console.login.sessions import Session, Sessions
from ibs_notify.domain.principal import Role

OFFERS = (
    "Retry",
    "Cancel",
    "Hold all deliveries",
    "Add Silence",
    "Silence …",
    "End now",
    "Add Group",
)


@pytest.fixture(autouse=True)
def _everybody_is_a_viewer(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Sessions.begin

    def begin_as_viewer(
        self: Sessions, name: str, role: Role | None, metadata: Metadata
    ) -> tuple[str, Session]:
        return begin(self, name, Role.VIEWER, metadata)

    monkeypatch.setattr(Sessions, "begin", begin_as_viewer)


async def test_a_viewer_sees_everything_and_is_offered_no_change(console: Console) -> None:
    async with HttpServer(400) as peer:
        target = await add_webhook(console.api, "chat-ops", peer.url())
        (delivery_id,) = await deliver(console.api, target, "Backup failed for vm/1")
        await deaths(console.api, 1)
    made = {"rule": "*", "comment": "disk swap", "when": "hour"}
    await console.browser.post("/new-silence", made)  # the services of this test ask nobody

    for path, shown in (
        ("/tasks", "the endpoint refused it"),
        (f"/tasks/{delivery_id}", "the endpoint refused it"),
        ("/silences", "disk swap"),
        ("/queue", "No groups yet"),
        ("/datastores/tank", "/datastore/tank"),
    ):
        page = await console.browser.get(path)
        assert page.says(shown), path
        menu, _, content = page.words.partition("Administration")
        assert menu
        assert not [offer for offer in OFFERS if offer in content], path
