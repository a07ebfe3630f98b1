"""PreviewDedup over the wire: what another window would have told, by the same decisions."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from tests.support.explain_equals import configuration, events
from tests.support.router import (
    OPERATIONS,
    Surroundings,
    group,
    metrics,
    refusal,
    surrounded,
    webhook,
)

from ibs_notify.domain.errors import InvalidArgument, NotFound
from ibs_notify.router import preview_calls
from ironcore.notification.v1 import disposition_pb2, group_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

READY = disposition_pb2.DISPOSITION_STATE_READY
SUPPRESSED = disposition_pb2.DISPOSITION_STATE_SUPPRESSED


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Surroundings]:
    async with surrounded(tmp_path, *OPERATIONS) as around:
        yield around


async def previewed(
    around: Surroundings, name: str = "ops-team", window: Duration | None = None
) -> pb.PreviewDedupResponse:
    return await around.stub.PreviewDedup(pb.PreviewDedupRequest(group=name, window=window))


async def test_a_preview_says_what_is_told_once_and_what_without_a_window(
    around: Surroundings,
) -> None:
    for number in range(5):
        await around.emit(f"e{number}", resource="a:vm/1", subject=f"it failed after {number} s")
    await around.emit("other", type="backup.completed", resource="a:vm/1")

    answer = await previewed(around)
    assert (answer.examined, answer.count, answer.told) == (6, 11, 3)
    assert answer.window.ToTimedelta() == timedelta(minutes=5)
    first = answer.fingerprints[0]
    assert (first.count, first.told, first.suppressed) == (5, 1, 4)
    assert (first.type, first.resource) == ("backup.failed", "/datastore/a/vm/1")
    assert (first.event_id, first.subject) == ("e4", "it failed after 4 s")

    without = await previewed(around, window=Duration())
    assert (without.count, without.told) == (11, 11)
    assert without.fingerprints[0].count == 5


async def test_what_changed_in_between_is_told_again_in_a_preview_too(
    around: Surroundings,
) -> None:
    for number in range(3):
        await around.emit(f"f{number}", resource="a:vm/1")
        await around.emit(f"c{number}", type="backup.completed", resource="a:vm/1")
    answer = await previewed(around)
    assert answer.count == answer.told


@pytest.mark.parametrize("seed", range(4))
async def test_with_its_own_window_a_preview_is_what_happened(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the batches are: the memory between them is the database's."""
    monkeypatch.setattr(preview_calls, "_BATCH", 7)
    rng = random.Random(seed)
    metric = metrics("influx").name
    told: dict[str, int] = {}
    suppressed: dict[str, int] = {}
    async with surrounded(tmp_path, *configuration(rng)) as around:
        for event in events(rng, 150):
            answer = await around.stub.Emit(pb.EmitRequest(event=event))
            for each in answer.dispositions:
                if each.target != metric:
                    counts = told if each.state == READY else suppressed
                    assert each.state in (READY, SUPPRESSED)
                    counts[each.group] = counts.get(each.group, 0) + 1
        for name in ("all", "quick", "on-a", "picked"):
            found = await previewed(around, name)
            assert found.told == told.get(name, 0)
            assert found.count - found.told == suppressed.get(name, 0)
    assert sum(suppressed.values()) > 0


async def test_what_another_group_hears_and_what_metric_servers_record_is_not_counted(
    tmp_path: Path,
) -> None:
    picked = group("picked", {"chat": "*", "influx": "*"}, scope=group_pb2.GROUP_SCOPE_SELECTED)
    async with surrounded(tmp_path, webhook("chat"), metrics("influx"), picked) as around:
        await around.emit("not-for-it")
        await around.emit("for-it", groups=["picked"])
        answer = await previewed(around, "picked")
    assert (answer.examined, answer.count) == (2, 1)


async def test_of_very_many_events_the_newest_are_looked_at(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview_calls, "MOST_EVENTS", 2)
    monkeypatch.setattr(preview_calls, "_MOST_SHOWN", 1)
    for number in range(4):
        await around.emit(f"e{number}", subject=f"number {'abcd'[number]}")
    answer = await previewed(around)
    assert answer.examined == 2
    assert len(answer.fingerprints) == 1
    assert answer.fingerprints[0].event_id in ("e2", "e3")
    assert list(answer.warnings) == [
        "only the newest 2 events were looked at",
        "3 more kinds are not listed",
    ]


async def test_only_events_since_a_moment_are_looked_at(around: Surroundings) -> None:
    await around.emit("before")
    request = pb.PreviewDedupRequest(group="ops-team")
    request.since.FromDatetime(datetime.now(UTC))
    assert (await around.stub.PreviewDedup(request)).examined == 0
    await around.emit("after")
    assert (await around.stub.PreviewDedup(request)).examined == 1


async def test_a_window_or_a_moment_out_of_range_and_an_unknown_group_are_refused(
    around: Surroundings,
) -> None:
    long = pb.PreviewDedupRequest(group="ops-team", window=Duration(seconds=8 * 86_400))
    never = pb.PreviewDedupRequest(group="ops-team")
    never.since.seconds = 2**60
    for request in (long, never):
        assert isinstance(await refusal(around.stub.PreviewDedup(request)), InvalidArgument)
    unknown = pb.PreviewDedupRequest(group="nobody")
    assert isinstance(await refusal(around.stub.PreviewDedup(unknown)), NotFound)
