"""The Router as a client sees it, between a Config and a Delivery that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
from tests.support.router import (
    OPERATIONS,
    PATIENCE_SECONDS,
    FakeConfig,
    FakeDelivery,
    RunningRouter,
    fake_config,
    fake_delivery,
    group,
    items,
    mail,
    metrics,
    refusal,
    router_settings,
    running_router,
    serving,
    webhook,
)

from ibs_notify.domain import errors
from ibs_notify.domain.errors import Reason
from ibs_notify.router import outbox as outbox_module
from ibs_notify.rpc.status import ERROR_DOMAIN
from ibs_notify.settings import Settings
from ibs_notify.snapshot import watcher as watcher_module
from ironcore.notification.v1 import config_service_pb2, disposition_pb2, event_pb2
from ironcore.notification.v1 import error_reason_pb2 as reasons
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.settings_pb2 import Settings as Installation

if TYPE_CHECKING:
    # Only the type stubs have it.
    from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceAsyncStub

SERVICE = "ironcore.notification.v1.RouterService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
READY = disposition_pb2.DISPOSITION_STATE_READY
HANDED_OFF = disposition_pb2.DISPOSITION_STATE_HANDED_OFF
COALESCED = disposition_pb2.DISPOSITION_STATE_COALESCED


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(outbox_module, "LONGEST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(watcher_module, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(watcher_module, "LONGEST_PAUSE_SECONDS", 0.05)


@pytest.fixture
async def config() -> FakeConfig:
    """Config with the product page's group at revision 1."""
    config = fake_config()
    config.change(items(*OPERATIONS))
    return config


@pytest.fixture
async def delivery() -> FakeDelivery:
    return fake_delivery()


@pytest.fixture
async def settings(
    tmp_path: Path, config: FakeConfig, delivery: FakeDelivery
) -> AsyncIterator[Settings]:
    """Of a Router that finds both its neighbours."""
    async with serving(config) as config_port, serving(delivery) as delivery_port:
        yield router_settings(tmp_path, config=config_port, delivery=delivery_port)


@pytest.fixture
async def router(settings: Settings) -> AsyncIterator[RunningRouter]:
    async with running_router(settings) as router:
        await in_force(router.stub, 1)
        yield router


async def in_force(stub: RouterServiceAsyncStub, revision: int) -> int:
    request = pb.RouterServiceAwaitConfigRequest(revision=revision)
    return (await stub.AwaitConfig(request, timeout=PATIENCE_SECONDS)).revision


def event(event_id: str = "e1", **fields: Any) -> event_pb2.Event:
    return event_pb2.Event(**{"event_id": event_id, "type": "backup.failed"} | fields)


async def emit(router: RunningRouter, message: event_pb2.Event) -> pb.EmitResponse:
    return await router.stub.Emit(pb.EmitRequest(event=message))


async def record(router: RunningRouter, event_id: str) -> pb.EventRecord:
    return (await router.stub.GetEvent(pb.GetEventRequest(event_id=event_id))).event


async def verify(router: RunningRouter) -> pb.VerifyLedgerResponse:
    return await router.stub.VerifyLedger(pb.VerifyLedgerRequest())


