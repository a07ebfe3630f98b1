"""Groups: made in one form, changed call by call, deleted with a yes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest_asyncio
from tests.support.config import smtp_target, webhook_target
from tests.support.console import Console, Page
from tests.support.console_work import add_group, add_webhook, emit
from tests.support.http_server import HttpServer
from tests.support.writes import PATIENCE_SECONDS

from ironcore.notification.v1.config_service_pb2 import (
    AttachResourceRequest,
    CreateTargetRequest,
    GetGroupRequest,
    ListGroupsRequest,
)
from ironcore.notification.v1.delivery_service_pb2 import (
    GetTargetStatusRequest,
    GetTargetStatusResponse,
    ListDigestsRequest,
)
from ironcore.notification.v1.event_pb2 import Event
from ironcore.notification.v1.group_pb2 import (
    DIGEST_FREQUENCY_WEEKLY,
    GROUP_SCOPE_ATTACHED,
    GROUP_SCOPE_EVERYTHING,
    WEEKDAY_FRIDAY,
    Group,
)
from ironcore.notification.v1.router_service_pb2 import (
    EmitRequest,
    GetGroupStatusRequest,
    RouterServiceAwaitConfigRequest,
)
from ironcore.notification.v1.target_pb2 import InfluxDbTarget, Target

FORM = {
    "name": "ops-team",
    "description": "Daily operations team",
    "scope": "everything",
    "attachments": "",
    "rate_limit": "60",
    "dedup_window": "5m",
    "digest_rule": "",
    "digest_frequency": "daily",
    "digest_time": "09:00",
    "digest_weekday": "monday",
    "target-0": "ops-smtp",
    "rule-0": "*",
    "recipients-0": "ops@example.com, night@example.com",
    "target-1": "chat-ops",
    "rule-1": "severity in (error, critical)",
    "recipients-1": "",
    "target-2": "",
    "rule-2": "",
    "recipients-2": "",
}


@pytest_asyncio.fixture(autouse=True)
async def _targets(console: Console) -> AsyncIterator[None]:
    for target in (smtp_target(), webhook_target()):
        await console.api.call(console.api.config.CreateTarget, CreateTargetRequest(target=target))
    yield


async def saved(console: Console, name: str = "ops-team") -> Group:
    request = GetGroupRequest(name=name)
    return (await console.api.call(console.api.config.GetGroup, request)).group


async def make(console: Console, **fields: str) -> Group:
    page = await console.browser.post("/new-group", {**FORM, **fields})
    assert page.status == 200, page.words
    return await saved(console)


async def edit(console: Console, **fields: str) -> tuple[int, str]:
    page = await console.browser.post("/groups/ops-team/edit", {**FORM, **fields})
    return page.status, page.words


async def status_of(console: Console, target: Target) -> GetTargetStatusResponse:
    request = GetTargetStatusRequest(target_uid=target.uid)
    return await console.api.call(console.api.delivery.GetTargetStatus, request)


async def test_a_group_is_made_with_its_targets_in_one_form(console: Console) -> None:
    page = await console.browser.post("/new-group", FORM)
    assert page.says("Group ops-team is saved")
    assert page.url.endswith("/groups/ops-team")
    group = await saved(console)
    assert [(each.target, each.rule) for each in group.subscriptions] == [
        ("ops-smtp", "*"),
        ("chat-ops", "severity in (error, critical)"),
    ]
    assert [*group.subscriptions[0].recipients] == ["ops@example.com", "night@example.com"]


async def test_limits_can_be_off_and_a_digest_has_its_own_day(console: Console) -> None:
    group = await make(
        console,
        rate_limit="off",
        dedup_window="off",
        digest="on",
        digest_rule="severity = info",
        digest_frequency="weekly",
        digest_time="07:30",
        digest_weekday="friday",
        digest_time_zone="Europe/Vienna",
        weekly_summary="on",
    )
    assert group.rate_limit_per_minute == 0
    assert group.dedup_window.seconds == 0
    assert group.weekly_summary
    digest = group.digest
    assert (digest.rule, digest.time, digest.time_zone) == (
        "severity = info",
        "07:30",
        "Europe/Vienna",
    )
    assert (digest.frequency, digest.weekday) == (DIGEST_FREQUENCY_WEEKLY, WEEKDAY_FRIDAY)


async def test_a_wrong_rule_is_refused_at_its_row_and_nothing_is_made(console: Console) -> None:
    page = await console.browser.post("/new-group", {**FORM, "rule-1": "severty = error"})
    assert page.status == 422
    assert 'id="e-rule-1"' in page.text
    assert page.says("did you mean `severity`?")
    assert "severty = error" in page.text
    listed = await console.api.call(console.api.config.ListGroups, ListGroupsRequest())
    assert not listed.groups


async def test_a_rule_for_nobody_is_refused_and_kept(console: Console) -> None:
    page = await console.browser.post("/new-group", {**FORM, "target-1": ""})
    assert page.status == 422
    assert 'id="e-target-1"' in page.text
    assert FORM["rule-1"] in page.text


async def test_what_is_no_number_is_said_at_its_field(console: Console) -> None:
    page = await console.browser.post("/new-group", {**FORM, "rate_limit": "many"})
    assert page.status == 422
    assert 'id="e-rate_limit"' in page.text
    assert 'value="many"' in page.text


async def test_an_edit_sends_only_what_changed(console: Console) -> None:
    before = await make(console)
    status, words = await edit(
        console,
        etag=before.etag,
        **{"rule-1": "severity = critical", "target-0": "", "description": "Nights"},
    )
    assert status == 200
    assert "its settings are changed; target ops-smtp is taken out; target chat-ops" in words
    group = await saved(console)
    assert group.description == "Nights"
    assert [(each.target, each.rule) for each in group.subscriptions] == [
        ("chat-ops", "severity = critical")
    ]
    assert group.subscriptions[0].uid == before.subscriptions[1].uid


async def test_a_form_that_changes_nothing_says_so(console: Console) -> None:
    before = await make(console)
    _, words = await edit(console, etag=before.etag)
    assert "Nothing was changed." in words
    assert (await saved(console)).revision == before.revision


async def test_resources_are_attached_and_the_scope_is_as_it_was_chosen(console: Console) -> None:
    await make(console)
    await edit(console, scope="attached", attachments="ibs-primary:production\n/datastore/b")
    group = await saved(console)
    assert group.scope == GROUP_SCOPE_ATTACHED
    assert [*group.attachments] == ["/datastore/ibs-primary/production", "/datastore/b"]
    # The other spelling of the same is no change, and what is left out is detached.
    await edit(console, scope="attached", attachments="ibs-primary:production")
    assert [*(await saved(console)).attachments] == ["/datastore/ibs-primary/production"]
    await edit(console, scope="everything", attachments="")
    await edit(console, scope="everything", attachments="/datastore/c")
    assert (await saved(console)).scope == GROUP_SCOPE_EVERYTHING


async def test_the_bare_name_of_a_datastore_is_understood_and_said(console: Console) -> None:
    form = {**FORM, "scope": "attached", "attachments": "ibs-primary\n/host/a", "attach_more": "b"}
    page = await console.browser.post("/new-group", form)
    assert page.says("“ibs-primary” is the datastore: it is attached as /datastore/ibs-primary.")
    kept = ["/datastore/ibs-primary", "/host/a", "/datastore/b"]
    assert list((await saved(console)).attachments) == kept
    # A resource that says exactly that stays what it is, where somebody attached it.
    await console.api.call(
        console.api.config.AttachResource,
        AttachResourceRequest(group="ops-team", resource="exactly"),
    )
    written = "\n".join([*kept, "exactly"])
    status, words = await edit(console, scope="attached", attachments=written)
    assert status == 200
    assert "Nothing was changed." in words
    assert list((await saved(console)).attachments) == [*kept, "exactly"]
    assert (await console.browser.get("/groups?resource=b")).says("hears of /datastore/b")


async def test_the_weekly_summary_says_when_it_goes(console: Console) -> None:
    form = await console.browser.get("/new-group")
    assert form.says("On Mondays at 09:00, UTC; of a group with a digest at the time")
    assert form.says("nothing is dropped")
    assert form.says("told of in one summary that lists it")
    await make(console, weekly_summary="on")
    page = await console.browser.get("/groups/ops-team")
    assert page.says("weekly summary on Mondays, at 09:00 (the setting's time zone)")


async def test_a_rule_that_can_match_nothing_is_asked_about_once(console: Console) -> None:
    doubtful = {**FORM, "rule-1": "type = backup.*"}
    page = await console.browser.post("/new-group", doubtful)
    assert page.status == 422
    assert page.says("Rule of target 2 : matches no event of the last 7 days")
    assert 'href="#f-rule-1"' in page.text
    assert 'name="asked" value="type = backup.*"' in page.text
    listed = await console.api.call(console.api.config.ListGroups, ListGroupsRequest())
    assert not listed.groups
    page = await console.browser.post("/new-group", {**doubtful, "asked": "type = backup.*"})
    assert page.says("Group ops-team is saved")
    # What is there already is not asked about with every other change.
    status, _ = await edit(console, **{"rule-1": "type = backup.*"}, description="Nights")
    assert status == 200


async def test_where_one_of_several_calls_is_refused_what_was_done_is_said(
    console: Console,
) -> None:
    before = await make(console)
    status, words = await edit(
        console,
        etag=before.etag,
        description="Nights",
        **{"rule-1": "severity = eror"},
    )
    assert status == 422
    assert "Saved so far: its settings are changed." in words
    assert "did you mean `error`?" in words
    assert (await saved(console)).description == "Nights"


async def test_a_target_in_two_rows_is_refused_before_anything_is_changed(
    console: Console,
) -> None:
    before = await make(console)
    fields = {"target-2": "chat-ops", "rule-2": "*"}
    page = await console.browser.post(
        "/groups/ops-team/edit", {**FORM, "etag": before.etag, "description": "x", **fields}
    )
    assert page.status == 422
    assert 'id="e-target-2"' in page.text
    assert (await saved(console)).revision == before.revision


def hidden(page: Page, name: str) -> str:
    return page.text.partition(f'name="{name}" value="')[2].partition('"')[0]


async def opened_form(console: Console) -> dict[str, str]:
    """What an untouched form of the group sends."""
    page = await console.browser.get("/groups/ops-team/edit")
    return {**FORM, **{name: hidden(page, name) for name in ("etag", "opened")}}


async def test_what_only_somebody_else_changed_is_kept_and_said(console: Console) -> None:
    await make(console)
    form = await opened_form(console)
    await edit(console, **form | {"rate_limit": "30"})
    mine = form | {"description": "Nights", "dedup_window": "1h"}
    commands = await console.browser.post("/groups/ops-team/edit/command", mine)
    assert commands.says("--description Nights"), commands.words
    assert commands.says("--dedup-window 1h")
    assert not commands.says("--rate-limit")
    status, words = await edit(console, **mine)
    assert status == 200
    assert "Group ops-team is saved: its settings are changed." in words
    assert "alice changed it meanwhile, and that is kept: Events a minute." in words
    group = await saved(console)
    assert (group.description, group.rate_limit_per_minute) == ("Nights", 30)
    assert group.dedup_window.seconds == 3600


async def test_what_both_changed_is_asked_before_anything_is_changed(console: Console) -> None:
    await make(console)
    form = await opened_form(console)
    await edit(console, **form | {"description": "First", "rate_limit": "30"})
    mine = {"description": "Second", "rule-1": "severity = critical"}
    page = await console.browser.post("/groups/ops-team/edit", form | mine)
    assert page.status == 422
    assert page.says("ops-team was changed by alice meanwhile; nothing is saved yet"), page.words
    assert (await saved(console)).description == "First"
    # What both changed, a way to what is stored; what only one did is no question.
    assert page.says("Description First Second Take what is stored : Description")
    assert page.says("What only alice changed is in the form as it is stored: Events a minute.")
    assert not page.says("Rule of chat-ops")
    assert 'value="30"' in page.text
    assert 'href="/groups/ops-team" target="_blank"' in page.text
    shown = {name: hidden(page, name) for name in ("etag", "opened", "differs")}
    goes_on = form | mine | shown | {"rate_limit": "30"}
    # Taking what is stored saves nothing; the rest stays as it was written.
    page = await console.browser.post(
        "/groups/ops-team/edit", goes_on | {"take": "description", "dedup_window": "2h"}
    )
    assert page.status == 200
    assert 'name="description" type="text" value="First"' in page.text
    assert 'name="dedup_window" type="text" value="2h"' in page.text
    assert not page.says("while you had it open")
    assert (await saved(console)).subscriptions[1].rule == FORM["rule-1"]
    # Saved as it is, the form is what is meant.
    assert (await edit(console, **goes_on))[0] == 200
    group = await saved(console)
    assert (group.description, group.rate_limit_per_minute) == ("Second", 30)
    assert group.subscriptions[1].rule == "severity = critical"


async def test_a_form_that_does_not_say_what_it_was_opened_with_asks_of_all_that_differs(
    console: Console,
) -> None:
    before = await make(console)
    await edit(console, etag=before.etag, description="First")
    mine = {**FORM, "etag": before.etag, "opened": "no form wrote this", "rule-1": "*"}
    page = await console.browser.post("/groups/ops-team/edit", mine)
    assert page.status == 422
    assert page.says("Description First Daily operations team")
    assert page.says("Rule of chat-ops severity in (error, critical) *")


async def test_more_rows_come_without_losing_what_was_written(console: Console) -> None:
    page = await console.browser.post("/new-group", {**FORM, "more": "1"})
    assert page.status == 200
    assert 'name="target-3"' in page.text
    assert 'name="target-4"' not in page.text
    assert "severity in (error, critical)" in page.text


async def test_a_recommended_group_fills_the_form_with_the_targets_there_are(
    console: Console,
) -> None:
    page = await console.browser.get("/new-group?start=on-call")
    assert 'value="on-call"' in page.text
    assert page.says("severity >= error")
    assert '<option value="chat-ops" data-kind="webhook" selected>' in page.text
    assert '<option value="ops-smtp" data-kind="smtp" selected>' not in page.text


async def test_the_list_says_who_is_told_of_what(console: Console) -> None:
    empty = await console.browser.get("/groups")
    assert empty.says("Nobody is told of anything yet")
    assert empty.says("executive-sponsor")
    await make(console)
    page = await console.browser.get("/groups")
    assert page.says("ops-team")
    assert page.says("chat-ops severity in (error, critical)")
    assert not page.says("reaches nobody")


async def test_what_stands_in_the_way_of_a_target_is_beside_its_name(console: Console) -> None:
    await make(console)
    await console.browser.post("/targets/chat-ops/disable")
    page = await console.browser.get("/groups")
    assert page.says("chat-ops disabled severity in (error, critical)"), page.words
    assert not page.says("reaches nobody")
    await console.browser.post("/targets/ops-smtp/disable")
    page = await console.browser.get("/groups")
    assert page.says("reaches nobody ops-smtp disabled * chat-ops disabled")
    assert (await console.browser.get("/groups/ops-team")).says("It reaches nobody now:")


async def test_a_target_that_fails_is_marked_in_the_list_and_in_its_group(console: Console) -> None:
    async with HttpServer(503) as peer:
        hook = await add_webhook(console.api, "pager", peer.url())
        await add_group(console.api, "on-call", {"pager": "*"})
        await emit(console.api, "Backup failed")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (await status_of(console, hook)).HasField("failing_since"):
                pass
        for path in ("/groups", "/groups/on-call"):
            page = await console.browser.get(path)
            assert re.search(r"pager fail(ing|ed lately) since", page.words), page.words
        assert (await console.browser.get("/groups")).says("reaches nobody pager")


async def test_where_delivery_is_away_no_target_of_a_group_looks_well(console: Console) -> None:
    await add_webhook(console.api, "off", "http://127.0.0.1:9/hook", disabled=True)
    await add_group(console.api, "ops-team", {"ops-smtp": "*", "off": "*"})
    await console.stop("delivery")
    page = await console.browser.get("/groups")
    assert page.says("How the targets fare is not known now: the Delivery service")
    assert page.says("ops-smtp not known * off disabled")
    assert not page.says("reaches nobody")
    assert (await console.browser.get("/groups/ops-team")).says("ops-smtp not known every event")


async def test_the_list_counts_the_events_that_each_rate_limit_holds(console: Console) -> None:
    async with HttpServer(200) as peer:
        await add_webhook(console.api, "pager", peer.url())
        await add_group(console.api, "on-call", {"pager": "*"}, rate_limit_per_minute=1)
        for number in range(4):
            await emit(console.api, "Backup failed", resource=f"tank:vm/{number}")
        page = await console.browser.get("/groups")
        assert re.search(r"[34] events", page.words), page.words
    assert 'href="/queue/on-call"' in page.text
    await console.stop("router")
    assert (await console.browser.get("/groups")).says("none not known")


async def test_a_group_is_deleted_with_what_it_holds_only_when_that_is_meant(
    console: Console,
) -> None:
    group = await make(console)
    page = await console.browser.get("/groups/ops-team")
    assert page.says("2 targets")
    page = await console.browser.post("/groups/ops-team/delete", {"etag": group.etag})
    assert page.status == 422
    assert page.says("Nothing is deleted yet: tick this first.")
    assert '<details class="card delete-box" open>' in page.text
    assert page.text.count("autofocus") == 1
    fields = {"etag": group.etag, "force": "on"}
    page = await console.browser.post("/groups/ops-team/delete", fields)
    assert page.says("Group ops-team is deleted.")


async def holds(console: Console, held: int, gathered: int) -> None:
    """Until the group's limit and digest hold so many events."""
    events = [("backup.failed", f"Failed {number}") for number in range(held + 1)]
    events += [("backup.completed", f"Done {number}") for number in range(gathered)]
    for kind, subject in events:
        await emit(console.api, subject, type=kind, resource="tank:vm/1")
    status, digests = GetGroupStatusRequest(group="ops-team"), ListDigestsRequest(open_only=True)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await console.api.call(console.api.router.GetGroupStatus, status)
            open_ones = await console.api.call(console.api.delivery.ListDigests, digests)
            counts = [each.event_count for each in open_ones.digests]
            waiting = sum(each.count for each in found.waiting)
            if (waiting, sum(counts)) == (held, gathered):
                return


