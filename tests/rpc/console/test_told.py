"""The inbox says of each event what became of it, and never more than Delivery knows."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from tests.rpc.console.test_event_page import route, until
from tests.rpc.console.test_inbox_page import emit
from tests.support.console import Console, Page
from tests.support.console_work import add_group, add_webhook
from tests.support.http_server import HttpServer

from ibs_notify.console.api import Api
from ibs_notify.console.events.told import MOST_OF_EVENT
from ironcore.notification.v1 import disposition_pb2
from ironcore.notification.v1 import router_service_pb2 as pb


def told_fields(page: Page) -> list[tuple[str, str]]:
    """What the page says that it shows."""
    found = re.findall(r'name="told" value="([^"]+)"', page.text)
    return [("told", html.unescape(each)) for each in found]


async def test_a_target_that_refused_was_not_told(console: Console) -> None:
    async with HttpServer() as taking, HttpServer(400) as refusing:
        await route(console, taking.url(), "*", "ops")
        await route(console, refusing.url(), "*", "dev")
        event_id = await emit(console)
        await until(console, f"/events/{event_id}/outcome", "Attempt 1: delivered")
        await until(console, f"/events/{event_id}/outcome", "Given up")

        page = await console.browser.get("/inbox")
        assert page.says("sent to chat-dev, chat-ops") or page.says("sent to chat-ops, chat-dev")
        part = await console.browser.post("/inbox/told", told_fields(page))
        assert part.says("given up chat-dev delivered: chat-ops")
        assert 'id="told-1" hx-swap-oob="true"' in part.text


async def test_what_a_rate_limit_holds_is_told_from_what_waits_for_its_target(
    console: Console,
) -> None:
    api = console.api
    async with HttpServer() as server:
        await add_webhook(api, "chat", server.url())
        await add_webhook(api, "pager", server.url(), disabled=True)
        await add_group(api, "busy", {"chat": "*"}, rate_limit_per_minute=1)
        await add_group(api, "on-call", {"pager": "*"})
        await emit(console)
        await server.until(lambda: len(server.requests) == 1)
        await emit(console, resource="tank:vm/2")
        page = await until(console, "/inbox", "sent to pager held: chat")
    part = await console.browser.post("/inbox/told", told_fields(page))
    assert part.says("waiting pager")
    assert not part.says("held")
    # By the same word they are found, and nothing that waits for a target is.
    filters = await console.browser.get("/inbox?disposition=ready")
    assert filters.says("what became of it: held")
    assert filters.text.count("<tr data-row") == 1


async def test_without_delivery_an_event_was_sent_and_that_is_all(console: Console) -> None:
    async with HttpServer() as server:
        await route(console, server.url(), "*")
        event_id = await emit(console)
        await until(console, f"/events/{event_id}/outcome", "Attempt 1: delivered")
        await console.stop("delivery")
        page = await console.browser.get("/inbox")
        assert page.says("sent to chat-ops")
        part = await console.browser.post("/inbox/told", told_fields(page))
        assert part.says("How far what was sent has come is not known now: the Delivery service")


async def test_a_line_tells_of_some_of_very_many_messages_and_counts_the_others(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Api.call

    async def crowded(self: Api, method: Any, request: Any, **more: Any) -> Any:
        answer = await call(self, method, request, **more)
        if isinstance(request, pb.ListEventsRequest):
            for number in range(1000):
                answer.events[0].dispositions.add(
                    group=f"team-{number}",
                    target=f"chat-{number}",
                    delivery_id=f"{number:032x}",
                    state=disposition_pb2.DISPOSITION_STATE_HANDED_OFF,
                )
        return answer

    await emit(console)
    monkeypatch.setattr(Api, "call", crowded)
    page = await console.browser.get("/inbox")
    assert page.says("sent to chat-0, chat-1, chat-2 +17 and 980 more messages")
    assert len(told_fields(page)) == MOST_OF_EVENT
    assert len(page.text) < 60_000


async def test_nothing_shown_asks_for_nothing(console: Console) -> None:
    fields = [("told", "no delivery"), ("told", "")]
    assert (await console.browser.post("/inbox/told", fields)).status == 204
