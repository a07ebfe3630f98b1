"""How often a page asks the services: as often for many groups and targets as for one."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.console import Console
from tests.support.console_work import add_group, add_webhook, emit

from ibs_notify.console.api import Api
from ironcore.notification.v1.group_pb2 import GROUP_SCOPE_ATTACHED


@pytest.fixture(name="calls")
def _calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests that the console's pages send, by their kind."""
    kinds: list[str] = []
    call = Api.call

    async def noted(self: Api, method: Any, request: Any, **more: Any) -> Any:
        kinds.append(type(request).__name__)
        return await call(self, method, request, **more)

    monkeypatch.setattr(Api, "call", noted)
    return kinds


async def asked_for(console: Console, path: str, calls: list[str]) -> list[str]:
    """What the page asks for, once what all pages have in common is known."""
    await console.browser.get(path)
    calls.clear()
    assert (await console.browser.get(path)).status == 200
    return sorted(calls)


@pytest.mark.parametrize(
    "path", ["/queue", "/targets", "/groups", "/overview/queue", "/overview/trouble", "/tasks"]
)
async def test_a_page_asks_no_more_often_where_there_is_more(
    console: Console, path: str, calls: list[str]
) -> None:
    await add_webhook(console.api, "chat-0", "http://127.0.0.1:9/hook")
    await add_group(console.api, "team-0", {"chat-0": "*"})
    of_one = await asked_for(console, path, calls)
    for number in range(1, 12):
        await add_webhook(console.api, f"chat-{number}", "http://127.0.0.1:9/hook")
        await add_group(console.api, f"team-{number}", {f"chat-{number}": "*"})

    assert await asked_for(console, path, calls) == of_one


async def test_the_queues_of_all_groups_are_one_call(console: Console, calls: list[str]) -> None:
    await add_webhook(console.api, "chat-ops", "http://127.0.0.1:9/hook")
    for number in range(3):
        await add_group(console.api, f"team-{number}", {"chat-ops": "*"})

    assert (await asked_for(console, "/queue", calls)).count("ListGroupStatusesRequest") == 1


async def test_why_nobody_hears_of_a_datastore_is_asked_once_for_all_types(
    console: Console, calls: list[str]
) -> None:
    await add_webhook(console.api, "chat-ops", "http://127.0.0.1:9/hook")
    attached = {"scope": GROUP_SCOPE_ATTACHED, "attachments": ["/datastore/elsewhere"]}
    await add_group(console.api, "ops-team", {"chat-ops": "*"}, **attached)

    asked = await asked_for(console, "/datastores/tank/listeners", calls)
    assert asked.count("ExplainRequest") == asked.count("ListHearingsRequest") == 1
    page = await console.browser.get("/datastores/tank/listeners")
    assert page.says("It helps to attach the datastore to ops-team, below.")


async def test_who_hears_of_all_that_coverage_looks_at_is_one_call(
    console: Console, calls: list[str]
) -> None:
    for number in range(7):
        await emit(console.api, "Backup failed", resource=f"s{number}:x/vm")

    assert await asked_for(console, "/coverage", calls) == ["ListHearingsRequest"]


async def test_where_the_router_is_away_queue_and_overview_say_so(console: Console) -> None:
    await console.stop("router")
    for path in ("/queue", "/overview/queue"):
        assert (await console.browser.get(path)).says("the Router service cannot be reached")
    assert (await console.browser.get("/tasks")).says("What rate limits hold is not known now")
