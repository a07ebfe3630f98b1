"""What coverage looks at: each datastore and job with who hears of it, page by page."""

from __future__ import annotations

import re

import pytest
from tests.rpc.console.test_overview_page import HOSTILE
from tests.support.console import Console
from tests.support.console_work import add_group, add_webhook, emit

from ibs_notify.router import hearing_calls
from ironcore.notification.v1.group_pb2 import GROUP_SCOPE_ATTACHED

TANK = {"scope": GROUP_SCOPE_ATTACHED, "attachments": ["/datastore/tank/nightly", "/host/x"]}


async def test_overview_leads_to_all_that_coverage_looks_at(console: Console) -> None:
    await add_webhook(console.api, "chat-ops", "http://127.0.0.1:9/hook")
    await add_group(console.api, "ops-team", {"chat-ops": "severity >= warning"}, **TANK)
    await emit(console.api, "Backup failed", resource="tank:weekly/vm/1")
    overview = await console.browser.get("/overview/coverage")
    assert '<a href="/coverage">4 datastores and jobs</a>' in overview.text
    page = await console.browser.get("/coverage")
    assert page.says("4 datastores and jobs, by name")
    assert page.says("/datastore/tank nobody hears of any problem")
    assert page.says("/datastore/tank/nightly ops-team")
    assert page.says("/datastore/tank/weekly nobody hears of any problem")
    assert page.says("/host/x ops-team")
    assert 'href="/datastores/tank"' in page.text
    assert 'href="/groups?resource=%2Fdatastore%2Ftank%2Fnightly"' in page.text
    assert page.says("ironcore-backup notification coverage --places")


async def test_where_nothing_is_known_it_says_how_a_datastore_comes_there(
    console: Console,
) -> None:
    assert (await console.browser.get("/coverage")).says("No datastore yet")


async def test_many_are_listed_page_by_page(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing_calls, "DEFAULT_PAGE_SIZE", 3)
    for number in range(4):
        await emit(console.api, "Backup failed", resource=f"s{number}:x/vm")
    shown: list[str] = []
    path = "/coverage"
    while path:
        page = await console.browser.get(path)
        shown += re.findall(r"<code>(/datastore/[^<]*)</code>", page.text)
        following = re.search(r'href="(/coverage\?page_token=[^"]*)" rel="next"', page.text)
        path = following[1] if following else ""
    assert shown == [f"/datastore/s{n}{job}" for n in range(4) for job in ("", "/x")]
    assert page.says("8 datastores and jobs")
    assert 'href="/coverage">First page</a>' in page.text


async def test_a_job_of_which_the_same_is_heard_is_short(console: Console) -> None:
    for job in ("nightly", "weekly"):
        await emit(console.api, "Backup failed", resource=f"tank:{job}/vm/1")
    await add_webhook(console.api, "chat-ops", "http://127.0.0.1:9/hook")
    await add_group(console.api, "ops-team", {"chat-ops": "severity >= warning"})
    rule = "resource under /datastore/tank/nightly"
    await add_group(console.api, "night", {"chat-ops": rule})
    page = await console.browser.get("/coverage")
    assert page.says("/datastore/tank/weekly as of its datastore")
    assert page.says("/datastore/tank/nightly night , ops-team")


async def test_nothing_of_a_place_is_markup(console: Console) -> None:
    await emit(console.api, "Backup failed", resource=f"/datastore/{HOSTILE}/{HOSTILE}")
    page = await console.browser.get("/coverage")
    assert page.says("/datastore/")
    assert "<img src=x" not in page.text
    assert "<script>alert" not in page.text