HOLDS = {
    "rate_limit": "1",
    "dedup_window": "off",
    "digest": "on",
    "digest_rule": "severity = info",
    "rule-1": "severity >= error",
}


async def test_what_becomes_of_what_a_group_holds_is_said_before_it_is_deleted(
    console: Console,
) -> None:
    group = await make(console, **HOLDS)
    page = await console.browser.get("/groups/ops-team")
    assert not page.says("by the usual one")
    await holds(console, 4, 3)
    page = await console.browser.get("/groups/ops-team")
    assert page.says(
        "4 events are held by its rate limit: they go by the usual one once it is deleted, "
        "60 a minute."
    ), page.words
    assert page.says(
        "Its digest has gathered 3 events for ops-smtp : that goes at once, as a last digest."
    ), page.words
    fields = {"etag": group.etag, "force": "on"}
    page = await console.browser.post("/groups/ops-team/delete", fields)
    assert page.says("Group ops-team is deleted.")
    assert page.says("4 events that its rate limit held go by the usual one, 60 a minute.")
    assert page.says(
        "What its digest had gathered goes at once, as a last digest: 3 events for ops-smtp."
    )


async def test_what_nobody_is_told_of_without_a_group_is_said_before(console: Console) -> None:
    await make(console)
    await emit(console.api, "Failed", resource="tank:vm/1")
    page = await console.browser.get("/groups/ops-team")
    assert 'hx-get="/groups/ops-team/without"' in page.text
    page = await console.browser.get("/groups/ops-team/without")
    assert page.says("Nobody is told of sync.integrity-error , verify.corrupt , backup.failed")
    assert page.says("once it is gone."), page.words
    # What another group tells of the same, is told all the same.
    group = await add_group(console.api, "on-call", {"chat-ops": "severity >= warning"})
    assert group.subscriptions
    page = await console.browser.get("/groups/ops-team/without")
    assert page.says("somebody else is told as well")
    assert page.says("would be in the inbox only: datastore.pruned"), page.words


