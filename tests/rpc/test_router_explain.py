"""Explain over the wire: every "why did I, or did I not, get this?" has an answer."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.explain_equals import compare, configuration
from tests.support.router import (
    OPERATIONS,
    Surroundings,
    fake_config,
    fake_delivery,
    group,
    mail,
    metrics,
    refusal,
    router_settings,
    running_router,
    serving,
    surrounded,
    webhook,
)

from ibs_notify.domain.errors import InvalidArgument, NotFound, Reason, Unavailable
from ibs_notify.router import explain as explain_module
from ibs_notify.router.tables import REVISIONS
from ibs_notify.rpc.caller import USER_KEY
from ibs_notify.store.engine import open_database
from ironcore.notification.v1 import delivery_pb2, event_pb2, group_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

Answer = pb.ExplainResponse
Subscription = pb.SubscriptionExplanation


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Surroundings]:
    async with surrounded(tmp_path, *OPERATIONS) as around:
        yield around


async def explained(around: Surroundings, event_id: str = "e1", target: str = "") -> Answer:
    return await around.stub.Explain(pb.ExplainRequest(event_id=event_id, target=target))


async def looked_at(around: Surroundings, target: str = "", **fields: Any) -> Answer:
    event = event_pb2.Event(**{"type": "backup.failed"} | fields)
    return await around.stub.Explain(pb.ExplainRequest(event=event, target=target))


def of(answer: Answer, target: str, group_name: str = "ops-team") -> Subscription:
    (found,) = (
        each for each in answer.subscriptions if (each.group, each.target) == (group_name, target)
    )
    return found


def decisions(subscription: Subscription) -> dict[str, str]:
    return {each.stage: each.reason for each in subscription.decisions}


async def until(
    around: Surroundings, holds: Callable[[Answer], bool], event_id: str = "e1"
) -> Answer:
    while not holds(answer := await explained(around, event_id)):
        pass
    return answer


def is_handed_off(answer: Answer) -> bool:
    return all(each.disposition.delivery_id for each in answer.subscriptions if each.hears)


async def test_of_an_event_that_was_told_all_is_said_down_to_the_attempt(
    around: Surroundings,
) -> None:
    await around.emit(resource="ibs-primary:vm/1")
    await around.delivery.until(lambda: len(around.delivery.stored) == 2)
    answer = await until(around, lambda a: "delivered" in of(a, "chat-ops").sentence)

    chat = of(answer, "chat-ops")
    assert chat.hears
    assert chat.sentence == "the rule matches and it went on: delivered"
    assert decisions(chat) == {
        "scope": "HEARS_EVERYTHING",
        "rule": "RULE_MATCHED",
        "silence": "NOT_SILENCED",
        "dedup": "FIRST",
        "rate": "RELEASED",
    }
    assert chat.rule.text == "severity in (error, critical)"
    assert (chat.rule.holds, chat.rule.actual) == (True, "error")
    assert chat.delivery.state == delivery_pb2.DELIVERY_STATE_DELIVERED
    assert [each.outcome for each in chat.delivery.attempts] == ["delivered"]
    assert not answer.dry_run
    assert answer.event.resource == "ibs-primary:vm/1"
    assert not answer.warnings


async def test_of_what_was_told_in_vain_the_next_of_its_kind_says_so(around: Surroundings) -> None:
    await around.emit("e0", resource="ibs-primary:vm/1")
    await around.delivery.until(lambda: len(around.delivery.stored) == 2)
    around.delivery.end("e0")
    for number in count(1):
        await around.emit(f"e{number}", resource="ibs-primary:vm/1")
        chat = of(await explained(around, f"e{number}"), "chat-ops")
        if chat.hears:
            break
    dedup = next(each for each in chat.decisions if each.stage == "dedup")
    assert dedup.reason == "FIRST"
    assert dedup.sentence.startswith("e0, told at ")
    assert "did not arrive (dead: refused (REFUSED))" in dedup.sentence


async def test_who_does_not_hear_is_told_what_would_have_to_differ(around: Surroundings) -> None:
    await around.emit(type="backup.warning")
    chat = of(await explained(around, target="chat-ops"), "chat-ops")
    assert not chat.hears
    assert not chat.HasField("disposition")
    assert chat.sentence == "severity is warning, the rule wants severity in (error, critical)"
    assert list(chat.near_misses) == [f"{chat.sentence} (one step too low)"]
    assert decisions(chat) == {"scope": "HEARS_EVERYTHING", "rule": "RULE_NOT_MATCHED"}


async def test_only_the_target_asked_for_is_explained(around: Surroundings) -> None:
    await around.emit()
    assert [each.target for each in (await explained(around, target="ops-smtp")).subscriptions] == [
        "ops-smtp"
    ]
    assert not (await explained(around, target="nobody")).subscriptions


async def test_scope_is_said_first_with_the_command_that_would_change_it(tmp_path: Path) -> None:
    attached = group(
        "attached",
        {"chat-ops": "severity = critical"},
        scope=group_pb2.GROUP_SCOPE_ATTACHED,
        attachments=["/datastore/production"],
    )
    selected = group("selected", {"chat-ops": "*"}, scope=group_pb2.GROUP_SCOPE_SELECTED)
    async with surrounded(tmp_path, *OPERATIONS, attached, selected) as around:
        answer = await looked_at(around, resource="staging:vm/1")
        named = await looked_at(around, resource="production:vm/1", groups=["selected"])
        bare = await looked_at(around)

    far = of(answer, "chat-ops", "attached")
    assert far.sentence == (
        "/datastore/staging/vm/1 is not attached to group attached; to attach it: ironcore-backup "
        "notification group attach attached --resource /datastore/staging; and severity is error, "
        "the rule wants severity = critical"
    )
    assert decisions(far) == {"scope": "RESOURCE_NOT_ATTACHED", "rule": "RULE_NOT_MATCHED"}
    unnamed = of(answer, "chat-ops", "selected")
    assert decisions(unnamed)["scope"] == "NOT_NAMED_BY_EVENT"
    assert "group update selected --scope everything" in unnamed.sentence
    assert unnamed.rule.holds
    assert decisions(of(named, "chat-ops", "attached"))["scope"] == "EVENT_NAMES_OTHER_GROUPS"
    assert decisions(of(named, "chat-ops", "selected"))["scope"] == "NAMED_BY_EVENT"
    assert "has no resource" in of(bare, "chat-ops", "attached").sentence


async def test_the_nearest_of_those_that_do_not_hear_comes_first(tmp_path: Path) -> None:
    far = group("a-far", {"chat-ops": "actor = bob and type = a.b and labels.env = prod"})
    out = group("b-out", {"chat-ops": "*"}, scope=group_pb2.GROUP_SCOPE_SELECTED)
    near = group("c-near", {"chat-ops": "severity = critical"})
    async with surrounded(tmp_path, *OPERATIONS[:2], far, out, near) as around:
        answer = await looked_at(around)
    assert {each.group for each in answer.subscriptions[:2]} == {"c-near", "b-out"}
    assert answer.subscriptions[2].sentence.startswith("3 things would have to differ: it has no")


async def test_a_silence_is_named_with_its_author_its_end_and_its_comment(
    around: Surroundings,
) -> None:
    silence = pb.Silence(rule="type = backup.failed", comment="disk swap")
    end = datetime.now(UTC) + timedelta(hours=1)
    silence.end_time.FromDatetime(end)
    made = await around.stub.CreateSilence(
        pb.CreateSilenceRequest(silence=silence), metadata=((USER_KEY, "alice"),)
    )
    silence_id = made.silence.silence_id
    dry = of(await looked_at(around), "chat-ops")
    await around.emit()
    stored = of(await explained(around), "chat-ops")
    for each in (dry, stored):
        assert not each.hears
        assert each.sentence == (
            f"silence {silence_id} of alice keeps it quiet, until {end:%Y-%m-%d %H:%M:%S} UTC: "
            "disk swap"
        )
        assert (each.decisions[-1].stage, each.decisions[-1].pointer) == ("silence", silence_id)


async def test_a_repeat_names_what_was_told_when_and_how_that_went(around: Surroundings) -> None:
    await around.emit("first")
    await around.delivery.until(lambda: len(around.delivery.stored) == 2)
    await until(around, is_handed_off, "first")
    dry = await looked_at(around)
    await around.emit("second")
    for answer in (dry, await explained(around, "second")):
        chat = of(answer, "chat-ops")
        assert not chat.hears
        assert chat.sentence.startswith("it repeats first, told at 20")
        assert chat.sentence.endswith(" UTC (delivered)")
        last = chat.decisions[-1]
        assert (last.stage, last.reason) == ("dedup", "REPEATED")
        assert last.pointer.startswith("first/")
        assert "the window of 5 min ends at 20" in last.sentence


async def test_another_route_to_the_same_place_is_named(tmp_path: Path) -> None:
    again = group("on-call", {"chat-ops": "*"})
    async with surrounded(tmp_path, *OPERATIONS, again) as around:
        dry = of(await looked_at(around), "chat-ops")
        await around.emit()
        await until(around, is_handed_off_or_coalesced)
        answer = await explained(around)
    taken = [each for each in answer.subscriptions if "coalescing" in decisions(each)]
    assert [each.target for each in taken] == ["chat-ops"]
    assert taken[0].hears
    assert taken[0].decisions[-1].pointer.startswith("e1/")
    assert dry.group == "ops-team"
    assert decisions(dry)["coalescing"] == "DESTINATION_TAKEN"
    assert "the route to chat-ops of group on-call" in dry.decisions[-1].sentence


def is_handed_off_or_coalesced(answer: Answer) -> bool:
    return all(
        each.disposition.delivery_id or each.disposition.pointer for each in answer.subscriptions
    )


async def test_what_the_rate_limit_holds_says_how_many_go_first_and_when(tmp_path: Path) -> None:
    slow = group("ops-team", {"chat-ops": "*"}, rate_limit_per_minute=1)
    async with surrounded(tmp_path, webhook("chat-ops"), slow) as around:
        for number in range(4):
            await around.emit(f"e{number}", subject=f"job {number}")
        await until(around, is_handed_off, "e0")
        held = of(await explained(around, "e3"), "chat-ops")
        dry = of(await looked_at(around, subject="one more"), "chat-ops")
        worse = of(await looked_at(around, type="verify.corrupt"), "chat-ops")
    assert held.hears
    assert held.sentence.startswith("the rate limit of 1 a minute holds it; 2 go first; the next")
    assert decisions(held)["rate"] == "LIMIT_REACHED"
    assert "3 go first" in dry.sentence
    assert "go first" not in worse.sentence
    assert "the next may go at" in worse.sentence


async def test_a_collapsed_event_points_to_its_summary_and_that_explains_itself(
    tmp_path: Path,
) -> None:
    slow = group("ops-team", {"chat-ops": "*"}, rate_limit_per_minute=1)
    async with surrounded(tmp_path, webhook("chat-ops"), slow) as around:
        for number in range(20):
            await around.emit(f"e{number}", subject=f"job {number}")
        answer = await until(
            around, lambda a: "BACKLOG_COLLAPSED" in decisions(a.subscriptions[0]).values(), "e19"
        )
        collapsed = of(answer, "chat-ops")
        summary = await explained(around, collapsed.decisions[-1].pointer)
    assert collapsed.hears
    assert "it waits to be released" in collapsed.decisions[-1].sentence
    assert summary.event.type == "notification.summary"
    assert [each.sentence for each in summary.subscriptions] == [
        "it is the summary of a backlog: it waits for the rate limit"
    ]
    assert "the system's own" in summary.warnings[0]


async def test_a_metric_server_records_whatever_is_silenced(tmp_path: Path) -> None:
    records = group("ops-team", {"influx": "*"})
    async with surrounded(tmp_path, metrics("influx"), records) as around:
        assert decisions(of(await looked_at(around), "influx"))["record"] == "RECORDED"
        await around.emit()
        assert decisions(of(await explained(around), "influx"))["record"] == "RECORDED"


async def test_a_stored_event_is_explained_by_the_rules_it_was_routed_by(
    around: Surroundings,
) -> None:
    await around.emit("old", type="backup.warning")
    changed = group("ops-team", {"ops-smtp": "*", "chat-ops": "severity >= warning"})
    revision = await around.change(changed)

    old = await explained(around, "old")
    assert old.revision == revision - 1
    assert not of(old, "chat-ops").hears
    assert of(old, "chat-ops").rule.text == "severity in (error, critical)"
    new = await looked_at(around, type="backup.warning", subject="new")
    assert new.revision == revision
    assert of(new, "chat-ops").hears


async def test_rules_that_are_gone_are_replaced_by_those_in_force_and_that_is_said(
    around: Surroundings,
) -> None:
    await around.emit("old")
    revision = await around.change(group("ops-team", {"chat-ops": "*"}))
    database = await open_database(around.router.settings.database_url("router"))
    await database.write(lambda c: c.execute(sa.delete(REVISIONS)))
    await database.close()

    answer = await explained(around, "old")
    assert answer.revision == revision
    assert "revision 1, which it was routed by, is not kept" in answer.warnings[0]
    # What became of it is stored, whatever the rules are now.
    assert of(answer, "ops-smtp").hears


async def test_delivery_being_away_is_a_warning(around: Surroundings) -> None:
    await around.emit()
    await until(around, is_handed_off)
    around.delivery.error = Unavailable(Reason.SERVICE_UNREACHABLE, "away on purpose")
    answer = await explained(around)
    assert of(answer, "chat-ops").disposition.delivery_id
    assert not of(answer, "chat-ops").HasField("delivery")
    assert "how far the deliveries are is not known" in answer.warnings[0]


async def test_a_delivery_that_is_no_longer_kept_is_left_out(around: Surroundings) -> None:
    await around.emit()
    await until(around, is_handed_off)
    around.delivery.forgotten.update(around.delivery.stored)
    answer = await explained(around)
    assert not answer.warnings
    assert not any(each.HasField("delivery") for each in answer.subscriptions)


async def test_looking_at_an_event_stores_and_sends_nothing(around: Surroundings) -> None:
    answer = await looked_at(around, groups=["nobody"])
    assert answer.dry_run
    assert not answer.event.event_id
    assert of(answer, "chat-ops").disposition.obligation_id == ""
    assert "there is no group 'nobody'" in answer.warnings[0]
    assert not (await around.stub.ListEvents(pb.ListEventsRequest())).events
    # Nothing is remembered either: what is sent next is the first of its kind.
    assert of(await looked_at(around), "chat-ops").hears


async def test_an_event_that_would_be_refused_is_refused(around: Surroundings) -> None:
    request = pb.ExplainRequest(event=event_pb2.Event(type="Backup Failed"))
    error = await refusal(around.stub.Explain(request))
    assert isinstance(error, InvalidArgument)
    assert error.reason is Reason.EVENT_INVALID


async def test_an_id_that_is_taken_is_said_to_be(around: Surroundings) -> None:
    await around.emit("e1")
    assert "'e1' is taken" in (await looked_at(around, event_id="e1")).warnings[0]


async def test_nothing_to_explain_is_refused_and_an_unknown_event_is_not_found(
    around: Surroundings,
) -> None:
    error = await refusal(around.stub.Explain(pb.ExplainRequest()))
    assert isinstance(error, InvalidArgument)
    error = await refusal(around.stub.Explain(pb.ExplainRequest(event_id="nobody")))
    assert isinstance(error, NotFound)
    assert error.reason is Reason.EVENT_NOT_FOUND


async def test_of_very_many_that_do_not_hear_the_rest_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain_module, "MOST_UNHEARD", 3)
    many = [group(f"g{number}", {"chat-ops": "type = a.b"}) for number in range(5)]
    hears = group("zz", {"chat-ops": "*"})
    async with surrounded(tmp_path, webhook("chat-ops"), *many, hears) as around:
        answer = await looked_at(around)
    assert len(answer.subscriptions) == 4
    assert answer.subscriptions[0].hears
    assert list(answer.warnings) == ["2 more do not hear of it; name a target to see why"]


async def test_a_notice_of_our_own_is_told_to_nobody_and_says_so(tmp_path: Path) -> None:
    silent = group("ops-team", {"empty": "*"})
    async with surrounded(tmp_path, mail("empty"), silent) as around:
        await around.emit()
        notices = await around.stub.ListEvents(
            pb.ListEventsRequest(filter=pb.EventFilter(types=["notification.no-recipients"]))
        )
        answer = await explained(around, notices.events[0].event.event_id)
    assert not answer.subscriptions
    assert answer.own
    assert "the system's own" in answer.warnings[0]


async def test_an_event_that_came_before_any_configuration_is_none_of_our_own(
    tmp_path: Path,
) -> None:
    config, delivery = fake_config(), fake_delivery()
    async with serving(config) as config_port, serving(delivery) as delivery_port:
        settings = router_settings(tmp_path, config=config_port, delivery=delivery_port)
        async with running_router(settings) as router:
            around = Surroundings(router, config, delivery)
            request = pb.RouterServiceAwaitConfigRequest(revision=0)
            await around.stub.AwaitConfig(request, wait_for_ready=True)
            await around.emit()
            answer = await explained(around)
    assert answer.revision == 0
    assert not answer.own
    assert not answer.warnings


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_explained_is_what_then_happens(tmp_path: Path, seed: int) -> None:
    """More of it: ``python -m tests.system.explain_equals --events 10000``."""
    rng = random.Random(seed)
    async with surrounded(tmp_path, *configuration(rng)) as around:
        compared = await compare(around, rng, 100)
    assert compared.states.keys() >= {"READY", "SILENCED", "SUPPRESSED"}
