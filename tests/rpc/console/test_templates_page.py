"""Templates: read, tried on events before they are saved, saved, refused at their field."""

from __future__ import annotations

from dataclasses import dataclass, replace

import aiohttp
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.console import Browser, Console, Page
from tests.support.console_work import in_force
from tests.system.installation import free_port

from ibs_notify.console.app import ConsoleApp
from ibs_notify.console.http.guard import PREVIEW_POLICY
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.event_pb2 import Event
from ironcore.notification.v1.group_pb2 import Group, GroupTemplates, Subscription
from ironcore.notification.v1.router_service_pb2 import EmitRequest
from ironcore.notification.v1.target_pb2 import WEBHOOK_PRESET_SLACK, Target

EDIT = "/templates/edit?target=ops"
PREVIEW = "/templates/preview?target=ops"
HOSTILE = "</textarea><script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@dataclass(frozen=True, slots=True)
class Configured:
    """Mail target ops, webhook chat, webhook slack with its preset, group team of all three."""

    console: Console

    async def target(self, name: str = "ops") -> Target:
        api = self.console.api
        return (await api.call(api.config.GetTarget, pb.GetTargetRequest(name=name))).target

    async def post(self, path: str, **fields: str) -> Page:
        return await self.console.browser.post(path, fields)


@pytest.fixture
async def here(console: Console) -> Configured:
    api = console.api
    mail, chat, slack = (Target(name=name) for name in ("ops", "chat", "slack"))
    mail.smtp.server = "127.0.0.1"
    mail.smtp.recipients.append("ops@example.com")
    chat.webhook.url = "https://chat.example.com/hook/s3cr3t"
    slack.webhook.url = "https://hooks.slack.com/services/x"
    slack.webhook.preset = WEBHOOK_PRESET_SLACK
    for target in (mail, chat, slack):
        target.disabled = True
        await api.call(api.config.CreateTarget, pb.CreateTargetRequest(target=target))
    group = Group(name="team", templates=GroupTemplates(text="of the team"))
    group.subscriptions.extend(
        Subscription(target=each, rule="*") for each in ("ops", "chat", "slack")
    )
    made = await api.call(api.config.CreateGroup, pb.CreateGroupRequest(group=group))
    await in_force(api, made.group.revision)
    return Configured(console)


async def emit(console: Console, event_id: str, **fields: str) -> None:
    event = Event(event_id=event_id, type="backup.failed", **fields)  # type: ignore[arg-type]
    await console.api.call(console.api.router.Emit, EmitRequest(event=event))


async def test_what_is_built_in_can_be_read(here: Configured) -> None:
    browser = here.console.browser
    assert (await browser.get("/templates")).says("mail.digest-html")
    assert "{{ event.severity" in (await browser.get("/templates/builtin/mail.html")).text
    assert (await browser.get("/templates/builtin/nope")).status == 404


async def test_it_is_said_whose_templates_are_own_and_which_go_before(here: Configured) -> None:
    browser = here.console.browser
    assert "/templates/edit?group=team" in (await browser.get("/templates")).text
    assert (await browser.get(EDIT)).says("team has text")
    # A webhook has no text that a group's could go before.
    assert not (await browser.get("/templates/edit?target=chat")).says("team has")


async def test_a_group_without_targets_goes_before_nobody_and_is_shown_for_any(
    here: Configured,
) -> None:
    api = here.console.api
    alone = Group(name="alone", templates=GroupTemplates(subject="{{ event.type }}"))
    await api.call(api.config.CreateGroup, pb.CreateGroupRequest(group=alone))
    assert not (await here.console.browser.get(EDIT)).says("alone has")
    editor = await here.console.browser.get("/templates/edit?group=alone")
    assert '<option value="chat">' in editor.text


