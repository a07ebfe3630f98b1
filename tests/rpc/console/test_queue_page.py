"""Queue: what the rate limits hold back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape

import pytest
from tests.support.console import Console
from tests.support.console_work import add_group, add_webhook, emit
from tests.support.http_server import HttpServer

from ironcore.notification.v1.event_pb2 import SEVERITY_CRITICAL


@pytest.fixture
async def peer(console: Console) -> AsyncIterator[HttpServer]:
    """Of ``chat-ops``: ``ops-team`` lets one event go a minute, ``a-quiet-one`` hears of none."""
    async with HttpServer() as server:
        await add_webhook(console.api, "chat-ops", server.url())
        await add_group(console.api, "ops-team", {"chat-ops": "*"}, rate_limit_per_minute=1)
        await add_group(console.api, "a-quiet-one", {"chat-ops": "type = backup.warning"})
        yield server


async def test_without_groups_the_next_step_is_one(console: Console) -> None:
    page = await console.browser.get("/queue")
    assert page.says("No groups yet")
    assert 'href="/new-group"' in page.text


async def test_groups_with_a_queue_come_first_and_say_when_it_goes(
    console: Console, peer: HttpServer
) -> None:
    page = await console.browser.get("/queue")
    assert page.says("No rate limit holds anything back")
    for number in range(3):
        await emit(console.api, f"Backup failed for vm/{number}", resource=f"vm/{number}")

    await peer.until(lambda: len(peer.requests) == 1)

    page = await console.browser.get("/queue")

    assert page.text.index("/queue/ops-team") < page.text.index("/queue/a-quiet-one")
    assert not page.says("No rate limit holds anything back")
    assert page.says("ops-team 2 2 error in")
    assert page.says("1 of 1")


async def test_a_groups_queue_lists_what_waits_and_not_what_went(
    console: Console, peer: HttpServer
) -> None:
    await emit(console.api, "the first one", resource="vm/0")
    await peer.until(lambda: len(peer.requests) == 1)
    await emit(console.api, "waits", resource="vm/1", event_id="evt/1")
    await emit(console.api, "is worse", resource="vm/2", severity=SEVERITY_CRITICAL)

    page = await console.browser.get("/queue/ops-team")

    assert page.says("2 events")
    assert page.says("critical 1")
    assert page.says("waits")
    assert 'href="/events/evt%2F1"' in page.text
    assert not page.says("the first one")
    assert re.search("about in [12] min", page.words)
    # In the order of going, each with its time, and where to change it.
    assert page.text.index(">is worse</a>") < page.text.index(">waits</a>")
    assert len(re.findall(r"about (?:\d\d? \w{3} )?\d\d:\d\d", page.words)) == 2
    assert 'href="/groups/ops-team/edit#f-rate_limit"' in page.text
    assert page.says("ironcore-backup notification group status ops-team")


@pytest.mark.usefixtures("peer")
async def test_a_queue_that_did_not_change_is_not_sent_again(console: Console) -> None:
    page = await console.browser.get("/queue/a-quiet-one")
    again = unescape(page.text.partition('hx-get="')[2].partition('"')[0])
    assert again.startswith("/queue/a-quiet-one?known=")
    assert (await console.browser.get(again, **{"HX-Request": "true"})).status == 204


async def test_a_group_that_there_is_not_is_not_found(console: Console) -> None:
    assert (await console.browser.get("/queue/nobody")).status == 404