async def test_what_a_change_lets_go_is_said_before_and_after_it_is_saved(
    console: Console,
) -> None:
    await make(console, **HOLDS)
    await holds(console, 2, 1)
    page = await console.browser.get("/groups/ops-team/edit")
    assert page.says("2 events are held now. Without a limit all go at once")
    assert page.says("Its digest has gathered 1 event for ops-smtp. Without a digest that goes at")
    opened = {name: hidden(page, name) for name in ("etag", "opened")}
    # Another description lets nothing go, and says nothing of it.
    _, words = await edit(console, **HOLDS | opened | {"description": "Nights"})
    assert "Without a" not in words
    assert "new schedule" not in words
    _, words = await edit(console, **HOLDS | {"digest_time": "10:00"})
    assert "What its digest has gathered goes by the new schedule: 1 event for ops-smtp." in words
    unlimited = {name: text for name, text in HOLDS.items() if name != "digest"}
    _, words = await edit(console, **unlimited | {"rate_limit": "off"})
    assert "Without a rate limit, 2 held events go at once." in words
    assert (
        "What its digest had gathered goes at once, as a last digest: 1 event for ops-smtp."
    ) in words


async def test_where_nobody_knows_what_a_group_holds_its_deletion_says_so(
    console: Console,
) -> None:
    await make(console, **HOLDS)
    await console.stop("delivery")
    page = await console.browser.get("/groups/ops-team")
    assert page.says("What it holds back is not known now."), page.words
    assert (await console.browser.get("/groups/ops-team/edit")).status == 200