async def test_line_ends_alone_are_no_change(here: Configured) -> None:
    api = here.console.api
    target = Target(name="ops")
    target.smtp.text_template = "a\r\nb"
    mask = FieldMask(paths=["smtp.text_template"])
    request = pb.UpdateTargetRequest(target=target, update_mask=mask)
    await api.call(api.config.UpdateTarget, request)
    assert (await here.post(EDIT, text="a\r\nb")).says("Nothing was changed.")


async def test_only_what_was_changed_is_saved_and_it_is_said_so(here: Configured) -> None:
    page = await here.post(EDIT, subject="[{{ event.severity }}]", text="\r\n ")
    assert page.says("The templates of ops are saved.")
    smtp = (await here.target()).smtp
    assert (smtp.subject_template, smtp.text_template) == ("[{{ event.severity }}]", "")
    revision = (await here.target()).revision
    again = await here.post(EDIT, subject="[{{ event.severity }}]")
    assert again.says("Nothing was changed.")
    assert (await here.target()).revision == revision


async def test_a_template_goes_back_to_what_is_built_in(here: Configured) -> None:
    group = "/templates/edit?group=team"
    assert (await here.post(group, text="", subject="{{ event.type }}")).says("are saved")
    api = here.console.api
    stored = await api.call(api.config.GetGroup, pb.GetGroupRequest(name="team"))
    assert stored.group.templates == GroupTemplates(subject="{{ event.type }}")


async def test_a_fault_is_at_its_field_with_line_and_column(here: Configured) -> None:
    page = await here.post(EDIT, subject="fine", html=f"{HOSTILE}\n{{{{ event.nope }}}}")
    assert page.status == 422
    assert page.says("line 2, column 10: there is no field event.nope")
    assert 'data-fault="html">line 2' in page.text
    assert HOSTILE not in page.text
    assert not (await here.target()).smtp.subject_template


async def test_without_scripts_a_text_begins_from_a_starting_point_and_nothing_is_lost(
    here: Configured,
) -> None:
    page = await here.console.browser.get(EDIT)
    assert 'name="start" value="text 1"' in page.text
    etag = (await here.target()).etag
    typed = {"subject": "my own subject", "text": "to be replaced", "etag": etag}
    page = await here.post(EDIT, **typed, start="text 1")
    assert page.status == 200
    assert 'data-unsaved="changed"' in page.text
    assert f'name="etag" value="{etag}"' in page.text
    assert page.says("my own subject")
    assert page.says("{{ event.subject }} {{ event.summary }}")
    assert not page.says("to be replaced")
    # Back to the built-in is a text that begins from nothing; what is no place begins nothing.
    page = await here.post(EDIT, **typed, start="text")
    assert not page.says("to be replaced")
    for strange in ("text 99", "nowhere 1", "etag 0", "text ²", f"text {'9' * 9999}"):
        assert (await here.post(EDIT, **typed, start=strange)).status == 200
    # Nothing of it is saved.
    assert not (await here.target()).smtp.text_template


async def test_who_was_overtaken_is_told(here: Configured) -> None:
    first = await here.console.browser.get(EDIT)
    etag = first.text.partition('name="etag" value="')[2].partition('"')[0]
    assert (await here.post(EDIT, subject="{{ event.type }}", etag=etag)).says("are saved")
    page = await here.post(EDIT, subject="{{ event.actor }}", etag=etag)
    assert page.status == 422
    assert page.says("changed")


async def test_a_preview_is_of_what_is_written_and_keeps_nothing(here: Configured) -> None:
    await emit(here.console, "evt-1", subject="Backup of vm/7 failed")
    page = await here.post(PREVIEW, subject="TRY {{ event.subject }}", event="evt-1")
    assert page.says("TRY Backup of vm/7 failed")
    assert page.says("ops@example.com")
    typed = await here.post(PREVIEW, subject="{{ event.event_id }}", event="", event_id="evt-1")
    assert typed.says("evt-1")
    sample = await here.post(PREVIEW, subject="{{ event.resource }}", event="")
    assert sample.says("ibs-primary:production/vm/12345")
    assert not (await here.target()).smtp.subject_template


