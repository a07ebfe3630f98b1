"""The Router writes down who silenced what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.audit import ALICE, Auditor
from tests.support.router import OPERATIONS, Surroundings, refusal, surrounded

from ibs_notify.domain.errors import InvalidArgument, NotFound
from ironcore.notification.v1 import router_service_pb2 as pb


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Surroundings]:
    async with surrounded(tmp_path, *OPERATIONS) as around:
        yield around


def wanted(rule: str = "type = backup.failed") -> pb.CreateSilenceRequest:
    silence = pb.Silence(rule=rule, comment="disk swap", weekly="sat 22:00-24:00", time_zone="UTC")
    return pb.CreateSilenceRequest(silence=silence)


async def test_a_silence_is_told_when_it_is_made_and_when_it_is_ended(around: Surroundings) -> None:
    auditor = Auditor.at(around.router.channel)
    made = (await around.stub.CreateSilence(wanted(), metadata=ALICE)).silence
    before, after = await auditor.last()
    assert before is None
    assert (after["rule"], after["comment"]) == ("type = backup.failed", "disk swap")
    request = pb.ExpireSilenceRequest(silence_id=made.silence_id)
    await around.stub.ExpireSilence(request, metadata=ALICE)
    before, after = await auditor.last()
    assert (before, list(after)) == ({}, ["end_time"])
    subject = f"silence/{made.silence_id}"
    assert await auditor.told() == [
        ("alice", "silence.create", subject),
        ("alice", "silence.expire", subject),
    ]
    assert await auditor.is_intact()


async def test_what_changes_nothing_writes_nothing(around: Surroundings) -> None:
    auditor = Auditor.at(around.router.channel)
    made = (await around.stub.CreateSilence(wanted(), metadata=ALICE)).silence
    request = pb.ExpireSilenceRequest(silence_id=made.silence_id)
    for _ in range(2):
        await around.stub.ExpireSilence(request)
    assert isinstance(await refusal(around.stub.CreateSilence(wanted("no rule"))), InvalidArgument)
    unknown = pb.ExpireSilenceRequest(silence_id="sil-99")
    assert isinstance(await refusal(around.stub.ExpireSilence(unknown)), NotFound)
    await around.emit()
    await around.stub.MarkEvents(pb.MarkEventsRequest(event_ids=["e1"], state=pb.INBOX_STATE_READ))
    assert len(await auditor.told()) == 2