async def test_what_deduplication_saves_can_be_tried(console: Console) -> None:
    await make(console)
    page = await console.browser.get("/groups/ops-team/dedup?window=1h")
    assert page.says("by today's rules, no event of the last 24 hours would be sent at once")
    assert page.says("group dedup preview ops-team --window 1h")
    page = await console.browser.get("/groups/ops-team/dedup?window=soon")
    assert page.says("is no span of time")


async def test_what_deduplication_saves_counts_an_event_once_for_each_target(
    console: Console,
) -> None:
    influx = InfluxDbTarget(url="http://127.0.0.1:9", org="o", bucket="b", token="t")
    metrics = CreateTargetRequest(target=Target(name="metrics", influxdb=influx))
    await console.api.call(console.api.config.CreateTarget, metrics)
    digest = {"digest": "on", "digest_rule": "severity = info", "digest_frequency": "daily"}
    group = await make(console, **digest, **{"target-2": "metrics", "rule-2": "*"})
    await console.api.router.AwaitConfig(RouterServiceAwaitConfigRequest(revision=group.revision))
    for kind in ("backup.failed", "backup.failed", "sync.failed", "backup.completed"):
        event = Event(type=kind, subject="the same", resource="tank:vm/1")
        await console.api.call(console.api.router.Emit, EmitRequest(event=event))
    page = await console.browser.get("/groups/ops-team/dedup")
    # Three errors to mail and chat, of which one is a repeat for each. What completed waits for
    # the digest; the metric server has all four.
    assert page.says("6 notifications of the last 24 hours become 4 , 33 % fewer"), page.words
    assert page.says("once for each target whose rule it matches")