async def test_nothing_in_a_preview_runs_or_gets_out_of_its_frame(here: Configured) -> None:
    await emit(here.console, "evt-1", subject=HOSTILE, summary=HOSTILE)
    drafts = {"html": '<p onclick="x()">{{ event.subject }}</p><script>1</script>', "text": "t"}
    for view in ("message", "text", "source"):
        page = await here.post(PREVIEW, event="evt-1", view=view, **drafts)
        assert page.status == 200
        assert "<script" not in page.text
        assert "<img" not in page.text
        assert page.headers["Content-Security-Policy"] == PREVIEW_POLICY
        assert "X-Frame-Options" not in page.headers
    assert "script-src" not in PREVIEW_POLICY
    assert "default-src 'none'" in PREVIEW_POLICY
    assert "frame-ancestors 'self'" in PREVIEW_POLICY
    shown = await here.post(PREVIEW, event="evt-1", **drafts)
    assert 'sandbox="" srcdoc="&lt;p onclick=' in shown.text


async def test_a_preview_says_what_is_wrong_and_at_which_field(here: Configured) -> None:
    page = await here.post(PREVIEW, digest_text="{{ digest.nope }}")
    assert 'data-field="digest_text"' in page.text
    assert page.says("line 1, column 11")
    unknown = await here.post(PREVIEW, event_id="evt-nope")
    assert unknown.says("evt-nope")


async def test_a_digest_is_tried_on_what_is_stored(here: Configured) -> None:
    for number in (1, 2, 3):
        await emit(here.console, f"evt-{number}", subject=f"Backup {number}")
    page = await here.post(
        PREVIEW, **{"as": "digest", "digest_subject": "{{ digest.total }} of {{ digest.group }}"}
    )
    assert page.says("3 of team")


async def test_a_request_is_shown_with_its_secrets_masked(here: Configured) -> None:
    page = await here.post("/templates/preview?target=chat", body='{"t": "{{ event.type }}"}')
    assert page.says("POST https://chat.example.com/…")
    assert page.says('"t": "backup.failed"')
    assert "s3cr3t" not in page.text


async def test_a_group_is_shown_for_each_of_its_targets_and_a_preset_keeps_its_body(
    here: Configured,
) -> None:
    path, body = "/templates/preview?group=team", '{"t": "{{ event.type }}"}'
    assert (await here.post(path, on="chat", body=body)).says('"t": "backup.failed"')
    slack = await here.post(path, on="slack", body=body)
    assert slack.says("slack keeps the body of its preset slack")
    assert not slack.says('"t": "backup.failed"')
    assert (await here.post(path, on="ops", text="drafted")).says("drafted")
    removed = await here.post(path, on="ops", text="")
    assert not removed.says("of the team")


async def test_the_command_names_what_was_changed(here: Configured) -> None:
    page = await here.post("/templates/command?target=ops", text="a\n{{ event.type }}")
    assert page.says("target update ops --text-template text.j2")


async def test_what_has_no_templates_is_not_found(here: Configured) -> None:
    for path in ("/templates/edit", "/templates/edit?target=nobody", "/templates/edit?group=x"):
        assert (await here.console.browser.get(path)).status == 404


async def test_without_the_router_there_is_still_an_editor_with_a_made_up_event(
    here: Configured,
) -> None:
    settings = replace(
        here.console.settings,
        router_address=f"127.0.0.1:{free_port()}",
        console_address="127.0.0.1:0",
    )
    async with ConsoleApp(settings) as alone, aiohttp.ClientSession() as http:
        browser = Browser(http, f"http://127.0.0.1:{alone.port}")
        page = await browser.get(EDIT)
        assert page.status == 200
        assert page.says("The stored events are not known")
        assert (await browser.post(PREVIEW, {"subject": "{{ event.type }}!"})).says(
            "backup.failed!"
        )
