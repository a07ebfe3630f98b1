"""Which rules name a thing that gets another name: in groups, and in silences."""

from __future__ import annotations

from html import escape

import pytest
from tests.support.config import smtp_target
from tests.support.console import Browser, Console, SecuredConsole
from tests.support.console_work import add_group, add_webhook

from ibs_notify.console.api import Api
from ironcore.notification.v1.config_service_pb2 import CreateTargetRequest
from ironcore.notification.v1.group_pb2 import Digest
from ironcore.notification.v1.router_service_pb2 import (
    CreateSilenceRequest,
    ExpireSilenceRequest,
    Silence,
)

ATTACK = "<script>alert(1)</script>"


async def night(api: Api) -> None:
    """Groups that name the job ``nightly``, each in its own way, and one that does not."""
    await add_webhook(api, "chat-ops", "http://127.0.0.1:9/")
    await api.call(api.config.CreateTarget, CreateTargetRequest(target=smtp_target()))
    rules = {"ops-smtp": "*", "chat-ops": 'subject = "Nightly VMs" and severity >= error'}
    await add_group(api, "ops-team", rules, description="Told of the nightly job")
    digest = Digest(rule="task_id contains nightly")
    await add_group(api, "compliance", {}, digest=digest)
    await add_group(api, "attached", {}, attachments=["tank:nightly/vm"])
    await add_group(api, "everybody", {"chat-ops": "*"})


async def silenced(api: Api, rule: str, comment: str = "disk swap") -> str:
    silence = Silence(rule=rule, comment=comment, weekly="sun 1:00-2:00")
    request = CreateSilenceRequest(silence=silence)
    return (await api.call(api.router.CreateSilence, request)).silence.silence_id


async def field(browser: Browser, address: str) -> str:
    """What the form of an address with a fragment holds in the field that it leads to."""
    path, _, name = address.partition("#")
    text = (await browser.get(path)).text
    assert f'id="{name}"' in text
    return text.partition(f'id="{name}"')[2].partition("</textarea>")[0].partition(">")[2]


async def test_each_place_that_names_it_is_shown_marked_and_leads_to_its_field(
    console: Console,
) -> None:
    await night(console.api)
    page = await console.browser.get("/groups?text=nightly")
    assert "everybody" not in page.text
    assert "Told of the <mark>nightly</mark> job" in page.text
    assert "subject = &#34;<mark>Nightly</mark> VMs&#34; and severity &gt;= error" in page.text
    assert "task_id contains <mark>nightly</mark>" in page.text
    assert "/datastore/tank/<mark>nightly</mark>/vm" in page.text
    for address, text in (
        ("/groups/ops-team/edit#f-rule-1", 'subject = "Nightly VMs" and severity >= error'),
        ("/groups/compliance/edit#f-digest_rule", "task_id contains nightly"),
        ("/groups/attached/edit#f-attachments", "/datastore/tank/nightly/vm"),
    ):
        assert f'href="{address}"' in page.text
        assert (await field(console.browser, address)).strip() == escape(text).replace(
            "&quot;", "&#34;"
        )
    assert page.says("ironcore-backup notification group list --text nightly")


@pytest.mark.asyncio(loop_scope="module")
async def test_who_may_change_no_group_is_led_to_the_row_of_its_page(
    secured: SecuredConsole,
) -> None:
    await night(await secured.api("administrator"))
    browser = await secured.as_("viewer")
    page = await browser.get("/groups?text=nightly+vms")
    assert "/edit" not in page.text
    assert 'href="/groups/ops-team#target-1"' in page.text
    assert 'id="target-1"' in (await browser.get("/groups/ops-team")).text


