"""Targets: listed with their health, added, changed, disabled and deleted."""

from __future__ import annotations

import asyncio
import shlex
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request
from click.testing import CliRunner
from tests.support.console import Console, Page
from tests.support.console_work import in_force
from tests.support.http_server import HttpServer

from ibs_notify.cli.tree import root
from ibs_notify.console.api import Api, Channels, claiming
from ibs_notify.console.assets import Assets
from ibs_notify.console.http.guard import NONCE
from ibs_notify.console.login.sessions import Session
from ibs_notify.console.pages import target_form, targets
from ibs_notify.console.rendering import Renderer
from ibs_notify.console.shared import Shared
from ibs_notify.console.targets.health import Health, ask_health, standing
from ibs_notify.console.targets.sparkline import sparkline
from ibs_notify.console.visit import Visit
from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import PermissionDenied
from ibs_notify.domain.principal import Role
from ibs_notify.settings import Settings
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import delivery_service_pb2, event_pb2, router_service_pb2
from ironcore.notification.v1.group_pb2 import Group, Subscription
from ironcore.notification.v1.target_pb2 import Target

CLOCK = SystemClock()
PATIENCE = 10.0
MAIL = {
    "name": "ops-smtp",
    "server": "smtp.example.com",
    "port": "587",
    "from_address": "ironcore-backup@example.com",
    "auth_method": "plain",
    "username": "ibs-svc",
    "password": "s3cret-canary",
    "tls_mode": "starttls",
}
HOOK = [
    ("name", "chat-ops"),
    ("url", "https://chat.example.com/webhooks/ironcore-backup"),
    ("method", "POST"),
    ("header_name", "Authorization"),
    ("header_value", "Bearer canary"),
    ("header_name", ""),
    ("header_value", ""),
    ("body_template", '{"type": "{{event.type}}"}'),
]


async def stored(console: Console, name: str) -> Target:
    request = pb.GetTargetRequest(name=name)
    return (await console.api.call(console.api.config.GetTarget, request)).target


async def add_hook(console: Console, name: str, url: str, description: str = "") -> Target:
    target = Target(name=name, description=description)
    target.webhook.url = url
    request = pb.CreateTargetRequest(target=target)
    answer = await console.api.call(console.api.config.CreateTarget, request)
    await in_force(console.api, answer.target.revision)
    return answer.target


async def add_group(console: Console, name: str, *members: str) -> None:
    group = Group(
        name=name, subscriptions=[Subscription(target=each, rule="*") for each in members]
    )
    answer = await console.api.call(
        console.api.config.CreateGroup, pb.CreateGroupRequest(group=group)
    )
    await in_force(console.api, answer.group.revision)


async def test_an_empty_list_teaches_the_next_step(console: Console) -> None:
    page = await console.browser.get("/targets")
    assert page.says("No targets yet")
    assert 'href="/targets/new/smtp"' in page.text


async def test_the_mail_target_of_the_page_is_added_word_for_word(console: Console) -> None:
    form = await console.browser.get("/targets/new/smtp")
    assert form.says("Add SMTP Target")
    page = await console.browser.post("/targets/new/smtp", MAIL)
    assert page.says("ops-smtp is saved.")
    smtp = (await stored(console, "ops-smtp")).smtp
    assert (smtp.server, smtp.port, smtp.username) == ("smtp.example.com", 587, "ibs-svc")
    assert smtp.password_set
    listed = await console.browser.get("/targets")
    assert listed.says("smtp.example.com:587")
    # The page's form names nobody: whoever is told by it is named in Settings or in a group.
    assert listed.says("no recipient Default recipients")


async def test_a_refused_field_says_why_and_keeps_all_but_the_secret(console: Console) -> None:
    page = await console.browser.post(
        "/targets/new/smtp", {**MAIL, "server": "no host", "port": "x"}
    )
    assert page.status == 422
    assert 'id="e-port"' in page.text
    page = await console.browser.post("/targets/new/smtp", {**MAIL, "server": "no host"})
    assert page.status == 422
    assert 'id="e-server"' in page.text
    assert 'value="no host"' in page.text
    assert page.says("please write it once more")
    assert MAIL["password"] not in page.text


