"""Settings: shown, changed, refused at the field, and said as a command."""

from __future__ import annotations

import re

from tests.support.console import Console

from ironcore.notification.v1.config_service_pb2 import GetSettingsRequest


async def test_what_is_saved_is_in_force_and_said_so(console: Console) -> None:
    page = await console.browser.post(
        "/settings",
        {"default_recipients": "ops@example.com\nnight@example.com", "time_zone": "Europe/Vienna"},
    )
    assert page.says("The settings are saved.")
    saved = await console.api.call(console.api.config.GetSettings, GetSettingsRequest())
    assert [*saved.settings.default_recipients] == ["ops@example.com", "night@example.com"]
    assert saved.settings.time_zone == "Europe/Vienna"


async def test_a_refused_field_says_why_and_keeps_what_was_written(console: Console) -> None:
    page = await console.browser.post("/settings", {"time_zone": "Europe/Wien"})
    assert page.status == 422
    assert 'id="e-time_zone"' in page.text
    assert 'value="Europe/Wien"' in page.text
    saved = await console.api.call(console.api.config.GetSettings, GetSettingsRequest())
    assert saved.settings.time_zone == "UTC"


async def test_who_was_overtaken_is_told(console: Console) -> None:
    first = await console.browser.get("/settings")
    etag = first.text.partition('name="etag" value="')[2].partition('"')[0]
    assert (await console.browser.post("/settings", {"sender": "a@example.com"})).says("are saved")
    page = await console.browser.post("/settings", {"sender": "b@example.com", "etag": etag})
    assert page.status == 422
    assert page.says("changed")


async def test_the_command_does_what_the_form_will_do(console: Console) -> None:
    page = await console.browser.post("/settings/command", {"sender": "IBS <ibs@example.com>"})
    assert "ironcore-backup notification settings update" in page.text
    assert page.says("--sender 'IBS <ibs@example.com>'")
    page = await console.browser.post("/settings/command", {"time_zone": "UTC"})
    assert page.says("# nothing is changed")
    assert (await console.browser.post("/settings", {"time_zone": "UTC"})).says(
        "Nothing was changed"
    )


async def test_exact_times_are_told_in_the_zone_of_the_installation(console: Console) -> None:
    await console.browser.post("/settings", {"time_zone": "Asia/Kathmandu"})
    page = await console.browser.get("/settings")
    assert re.search(r'<time [^>]*title="[^"]+ Asia/Kathmandu"', page.text)
