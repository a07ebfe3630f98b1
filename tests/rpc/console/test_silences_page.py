"""Silences: made, seen and ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest
from tests.support.console import Console, Page
from tests.support.console_work import add_group, add_webhook, emit, in_force
from tests.support.http_server import HttpServer

from ibs_notify.rpc.convert import moment_from_proto
from ironcore.notification.v1.config_service_pb2 import (
    CreateGroupRequest,
    CreateTargetRequest,
    UpdateSettingsRequest,
)
from ironcore.notification.v1.group_pb2 import Group, Subscription
from ironcore.notification.v1.router_service_pb2 import ListSilencesRequest, Silence
from ironcore.notification.v1.settings_pb2 import Settings
from ironcore.notification.v1.target_pb2 import PushgatewayTarget, Target

ATTACK = "<script>alert(1)</script>"
SWAP = {"rule": "resource under /datastore/ibs-primary", "comment": "disk swap"}


async def silences(console: Console) -> Sequence[Silence]:
    request = ListSilencesRequest(include_expired=True)
    return (await console.api.call(console.api.router.ListSilences, request)).silences


@pytest.fixture
async def _told(console: Console) -> AsyncIterator[None]:
    """``ops-team`` is told of everything."""
    async with HttpServer() as peer:
        await add_webhook(console.api, "chat-ops", peer.url())
        await add_group(console.api, "ops-team", {"chat-ops": "*"})
        yield


async def test_without_silences_the_next_step_is_one(console: Console) -> None:
    page = await console.browser.get("/silences")
    assert page.says("No silences: everything is told")
    assert 'href="/new-silence"' in page.text


NEVER = {"rule": "type = backup.*", "comment": "disk swap", "when": "hour"}


async def test_a_silence_that_can_match_nothing_is_asked_about_once(console: Console) -> None:
    page = await console.browser.post("/new-silence", NEVER)
    assert page.status == 422
    assert page.says("matches no event of the last 7 days, and may never match one.")
    assert 'data-rule-fix="type starts-with backup."' in page.text
    assert not await silences(console)
    # Another rule is asked about again, the same is not.
    page = await console.browser.post("/new-silence", {**NEVER, "sure": "type = sync.*"})
    assert page.status == 422
    page = await console.browser.post("/new-silence", {**NEVER, "sure": "type = backup.*"})
    assert page.says("The silence sil-1 is in force.")
    assert page.says("matches nothing")
    assert page.says("Make one with type starts-with backup.")
    # A rule of which nothing is known to be wrong is made at once.
    page = await console.browser.post("/new-silence", {**SWAP, "when": "hour"})
    assert page.says("The silence sil-2 is in force.")


async def test_a_silence_for_an_hour_is_in_force_and_can_be_ended(console: Console) -> None:
    page = await console.browser.post("/new-silence", {**SWAP, "when": "hour"})
    assert page.says("The silence sil-1 is in force.")
    assert page.says("disk swap")
    (made,) = await silences(console)
    span = moment_from_proto(made.end_time) - moment_from_proto(made.start_time)
    assert (made.rule, made.author) == (SWAP["rule"], "alice")
    assert 3599 < span.total_seconds() < 3601

    listed = await console.browser.get("/silences")
    assert listed.says("End sil-1 now? What it silenced stays silenced. End it Cancel")
    page = await console.browser.post("/silences/sil-1/expire")
    assert page.says("The silence sil-1 has ended.")
    assert page.says("No silences")
    assert (await console.browser.get("/silences?all=1")).says("ended")


async def test_times_are_of_the_installations_zone(console: Console) -> None:
    settings = UpdateSettingsRequest(settings=Settings(time_zone="Europe/Vienna"))
    settings.update_mask.paths.append("time_zone")
    answer = await console.api.call(console.api.config.UpdateSettings, settings)
    await in_force(console.api, answer.settings.revision)

    assert (await console.browser.get("/new-silence")).says("Now where it is empty. Europe/Vienna.")
    span = {"when": "span", "from": "2126-05-21T22:00", "until": "2126-05-22T06:00"}
    page = await console.browser.post("/new-silence", {**SWAP, **span})

    assert page.says("The silence sil-1 is made and begins later.")
    assert page.says("21 May 2126 22:00 to 22 May 2126 06:00")
    (made,) = await silences(console)
    assert made.start_time.ToJsonString() == "2126-05-21T20:00:00Z"


async def test_a_weekly_one_says_its_window_and_its_zone(console: Console) -> None:
    weekly = {"when": "weekly", "weekly": "sat 22:00-24:00", "time_zone": "Asia/Tokyo"}
    page = await console.browser.post("/new-silence", {**SWAP, **weekly})
    assert page.says("every sat 22:00-24:00 Asia/Tokyo")


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"rule": "severity >"}, "rule", "expected"),
        ({"comment": ""}, "comment", "is missing"),
        ({"when": "span", "until": "2020-01-01T00:00"}, "until", "is not after start_time"),
        ({"when": "span", "from": "soon", "until": ""}, "from", "is no time"),
        ({"when": "weekly", "weekly": "some day"}, "weekly", "no weekly window"),
        (
            {"when": "weekly", "weekly": "daily 01:00-02:00", "time_zone": "Mars/Olympus"},
            "time_zone",
            "is no IANA time zone",
        ),
    ],
)
async def test_a_fault_is_said_at_its_field_and_nothing_is_lost(
    console: Console, fields: dict[str, str], field: str, said: str
) -> None:
    page = await console.browser.post("/new-silence", {**SWAP, "when": "hour", **fields})
    assert page.status == 422
    fault = page.text.partition(f'id="e-{field}">')[2].partition("</p>")[0]
    assert said in fault
    assert {**SWAP, **fields}["rule"].replace(">", "&gt;") in page.text
    assert not await silences(console)


async def test_other_pages_fill_the_form(console: Console) -> None:
    page = await console.browser.get("/new-silence?rule=type+%3D+backup.failed&comment=again")
    assert page.says("type = backup.failed")
    assert 'value="again"' in page.text


async def test_what_people_write_is_never_markup(console: Console) -> None:
    wanted = {"rule": f'subject contains "{ATTACK}"', "comment": ATTACK, "when": "hour"}
    page = await console.browser.post("/new-silence", wanted)
    assert page.says(ATTACK)
    assert ATTACK not in page.text


async def test_the_command_does_what_the_form_will_do(console: Console) -> None:
    span = {"when": "span", "from": "", "until": "2126-05-22T06:00"}
    page = await console.browser.post("/new-silence/command", {**SWAP, **span})
    assert page.says("ironcore-backup notification silence create")
    assert page.says("--until 2126-05-22T06:00:00Z")
    page = await console.browser.post("/new-silence/command", {**span, "until": "soon"})
    assert page.says("is no time")


@pytest.mark.usefixtures("_told")
async def test_beside_the_form_stands_what_it_would_have_kept_from_people(
    console: Console,
) -> None:
    for number in range(3):
        await emit(
            console.api, f"Backup failed for vm/{number}", resource=f"ibs-primary:vm/{number}"
        )
    await emit(console.api, "elsewhere", resource="ibs-second:vm/9")

    page = await console.browser.post("/new-silence/preview", SWAP)
    assert page.says("3 events of the last 7 days that were meant for somebody.")
    assert page.says("3 for chat-ops")
    assert page.says("Backup failed for vm/2")
    assert not page.says("elsewhere")

    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    today = days[datetime.now(UTC).weekday()]
    others = ", ".join(f"{day} 00:00-24:00" for day in days if day != today)
    weekly = {**SWAP, "when": "weekly", "time_zone": "UTC"}
    page = await console.browser.post("/new-silence/preview", {**weekly, "weekly": others})
    assert page.says("no event that matches was meant for anybody within")
    window = f"{today} 00:00-24:00"
    page = await console.browser.post("/new-silence/preview", {**weekly, "weekly": window})
    assert page.says(
        f"3 events of the last 7 days that were meant for somebody within {window}, UTC."
    )
    page = await console.browser.post("/new-silence/preview", {**weekly, "weekly": "some day"})
    assert page.says("As soon as the window is right")

    page = await console.browser.post("/new-silence/preview", {"rule": "type = backup.warning"})
    assert page.says("no event that matches was meant for anybody.")
    page = await console.browser.post("/new-silence/preview", {"rule": "type ="})
    assert page.says("As soon as the rule is right")
    page = await console.browser.post("/new-silence/preview", {"rule": ""})
    assert page.says("Write a rule")


async def previewed(console: Console, text: str) -> Page:
    """What stands beside the form, asked for until it says ``text``."""
    while True:
        page = await console.browser.post("/new-silence/preview", SWAP)
        if page.says(text):
            return page


async def test_what_was_given_up_or_waits_was_not_told_and_is_counted_apart(
    console: Console,
) -> None:
    async with HttpServer() as peer:
        await add_webhook(console.api, "chat-ops", peer.url())
        await add_webhook(console.api, "pager", peer.url(), disabled=True)
        await add_group(console.api, "ops-team", {"chat-ops": "*", "pager": "*"})
        await emit(console.api, "Backup failed", resource="ibs-primary:vm/1")
        page = await previewed(console, "1 for chat-ops: 1 delivered")
        assert page.says("1 event of the last 7 days that was meant for somebody.")
        peer.status = 400
        await emit(console.api, "Backup failed", resource="ibs-primary:vm/2")
        page = await previewed(console, "1 given up")
    assert page.says("2 events of the last 7 days that were meant for somebody.")
    assert page.says("2 for chat-ops: 1 delivered , 1 given up")
    assert page.says("2 for pager: 2 waiting")


@pytest.mark.usefixtures("_told")
async def test_a_metric_server_is_nobody_that_would_have_been_spared(console: Console) -> None:
    config = console.api.config
    gauge = Target(name="gauge", pushgateway=PushgatewayTarget(url="http://127.0.0.1:9/"))
    await console.api.call(config.CreateTarget, CreateTargetRequest(target=gauge))
    counted = Group(name="counted", subscriptions=[Subscription(target="gauge", rule="*")])
    made = await console.api.call(config.CreateGroup, CreateGroupRequest(group=counted))
    await in_force(console.api, made.group.revision)
    await emit(console.api, "Backup failed", resource="ibs-primary:vm/1")
    page = await console.browser.post("/new-silence/preview", SWAP)
    assert page.says("1 for chat-ops")
    assert not page.says("gauge")


async def test_a_silence_that_there_is_not_cannot_be_ended(console: Console) -> None:
    assert (await console.browser.post("/silences/sil-7/expire")).status == 404


async def test_a_rule_that_says_no_severity_keeps_critical_ones_quiet_and_says_so(
    console: Console,
) -> None:
    page = await console.browser.post("/new-silence/preview", SWAP)
    assert page.says("Critical ones, too:")
    narrower = "resource under /datastore/ibs-primary and severity < critical"
    assert f'data-rule-fix="{narrower.replace("<", "&lt;")}"' in page.text
    either = {"rule": "type = verify.corrupt or type = backup.failed"}
    page = await console.browser.post("/new-silence/preview", either)
    assert page.says(f"Use ({either['rule']}) and severity < critical")
    # Whose rule is about critical ones alone means it.
    page = await console.browser.post("/new-silence/preview", {"rule": "severity = critical"})
    assert page.says("Critical ones, too:")
    assert "data-rule-fix" not in page.text
    for rule in (narrower, "type = backup.warning", "severity >"):
        page = await console.browser.post("/new-silence/preview", {"rule": rule})
        assert not page.says("Critical ones, too:")

    form = await console.browser.get("/new-silence")
    assert f'placeholder="{narrower.replace("<", "&lt;")}"' in form.text
    page = await console.browser.post("/new-silence", {**SWAP, "when": "hour"})
    assert page.says("The silence sil-1 is in force. It keeps critical ones quiet, too.")
    page = await console.browser.post("/new-silence", {**SWAP, "rule": narrower, "when": "hour"})
    assert page.says("The silence sil-2 is in force.")
    assert not page.says("It keeps critical ones quiet, too.")


@pytest.mark.usefixtures("_told")
async def test_a_window_without_events_shows_what_the_rule_matches_at_any_hour(
    console: Console,
) -> None:
    await emit(console.api, "broken", type="verify.corrupt", resource="ibs-primary:vm/1")
    await emit(console.api, "failed", resource="ibs-primary:vm/2")
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    today = datetime.now(UTC).weekday()
    window = f"{days[(today + 2) % 7]} 02:00-03:00"
    weekly = {**SWAP, "when": "weekly", "weekly": window, "time_zone": "UTC"}
    page = await console.browser.post("/new-silence/preview", weekly)
    assert page.says("no event that matches was meant for anybody within")
    assert page.says("At any hour of these days: critical 1 , error 1 .")
    page = await console.browser.post("/new-silence/preview", SWAP)
    assert page.says("By severity: critical 1 , error 1 .")
    assert page.says("Every hour of the last 7 days is counted")


async def test_what_rate_limits_hold_already_still_goes_out_and_every_page_says_so(
    console: Console,
) -> None:
    async with HttpServer() as peer:
        await add_webhook(console.api, "chat-ops", peer.url())
        config = console.api.config
        told = Group(
            name="ops-team",
            subscriptions=[Subscription(target="chat-ops", rule="*")],
            rate_limit_per_minute=1,
        )
        made = await console.api.call(config.CreateGroup, CreateGroupRequest(group=told))
        await in_force(console.api, made.group.revision)
        for number in range(4):
            await emit(console.api, f"failed {number}", resource=f"ibs-primary:vm/{number}")
        await released(console)
        page = await console.browser.post("/new-silence/preview", SWAP)
        assert page.says("3 events that match are held by rate limits already, and still go out")
        page = await console.browser.post("/new-silence/preview", {"rule": "type = sync.failed"})
        assert not page.says("held by rate limits")
        page = await console.browser.post("/new-silence", {**SWAP, "when": "hour"})
        assert page.says("3 events that match are held already, and still go out.")
        page = await console.browser.get("/overview/silences")
        assert page.says("The 3 events that rate limits hold already still go out")
        page = await console.browser.get("/datastores/ibs-primary/listeners")
        assert page.says("3 events about it are held by rate limits already, and still go out")
        page = await console.browser.get("/overview/coverage")
        assert page.says("Silences that hide errors or what is critical")
        assert page.says("sil-1 hides until")


async def released(console: Console) -> None:
    """Until the limit has let the first go, and holds the others."""
    while True:
        page = await console.browser.post("/new-silence/preview", SWAP)
        if page.says("3 events that match are held"):
            return
