"""From an event that somebody was told of to the digest that gathers the next ones."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from tests.support.console import Console, Page, SecuredConsole
from tests.support.console_work import add_group, add_webhook, emit

from ironcore.notification.v1 import event_pb2, target_pb2
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.config_service_pb2 import CreateTargetRequest, GetGroupRequest
from ironcore.notification.v1.group_pb2 import Digest, Group

NOWHERE = "http://127.0.0.1:9/hook"
LINK = "Next time in a digest …"
RULE = "type = backup.warning and resource under /datastore/tank and severity < error"
OLD = "severity in (info, notice)"


async def warn(console: Console, **fields: Any) -> str:
    """A warning about a datastore; its id."""
    given = {"type": "backup.warning", "resource": "tank:vm/1", "event_id": "evt-1", **fields}
    subject = given.pop("subject", "Slow")
    return (await emit(console.api, subject, **given)).event_id


async def chat_and_metrics(console: Console) -> None:
    await add_webhook(console.api, "chat", NOWHERE)
    influx = target_pb2.InfluxDbTarget(url=NOWHERE, org="o", bucket="b", token="t")
    made = target_pb2.Target(name="influx", influxdb=influx)
    await console.api.call(console.api.config.CreateTarget, CreateTargetRequest(target=made))


async def saved(console: Console) -> Group:
    request = GetGroupRequest(name="ops")
    return (await console.api.call(console.api.config.GetGroup, request)).group


def forms(page: Page) -> list[str]:
    """Where the event's page leads to, for a digest."""
    return [unescape(each) for each in re.findall(r'href="([^"]*edit\?gather=[^"]*)"', page.text)]


def rule_in(form: Page) -> str:
    """What stands in the field of the digest's rule."""
    area = r'<textarea id="f-digest_rule"[^>]*>\n(.*?)</textarea>'
    found = re.search(area, form.text, re.DOTALL)
    assert found, form.words
    return unescape(found[1])


async def send(console: Console, form: Page, path: str = "/groups/ops/edit") -> Page:
    """As a browser sends the form of the group that was opened, to be saved."""
    box = re.search(r'<input id="f-digest" [^>]*>', form.text)
    assert box
    assert " checked" in box[0]
    fields = {"scope": "everything", "rate_limit": "60", "dedup_window": "5m", "digest": "on"}
    fields |= {"digest_rule": rule_in(form), "digest_time": "09:00", "target-0": "chat"}
    fields |= {"rule-0": "*", "target-1": "influx", "rule-1": "*"}
    return await console.browser.post(path, fields)


async def test_an_event_leads_to_a_form_that_gathers_the_next_one(console: Console) -> None:
    await chat_and_metrics(console)
    await add_group(console.api, "ops", {"chat": "*", "influx": "*"})
    page = await console.browser.get(f"/events/{await warn(console)}")
    # One, of the chat: what a metric server records is never gathered.
    assert forms(page) == ["/groups/ops/edit?gather=evt-1#gather"]
    assert page.says(LINK)
    form = await console.browser.get("/groups/ops/edit?gather=evt-1")
    assert rule_in(form) == RULE
    assert form.says("The group has no digest yet: it gets one.")
    assert form.says("For chat . The digest is of the whole group")
    assert form.says("influx records each event at once, as before.")
    assert form.says("Errors and critical ones of this type are told as before")
    assert re.search(r"<details [^>]*open>\s*<summary><h2>Digest and summary", form.text)
    assert not (await saved(console)).HasField("digest")
    command = await send(console, form, "/groups/ops/edit/command")
    assert command.says(f"group update ops \\ --digest-rule '{RULE}'"), command.words
    page = await send(console, form)
    assert page.says("Group ops is saved: its settings are changed"), page.words
    assert (await saved(console)).digest.rule == RULE
    # And so it comes about.
    page = await console.browser.get(f"/events/{await warn(console, event_id='evt-2')}")
    assert page.says(f"The digest of group ops gathers it: its rule is {RULE}")
    assert not forms(page)
    assert 'href="/groups/ops/edit#digest"' in page.text
    await warn(console, event_id="evt-3", severity=event_pb2.SEVERITY_ERROR)
    assert forms(await console.browser.get("/events/evt-3"))