async def test_the_webhook_of_the_page_is_added_and_its_header_renewed(console: Console) -> None:
    page = await console.browser.post("/targets/new/webhook", HOOK)
    assert page.says("chat-ops is saved.")
    hook = (await stored(console, "chat-ops")).webhook
    assert [(each.name, each.value_set) for each in hook.headers] == [("Authorization", True)]
    form = await console.browser.get("/targets/chat-ops/edit")
    assert "canary" not in form.text
    changed = [*HOOK[1:4], ("header_value", "Bearer new"), ("header_name", "X-Team")]
    page = await console.browser.post(
        "/targets/chat-ops/edit", [*changed, ("header_value", "ops"), *HOOK[7:]]
    )
    assert page.says("chat-ops is saved.")
    page = await console.browser.post(
        "/targets/chat-ops/edit",
        [*HOOK[1:4], ("header_value", ""), ("remove_header", "X-Team"), *HOOK[7:]],
    )
    assert page.says("chat-ops is saved.")
    hook = (await stored(console, "chat-ops")).webhook
    assert [(each.name, each.value_set) for each in hook.headers] == [("Authorization", True)]
    assert hook.body_template == HOOK[7][1]


MOVED = [
    ("url", "https://elsewhere.example.com/hook"),
    ("method", "POST"),
    ("header_name", "Authorization"),
    ("header_value", ""),
    HOOK[7],
]


async def test_a_webhook_that_moves_says_at_the_header_that_it_is_needed_again(
    console: Console,
) -> None:
    await console.browser.post("/targets/new/webhook", HOOK)
    form = await console.browser.get("/targets/chat-ops/edit")
    assert form.says("One is stored. Leave this empty to keep it.")
    again = "The stored one does not follow to another URL: write it again, or tick Remove."
    notes = await console.browser.post("/targets/chat-ops/edit/notes", MOVED)
    assert notes.says(again)
    assert "its Authorization is cleared" not in notes.words
    assert notes.says("must be written again, or a header removed where it is not needed")
    page = await console.browser.post("/targets/chat-ops/edit", MOVED)
    assert page.status == 422
    assert page.says(again)
    assert not page.says("Leave this empty to keep it")
    field = page.text.partition('id="f-header-1"')[2].partition(">")[0]
    assert "aria-invalid" in field
    assert "kept-header-1" in field
    # Where it is not needed, Remove is enough, and nothing warns of it.
    removes = [*MOVED, ("remove_header", "Authorization")]
    assert not (await console.browser.post("/targets/chat-ops/edit/notes", removes)).says(again)
    page = await console.browser.post("/targets/chat-ops/edit", removes)
    assert page.says("chat-ops is saved.")


async def test_a_test_of_a_webhook_that_moves_names_the_field_of_the_header(
    console: Console,
) -> None:
    await console.browser.post("/targets/new/webhook", HOOK)
    page = await console.browser.post("/targets/chat-ops/edit/test", MOVED)
    assert page.says("with another URL it needs its header Authorization again")
    assert "webhook.headers[" not in page.text


