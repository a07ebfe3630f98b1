"""A group's queue over the wire: what waits, until when, and what went."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.router import (
    OPERATIONS,
    PATIENCE_SECONDS,
    Surroundings,
    group,
    metrics,
    refusal,
    surrounded,
)

from ibs_notify.domain.errors import InvalidArgument, NotFound, Reason
from ibs_notify.rpc.paging import page_token
from ironcore.notification.v1 import event_pb2, group_pb2, target_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

Part = target_pb2.Target | group_pb2.Group
Status = pb.GetGroupStatusResponse


async def status_of(around: Surroundings, name: str = "ops-team") -> Status:
    return await around.stub.GetGroupStatus(pb.GetGroupStatusRequest(group=name))


async def until(around: Surroundings, holds: Callable[[Status], bool]) -> Status:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds(found := await status_of(around)):
            pass
        return found


def limited(rate: int) -> tuple[Part, ...]:
    team = group("ops-team", {"ops-smtp": "*", "chat-ops": "*"}, rate_limit_per_minute=rate)
    return (*OPERATIONS[:2], team)


async def test_a_group_that_nothing_waits_in_is_quiet(tmp_path: Path) -> None:
    async with surrounded(tmp_path, *OPERATIONS) as around:
        found = await status_of(around)
    assert not found.waiting
    assert not found.HasField("next_release_time")
    assert not found.HasField("oldest_age")
    assert (found.rate_limit_per_minute, found.backlog_bound) == (60, 900)


async def test_what_the_limit_holds_back_is_counted_by_severity(tmp_path: Path) -> None:
    async with surrounded(tmp_path, *limited(1)) as around:
        before = datetime.now(UTC)
        await around.emit("first")
        await until(around, lambda found: found.released_count == 1)
        for number in range(3):
            await around.emit(f"e{number}", subject=f"job {number}")
        await around.emit("worse", type="verify.corrupt")
        found = await until(around, lambda found: len(found.waiting) == 2)

    assert [(each.severity, each.count) for each in found.waiting] == [
        (event_pb2.SEVERITY_CRITICAL, 1),
        (event_pb2.SEVERITY_ERROR, 3),
    ]
    assert found.ready_count == 8  # by two targets
    assert found.released_count == 1
    ahead = found.next_release_time.ToDatetime(UTC) - before
    assert timedelta(seconds=59) < ahead < timedelta(seconds=61 + PATIENCE_SECONDS)
    assert timedelta(0) <= found.oldest_age.ToTimedelta() < timedelta(seconds=PATIENCE_SECONDS)


async def test_what_was_collapsed_is_counted(tmp_path: Path) -> None:
    async with surrounded(tmp_path, *limited(1)) as around:
        await around.emit("first")
        await until(around, lambda found: found.released_count == 1)
        for number in range(20):
            await around.emit(f"e{number}", subject=f"job {number}")
        found = await until(around, lambda found: found.collapsed_count > 0)
    # The bound is 15 and half of it stays; every event counts for two targets.
    assert found.collapsed_count >= 2 * (16 - 7)
    assert found.collapsed_count + found.ready_count == 2 * 20 + 2


async def test_without_a_limit_there_is_no_bound_and_nothing_is_counted(tmp_path: Path) -> None:
    async with surrounded(tmp_path, *limited(0)) as around:
        await around.emit()
        await around.delivery.until(lambda: len(around.delivery.stored) == 2)
        found = await status_of(around)
    assert (found.rate_limit_per_minute, found.backlog_bound, found.released_count) == (0, 0, 0)


async def test_what_metric_servers_record_waits_in_no_queue(tmp_path: Path) -> None:
    records = group("ops-team", {"influx": "*"}, rate_limit_per_minute=1)
    async with surrounded(tmp_path, metrics("influx"), records) as around:
        for number in range(3):
            await around.emit(f"e{number}")
        await around.delivery.until(lambda: len(around.delivery.stored) == 3)
        assert (await status_of(around)).released_count == 0


def many(*, waiting: str) -> tuple[Part, ...]:
    """A thousand groups; ``waiting`` hears of all and lets one event go a minute."""
    quiet = (
        group(f"team-{number:03}", {"chat-ops": "type = backup.warning"}) for number in range(999)
    )
    busy = group(waiting, {"chat-ops": "*", "ops-smtp": "*"}, rate_limit_per_minute=1)
    return (*OPERATIONS[:2], *quiet, busy)


async def test_a_thousand_queues_are_one_answer(tmp_path: Path) -> None:
    async with surrounded(tmp_path, *many(waiting="ops-team")) as around:
        await around.emit("first")
        await until(around, lambda found: found.released_count == 1)
        await around.emit("second", subject="another")
        request = pb.ListGroupStatusesRequest(page_size=1000)
        answer = await around.stub.ListGroupStatuses(request)
        alone = await status_of(around)

    names = [each.group for each in answer.group_statuses]
    assert len(names) == 1000
    assert names == sorted(names)
    assert not answer.next_page_token
    found = {each.group: each.status for each in answer.group_statuses}
    assert found["ops-team"].ready_count == 2
    assert found["ops-team"].waiting == alone.waiting
    assert not found["team-000"].waiting
    assert found["team-000"].rate_limit_per_minute == 60


async def test_groups_in_which_something_waits_can_be_asked_for_alone(tmp_path: Path) -> None:
    only = pb.ListGroupStatusesRequest(waiting_only=True)
    async with surrounded(tmp_path, *many(waiting="ops-team")) as around:
        assert not (await around.stub.ListGroupStatuses(only)).group_statuses
        await around.emit("first")
        await until(around, lambda found: found.released_count == 1)
        await around.emit("second", subject="another")
        answer = await around.stub.ListGroupStatuses(only)
    assert [each.group for each in answer.group_statuses] == ["ops-team"]


async def test_some_groups_can_be_asked_for_by_their_names(tmp_path: Path) -> None:
    async with surrounded(tmp_path, *many(waiting="ops-team")) as around:
        named = ["team-007", "nobody", "ops-team", "team-001", "team-007"]
        asked = pb.ListGroupStatusesRequest(groups=named, page_size=2)
        first = await around.stub.ListGroupStatuses(asked)
        asked.page_token = first.next_page_token
        last = await around.stub.ListGroupStatuses(asked)
        none = await around.stub.ListGroupStatuses(pb.ListGroupStatusesRequest(groups=["nobody"]))
        many_names = pb.ListGroupStatusesRequest(groups=map(str, range(1001)))
        error = await refusal(around.stub.ListGroupStatuses(many_names))
    assert [each.group for each in first.group_statuses] == ["ops-team", "team-001"]
    assert [each.group for each in last.group_statuses] == ["team-007"]
    assert not last.next_page_token
    assert not none.group_statuses
    assert isinstance(error, InvalidArgument)
    assert [each.path for each in error.violations] == ["groups"]


async def test_pages_of_queues_have_each_group_once(tmp_path: Path) -> None:
    found: list[str] = []
    async with surrounded(tmp_path, *many(waiting="ops-team")) as around:
        request = pb.ListGroupStatusesRequest(page_size=300)
        while True:
            answer = await around.stub.ListGroupStatuses(request)
            found += [each.group for each in answer.group_statuses]
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
        others = pb.ListGroupStatusesRequest(page_token=page_token("silences", 1))
        error = await refusal(around.stub.ListGroupStatuses(others))
    assert found == ["ops-team", *(f"team-{number:03}" for number in range(999))]
    assert error.reason is Reason.PAGE_TOKEN_INVALID


async def test_an_unknown_group_is_not_found(tmp_path: Path) -> None:
    async with surrounded(tmp_path, *OPERATIONS) as around:
        error = await refusal(around.stub.GetGroupStatus(pb.GetGroupStatusRequest(group="nobody")))
    assert isinstance(error, NotFound)
    assert error.reason is Reason.GROUP_NOT_FOUND