async def test_the_rule_of_a_digest_that_there_is_stays_and_what_is_new_is_marked(
    console: Console,
) -> None:
    await chat_and_metrics(console)
    await add_group(console.api, "ops", {"chat": "*"}, digest=Digest(rule=OLD, time="04:30"))
    await warn(console)
    form = await console.browser.get("/groups/ops/edit?gather=evt-1")
    assert rule_in(form) == f"{OLD} or ({RULE})"
    assert f"<code>{OLD} <ins>or (" in form.text
    assert form.says("Errors and critical ones of this type are told as before")
    assert "04:30" in form.words
    everywhere = "/groups/ops/edit?gather=evt-1&like=type"
    assert f'href="{everywhere.replace("&", "&amp;")}#gather"' in form.text
    form = await console.browser.get(everywhere)
    assert rule_in(form) == f"{OLD} or (type = backup.warning and severity < error)"


async def test_an_error_is_said_to_wait_too_and_whether_anybody_is_told_at_once(
    console: Console,
) -> None:
    await chat_and_metrics(console)
    await add_webhook(console.api, "pager", NOWHERE)
    await add_group(console.api, "ops", {"chat": "*"})
    await warn(console, type="backup.failed")
    form = await console.browser.get("/groups/ops/edit?gather=evt-1")
    assert form.says("This one is an error. A digest keeps back whatever its rule matches")
    assert form.says("Nobody is told of them at once then.")
    assert 'href="/new-silence?rule=type' in form.text
    await add_group(console.api, "duty", {"pager": "severity >= error"})
    form = await console.browser.get("/groups/ops/edit?gather=evt-1")
    assert form.says("At once they are sent to pager via duty")
    await add_group(console.api, "night", {"chat": "severity >= error"})
    form = await console.browser.get("/groups/ops/edit?gather=evt-1")
    assert form.says("chat gets them at once from night")
    assert 'href="/groups/night/edit?gather=evt-1#gather"' in form.text


async def test_what_is_gathered_by_now_is_not_gathered_twice(console: Console) -> None:
    await chat_and_metrics(console)
    await add_group(console.api, "ops", {"chat": "*"}, digest=Digest(rule="source = backup"))
    await warn(console)
    form = await console.browser.get("/groups/ops/edit?gather=evt-1")
    assert form.says("Such events are gathered already")
    silence = pb.Silence(rule="*", comment="works")
    silence.end_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    request = pb.CreateSilenceRequest(silence=silence)
    await console.api.call(console.api.router.CreateSilence, request)
    form = await console.browser.get("/groups/ops/edit?gather=evt-1")
    assert form.says("Such events are gathered already")
    assert rule_in(form) == "source = backup"


async def test_of_an_event_that_is_gone_the_form_is_as_ever_and_says_so(console: Console) -> None:
    await chat_and_metrics(console)
    await add_group(console.api, "ops", {"chat": "*"})
    form = await console.browser.get("/groups/ops/edit?gather=evt-gone")
    assert form.status == 200
    assert form.says("The form is not filled in from the event")
    assert rule_in(form) == OLD
    assert 'id="gather"' not in form.text


async def test_nothing_of_an_event_is_markup_in_the_form(console: Console) -> None:
    await chat_and_metrics(console)
    await add_group(console.api, "ops", {"chat": "*"})
    hostile = 'tank:"></code><script>x</script>'
    await warn(console, resource=hostile, subject="</textarea><script>y</script>")
    form = await console.browser.get("/groups/ops/edit?gather=evt-1&like=resource")
    assert "<script>" not in form.text.replace("<script ", "")
    page = await send(console, form)
    assert page.says("Group ops is saved"), page.words


@pytest.mark.asyncio(loop_scope="module")
async def test_who_may_not_change_groups_is_not_led_to_their_form(
    secured: SecuredConsole,
) -> None:
    api = await secured.api("administrator")
    await add_webhook(api, "chat", NOWHERE)
    await add_group(api, "ops", {"chat": "*"})
    await emit(api, "Slow", type="backup.warning", event_id="evt-1")
    for role, may in (("viewer", False), ("operator", False), ("administrator", True)):
        page = await (await secured.as_(role)).get("/events/evt-1")
        assert page.says("chat via ops")
        assert page.says(LINK) is may, role