async def test_the_command_of_a_move_is_one_that_the_services_take(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await console.browser.post("/targets/new/webhook", HOOK)
    notes = await console.browser.post("/targets/chat-ops/edit/notes", MOVED)
    command = unescape(notes.text.partition('data-copy="')[2].partition('"')[0])
    assert "--header-file HEADER-FILE" in command
    (tmp_path / "HEADER-FILE").write_text("Authorization: Bearer new")
    monkeypatch.chdir(tmp_path)
    addresses = {
        f"IBS_NOTIFY_{name.upper()}_ADDRESS": getattr(console.settings, f"{name}_address")
        for name in ("config", "router", "delivery")
    }
    _, _, *arguments = shlex.split(command.replace("\\\n", " "))
    result = await asyncio.to_thread(
        CliRunner().invoke, root, ["notification", *arguments], env=addresses
    )
    assert result.exit_code == 0, result.output
    hook = (await stored(console, "chat-ops")).webhook
    assert hook.url == MOVED[0][1]
    assert [(each.name, each.value_set) for each in hook.headers] == [("Authorization", True)]


async def test_a_target_without_a_group_is_offered_those_that_there_are(console: Console) -> None:
    await console.browser.post("/targets/new/smtp", MAIL)
    page = await console.browser.get("/targets/ops-smtp")
    assert not page.says("Add it to a group")
    assert 'href="/new-group?target=ops-smtp"' in page.text
    made = pb.CreateGroupRequest(group=Group(name="ops-team"))
    await console.api.call(console.api.config.CreateGroup, made)
    page = await console.browser.get("/targets/ops-smtp")
    assert page.says("Add it to a group")
    page = await console.browser.get("/add-to-group?group=ops-team&target=ops-smtp")
    assert page.url.endswith("/groups/ops-team/edit?target=ops-smtp")
    row = page.text.partition('id="f-target-0"')[2].partition("</select>")[0]
    assert '<option value="ops-smtp" data-kind="smtp" selected>' in row
    assert 'data-unsaved="changed"' in page.text


async def test_a_preset_needs_only_its_token(console: Console) -> None:
    page = await console.browser.post(
        "/targets/new/webhook", {"name": "pager", "preset": "pagerduty", "method": "PUT"}
    )
    assert page.status == 422
    assert 'id="e-token"' in page.text
    page = await console.browser.post(
        "/targets/new/webhook", {"name": "pager", "preset": "pagerduty", "token": "R" * 32}
    )
    assert page.says("PagerDuty")
    assert (await stored(console, "pager")).webhook.url == "https://events.pagerduty.com"


@pytest.mark.parametrize(
    ("protocol", "fields", "shown"),
    [
        ("influxdb-v2", {"org": "polystack", "bucket": "ibs-events", "token": "t"}, "InfluxDB v2"),
        ("prometheus-pushgateway", {"job": "nightly"}, "Pushgateway"),
    ],
)
async def test_metric_servers_are_added(
    console: Console, protocol: str, fields: dict[str, str], shown: str
) -> None:
    page = await console.browser.post(
        "/targets/new/metric-server",
        {"name": "metrics", "protocol": protocol, "url": "https://metrics.example.com", **fields},
    )
    assert page.says("metrics is saved.")
    assert page.says(shown)
    form = await console.browser.get("/targets/metrics/edit")
    assert form.says("Edit metrics")


async def test_a_form_sent_as_it_was_shown_changes_nothing(console: Console) -> None:
    await console.browser.post("/targets/new/smtp", MAIL)
    before = await stored(console, "ops-smtp")
    page = await console.browser.post("/targets/ops-smtp/edit", {**MAIL, "password": ""})
    assert page.says("Nothing was changed.")
    assert await stored(console, "ops-smtp") == before


async def test_clear_text_is_warned_of_when_it_begins_and_not_with_every_change(
    console: Console,
) -> None:
    clear = {**MAIL, "tls_mode": "none"}
    page = await console.browser.post("/targets/new/smtp", clear)
    assert page.says("The password will travel in clear text")
    kept = {**clear, "password": "", "from_address": "other@example.com"}
    page = await console.browser.post("/targets/ops-smtp/edit", kept)
    assert page.says("ops-smtp is saved.")
    assert not page.says("in clear text")
    page = await console.browser.post("/targets/ops-smtp/edit", kept | {"password": "0ther-s3cret"})
    assert page.says("The password will travel in clear text")


async def test_that_a_secret_travels_in_clear_text_stands_on_the_page_and_is_no_news(
    console: Console,
) -> None:
    hook = {"name": "chat-ops", "url": "http://chat.example.com/x", "method": "POST"}
    secret = {"header_name": "Authorization", "header_value": "Bearer s"}
    made = await console.browser.post("/targets/new/webhook", hook | secret)
    assert made.says("will travel in clear text")
    quiet = "Not https: what is secret travels in clear text."
    assert (await console.browser.get("/targets/chat-ops")).says(quiet)
    page = await console.browser.post("/targets/chat-ops/disable")
    assert page.says("chat-ops is disabled")
    assert not page.says("will travel in clear text")


def hidden(page: Page, *names: str) -> dict[str, str]:
    return {
        each: page.text.partition(f'name="{each}" value="')[2].partition('"')[0] for each in names
    }


async def test_what_both_changed_of_a_target_is_asked_and_the_rest_is_kept(
    console: Console,
) -> None:
    await console.browser.post("/targets/new/smtp", MAIL)
    opened = hidden(await console.browser.get("/targets/ops-smtp/edit"), "etag", "opened")
    form = {**MAIL, "password": "", **opened}
    theirs = {"from_address": "theirs@example.com", "max_rate": "9"}
    await console.browser.post("/targets/ops-smtp/edit", form | theirs)
    mine = {"from_address": "mine@example.com", "description": "Mine"}
    page = await console.browser.post("/targets/ops-smtp/edit", form | mine)
    assert page.status == 422
    assert page.says("alice changed it")
    assert page.says("From theirs@example.com mine@example.com Take what is stored")
    assert page.says("is in the form as it is stored: Most messages a minute.")
    assert 'value="mine@example.com"' in page.text
    goes_on = form | mine | {"max_rate": "9"} | hidden(page, "etag", "opened", "differs")
    page = await console.browser.post(
        "/targets/ops-smtp/edit", goes_on | {"take": "from_address", "password": "0ther-s3cret"}
    )
    assert page.status == 200
    assert 'value="theirs@example.com"' in page.text
    assert 'value="Mine"' in page.text
    assert page.says("A secret that was written is not shown again")
    assert "0ther-s3cret" not in page.text
    page = await console.browser.post("/targets/ops-smtp/edit", goes_on)
    assert page.says("ops-smtp is saved.")
    kept = await stored(console, "ops-smtp")
    assert kept.smtp.from_address == "mine@example.com"
    assert (kept.description, kept.max_rate_per_minute) == ("Mine", 9)


async def test_what_only_somebody_else_changed_of_a_target_is_kept(console: Console) -> None:
    await console.browser.post("/targets/new/smtp", MAIL)
    opened = hidden(await console.browser.get("/targets/ops-smtp/edit"), "etag", "opened")
    form = {**MAIL, "password": "", **opened}
    await console.browser.post("/targets/ops-smtp/edit", form | {"recipients": "b@example.com"})
    page = await console.browser.post("/targets/ops-smtp/edit", form | {"description": "Mine"})
    assert page.says("alice changed it meanwhile, and that is kept: Recipients."), page.words
    kept = await stored(console, "ops-smtp")
    assert (kept.description, [*kept.smtp.recipients]) == ("Mine", ["b@example.com"])


async def test_a_move_is_said_to_cost_the_secret_before_and_after(console: Console) -> None:
    await console.browser.post("/targets/new/smtp", MAIL)
    moved = {**MAIL, "password": "", "server": "other.example.com"}
    notes = await console.browser.post("/targets/ops-smtp/edit/notes", moved)
    assert notes.says("With another server, its password must be written again")
    assert notes.says("--server other.example.com")
    page = await console.browser.post("/targets/ops-smtp/edit", moved)
    assert page.status == 422
    assert page.says("with another server it needs its password again")
    assert 'id="e-password"' in page.text
    page = await console.browser.post(
        "/targets/ops-smtp/edit", {**moved, "auth_method": "none", "username": ""}
    )
    assert page.says("The stored smtp.password was cleared")
    assert not (await stored(console, "ops-smtp")).smtp.password_set


async def test_a_half_written_form_has_no_command_and_says_why(console: Console) -> None:
    notes = await console.browser.post("/targets/new/smtp/notes", {**MAIL, "port": "5x"})
    assert notes.status == 200
    assert notes.says("port is not a whole number")
    assert "s3cret-canary" not in notes.text


async def test_a_target_is_disabled_and_enabled(console: Console) -> None:
    await add_hook(console, "chat-ops", "https://chat.example.com/x")
    asked = await console.browser.get("/targets/chat-ops/disable")
    assert asked.says("Nothing more is sent to chat-ops until it is enabled.")
    assert not (await stored(console, "chat-ops")).disabled
    page = await console.browser.post("/targets/chat-ops/disable")
    assert page.says("chat-ops is disabled")
    assert (await stored(console, "chat-ops")).disabled
    page = await console.browser.post("/targets/chat-ops/enable")
    assert page.says("chat-ops is enabled")
    assert not (await stored(console, "chat-ops")).disabled


async def until_attempted(console: Console, target: Target) -> None:
    """Deliver an event to it, and wait for what comes of it."""
    event = event_pb2.Event(type="backup.failed", subject="disk <b>full</b>")
    await console.api.call(console.api.router.Emit, router_service_pb2.EmitRequest(event=event))
    request = delivery_service_pb2.GetTargetStatusRequest(target_uid=target.uid)
    async with asyncio.timeout(PATIENCE):
        while not (await console.api.call(console.api.delivery.GetTargetStatus, request)).last_code:
            pass


async def test_what_a_peer_says_is_shown_and_is_no_markup(console: Console) -> None:
    hostile = "<script>alert(1)</script>"
    async with HttpServer(410, text=hostile) as gone:
        target = await add_hook(console, "pager", gone.url(), hostile)
        await add_group(console, "ops-team", "pager")
        await until_attempted(console, target)
        page = await console.browser.get("/targets/pager")
        assert page.says("paused")
        assert page.says("HTTP_GONE")
        assert page.says("410")
        assert hostile not in page.text
        assert page.says(hostile)
        assert page.says("ops-team")
        assert page.says("disk <b>full</b>")
        listed = await console.browser.get("/targets")
        assert listed.says("paused since")
        assert hostile not in listed.text
        page = await console.browser.post("/targets/pager/resume")
        assert page.says("One delivery to pager is tried now")


async def test_health_is_shown_anew_where_it_changed(console: Console) -> None:
    async with HttpServer(401) as peer:
        target = await add_hook(console, "pager", peer.url())
        await add_group(console, "ops-team", "pager")
        page = await console.browser.get("/targets/pager")
        assert page.says("no delivery yet")
        asked = unescape(page.text).partition('hx-get="/targets/pager/health')[2].partition('"')[0]
        part = {"HX-Request": "true"}
        again = f"/targets/pager/health{asked}"
        assert (await console.browser.get(again, **part)).status == 204
        await until_attempted(console, target)
        shown = await console.browser.get(again, **part)
        assert shown.says("failed lately")
        assert "<html" not in shown.text
        assert shown.headers["HX-Trigger"] == "target-changed"
        last = await console.browser.get("/targets/pager/last", **part)
        assert last.says("given up disk <b>full</b>")


async def test_a_target_that_waits_for_nothing_is_not_said_to_be_tried(console: Console) -> None:
    async with HttpServer(200) as peer:
        target = await add_hook(console, "pager", peer.url())
        await add_group(console, "ops-team", "pager")
        await until_attempted(console, target)
        page = await console.browser.post("/targets/pager/resume")
        assert page.says("Nothing waits for pager now")


async def test_deleting_says_what_is_lost_and_needs_the_box(console: Console) -> None:
    async with HttpServer(410) as gone:
        target = await add_hook(console, "pager", gone.url())
        await add_group(console, "ops-team", "pager")
        await until_attempted(console, target)
        ask = await console.browser.get("/targets/pager/delete")
        assert ask.says("ops-team which then has no target")
        assert ask.says("that waits for it is cancelled")
        assert ask.says("target delete pager --force")
        page = await console.browser.post("/targets/pager/delete")
        assert page.status == 422
        assert page.says("Nothing is deleted yet: tick this first.")
        box = page.text.partition('<input id="f-force"')[2].partition(">")[0]
        assert {"required", "autofocus", 'aria-invalid="true"'} <= {*box.split()}
        assert page.text.count("autofocus") == 1
        page = await console.browser.post("/targets/pager/delete", {"force": "on"})
        assert page.says("pager is deleted.")
        assert page.says("was taken out of group")
        assert page.says("No targets yet")


async def test_what_nobody_is_told_of_without_a_target_is_said_before(console: Console) -> None:
    for name in ("pager", "chat"):
        await add_hook(console, name, "http://127.0.0.1:9/")
    await add_group(console, "ops-team", "pager")
    ask = await console.browser.get("/targets/pager/delete")
    assert ask.says("No datastore is known yet"), ask.words
    event = event_pb2.Event(type="backup.failed", resource="tank:vm/1", subject="Failed")
    await console.api.call(console.api.router.Emit, router_service_pb2.EmitRequest(event=event))

    ask = await console.browser.get("/targets/pager/delete")
    assert ask.says("Nobody is told of sync.integrity-error , verify.corrupt , backup.failed ,")
    assert ask.says("about all that is known (2 datastores and jobs) once it is gone."), ask.words
    assert ask.says("backup.started")
    ask = await console.browser.get("/targets/pager/disable")
    assert ask.says("about all that is known (2 datastores and jobs) until it is enabled.")

    await add_group(console, "on-call", "chat")
    ask = await console.browser.get("/targets/pager/delete")
    assert ask.says("Of every problem that it tells of, somebody else is told as well")
    assert not ask.says("Nobody is told")
    await console.stop("router")
    ask = await console.browser.get("/targets/pager/delete")
    assert ask.says("What nobody would be told of then is not known now")


async def test_a_deletion_that_was_overtaken_keeps_the_tick(console: Console) -> None:
    await add_hook(console, "pager", "http://127.0.0.1:9/")
    await add_group(console, "ops-team", "pager")
    fields = {"force": "on", "etag": "of-before"}
    page = await console.browser.post("/targets/pager/delete", fields)
    assert page.status == 422
    assert "required checked" in page.text
    assert page.text.index('role="alert"') < page.text.index('id="f-force"')
    await console.browser.post("/targets/pager/delete", fields | {"etag": ""})
    assert (await console.browser.get("/targets")).says("No targets yet")


async def test_who_is_not_there_is_not_found(console: Console) -> None:
    assert (await console.browser.get("/targets/none")).status == 404
    assert (await console.browser.get("/targets/%3Cscript%3E/edit")).status == 404


async def test_a_long_list_is_paged(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "SIZE", 2)
    for name in ("chat-1", "chat-2", "chat-3"):
        await add_hook(console, name, "https://chat.example.com/x")
    first = await console.browser.get("/targets")
    assert first.says("chat-2")
    assert not first.says("chat-3")
    following = first.text.partition('href="/targets?page_token=')[2].partition('"')[0]
    second = await console.browser.get(f"/targets?page_token={following}")
    assert second.says("chat-3")
    assert second.says("First page")


async def test_health_is_seen_at_a_glance(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, now = await add_hook(console, "chat-ops", "https://chat.example.com/x"), CLOCK.now()
    status = delivery_service_pb2.GetTargetStatusResponse(open_count=1234)
    status.certificate_expire_time.FromDatetime(now + timedelta(days=9, hours=1))
    status.failing_since.FromDatetime(now - timedelta(hours=2))
    span = delivery_service_pb2.DeliverySpan(delivered=3, failed_attempts=2)
    span.start_time.FromDatetime(now - timedelta(minutes=5))
    health = Health(
        {target.uid: standing(target, status)},
        {target.uid: sparkline([span], now)},
        held_since=now - timedelta(minutes=3),
    )

    async def known(*_: object) -> Health:
        return health

    monkeypatch.setattr(targets, "ask_health", known)
    for path in ("/targets", "/targets/chat-ops"):
        page = await console.browser.get(path)
        assert page.says("1,234")
        assert page.says("expires in 9 d")
        assert page.says("3 delivered, 2 failed attempts")
        assert page.says("Everything is held since 3 min ago")
        assert '<rect class="series-failed"' in page.text


async def test_without_delivery_the_list_is_still_there(console: Console) -> None:
    target = await add_hook(console, "chat-ops", "https://chat.example.com/x")
    channels = Channels(Settings(home=console.settings.home, delivery_address="127.0.0.1:1"))
    try:
        health = await ask_health(Api(channels, claiming("alice")), [target], CLOCK.now())
    finally:
        await channels.close()
    assert "Delivery" in health.unknown
    assert not health.standings


def as_viewer(console: Console, path: str, **match: str) -> Visit:
    """A visit of somebody who may look and do nothing."""
    request = make_mocked_request("GET", path, match_info=match)
    request[NONCE] = "nonce"
    now = CLOCK.now()
    session = Session("vera", Role.VIEWER, claiming("vera"), now, now + timedelta(hours=1))
    return Visit(request, console.api, session, Renderer(Assets(), CLOCK), Shared())


async def test_a_viewer_sees_no_button_that_would_be_refused(console: Console) -> None:
    await add_hook(console, "chat-ops", "https://chat.example.com/x")
    listed = (await targets.show_list(as_viewer(console, "/targets"))).text  # type: ignore[attr-defined]
    assert "chat-ops" in listed
    assert "/targets/new/" not in listed
    one = await targets.show_one(as_viewer(console, "/targets/chat-ops", name="chat-ops"))
    text = one.text  # type: ignore[attr-defined]
    for action in ("edit", "delete", "disable", "test", "resume"):
        assert f"/targets/chat-ops/{action}" not in text
    with pytest.raises(PermissionDenied):
        await target_form.show_new(as_viewer(console, "/targets/new/smtp", kind="smtp"))
    with pytest.raises(PermissionDenied):
        await target_form.show_edit(as_viewer(console, "/targets/x/edit", name="chat-ops"))
