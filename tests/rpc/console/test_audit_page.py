"""Audit and keys: who changed what, and the proof; keys in use, rotated, removed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from tests.support.console import Console

from ironcore.notification.v1 import config_service_pb2, router_service_pb2
from ironcore.notification.v1.settings_pb2 import Settings

NOTED = re.compile(r"(?:config|router|delivery):[0-9]+:[0-9a-f]{64}")


async def change(console: Console, count: int) -> None:
    """So many entries of Config."""
    for number in range(count):
        request = config_service_pb2.UpdateSettingsRequest(
            settings=Settings(sender=f"ibs{number}@example.com")
        )
        request.update_mask.paths.append("sender")
        await console.api.call(console.api.config.UpdateSettings, request)


async def test_the_logs_of_the_services_are_one_list(console: Console) -> None:
    await change(console, 2)
    silence = router_service_pb2.Silence(rule="*", comment="maintenance")
    silence.end_time.FromDatetime(datetime.now(UTC) + timedelta(days=1))
    await console.api.call(
        console.api.router.CreateSilence, router_service_pb2.CreateSilenceRequest(silence=silence)
    )
    page = await console.browser.get("/audit")
    assert page.words.index("silence.create") < page.words.index("settings.update")
    assert page.says("alice")
    assert "<del>ibs0@example.com</del>" in page.text
    assert "<ins>ibs1@example.com</ins>" in page.text


async def test_what_is_filtered_is_in_the_address_and_in_the_command(console: Console) -> None:
    await change(console, 1)
    page = await console.browser.get("/audit?service=config&actor=alice&action=settings.")
    assert page.says("settings.update")
    assert page.says("--service config \\ --actor alice \\ --action settings.")
    for none in ("service=router", "actor=bob", "action=target.", "after=2100-01-01T00:00"):
        assert (await console.browser.get(f"/audit?{none}")).says("No such entries")
    for no_time in ("yesterday", "9999-12-31T23:59-14:00", "0001-01-01T00:00%2B14:00"):
        wrong = await console.browser.get(f"/audit?before={no_time}")
        assert wrong.status == 422
        assert 'id="e-before"' in wrong.text


async def test_pages_have_every_entry_once_while_new_ones_come_in(console: Console) -> None:
    await change(console, 120)
    seen: list[int] = []
    path = "/audit"
    while path:
        page = await console.browser.get(path)
        seen += [int(each) for each in re.findall(r"· config ([0-9]+)", page.text)]
        await change(console, 1)
        following = re.search(r'href="([^"]*)" rel="next"', page.text)
        path = following[1].replace("&amp;", "&") if following else ""
    assert seen == list(range(120, 0, -1))


async def test_the_log_is_verified_and_compared_with_what_was_noted(console: Console) -> None:
    await change(console, 3)
    page = await console.browser.post("/audit/verify")
    assert page.says("intact")
    (noted,) = {each for each in NOTED.findall(page.text) if each.startswith("config:")}
    assert noted.startswith("config:3:")
    again = await console.browser.post("/audit/verify", {"known": noted})
    assert again.says(f"--known {noted}")
    assert not again.says("broken")
    other = await console.browser.post("/audit/verify", {"known": noted[:-4] + "0000"})
    assert other.says("broken")
    wrong = await console.browser.post("/audit/verify", {"known": "config 3"})
    assert wrong.status == 422


async def test_keys_are_rotated_and_the_old_one_removed(console: Console) -> None:
    first = await console.browser.get("/keys")
    (old,) = set(re.findall(r"<code>(k-[^<]+)</code>", first.text))
    rotated = await console.browser.post("/keys/rotate")
    assert rotated.says("The newest key is k-")
    assert rotated.says("can be removed")
    page = await console.browser.post(f"/keys/{old}/remove")
    assert page.says(f"The key {old} is removed")
    assert old not in (await console.browser.get("/keys")).text
    refused = await console.browser.post("/keys/none/remove")
    assert refused.status in (200, 404)
