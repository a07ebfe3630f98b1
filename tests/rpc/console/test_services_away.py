"""A form that is sent while a service is away: what was written is kept, and can be sent again."""

from __future__ import annotations

import re
from html import unescape

import pytest
from tests.support.console import Console, Page
from tests.support.console_work import add_group, add_webhook

AWAY = "cannot be reached"
EVENT = {"type": "verify.failed", "subject": "Written by hand", "resource": "tank:vm/7"}
HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


def resent(page: Page) -> dict[str, list[str]]:
    """What the page of the failure would send again."""
    form = page.text.partition("sends it as it was.")[2].partition("</form>")[0]
    found: dict[str, list[str]] = {}
    for name, value in HIDDEN.findall(form):
        found.setdefault(name, []).append(unescape(value))
    return found


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/start", EVENT),
        ("/new-silence", {"rule": 'subject = "by hand"', "comment": "Disks", "when": "hour"}),
    ],
)
async def test_a_form_is_shown_again_as_it_was_written(
    console: Console, path: str, fields: dict[str, str]
) -> None:
    await add_webhook(console.api, "chat-ops", "http://127.0.0.1:9/hook")
    await console.stop("router")
    page = await console.browser.post(path, fields)
    assert page.says(f"The Router service {AWAY}")
    assert page.says("What you wrote is still here: send it again then.")
    for name in fields.keys() - {"when"}:
        assert fields[name] in unescape(page.text), name
    assert f'action="{path}"' in page.text


async def test_a_target_keeps_what_is_no_secret(console: Console) -> None:
    await console.stop("config")
    fields = {"name": "chat", "url": "http://127.0.0.1:9/x", "method": "POST", "token": "geheim"}
    page = await console.browser.post("/targets/new/webhook", fields)
    assert page.says(f"The Config service {AWAY}")
    assert "http://127.0.0.1:9/x" in page.text
    assert page.says("A secret that was written is not shown again")
    assert "geheim" not in page.text


async def test_what_cannot_be_shown_again_is_sent_again_as_it_was(console: Console) -> None:
    """The form of a group names the targets, which nobody knows now."""
    await console.stop("config")
    fields = [("name", "ops"), ("target-0", "a"), ("rule-0", 'x = "1"\ny'), ("sure", "1")]
    fields += [("sure", "2"), ("csrf_token", "old")]
    there = f"{console.browser.base}/new-group?start=all"
    page = await console.browser.post("/new-group", fields, Referer=there)
    assert (page.status, page.says(f"the Config service {AWAY}")) == (503, True)
    sent = resent(page)
    assert sent.pop("csrf_token") != ["old"]
    expected = {"name": ["ops"], "target-0": ["a"], "rule-0": ['x = "1"\ny'], "sure": ["1", "2"]}
    assert sent == {**expected, "came_from": ["/new-group?start=all"]}
    assert 'action="/new-group"' in page.text
    assert '<a class="button quiet" href="/new-group?start=all">Back</a>' in page.text


async def test_the_way_back_is_that_of_the_form_however_often_it_is_sent(console: Console) -> None:
    await add_webhook(console.api, "chat-ops", "http://127.0.0.1:9/hook")
    await add_group(console.api, "ops-team", {"chat-ops": "*"})
    await console.stop("config")
    base = console.browser.base
    page = await console.browser.post("/targets/chat-ops/enable", Referer=f"{base}/targets")
    for _ in range(2):
        assert '<a class="button quiet" href="/targets">Back</a>' in page.text
        again = resent(page)
        page = await console.browser.post(
            "/targets/chat-ops/enable",
            [(name, value) for name, values in again.items() for value in values],
            Referer=page.url,
        )
    for elsewhere in ("https://elsewhere.example/x", "//elsewhere.example", "nothing", ""):
        page = await console.browser.post("/targets/chat-ops/enable", Referer=elsewhere)
        assert '<a class="button quiet" href="/">Back</a>' in page.text


async def test_a_secret_is_on_no_page_that_would_send_it_again(console: Console) -> None:
    await add_webhook(console.api, "chat-ops", "http://127.0.0.1:9/hook")
    await console.stop("config")
    fields = {"url": "http://127.0.0.1:9/x", "header_name": "X-Key", "header_value": "geheim"}
    page = await console.browser.post("/targets/chat-ops/edit", fields)
    assert page.says("There was a secret in it, and no page keeps one")
    assert "geheim" not in page.text
    assert not page.says("Try again")


async def test_what_is_refused_is_not_offered_to_be_sent_again(console: Console) -> None:
    page = await console.browser.post("/targets/nobody/enable")
    assert page.status == 404
    assert not page.says("Try again")
    assert page.says("Back")
