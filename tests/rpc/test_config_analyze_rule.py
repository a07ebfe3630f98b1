"""AnalyzeRule over a real server: a wrong rule is an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.config import RunningConfig, running_config

from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.group_pb2 import Group


@pytest.fixture
async def config(tmp_path: Path) -> AsyncIterator[RunningConfig]:
    async with running_config(tmp_path) as running:
        yield running


async def analyze(config: RunningConfig, rule: str, position: int = 0) -> pb.AnalyzeRuleResponse:
    return await config.stub.AnalyzeRule(pb.AnalyzeRuleRequest(rule=rule, position=position))


async def test_a_right_rule_is_taken_apart_and_warned_of(config: RunningConfig) -> None:
    answer = await analyze(config, "Type = backup.faild", 19)
    assert not answer.HasField("fault")
    assert answer.canonical_rule == "type = backup.faild"
    assert "did you mean `backup.failed`?" in answer.warnings[0]
    assert [(each.kind, each.start, each.end) for each in answer.tokens] == [
        (pb.RULE_TOKEN_KIND_FIELD, 0, 4),
        (pb.RULE_TOKEN_KIND_OPERATOR, 5, 6),
        (pb.RULE_TOKEN_KIND_VALUE, 7, 19),
    ]
    assert answer.completion_field == "type"


async def test_a_wrong_rule_says_where_and_what_was_probably_meant(config: RunningConfig) -> None:
    answer = await analyze(config, "severity >= eror")
    assert (answer.fault.line, answer.fault.column, answer.fault.position) == (1, 13, 12)
    assert answer.fault.message.startswith("unknown severity `eror`")
    assert answer.fault.advice == "did you mean `error`?"
    assert answer.fault.fixed_rule == "severity >= error"
    assert answer.canonical_rule == ""


async def test_attached_resources_are_offered(config: RunningConfig) -> None:
    group = Group(name="vienna", attachments=["ibs-primary:production"])
    await config.stub.CreateGroup(pb.CreateGroupRequest(group=group))
    answer = await analyze(config, "resource under /data", 20)
    assert [each.text for each in answer.completions] == ["/datastore/ibs-primary/production"]
    assert (answer.completion_start, answer.completion_end) == (15, 20)


async def test_any_position_has_an_answer(config: RunningConfig) -> None:
    assert (await analyze(config, "severity ", 2**31 - 1)).completions
    assert (await analyze(config, "", -5)).completions[0].text == "severity"
