"""Overview: what happened, what became of it, and each part fails alone."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest
from tests.support.console import Console
from tests.support.console_work import add_group, add_webhook, deaths, in_force
from tests.support.http_server import HttpServer
from tests.support.writes import PATIENCE_SECONDS

from ibs_notify.console.api import Api
from ironcore.notification.v1 import config_service_pb2 as config
from ironcore.notification.v1 import delivery_service_pb2 as delivery
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as router
from ironcore.notification.v1.group_pb2 import Group, Subscription
from ironcore.notification.v1.settings_pb2 import Settings
from ironcore.notification.v1.target_pb2 import Target, WebhookTarget

PANELS = (
    "figures",
    "events",
    "deliveries",
    "trouble",
    "queue",
    "silences",
    "coverage",
    "ledger",
)
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


async def emit(api: Api, event_type: str = "backup.failed", resource: str = "") -> str:
    event = event_pb2.Event(type=event_type, subject="Backup for vm/1", resource=resource)
    return (await api.call(api.router.Emit, router.EmitRequest(event=event))).event_id


async def make_group(api: Api, *, url: str = "http://127.0.0.1:9/", rule: str = "*") -> None:
    """``ops-team``, which tells the webhook ``chat-ops``."""
    target = Target(name="chat-ops", webhook=WebhookTarget(url=url))
    await api.call(api.config.CreateTarget, config.CreateTargetRequest(target=target))
    group = Group(name="ops-team", subscriptions=[Subscription(target="chat-ops", rule=rule)])
    made = await api.call(api.config.CreateGroup, config.CreateGroupRequest(group=group))
    await in_force(api, made.group.revision)


async def set_time_zone(api: Api, zone: str) -> None:
    settings = config.UpdateSettingsRequest(settings=Settings(time_zone=zone))
    settings.update_mask.paths.append("time_zone")
    answer = await api.call(api.config.UpdateSettings, settings)
    await in_force(api, answer.settings.revision)


async def test_an_empty_installation_is_shown_how_to_begin(console: Console) -> None:
    page = await console.browser.get("/")
    assert page.says("First steps")
    assert 'href="/targets/new/smtp"' in page.text
    await make_group(console.api)
    assert (await console.browser.get("/")).says("Overview")


async def test_every_part_is_a_page_of_its_own_without_scripts_and_a_part_with_them(
    console: Console,
) -> None:
    await make_group(console.api)
    await emit(console.api)
    overview = await console.browser.get("/")
    for name in PANELS:
        address = f"/overview/{name}"
        assert f'href="{address}' in overview.text
        whole = await console.browser.get(address)
        assert (whole.status, whole.text.count("<main")) == (200, 1)
        part = await console.browser.get(address, **{"HX-Request": "true"})
        assert (part.status, part.text.count("<main")) == (200, 0)
        assert not part.says("Try again")


async def test_what_costs_much_is_asked_once_until_something_is_changed(console: Console) -> None:
    await emit(console.api)
    for part in ("ledger", "coverage"):
        first = await console.browser.get(f"/overview/{part}")
        await emit(console.api)
        again = await console.browser.get(f"/overview/{part}")
        assert again.words == first.words
    assert (await console.browser.get("/overview/ledger")).says("1 accepted = 0 routed")
    # A form that is looked at changes nothing; one that is sent does.
    await console.browser.post("/new-silence/preview", {"rule": "*"})
    assert (await console.browser.get("/overview/ledger")).says("1 accepted = 0 routed")
    await console.browser.post("/inbox/mark", {"one": "read unread evt", "back": "/inbox"})
    assert (await console.browser.get("/overview/ledger")).says("3 accepted = 0 routed")


async def test_the_chart_counts_what_was_accepted_and_its_bars_lead_there(console: Console) -> None:
    for event_type in ("backup.failed", "backup.failed", "verify.corrupt", "backup.completed"):
        await emit(console.api, event_type)
    page = await console.browser.get("/overview/events?period=24h")
    assert page.says("4 events")
    for words in ("critical 1", "error 2", "info 1"):
        assert page.says(words)
    assert '<a href="/inbox?after=' in page.text


@pytest.mark.parametrize("period", ["24h", "7d", "30d", "nonsense"])
async def test_every_period_has_bars_that_can_be_told_apart(console: Console, period: str) -> None:
    await emit(console.api)
    page = await console.browser.get(f"/overview/events?period={period}")
    assert 20 <= page.text.count("chart-hit") <= 180


async def test_where_nothing_happened_no_time_to_come_is_spoken_of(console: Console) -> None:
    page = await console.browser.get("/overview/events")
    assert page.says("Nothing since")
    assert not page.says("until")
    over = await console.browser.get("/inbox/chart?after=2026-05-21&before=2026-05-22")
    assert re.search("Nothing from 2026-05-21 .* until 2026-05-22 ", over.words)


async def test_the_books_are_one_line(console: Console) -> None:
    await make_group(console.api, rule="severity = critical")
    await emit(console.api)
    page = await console.browser.get("/overview/ledger")
    # The change of the configuration is an event, too.
    counts = await console.api.call(console.api.router.VerifyLedger, router.VerifyLedgerRequest())
    assert page.says(
        f"Every event is accounted for: {counts.accepted_events} accepted = 0 routed + "
        f"{counts.accepted_events} that only the inbox has."
    )


async def test_a_held_queue_is_said_at_once(console: Console) -> None:
    assert not (await console.browser.get("/overview/trouble")).says("Delivery is held")
    api = console.api
    await api.call(api.delivery.HoldDeliveries, delivery.HoldDeliveriesRequest())
    assert (await console.browser.get("/overview/trouble")).says("Delivery is held since")


async def test_a_target_whose_last_attempt_failed_is_in_trouble_after_the_first(
    console: Console,
) -> None:
    page = await console.browser.get("/overview/trouble")
    assert page.says("There is no target yet")
    async with HttpServer(401) as peer:
        await make_group(console.api, url=peer.url())
        page = await console.browser.get("/overview/trouble")
        assert page.says("Nothing was delivered yet")
        await emit(console.api)
        await deaths(console.api, 1)
        page = await console.browser.get("/overview/trouble")
        assert page.says("failed lately chat-ops since")
        assert not page.says("No target failed its last attempt")
        peer.status = 200
        await emit(console.api, resource="ibs:vm/2")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not page.says("No target failed its last attempt"):
                page = await console.browser.get("/overview/trouble")


async def test_gaps_come_with_their_advice(console: Console) -> None:
    await make_group(console.api)
    group = Group(name="empty-one")
    made = await console.api.call(
        console.api.config.CreateGroup, config.CreateGroupRequest(group=group)
    )
    await in_force(console.api, made.group.revision)
    page = await console.browser.get("/overview/coverage")
    assert page.says("empty-one")
    assert 'href="/groups/empty-one/edit"' in page.text
    assert page.says("group target add")
    # Of the only target nobody else hears that it fails.
    assert page.says("When a target fails, no other target hears of it")
    assert 'href="/new-group?rule=type+%3D+notification.target-failing"' in page.text


async def test_no_gaps_is_not_said_without_the_silence_that_hides_errors(console: Console) -> None:
    for name in ("chat-ops", "pager"):
        await add_webhook(console.api, name, "http://127.0.0.1:9/")
    await add_group(console.api, "ops-team", {"chat-ops": "*", "pager": "*"})
    rule = "resource under /datastore/ibs-primary and severity < critical"
    wanted = {"rule": rule, "comment": "disk swap", "when": "hour"}
    await console.browser.post("/new-silence", wanted)
    await emit(console.api, resource="ibs-primary:vm/1")
    await console.browser.post("/inbox/mark", {"one": "read unread evt", "back": "/inbox"})
    page = await console.browser.get("/overview/coverage")
    assert not page.says("No gaps: somebody hears")
    assert page.says("No gaps, but for what a silence hides now. Of everything else critical")
    assert page.says("sil-1 hides until")
    assert page.says(f"{rule} ( backup.failed ,")
    assert page.says("1 error hidden so far")


async def test_no_gaps_means_errors_about_no_datastore_too(console: Console) -> None:
    api = console.api
    for name in ("chat-ops", "pager"):
        await add_webhook(api, name, "http://127.0.0.1:9/")
    await add_group(api, "ops-team", {"chat-ops": "severity >= error", "pager": "*"})
    page = await console.browser.get("/overview/coverage")
    assert page.says("0 datastores and jobs , seen or attached, 2 rules")
    assert page.says("No gaps: somebody hears of everything critical, and of every error.")
    assert page.says("that a delivery was given up is never sent on")
    fields = {"group": "ops-team", "resource": "/datastore/tank", "all-the-same": "on"}
    await console.browser.post("/datastores/tank/attach", fields)
    await emit(api, "auth.mfa-lockout")
    page = await console.browser.get("/overview/coverage")
    assert page.says("auth.mfa-lockout 1 event reached only the inbox")
    assert page.says("Without a resource it would reach only the inbox.")
    assert 'href="/new-group?rule=severity+%3E%3D+error"' in page.text


async def test_a_new_group_begins_with_what_it_is_for(console: Console) -> None:
    page = await console.browser.get("/new-group?resource=/datastore/tank&rule=severity+>%3D+error")
    assert page.says("/datastore/tank")
    assert page.says("severity >= error")
    assert '<option value="attached" selected>' in page.text
    assert page.text.count('<fieldset class="group-row') == 1


async def test_what_waits_for_the_rate_limit_is_counted_by_group(console: Console) -> None:
    api = console.api
    await make_group(api)
    shown = await api.call(api.config.GetGroup, config.GetGroupRequest(name="ops-team"))
    shown.group.rate_limit_per_minute = 1
    request = config.UpdateGroupRequest(group=shown.group)
    request.update_mask.paths.append("rate_limit_per_minute")
    changed = await api.call(api.config.UpdateGroup, request)
    await in_force(api, changed.group.revision)
    for number in range(4):
        await emit(api, resource=f"ibs:vm/{number}")
    page = await console.browser.get("/overview/queue")
    assert re.search(r"ops-team ?: [123] events?", page.words)
    assert 'href="/queue/ops-team"' in page.text


async def test_a_service_that_does_not_answer_takes_only_its_own_parts_with_it(
    console: Console,
) -> None:
    await make_group(console.api)
    await emit(console.api)
    await console.stop("delivery")
    assert (await console.browser.get("/overview/events")).says("events")
    figures = await console.browser.get("/overview/figures")
    assert figures.says("events since ")
    assert figures.says("Delivery does not answer")
    failed = await console.browser.get("/overview/deliveries")
    assert failed.status == 200
    assert failed.says("Try again")


async def test_nothing_of_a_name_is_markup(console: Console) -> None:
    await make_group(console.api)
    await emit(console.api, resource=f"/datastore/{HOSTILE}/vm")
    for address in (*(f"/overview/{name}" for name in PANELS), "/datastore-list"):
        page = await console.browser.get(address)
        assert "<img src=x" not in page.text, address
        assert "<script>alert" not in page.text, address


async def attempted(api: Api) -> None:
    """An event whose first attempt has failed: nobody listens there."""
    await make_group(api)
    await emit(api)
    request = delivery.ChartDeliveriesRequest()
    request.step.FromTimedelta(timedelta(hours=1))
    series = (await api.call(api.delivery.ChartDeliveries, request)).series
    while not series:
        series = (await api.call(api.delivery.ChartDeliveries, request)).series
    assert [each.target for each in series] == ["chat-ops"]


async def test_a_day_of_deliveries_is_counted_by_target(console: Console) -> None:
    await attempted(console.api)
    page = await console.browser.get("/overview/deliveries")
    assert 'href="/targets/chat-ops"' in page.text
    assert "attempts failed" in page.text


async def test_bars_that_do_not_begin_on_the_clocks_of_the_zone_say_so(console: Console) -> None:
    await set_time_zone(console.api, "Asia/Kolkata")
    await attempted(console.api)
    cut = "The bars begin on the clocks of UTC: deliveries are counted by its hours."
    # A month is told apart in bars of 6 hours.
    assert (await console.browser.get("/overview/deliveries?period=30d")).says(cut)
    assert not (await console.browser.get("/overview/deliveries?period=7d")).says(cut)
    page = await console.browser.get("/overview/events?period=30d")
    assert re.search(r"highest: 1 \S+ (00|06|12|18):00:00 Asia/Kolkata", page.words)