async def test_what_deduplication_saves_says_nothing_of_what_was_sent_by_former_rules(
    console: Console,
) -> None:
    group = await make(console, scope="attached", attachments="/datastore/tank")
    await console.api.router.AwaitConfig(RouterServiceAwaitConfigRequest(revision=group.revision))
    told = await emit(console.api, "Backup failed", resource="tank:vm/1")
    assert len(told.dispositions) == 2
    await edit(console, scope="attached", attachments="")
    page = await console.browser.get("/groups/ops-team/dedup")
    assert page.says("by today's rules, no event of the last 24 hours would be sent"), page.words
    assert not page.says("had nothing to send")


async def test_what_is_rarely_used_is_folded_until_it_says_something(console: Console) -> None:
    page = await console.browser.get("/new-group")
    assert page.says("What keeps it quiet 60 a minute · repeats once in 5m")
    assert page.says("Digest and summary no digest")
    assert page.text.count('<details class="card fold" >') == 2
    page = await console.browser.post("/new-group", {**FORM, "rate_limit": "many"})
    assert page.text.count('<details class="card fold" open>') == 1
    await make(console, rate_limit="10", weekly_summary="on")
    page = await console.browser.get("/groups/ops-team/edit")
    assert page.says("10 a minute · repeats once in 5m")
    assert page.says("no digest · weekly summary")
    assert page.text.count('<details class="card fold" open>') == 2