async def until_handed_off(router: RunningRouter, event_id: str) -> pb.EventRecord:
    """The event's record once the Router knows that Delivery has all of it."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await record(router, event_id)
            if all(each.state != READY for each in found.dispositions):
                return found


async def health(router: RunningRouter, service: str = SERVICE) -> int:
    stub: Any = health_pb2_grpc.HealthStub(router.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    assert isinstance(answer, health_pb2.HealthCheckResponse)
    return answer.status


async def serving_at_last(router: RunningRouter) -> None:
    stub: Any = health_pb2_grpc.HealthStub(router.channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE), timeout=PATIENCE_SECONDS)
    async for each in watch:
        if each.status == SERVING:
            watch.cancel()
            return


# Emit


async def test_an_event_is_answered_with_who_hears_of_it(router: RunningRouter) -> None:
    answer = await emit(router, event())
    assert (answer.event_id, answer.duplicate, list(answer.warnings)) == ("e1", False, [])
    assert [
        (each.obligation_id, each.group, each.target, each.state, each.reason)
        for each in answer.dispositions
    ] == [
        ("e1/0", "ops-team", "ops-smtp", READY, "RULE_MATCHED"),
        ("e1/1", "ops-team", "chat-ops", READY, "RULE_MATCHED"),
    ]
    assert list(answer.dispositions[0].recipients) == ["ops@example.com"]
    assert answer.dispositions[0].subscription_uid == "sub-ops-team-ops-smtp"


async def test_an_event_without_an_id_gets_one(router: RunningRouter) -> None:
    one, other = await emit(router, event("")), await emit(router, event(""))
    assert one.event_id.startswith("evt-")
    assert one.event_id < other.event_id
    assert (await record(router, one.event_id)).event.event_id == one.event_id


async def test_what_the_emitter_left_out_is_filled_in(router: RunningRouter) -> None:
    await emit(router, event(type="verify.corrupt"))
    kept = await record(router, "e1")
    assert kept.event.severity == event_pb2.SEVERITY_CRITICAL
    assert kept.event.timestamp == kept.receive_time
    assert (kept.event.task_url, dict(kept.event.links)) == ("", {})
    assert (kept.revision, kept.sequence) == (1, 1)


async def test_addresses_of_the_task_are_derived_from_the_public_url(
    router: RunningRouter, config: FakeConfig
) -> None:
    url = "https://ibs.example.com/base/"
    await in_force(router.stub, config.change(items(Installation(public_url=url))))
    await emit(router, event("derived", task_id="UPID:a/b c?#%é"))
    await emit(router, event("given", task_id="1", task_url="x:y", links={"task_log": "z"}))
    await emit(router, event("no-task"))
    derived = (await record(router, "derived")).event
    task = "UPID%3Aa%2Fb%20c%3F%23%25%C3%A9"
    assert derived.task_url == f"https://ibs.example.com/base/#tasks/{task}"
    assert dict(derived.links) == {
        "task_log": f"https://ibs.example.com/base/api2/json/tasks/{task}/log"
    }
    given = (await record(router, "given")).event
    assert (given.task_url, dict(given.links)) == ("x:y", {"task_log": "z"})
    assert (await record(router, "no-task")).event.task_url == ""


async def test_an_event_that_no_rule_matches_is_only_in_the_inbox(
    router: RunningRouter, config: FakeConfig
) -> None:
    rules = {"chat-ops": "severity = critical"}
    await in_force(router.stub, config.change(items(group("ops-team", rules))))
    assert list((await emit(router, event())).dispositions) == []
    assert (await record(router, "e1")).revision == 2
    assert (await verify(router)).unmatched_events == 1


async def test_the_same_event_again_is_answered_as_the_first_and_stored_once(
    router: RunningRouter, delivery: FakeDelivery
) -> None:
    first = await emit(router, event())
    await until_handed_off(router, "e1")
    again = await emit(router, event())
    assert again.duplicate
    assert again.event_id == first.event_id
    assert [each.obligation_id for each in again.dispositions] == ["e1/0", "e1/1"]
    assert [each.state for each in again.dispositions] == [HANDED_OFF, HANDED_OFF]
    assert len(delivery.stored) == 2
    assert (await verify(router)).accepted_events == 1


async def test_the_same_id_with_other_content_is_refused(router: RunningRouter) -> None:
    await emit(router, event())
    error = await refusal(router.stub.Emit(pb.EmitRequest(event=event(subject="other"))))
    assert isinstance(error, errors.AlreadyExists)
    assert error.reason is Reason.EVENT_ID_REUSED
    assert (await record(router, "e1")).event.subject == ""


async def test_every_fault_of_an_event_is_named_with_its_path(router: RunningRouter) -> None:
    bad = event(" ", type="Backup", actor="x" * 257, labels={"phone": "x" * 1025}, groups=[""])
    bad.timestamp.seconds = 10**15
    error = await refusal(router.stub.Emit(pb.EmitRequest(event=bad)))
    assert isinstance(error, errors.InvalidArgument)
    assert error.reason is Reason.EVENT_INVALID
    assert [each.path for each in error.violations] == [
        "timestamp",
        "type",
        "event_id",
        "actor",
        "labels[phone]",
        "groups[0]",
    ]


async def test_an_event_with_every_fault_there_can_be_is_still_refused_as_such(
    router: RunningRouter,
) -> None:
    long = {f"{n:0>64}": "x" * 1025 for n in range(64)}
    error = await refusal(router.stub.Emit(pb.EmitRequest(event=event(labels=long))))
    assert isinstance(error, errors.InvalidArgument)
    assert error.reason is Reason.EVENT_INVALID


async def test_a_request_without_an_event_is_refused(router: RunningRouter) -> None:
    error = await refusal(router.stub.Emit(pb.EmitRequest()))
    assert isinstance(error, errors.InvalidArgument)
    assert [each.path for each in error.violations] == ["type"]


async def test_a_group_name_that_does_not_exist_is_warned_of_in_answer_and_inbox(
    router: RunningRouter,
) -> None:
    answer = await emit(router, event(groups=["nobody"]))
    warning = "there is no group 'nobody'; attachments decided instead"
    assert list(answer.warnings) == [warning]
    assert list((await record(router, "e1")).warnings) == [warning]
    assert list((await emit(router, event(groups=["nobody"]))).warnings) == [warning]
    assert len(answer.dispositions) == 2


async def test_a_message_over_four_mebibytes_is_refused(router: RunningRouter) -> None:
    error = await refusal(router.stub.Emit(pb.EmitRequest(event=event(summary="x" * (5 << 20)))))
    assert isinstance(error, errors.ResourceExhausted)
    assert (await emit(router, event())).event_id == "e1"


# EmitBatch and EmitStream


def outcomes(results: Sequence[pb.EmitResult]) -> list[str]:
    return [
        each.accepted.event_id
        if each.HasField("accepted")
        else reasons.ErrorReason.Name(each.error.reason).removeprefix("ERROR_REASON_")
        for each in results
    ]


MIXED = [
    event("e1"),
    event("e2", type="", subject="x" * 1001),
    event("e1"),
    event("e1", subject="other"),
    event("e3", type="backup.completed"),
]
OUTCOMES = ["e1", "EVENT_INVALID", "e1", "EVENT_ID_REUSED", "e3"]


async def test_a_batch_answers_each_event_and_a_bad_one_fails_alone(router: RunningRouter) -> None:
    answer = await router.stub.EmitBatch(pb.EmitBatchRequest(events=MIXED))
    assert outcomes(answer.results) == OUTCOMES
    assert [each.accepted.duplicate for each in answer.results] == [
        False,
        False,
        True,
        False,
        False,
    ]
    bad = answer.results[1].error
    assert [each.path for each in bad.faults] == ["type", "subject"]
    assert "has 1001 characters" in bad.message
    listed = await router.stub.ListEvents(pb.ListEventsRequest())
    assert [each.event.event_id for each in listed.events] == ["e3", "e1"]


async def test_a_thousand_events_are_a_batch_and_one_more_is_not(router: RunningRouter) -> None:
    many = [event("", type="backup.completed") for _ in range(1001)]
    error = await refusal(router.stub.EmitBatch(pb.EmitBatchRequest(events=many)))
    assert isinstance(error, errors.InvalidArgument)
    assert [each.path for each in error.violations] == ["events"]
    assert (await verify(router)).accepted_events == 0
    answer = await router.stub.EmitBatch(pb.EmitBatchRequest(events=many[:1000]))
    ids = outcomes(answer.results)
    assert ids == sorted(set(ids))
    assert len(ids) == 1000


async def test_an_empty_batch_is_answered_with_nothing(router: RunningRouter) -> None:
    assert list((await router.stub.EmitBatch(pb.EmitBatchRequest())).results) == []


async def test_a_stream_answers_every_event_in_order(router: RunningRouter) -> None:
    call = router.stub.EmitStream()
    for part in (MIXED[:1], MIXED[1:4], [], MIXED[4:]):
        await call.write(pb.EmitStreamRequest(events=part))
    await call.done_writing()
    results = [result async for each in call for result in each.results]
    assert outcomes(results) == OUTCOMES


async def test_a_stream_answers_as_it_goes_and_ends_with_the_error(router: RunningRouter) -> None:
    call = router.stub.EmitStream()
    await call.write(pb.EmitStreamRequest(events=[event("e1")]))
    first = await call.read()
    assert isinstance(first, pb.EmitStreamResponse)
    assert outcomes(first.results) == ["e1"]
    await call.write(pb.EmitStreamRequest(events=[event("")] * 1001))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (await verify(router)).accepted_events == 1


# The configuration


async def test_until_it_has_a_configuration_the_router_serves_nobody(
    settings: Settings, config: FakeConfig, tmp_path: Path
) -> None:
    lonely = router_settings(tmp_path / "lonely")
    async with running_router(lonely) as router:
        assert await health(router) == NOT_SERVING
        assert await health(router, "") == NOT_SERVING
        error = await refusal(router.stub.Emit(pb.EmitRequest(event=event())))
        assert isinstance(error, errors.Unavailable)
        assert error.reason is Reason.NOT_READY
        assert error.retry_after.total_seconds() > 0
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await router.stub.AwaitConfig(pb.RouterServiceAwaitConfigRequest(), timeout=0.05)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    async with running_router(settings) as router:
        await serving_at_last(router)
        assert await health(router) == SERVING
        assert (await emit(router, event())).event_id == "e1"


async def test_the_configuration_on_disk_serves_while_config_is_down(
    delivery: FakeDelivery, tmp_path: Path
) -> None:
    kept = config_service_pb2.ConfigSnapshot(revision=9, groups=[group("ops-team", {"chat": "*"})])
    kept.targets.add(target=webhook("chat"))
    (tmp_path / "router-snapshot.pb").write_bytes(kept.SerializeToString())
    async with (
        serving(delivery) as port,
        running_router(router_settings(tmp_path, delivery=port)) as router,
    ):
        await serving_at_last(router)
        assert await in_force(router.stub, 0) == 9
        await emit(router, event())
        await until_handed_off(router, "e1")
    assert delivery.told() == [("e1", "chat", ())]


async def test_awaiting_a_configuration_waits_until_events_are_routed_by_it(
    router: RunningRouter, config: FakeConfig
) -> None:
    waiting = asyncio.ensure_future(in_force(router.stub, 2))
    assert await in_force(router.stub, 1) == 1
    assert not waiting.done()
    config.change(items(group("new", {"chat-ops": "*"})))
    assert await waiting == 2
    answer = await emit(router, event())
    assert [each.group for each in answer.dispositions] == ["new", "ops-team", "ops-team"]


async def test_a_change_counts_for_what_comes_after_it_only(
    router: RunningRouter, config: FakeConfig
) -> None:
    await emit(router, event("before"))
    change = [
        *items(group("ops-team", {"ops-smtp": "*"})),
        config_service_pb2.WatchConfigResponse(deleted_target_uid="uid-chat-ops"),
    ]
    await in_force(router.stub, config.change(change))
    await emit(router, event("after"))
    before, after = await record(router, "before"), await record(router, "after")
    assert (before.revision, [each.target for each in before.dispositions]) == (
        1,
        ["ops-smtp", "chat-ops"],
    )
    assert (after.revision, [each.target for each in after.dispositions]) == (2, ["ops-smtp"])


# The handoff


async def test_delivery_is_given_all_that_it_needs(
    router: RunningRouter, delivery: FakeDelivery
) -> None:
    await emit(router, event(subject="Backup failed", resource="ibs:vm/1"))
    kept = await until_handed_off(router, "e1")
    given = {each.delivery_id: each for each in delivery.stored.values()}
    assert {each.delivery_id for each in kept.dispositions} == set(given)
    mailed = given[kept.dispositions[0].delivery_id]
    assert mailed.event == kept.event
    assert (mailed.target, mailed.target_uid) == ("ops-smtp", "uid-ops-smtp")
    assert (mailed.group, mailed.subscription_uid) == ("ops-team", "sub-ops-team-ops-smtp")
    assert (mailed.obligation_id, mailed.revision) == ("e1/0", 1)
    assert list(mailed.recipients) == ["ops@example.com"]


async def test_one_destination_is_told_once_however_many_groups_route_it_there(
    router: RunningRouter, config: FakeConfig, delivery: FakeDelivery
) -> None:
    people = group("people", {})
    people.subscriptions.add(
        uid="s", target="ops-smtp", rule="*", recipients=["OPS@example.com", "boss@example.com"]
    )
    change = items(
        metrics("influx"),
        group("a-team", {"chat-ops": "*", "influx": "*"}),
        group("b-team", {"influx": "*"}),
        people,
    )
    await in_force(router.stub, config.change(change))
    await emit(router, event())
    kept = await until_handed_off(router, "e1")
    assert delivery.told() == [
        ("e1", "chat-ops", ()),
        ("e1", "influx", ()),
        ("e1", "ops-smtp", ("boss@example.com",)),
        ("e1", "ops-smtp", ("ops@example.com",)),
    ]
    coalesced = [each for each in kept.dispositions if each.state == COALESCED]
    assert [(each.group, each.target, each.reason) for each in coalesced] == [
        ("b-team", "influx", "DESTINATION_TAKEN"),
        ("ops-team", "chat-ops", "DESTINATION_TAKEN"),
    ]
    assert {each.pointer for each in coalesced} == {"e1/0", "e1/1"}
    assert (await verify(router)).balanced


async def test_while_delivery_is_away_events_are_taken_and_handed_off_when_it_comes_back(
    config: FakeConfig, delivery: FakeDelivery, tmp_path: Path
) -> None:
    async with serving(fake_delivery()) as port:
        pass
    async with (
        serving(config) as config_port,
        running_router(router_settings(tmp_path, config=config_port, delivery=port)) as router,
    ):
        await in_force(router.stub, 1)
        answer = await emit(router, event())
        assert [each.state for each in answer.dispositions] == [READY, READY]
        error = await refusal(router.stub.VerifyLedger(pb.VerifyLedgerRequest()))
        assert isinstance(error, errors.Unavailable)
        assert error.reason is Reason.SERVICE_UNREACHABLE
        async with serving(delivery, port):
            await until_handed_off(router, "e1")
            assert len(delivery.stored) == 2
            assert (await verify(router)).balanced


async def test_a_handoff_is_repeated_until_delivery_takes_it(
    router: RunningRouter, delivery: FakeDelivery
) -> None:
    delivery.error = errors.ResourceExhausted(Reason.STORAGE_FULL, "full on purpose")
    await emit(router, event())
    await delivery.until(lambda: len(delivery.calls) >= 3)
    assert (await record(router, "e1")).dispositions[0].state == READY
    delivery.error = None
    await until_handed_off(router, "e1")
    assert len({tuple(sorted(call)) for call in delivery.calls}) == 1


async def test_a_handoff_whose_answer_was_lost_is_repeated_with_the_same_ids(
    router: RunningRouter, delivery: FakeDelivery
) -> None:
    delivery.replies_to_lose = 2
    await emit(router, event())
    await until_handed_off(router, "e1")
    assert len(delivery.calls) == 3
    assert len({tuple(call) for call in delivery.calls}) == 1
    assert len(delivery.stored) == 2
    assert (await verify(router)).balanced


async def test_what_was_not_handed_off_is_after_a_restart(
    settings: Settings, delivery: FakeDelivery
) -> None:
    delivery.error = errors.Unavailable(Reason.STORAGE_UNAVAILABLE, "on purpose")
    async with running_router(settings) as router:
        await in_force(router.stub, 1)
        await emit(router, event())
        await delivery.until(lambda: len(delivery.calls) >= 1)
    delivery.error = None
    async with running_router(settings) as router:
        await until_handed_off(router, "e1")
        assert (await emit(router, event())).duplicate
    assert len(delivery.stored) == 2


def _large(number: int) -> event_pb2.Event:
    """No two are identical."""
    return event(f"e{number}", subject=f"vm {number}", summary="😀" * 32_768)


async def test_large_events_are_handed_off_in_several_requests(
    router: RunningRouter, delivery: FakeDelivery
) -> None:
    delivery.error = errors.Unavailable(Reason.STORAGE_UNAVAILABLE, "on purpose")
    for number in range(0, 60, 10):
        many = [_large(number + n) for n in range(10)]
        await router.stub.EmitBatch(pb.EmitBatchRequest(events=many))
    delivery.error = None
    await delivery.until(lambda: len(delivery.stored) == 120)
    assert len(delivery.calls) > 8


# Reading


async def test_an_event_that_is_not_there_is_not_found(router: RunningRouter) -> None:
    for event_id in ("nobody", "", "a\x00", "x" * 100_000):
        error = await refusal(router.stub.GetEvent(pb.GetEventRequest(event_id=event_id)))
        assert isinstance(error, errors.NotFound)
        assert error.reason is Reason.EVENT_NOT_FOUND
        assert error.advice


async def test_events_are_listed_newest_first_by_pages_and_filters(router: RunningRouter) -> None:
    for number in range(5):
        await emit(router, event(f"e{number}", actor="bob" if number % 2 else "alice"))
    request = pb.ListEventsRequest(page_size=2, filter=pb.EventFilter(actor="alice"))
    first = await router.stub.ListEvents(request)
    request.page_token = first.next_page_token
    second = await router.stub.ListEvents(request)
    assert [each.event.event_id for each in first.events] == ["e4", "e2"]
    assert [each.event.event_id for each in second.events] == ["e0"]
    assert second.next_page_token == ""
    assert len(first.events[0].dispositions) == 2


@pytest.mark.parametrize(
    ("request_", "reason", "paths"),
    [
        (pb.ListEventsRequest(page_size=-1), Reason.FIELD_INVALID, ["page_size"]),
        (pb.ListEventsRequest(page_token="x"), Reason.PAGE_TOKEN_INVALID, None),
        (
            pb.ListEventsRequest(filter=pb.EventFilter(rule="severity")),
            Reason.RULE_INVALID,
            ["filter.rule"],
        ),
    ],
)
async def test_a_bad_question_is_refused_with_its_reason(
    router: RunningRouter, request_: pb.ListEventsRequest, reason: Reason, paths: list[str] | None
) -> None:
    error = await refusal(router.stub.ListEvents(request_))
    assert isinstance(error, errors.InvalidArgument)
    assert error.reason is reason
    if paths is not None:
        assert [each.path for each in error.violations] == paths


# The ledger


async def test_the_books_balance_and_say_what_is_where(
    router: RunningRouter, delivery: FakeDelivery
) -> None:
    await emit(router, event("e1"))
    await emit(router, event("e2", type="backup.completed"))
    await until_handed_off(router, "e1")
    await until_handed_off(router, "e2")
    delivery.derived.add("digest-1")
    delivery.page_size = 2
    books = await verify(router)
    assert books.balanced
    assert (books.accepted_events, books.routed_events, books.unmatched_events) == (2, 2, 0)
    assert [(each.service, each.state, each.count) for each in books.lines] == [
        ("router", "handed_off", 3),
        ("delivery", "derived queued", 1),
        ("delivery", "queued", 3),
    ]
    assert (list(books.unaccounted_ids), books.unaccounted_count) == ([], 0)


async def test_gaps_on_either_side_are_named(router: RunningRouter, delivery: FakeDelivery) -> None:
    await emit(router, event())
    await until_handed_off(router, "e1")
    lost, kept = sorted(delivery.stored)
    delivery.stored["ffff"] = delivery.stored.pop(lost)
    books = await verify(router)
    assert not books.balanced
    assert list(books.unaccounted_ids) == [lost, "ffff"]
    assert books.unaccounted_count == 2
    assert kept not in books.unaccounted_ids


async def test_the_books_balance_at_any_moment_while_events_come_in(
    router: RunningRouter,
) -> None:
    async def produce() -> None:
        for number in range(20):
            many = [event(f"e{number}-{n}") for n in range(10)]
            await router.stub.EmitBatch(pb.EmitBatchRequest(events=many))

    producing = asyncio.ensure_future(produce())
    while not producing.done():
        books = await verify(router)
        assert books.balanced, list(books.unaccounted_ids)
    await producing
    assert (await verify(router)).accepted_events == 200


# What every failure carries


def info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it is a Call
    assert status is not None
    (info,) = [each for each in status.details if each.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    found = error_details_pb2.ErrorInfo()
    info.Unpack(found)
    assert found.domain == ERROR_DOMAIN
    return found


async def test_a_disk_that_is_nearly_full_refuses_new_events_with_a_time_to_retry(
    settings: Settings,
) -> None:
    more_than_any_disk_has = replace(settings, min_free_mib=1 << 42)
    async with running_router(more_than_any_disk_has) as router:
        await in_force(router.stub, 1)
        error = await refusal(router.stub.Emit(pb.EmitRequest(event=event())))
        assert isinstance(error, errors.ResourceExhausted)
        assert error.reason is Reason.STORAGE_FULL
        assert error.retry_after.total_seconds() == 30
        assert (await verify(router)).accepted_events == 0


@pytest.mark.parametrize("profile", ["development", "production"])
async def test_reflection_is_served_in_development_only(tmp_path: Path, profile: str) -> None:
    settings = Settings(
        home=tmp_path,
        router_address="127.0.0.1:0",
        config_address="127.0.0.1:1",
        delivery_address="127.0.0.1:1",
        profile=profile,
    )
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async with running_router(settings) as router:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(router.channel)  # type: ignore[arg-type]  # it takes either
        call = stub.ServerReflectionInfo(iter([request]))
        if profile == "development":
            services = [each.name for each in (await call.read()).list_services_response.service]
            assert SERVICE in services
            call.cancel()
        else:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_port_that_is_taken_is_said_so(router: RunningRouter, tmp_path: Path) -> None:
    taken = Settings(home=tmp_path / "other", router_address=f"127.0.0.1:{router.app.port}")
    with pytest.raises(OSError, match="is it in use"):
        async with running_router(taken):
            raise AssertionError("it started")


async def test_mail_without_any_recipient_is_an_obligation_all_the_same(
    router: RunningRouter, config: FakeConfig, delivery: FakeDelivery
) -> None:
    await in_force(router.stub, config.change(items(mail("ops-smtp"))))
    await emit(router, event(severity=event_pb2.SEVERITY_INFO))
    await until_handed_off(router, "e1")
    assert delivery.told() == [("e1", "ops-smtp", ())]
