"""Datastores: seen or attached, who hears of each, and the warning where nobody does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from tests.rpc.console.test_overview_page import HOSTILE, emit, make_group
from tests.support.console import Console
from tests.support.console_work import add_group, in_force

from ironcore.notification.v1 import config_service_pb2 as config
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as router
from ironcore.notification.v1.group_pb2 import DIGEST_FREQUENCY_DAILY, Digest, Group, Subscription
from ironcore.notification.v1.target_pb2 import PushgatewayTarget, Target

PANELS = ("listeners", "alerts", "state", "nested", "chart")


async def test_what_events_are_about_and_what_is_attached_is_listed(console: Console) -> None:
    await make_group(console.api)
    await emit(console.api, resource="ibs-seen:production/vm/1")
    attach = config.AttachResourceRequest(group="ops-team", resource="ibs-attached:x")
    await console.api.call(console.api.config.AttachResource, attach)
    page = await console.browser.get("/datastore-list")
    assert 'href="/datastores/ibs-seen"' in page.text
    assert 'href="/datastores/ibs-attached"' in page.text
    assert (await console.browser.get("/datastores")).says("Datastores")


async def test_an_empty_list_says_how_a_datastore_comes_there(console: Console) -> None:
    assert (await console.browser.get("/datastore-list")).says("No datastore yet")


async def test_who_hears_of_what_is_one_matrix(console: Console) -> None:
    await make_group(console.api, rule="severity >= error")
    page = await console.browser.get("/datastores/ibs/listeners")
    assert page.says("ops-team → chat-ops")
    assert page.text.count('class="center yes"') == 2
    assert page.text.count('class="center no"') == 3
    assert page.says("Nobody hears of backup.warning , datastore.free-space")
    assert 'class="banner warning"' in page.text


async def test_a_tick_stands_for_every_type_of_its_severity(console: Console) -> None:
    await make_group(console.api, rule="type starts-with verify. or type = sync.integrity-error")
    page = await console.browser.get("/datastores/ibs/listeners")
    assert page.text.count('<span class="visually-hidden">hears</span>') == 1  # critical
    assert page.says("only verify.failed")
    assert page.says("only verify.stale")
    assert page.says("Nobody is told of – backup.failed restore.failed sync.failed")
    assert page.says("Nobody hears of backup.failed , restore.failed , sync.failed")


async def test_a_critical_type_that_nobody_hears_of_is_named_in_the_list(console: Console) -> None:
    await make_group(console.api, rule="severity >= warning and type != sync.integrity-error")
    await emit(console.api, "backup.completed", resource="ibs:vm/1")
    page = await console.browser.get("/datastore-list")
    assert page.says("nobody hears of sync.integrity-error of the other problems: ops-team")
    assert page.says("what is no problem is in the inbox only")


async def test_the_warning_goes_when_it_is_attached_to_a_group(console: Console) -> None:
    await make_group(console.api)
    elsewhere = config.AttachResourceRequest(group="ops-team", resource="elsewhere:")
    changed = await console.api.call(console.api.config.AttachResource, elsewhere)
    await in_force(console.api, changed.group.revision)
    assert (await console.browser.get("/datastores/ibs/listeners")).says("Nobody hears of")
    page = await console.browser.post("/datastores/ibs/attach", {"group": "ops-team"})
    assert page.says("Attached /datastore/ibs to group ops-team.")
    heard = await console.browser.get("/datastores/ibs/listeners")
    assert not heard.says("Nobody hears of")
    fields = {"group": "ops-team", "resource": "/datastore/ibs"}
    asked = await console.browser.post("/datastores/ibs/detach", fields)
    assert asked.says("It goes on hearing of /datastore/elsewhere .")
    page = await console.browser.post("/datastores/ibs/detach", fields | {"all-the-same": "on"})
    assert page.says("Detached /datastore/ibs from group ops-team.")
    assert (await console.browser.get("/datastores/ibs/listeners")).says("Nobody hears of")


async def test_what_cannot_be_attached_is_said_on_the_page(console: Console) -> None:
    page = await console.browser.post("/datastores/ibs/attach", {"group": "nothing"})
    assert page.says("nothing")


async def test_the_last_success_and_the_failure_after_it_are_told_apart(console: Console) -> None:
    good = await emit(console.api, "backup.completed", resource="ibs:vm/1")
    bad = await emit(console.api, "backup.failed", resource="ibs:vm/1")
    await emit(console.api, "datastore.free-space", resource="ibs:")
    page = await console.browser.get("/datastores/ibs/state")
    assert f'href="/events/{good}">succeeded' in page.text
    assert f'href="/events/{bad}">backup.failed' in page.text
    assert page.says("since then")
    assert page.says("Space and status")
    alerts = await console.browser.get("/datastores/ibs/alerts")
    assert f'href="/events/{bad}"' in alerts.text
    assert f'href="/events/{good}"' not in alerts.text


async def test_a_critical_verdict_is_the_worst_since_the_last_success(console: Console) -> None:
    await emit(console.api, "verify.stale", resource="ibs:vm/1")
    good = await emit(console.api, "verify.completed", resource="ibs:vm/1")
    quiet = await console.browser.get("/datastores/ibs/state")
    assert quiet.says("before that verify.stale")
    assert not quiet.says("since then")
    await emit(console.api, "verify.corrupt", resource="ibs:vm/1")
    await emit(console.api, "verify.stale", resource="ibs:vm/2")
    broken = await emit(console.api, "sync.integrity-error", resource="ibs:vm/1")
    page = await console.browser.get("/datastores/ibs/state")
    assert page.words.index("critical verify.corrupt") < page.words.index("warning verify.stale")
    assert page.says("since then")
    assert f'href="/events/{good}">succeeded before that' in page.text
    assert f'href="/events/{broken}">sync.integrity-error' in page.text


async def test_namespaces_are_named(console: Console) -> None:
    for resource in ("ibs:production/vm/1", "ibs:production/vm/2", "ibs:test", "ibs:"):
        await emit(console.api, resource=resource)
    page = await console.browser.get("/datastores/ibs/nested")
    assert page.says("/datastore/ibs/production 2")
    assert page.says("/datastore/ibs/test 1")


async def test_a_name_of_any_text_has_a_page_and_is_never_markup(console: Console) -> None:
    await make_group(console.api)
    name = HOSTILE.replace("/", "|")
    await emit(console.api, resource=f"/datastore/{name}/vm")
    listed = await console.browser.get("/datastore-list")
    address = f"/datastores/{quote(name, safe='')}"
    assert f'href="{address}"' in listed.text
    for part in ("", *(f"/{each}" for each in PANELS)):
        page = await console.browser.get(address + part)
        assert page.status == 200, part
        assert "<img src=x" not in page.text, part
    assert (await console.browser.get(f"{address}/nested")).says("vm")


async def test_a_datastore_leads_to_a_silence_of_all_that_is_below_it(console: Console) -> None:
    event = await emit(console.api, resource="tank:vm/1")
    page = await console.browser.get("/datastores/tank")
    address = page.text.partition('href="/new-silence')[2].partition('"')[0]
    form = await console.browser.get(f"/new-silence{address}")
    assert ">resource under /datastore/tank</textarea>" in form.text.replace("\n", "")
    made = {"rule": "resource under /datastore/tank", "comment": "disk swap", "when": "hour"}
    assert (await console.browser.post("/new-silence", made)).says("is in force.")
    matched = await console.browser.get(f"/inbox?rule={quote(made['rule'])}")
    assert f'href="/events/{event}"' in matched.text


async def test_a_silence_of_a_name_of_any_text_is_a_rule_of_that_name(console: Console) -> None:
    page = await console.browser.get(f"/datastores/{quote('my disks or *', safe='')}")
    rule = 'resource under "/datastore/my disks or *"'
    assert f'href="/new-silence?{urlencode({"rule": rule})}"' in page.text


async def test_a_name_that_is_spelled_with_slashes_is_no_reason_to_break(console: Console) -> None:
    for part in ("listeners", "state"):
        assert (await console.browser.get(f"/datastores/a%2F%2Fb%2F/{part}")).status == 200


async def test_a_datastore_named_by_dots_has_a_page(console: Console) -> None:
    await emit(console.api, resource="..:vm/1")
    listed = await console.browser.get("/datastore-list")
    address = listed.text.partition('href="/datastores/')[2].partition('"')[0]
    page = await console.browser.get(f"/datastores/{address}/nested")
    assert page.says("/datastore/../vm")


async def test_a_config_that_does_not_answer_leaves_what_the_router_knows(console: Console) -> None:
    await make_group(console.api)
    await emit(console.api, resource="ibs:vm/1")
    await console.stop("config")
    page = await console.browser.get("/datastore-list")
    assert page.says("ibs")
    assert page.says("Config does not answer")
    assert (await console.browser.get("/datastores/ibs/listeners")).says("ops-team → chat-ops")


async def attach_to(console: Console, group: str, resource: str) -> None:
    request = config.AttachResourceRequest(group=group, resource=resource)
    changed = await console.api.call(console.api.config.AttachResource, request)
    await in_force(console.api, changed.group.revision)


async def group_of(console: Console, name: str) -> Group:
    request = config.GetGroupRequest(name=name)
    return (await console.api.call(console.api.config.GetGroup, request)).group


async def test_no_group_is_chosen_for_the_visitor(console: Console) -> None:
    await make_group(console.api, rule="severity = critical")
    page = await console.browser.get("/datastores/tank/listeners")
    assert '<option value="">Choose a group</option>' in page.text
    assert page.says("No group would hear of them by being attached")
    assert 'href="/groups/ops-team/edit"' in page.text
    assert 'href="/new-group?resource=%2Fdatastore%2Ftank&amp;rule=severity+%3E%3D+warning"' in (
        page.text
    )
    refused = await console.browser.post("/datastores/tank/attach", {"group": ""})
    assert refused.says("Choose the group that is to hear of it.")


async def test_a_group_that_would_help_is_named_first(console: Console) -> None:
    await make_group(console.api)
    await attach_to(console, "ops-team", "elsewhere:")
    page = await console.browser.get("/datastores/tank/listeners")
    assert page.says("It helps to attach the datastore to ops-team, below.")
    assert '<optgroup label="Would then hear what nobody hears of"><option>ops-team' in page.text


async def test_a_group_that_hears_everything_is_not_narrowed_by_one_click(console: Console) -> None:
    await make_group(console.api, rule="severity = critical")
    fields = {"group": "ops-team", "resource": "/datastore/tank"}
    asked = await console.browser.post("/datastores/tank/attach", fields)
    assert asked.says("ops-team hears everything now.")
    assert asked.says("Attached, it would hear of /datastore/tank only.")
    assert asked.says("Nobody hears of backup.failed , restore.failed")
    for other in ("/groups/ops-team/edit", "/new-group?resource=", "/datastores/tank"):
        assert f'href="{other}' in asked.text
    assert not (await group_of(console, "ops-team")).attachments
    await console.browser.post("/datastores/tank/attach", fields | {"all-the-same": "on"})
    assert (await group_of(console, "ops-team")).attachments == ["/datastore/tank"]


async def test_the_list_is_no_rosier_than_the_page_of_a_datastore(console: Console) -> None:
    """A group that hears everything may have no rule for what happens there."""
    await make_group(console.api, rule="severity = critical")
    await emit(console.api, "backup.failed", resource="tank:vm/1")
    listed = await console.browser.get("/datastore-list")
    unheard = "backup.failed , restore.failed , sync.failed , verify.failed"
    assert listed.says(f"nobody hears of {unheard} and 4 more")
    assert listed.says("of the other problems: ops-team")
    assert (await console.browser.get("/datastores/tank/listeners")).says(
        f"Nobody hears of {unheard} , backup.warning"
    )


async def test_the_worst_is_the_gravest_event_whatever_its_type(console: Console) -> None:
    event = event_pb2.Event(
        type="datastore.status-change",
        subject="tank is offline",
        resource="tank:",
        severity=event_pb2.SEVERITY_CRITICAL,
    )
    await console.api.call(console.api.router.Emit, router.EmitRequest(event=event))
    page = await console.browser.get("/datastore-list")
    assert 'class="badge severity-critical"' in page.text


async def test_a_metric_server_is_nobody(console: Console) -> None:
    gauge = Target(name="gauge", pushgateway=PushgatewayTarget(url="http://127.0.0.1:9/"))
    await console.api.call(
        console.api.config.CreateTarget, config.CreateTargetRequest(target=gauge)
    )
    counted = Group(name="counted", subscriptions=[Subscription(target="gauge", rule="*")])
    made = await console.api.call(
        console.api.config.CreateGroup, config.CreateGroupRequest(group=counted)
    )
    await in_force(console.api, made.group.revision)
    await emit(console.api, resource="tank:vm/1")
    assert (await console.browser.get("/datastores/tank/listeners")).says("Nobody hears of")
    page = await console.browser.get("/datastore-list")
    assert page.says("nobody hears of any problem")


async def test_a_silence_stays_in_sight_where_nobody_would_hear_anyway(console: Console) -> None:
    """And attaching the datastore does not end it."""
    await make_group(console.api)
    await attach_to(console, "ops-team", "elsewhere:")
    await emit(console.api, resource="tank:vm/1")
    silence = router.Silence(rule="resource under /datastore/tank", comment="disks are changed")
    silence.end_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    await console.api.call(
        console.api.router.CreateSilence, router.CreateSilenceRequest(silence=silence)
    )
    listed = await console.browser.get("/datastore-list")
    assert listed.says("silenced until")
    assert listed.says("nobody hears of any problem")
    page = await console.browser.get("/datastores/tank/listeners")
    assert page.says("It is silenced until")
    assert page.says(", silence or not.")
    assert page.says(
        "It helps to attach the datastore to ops-team, below, but sil-1 keeps them quiet all the "
        "same until"
    )


async def test_a_group_that_only_counts_would_not_help(console: Console) -> None:
    gauge = Target(name="gauge", pushgateway=PushgatewayTarget(url="http://127.0.0.1:9/"))
    await console.api.call(
        console.api.config.CreateTarget, config.CreateTargetRequest(target=gauge)
    )
    await add_group(console.api, "counted", {"gauge": "*"})
    await attach_to(console, "counted", "elsewhere:")
    page = await console.browser.get("/datastores/tank/listeners")
    assert page.says("No group would hear of them by being attached")
    assert not page.says("It helps")


async def test_how_it_fares_tells_of_restores_too(console: Console) -> None:
    bad = await emit(console.api, "restore.failed", resource="ibs:vm/1")
    page = await console.browser.get("/datastores/ibs/state")
    assert page.says("Restore error restore.failed")
    assert page.says("no success in the inbox Sync no result in the inbox Verification")
    assert f'href="/events/{bad}"' in page.text


async def test_a_rule_that_asks_for_an_actor_hears_some_of_it(console: Console) -> None:
    await make_group(console.api, rule='actor matches "*!nightly" and severity >= warning')
    await emit(console.api, "backup.warning", resource="ibs:vm/1")
    page = await console.browser.get("/datastores/ibs/listeners")
    assert page.says("some: only where actor matches *!nightly")
    assert page.says("Of some of them, by what else an event says, ops-team → chat-ops hear")
    assert page.says("Nobody hears of")  # of a bare event, as coverage says
    assert not page.says("hear nothing of it")
    assert (await console.browser.get("/datastore-list")).says("of some of it: ops-team")
    listed = await console.browser.get("/groups?resource=ibs")
    assert listed.says("tells of some of it, only where actor matches *!nightly")
    assert not listed.says("tells nobody of it")


async def test_digest_marks_name_what_is_gathered(console: Console) -> None:
    await make_group(console.api)
    api = console.api
    gauge = Target(name="gauge", pushgateway=PushgatewayTarget(url="http://127.0.0.1:9/"))
    await api.call(api.config.CreateTarget, config.CreateTargetRequest(target=gauge))
    made = Group(name="daily", digest=Digest(rule="type = verify.stale", time="09:00"))
    made.digest.frequency = DIGEST_FREQUENCY_DAILY
    made.subscriptions.extend(
        [
            Subscription(target="chat-ops", rule="severity >= warning"),
            Subscription(target="gauge", rule="*"),
        ]
    )
    answer = await api.call(api.config.CreateGroup, config.CreateGroupRequest(group=made))
    await in_force(api, answer.group.revision)
    page = await console.browser.get("/datastores/ibs/listeners")
    assert page.text.count("di&shy;gest") == 1  # of chat-ops, and only of warnings
    assert "di&shy;gest: only <code>verify.stale</code>" in page.text