async def test_the_commands_are_shown_while_the_form_is_filled(console: Console) -> None:
    page = await console.browser.post("/new-group/command", FORM)
    assert page.says("ironcore-backup notification group create ops-team")
    assert page.says("group target add ops-team chat-ops --rule 'severity in (error, critical)'")
    await make(console)
    page = await console.browser.post(
        "/groups/ops-team/edit/command", {**FORM, "rule-0": "type = a.b"}
    )
    assert page.says("group target update ops-team ops-smtp --rule 'type = a.b'")
    page = await console.browser.post("/new-group/command", {**FORM, "rate_limit": "many"})
    assert page.says("# group.rate_limit_per_minute")


async def test_there_is_no_row_for_a_target_that_there_is_not(console: Console) -> None:
    page = await console.browser.get("/new-group")
    assert page.text.count('<fieldset class="group-row') == 1


async def test_a_bare_name_that_is_no_datastore_is_said_to_be_none(console: Console) -> None:
    await make(console)
    asked = await console.browser.get("/groups?resource=nightly")
    assert asked.says("No datastore nightly was seen.")
    assert asked.says("hears of /datastore/nightly")  # still answered
    await emit(console.api, "Backup failed", resource="nightly:vm/1")
    assert not (await console.browser.get("/groups?resource=nightly")).says("No datastore")
    assert not (await console.browser.get("/groups?resource=other:x")).says("No datastore")
