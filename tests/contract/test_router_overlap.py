"""What other groups bring anyhow, as a preview says it, held against what then arrives."""

from __future__ import annotations

import random
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from tests.support.explain_equals import RULES, configuration, events
from tests.support.router import OPERATIONS, Surroundings, group, mail, refusal, surrounded

from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.router import overlap_calls
from ibs_notify.router.dispositions import Reason
from ironcore.notification.v1 import event_pb2, group_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

pytestmark = pytest.mark.tables("router")

SCOPES = (
    group_pb2.GROUP_SCOPE_EVERYTHING,
    group_pb2.GROUP_SCOPE_ATTACHED,
    group_pb2.GROUP_SCOPE_SELECTED,
)
TARGETS = ("chat", "pager", "influx", "mail", "empty")


def request(target: str, rule: str = "", group: str = "new") -> pb.PreviewOverlapRequest:
    return pb.PreviewOverlapRequest(
        filter=pb.EventFilter(rule=rule), scope=pb.EventScope(group=group), target=target
    )


async def emitted(
    around: Surroundings, given: list[event_pb2.Event], suffix: str
) -> list[dict[tuple[str, str], bool]]:
    """By target and group, what each is routed to; and whether it is sent there at once."""
    batch = pb.EmitBatchRequest(events=given)
    for each in batch.events:
        each.event_id += suffix
    answer = await around.stub.EmitBatch(batch)
    return [
        {(d.target, d.group): d.reason != Reason.GATHERED for d in each.accepted.dispositions}
        for each in answer.results
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_said_before_a_group_is_saved_is_what_then_arrives(
    tmp_path: Path, database_url: str, seed: int
) -> None:
    """Of a new group, and of one that there is: what this one brings is no other group's."""
    rng = random.Random(seed)
    parts, given = configuration(rng), list(events(rng, 40))
    for each in given[::4]:
        each.groups.append("new")
    daily = group_pb2.Digest(rule="severity <= notice", frequency=group_pb2.DIGEST_FREQUENCY_DAILY)
    parts.append(group("daily", dict.fromkeys(TARGETS, "type = backup.completed"), digest=daily))
    found: Counter[str] = Counter()
    async with surrounded(tmp_path, *parts, database=database_url) as around:
        await emitted(around, given, "")
        for times, (name, scope) in enumerate(product(("new", "quick"), SCOPES), start=1):
            draft = pb.EventScope(scope=scope, attachments=["/datastore/a"], group=name)
            rule = rng.choice(RULES)
            said = {
                target: await around.stub.PreviewOverlap(
                    pb.PreviewOverlapRequest(
                        filter=pb.EventFilter(rule=rule), scope=draft, target=target
                    )
                )
                for target in TARGETS
            }
            rules = dict.fromkeys(TARGETS, rule)
            await around.change(group(name, rules, scope=scope, attachments=draft.attachments))
            routed = await emitted(around, given, f"-{times}")
            for target, answer in said.items():
                others = [
                    {other: ways[at, other] for at, other in ways if at == target and other != name}
                    for ways in routed
                    if (target, name) in ways
                ]
                if target == "empty":  # a mail without recipients
                    others = [{} for _ in others]
                sent = sum(any(each.values()) for each in others)
                assert answer.examined == times * len(others)
                assert answer.count == times * sent
                assert answer.gathered_count == times * (sum(map(bool, others)) - sent)
                names = {other for each in others for other in each}
                assert {each.group for each in answer.groups} == names
                found += Counter(sent=sent, gathered=answer.gathered_count)
            await around.change(*(each for each in parts if each.name == name))
            if name == "new":
                await around.change(group(name, {}))
    assert found["sent"]
    assert found["gathered"]


async def test_an_event_that_is_brought_twice_is_sent_to_each_recipient_once(
    tmp_path: Path, database_url: str
) -> None:
    async with surrounded(tmp_path, *OPERATIONS, database=database_url) as around:
        await around.emit("before", severity=event_pb2.SEVERITY_INFO)
        answer = await around.stub.PreviewOverlap(request("ops-smtp", "type = backup.failed"))
        (other,) = answer.groups
        assert (answer.examined, answer.count, other.group) == (1, 1, "ops-team")
        assert (list(other.recipients), other.recipient_count) == (["ops@example.com"], 1)
        assert answer.effect == pb.HEARING_EFFECT_TELLS
        await around.change(group("new", {"ops-smtp": "type = backup.failed"}))
        await around.emit("after", severity=event_pb2.SEVERITY_INFO, subject="another")
        await around.delivery.until(lambda: len(around.delivery.told()) == 2)
        assert around.delivery.told() == [
            ("after", "ops-smtp", ("ops@example.com",)),
            ("before", "ops-smtp", ("ops@example.com",)),
        ]
        (newest,) = (await around.stub.ListEvents(pb.ListEventsRequest(page_size=1))).events
        assert {each.group for each in newest.dispositions} == {"ops-team", "new"}


async def test_only_the_newest_are_looked_at_and_only_some_groups_are_named(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlap_calls, "MOST_EVENTS", 5)
    monkeypatch.setattr(overlap_calls, "_BATCH", 2)
    monkeypatch.setattr(overlap_calls, "_MOST_GROUPS", 1)
    many = [f"{number}@example.com" for number in range(12)]
    parts = (mail("mail", *many), group("late", {"mail": "subject = late"}))
    async with surrounded(
        tmp_path, *parts, group("all", {"mail": "*"}), database=database_url
    ) as around:
        for number in range(8):
            await around.emit(f"e{number}", subject="late" if number >= 6 else "early")
        answer = await around.stub.PreviewOverlap(request("mail"))
        assert (answer.examined, answer.truncated, answer.count) == (5, True, 5)
        assert [each.group for each in answer.groups] == ["all"]
        assert answer.group_count == 2
        assert (len(answer.groups[0].recipients), answer.groups[0].recipient_count) == (10, 12)
        few = await around.stub.PreviewOverlap(request("mail", "subject = late", group="all"))
        assert (few.examined, few.truncated, few.count) == (2, False, 2)
        assert [each.group for each in few.groups] == ["late"]


async def test_a_target_must_be_named_and_nobody_brings_anything_to_one_that_is_not_there(
    tmp_path: Path, database_url: str
) -> None:
    async with surrounded(tmp_path, *OPERATIONS, database=database_url) as around:
        assert isinstance(await refusal(around.stub.PreviewOverlap(request(""))), InvalidArgument)
        wrong = around.stub.PreviewOverlap(request("chat-ops", "severty = error"))
        assert isinstance(await refusal(wrong), InvalidArgument)
        await around.emit("e1")
        answer = await around.stub.PreviewOverlap(request("elsewhere"))
        assert (answer.examined, answer.count, len(answer.groups)) == (1, 0, 0)
        assert answer.effect == pb.HEARING_EFFECT_UNSPECIFIED