async def test_silences_that_name_it_are_counted_beside_the_groups(console: Console) -> None:
    page = await console.browser.get("/groups?text=nightly")
    assert page.says("No group names it")
    assert page.says("No silence in force or to come names it.")
    ended = await silenced(console.api, "subject = Nightly")
    await silenced(console.api, "severity = info", "until the NIGHTLY job is moved")
    await silenced(console.api, "severity = notice")
    page = await console.browser.get("/groups?text=nightly")
    assert page.says("2 silences in force or to come name it too.")
    assert 'href="/silences?text=nightly"' in page.text

    request = ExpireSilenceRequest(silence_id=ended)
    await console.api.call(console.api.router.ExpireSilence, request)
    page = await console.browser.get("/groups?text=nightly")
    assert page.says("1 silence in force or to come names it too.")


async def test_silences_are_found_and_what_is_found_is_marked(console: Console) -> None:
    ended = await silenced(console.api, 'subject = "Nightly VMs"')
    await silenced(console.api, "severity = info", "until the NIGHTLY job is moved")
    await silenced(console.api, "severity = notice", "something else")
    request = ExpireSilenceRequest(silence_id=ended)
    await console.api.call(console.api.router.ExpireSilence, request)

    page = await console.browser.get("/silences?text=nightly")
    assert "until the <mark>NIGHTLY</mark> job is moved" in page.text
    assert "something else" not in page.text
    assert "Nightly" not in page.words
    assert page.says("silence list --text nightly")
    # With those that ended it is still the same search.
    assert 'href="/silences?text=nightly&amp;all=1"' in page.text
    page = await console.browser.get("/silences?text=nightly&all=1")
    assert "subject = &#34;<mark>Nightly</mark> VMs&#34;" in page.text
    page = await console.browser.get("/silences?text=weekly")
    assert page.says("No silence in force or to come has weekly in its rule")
    assert not page.says("everything is told")


@pytest.mark.parametrize("path", ["/groups", "/silences"])
async def test_a_resource_is_offered_in_its_other_spelling(console: Console, path: str) -> None:
    page = await console.browser.get(f"{path}?text=tank:vm/1")
    assert f'href="{path}?text=%2Fdatastore%2Ftank%2Fvm%2F1"' in page.text
    page = await console.browser.get(f"{path}?text=/datastore/tank/vm/1")
    assert f'href="{path}?text=tank%3Avm%2F1"' in page.text
    assert not (await console.browser.get(f"{path}?text=tank")).says("two spellings")


async def test_nothing_that_is_looked_for_or_found_is_markup(console: Console) -> None:
    await add_group(console.api, "ops-team", {}, description=f"a {ATTACK}")
    await silenced(console.api, "severity = info", f"a {ATTACK}")
    for path in ("/groups", "/silences"):
        for text in ("%3Cscript%3E", "alert", "a+%3C", "%22%3E%3Cscript%3E"):
            page = await console.browser.get(f"{path}?text={text}")
            assert page.status == 200
            assert "<script>" not in page.text
    page = await console.browser.get("/groups?text=%3Cscript%3E")
    assert "a <mark>&lt;script&gt;</mark>alert(1)&lt;/script&gt;" in page.text


@pytest.mark.parametrize("path", ["/groups", "/silences"])
async def test_a_text_that_is_too_long_is_refused_with_the_reason(
    console: Console, path: str
) -> None:
    page = await console.browser.get(f"{path}?text={'x' * 1001}")
    assert page.status == 400
    assert page.says("over 1000 characters")


async def test_a_job_that_is_no_datastore_leads_to_the_rules_that_name_it(
    console: Console,
) -> None:
    await add_group(console.api, "ops-team", {})
    page = await console.browser.get("/groups?resource=nightly")
    assert 'href="/groups?text=nightly"' in page.text


async def test_groups_that_are_found_come_page_by_page(console: Console) -> None:
    for number in range(51):
        await add_group(console.api, f"nightly-{number:02}", {})
    page = await console.browser.get("/groups?text=NIGHTLY")
    assert page.text.count("<tr data-row") == 50
    more = page.text.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    page = await console.browser.get(more.replace("&amp;", "&"))
    assert page.text.count("<tr data-row") == 1
    assert "<mark>nightly</mark>-50" in page.text
    assert page.says("First page")
