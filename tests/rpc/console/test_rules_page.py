"""The rule workshop: what a script is told, and what is seen without one."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.support.console import Console
from tests.support.console import console as console_of
from tests.support.console_work import add_group, add_webhook
from tests.support.core import ShiftedClock

from ironcore.notification.v1.event_pb2 import SEVERITY_ERROR, SEVERITY_INFO, Event
from ironcore.notification.v1.router_service_pb2 import EmitRequest


async def analyze(console: Console, rule: str, position: int) -> dict[str, Any]:
    page = await console.browser.post("/rules/analyze", {"rule": rule, "position": str(position)})
    assert page.status == 200
    found: dict[str, Any] = json.loads(page.text)
    return found


async def emit(console: Console, **fields: Any) -> None:
    event = Event(type="backup.failed", subject="Backup <b>failed</b>", **fields)
    await console.api.call(console.api.router.Emit, EmitRequest(event=event))


async def test_places_are_counted_as_browsers_count(console: Console) -> None:
    rule = 'subject = "💾" and severty = error'
    found = await analyze(console, rule, 0)
    # In JavaScript the disk is two characters long.
    assert found["tokens"][2] == ["value", 10, 14]
    assert found["fault"] == 19
    assert "severity = error" in found["verdict"]
    found = await analyze(console, 'subject = "💾" and sev', 22)
    assert (found["start"], found["end"]) == (19, 22)
    assert found["completions"][0][:2] == ["severity", "field"]


async def test_values_that_were_seen_are_offered(console: Console) -> None:
    await emit(console, actor='al "ice"', labels={"site": "vienna", "a key": "x"})
    found = await analyze(console, "actor = ", 8)
    assert found["completions"] == [['"al \\"ice\\""', "value", "Seen lately"]]
    found = await analyze(console, "labels.", 7)
    assert [each[0] for each in found["completions"]] == ['labels."a key"', "labels.site"]
    found = await analyze(console, "labels.site = vi", 16)
    assert [each[0] for each in found["completions"]] == ["vienna"]


async def test_the_events_that_would_match_are_shown_and_are_no_markup(console: Console) -> None:
    await emit(console, severity=SEVERITY_ERROR)
    page = await console.browser.post(
        "/rules/matches", {"field": "rule-3", "rule-3": "type = backup.failed"}
    )
    assert page.says("1 event since")
    assert page.says("Backup <b>failed</b>")
    assert "<b>failed</b>" not in page.text
    none = await console.browser.post("/rules/matches", {"rule": "type = sync.failed"})
    assert none.says("No event of the last 7 days matches")
    wrong = await console.browser.post("/rules/matches", {"rule": "severty = error"})
    assert wrong.status == 200


async def test_how_severe_the_matching_events_are_is_said_and_that_a_digest_keeps_them(
    console: Console,
) -> None:
    for severity in (SEVERITY_ERROR, SEVERITY_INFO, SEVERITY_INFO):
        await emit(console, severity=severity)

    async def said(field: str, rule: str) -> str:
        return (await console.browser.post("/rules/matches", {"field": field, field: rule})).words

    assert "1 error · 2 info" in await said("rule-0", "source = backup")
    waits = "Errors and worse among them wait until the digest goes"
    assert waits not in await said("rule-0", "source = backup")
    assert waits in await said("digest_rule", "source = backup")
    assert waits not in await said("digest_rule", "severity = info")
    assert (await console.browser.get("/rules?rule=source+%3D+backup")).says("1 error · 2 info")


async def test_how_many_a_day_is_told_only_where_there_are_older_events(tmp_path: Path) -> None:
    clock, rule = ShiftedClock(), {"rule": "type = backup.failed"}
    async with console_of(tmp_path, clock) as console:
        await emit(console)
        page = await console.browser.post("/rules/matches", rule)
        hour = f"{clock.now():%-d %b %H}:00"
        assert page.says(f"1 event since {hour} (no event is older) would match")
        assert "0.1 a day" not in page.words
        clock.shift += timedelta(days=8).total_seconds()
        await emit(console, resource="tank:vm/1")
        page = await console.browser.post("/rules/matches", rule)
        assert page.says("1 event in the last 7 days would match, 0.1 a day")


async def test_in_the_form_of_a_group_its_scope_as_it_stands_there_decides(
    console: Console,
) -> None:
    for resource in ("ibs-primary:vm/1", "tank:vm/1", "tank:vm/2"):
        await emit(console, resource=resource)
    rule = {"field": "rule-0", "rule-0": "type = backup.failed", "name": "ops", "target-0": "chat"}

    async def said(**scope: str) -> str:
        return (await console.browser.post("/rules/matches", {**rule, **scope})).words

    everything = await said(scope="everything", attachments="ibs-primary")
    assert re.search(r"\b3 events since .* would match", everything)
    assert "more" not in everything
    attached = await said(scope="attached", attachments="ibs-primary:")
    assert re.search(r"\b1 event since .* would match, and 2 more, were they in the gr", attached)
    both = await said(scope="attached", attachments="ibs-primary", attach_more="tank:vm/1")
    assert re.search(r"\b2 events since .* would match, and 1 more, were it in the gr", both)
    selected = await said(scope="selected")
    assert "No event of the last 7 days matches in the group’s scope; 3 do out of it" in selected
    # Without scripts the Check button asks the same of a page of its own.
    page = await console.browser.post("/rules?field=rule-0", {**rule, "scope": "selected"})
    assert page.says("matches in the group’s scope; 3 do out of it. They are in the inbox")


async def test_in_the_form_of_a_group_it_is_said_what_others_bring_to_the_target_anyhow(
    console: Console,
) -> None:
    for name in ("chat", "pager"):
        await add_webhook(console.api, name, "http://127.0.0.1:9/hook")
    await add_group(console.api, "ops-team", {"chat": "resource under /datastore/tank"})
    for resource in ("ibs-primary:vm/1", "tank:vm/1", "tank:vm/2"):
        await emit(console, resource=resource)
    rule = {"field": "rule-0", "rule-0": "type = backup.failed", "scope": "everything"}

    async def said(**fields: str) -> str:
        return (await console.browser.post("/rules/matches", {**rule, **fields})).words

    words = await said(**{"name": "tank-owners", "target-0": "chat"})
    assert "2 of these reach chat anyhow, by ops-team." in words
    assert "An event is sent there once, whichever group brings it." in words
    scoped = {"scope": "attached", "attachments": "tank"}
    words = await said(**{"name": "tank-owners", "target-0": "chat", **scoped})
    assert "All of these reach chat anyhow, by ops-team." in words
    # The group itself, as it stands saved, is no other one.
    assert "None of these reaches chat by another group" in await said(
        **{"name": "ops-team", "target-0": "chat"}
    )
    assert "None of these reaches pager by another group" in await said(
        **{"name": "tank-owners", "target-0": "pager"}
    )
    for nothing in ({"target-0": ""}, {"target-0": "chat", "rule-0": "type = sync.failed"}):
        assert "reach" not in await said(name="tank-owners", **nothing)
    # Without scripts the Check button asks the same of a page of its own.
    page = await console.browser.post(
        "/rules?field=rule-0", {**rule, "name": "tank-owners", "target-0": "chat"}
    )
    assert page.says("2 of these reach chat anyhow, by ops-team.")


async def test_without_scripts_a_form_s_rule_is_checked_on_a_page_of_its_own(
    console: Console,
) -> None:
    page = await console.browser.post(
        "/rules?field=rule-1", {"name": "ops", "rule-0": "*", "rule-1": "severity = eror"}
    )
    assert page.says("Column 12: unknown severity eror")
    assert 'href="/rules?rule=severity+%3D+error"' in page.text
    page = await console.browser.get("/rules?rule=severity+%3D+error")
    assert page.says("Understood")
    assert page.says("No event of the last 7 days matches")


async def test_a_rule_that_is_still_being_written_is_not_scolded(console: Console) -> None:
    found = await analyze(console, "severity >= ", 12)
    assert "Not finished" in found["verdict"]
    assert "rule-fault" not in found["verdict"]
    assert (await analyze(console, "", 0))["verdict"].strip() == ""
    # Who writes on is not offered to take back what was written; who left it is.
    joined = "severity >= error and "
    assert "Use" not in (await analyze(console, joined, len(joined)))["verdict"]
    assert "Use <code>severity &gt;= error</code>" in (await analyze(console, joined, 0))["verdict"]
    # Neither is a word that may become a right one, as long as it is being written.
    found = await analyze(console, "severity >= err", 15)
    assert found["fault"] is None
    assert found["tokens"][2][0] == "written"
    assert (await analyze(console, "severity >= err", 0))["fault"] == 12


async def test_what_a_rule_says_is_no_markup(console: Console) -> None:
    found = await analyze(console, 'severity = "<img src=x onerror=alert(1)>" and', 0)
    assert "<img" not in found["verdict"]
    found = await analyze(console, "actor = <b>", 0)
    assert "<b>" not in found["verdict"].replace("<b></b>", "")
