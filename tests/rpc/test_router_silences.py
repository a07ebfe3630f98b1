"""Silences over the wire: what an administrator makes holds for the next event."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.router import OPERATIONS, Surroundings, metrics, refusal, surrounded
from tests.support.router import group as group_of

from ibs_notify.domain.errors import InvalidArgument, NotFound, Reason
from ibs_notify.rpc.caller import USER_KEY
from ironcore.notification.v1 import disposition_pb2, settings_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

SILENCED = disposition_pb2.DISPOSITION_STATE_SILENCED
VIENNA = settings_pb2.Settings(time_zone="Europe/Vienna")
RECORDS = group_of("records", {"influx": "*"})


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Surroundings]:
    async with surrounded(tmp_path, *OPERATIONS, metrics("influx"), RECORDS, VIENNA) as around:
        yield around


def wanted(rule: str = "type = backup.failed", **fields: Any) -> pb.CreateSilenceRequest:
    """A silence for the next hour, unless the fields say otherwise."""
    silence = pb.Silence(**{"rule": rule, "comment": "disk swap"} | fields)
    if not silence.HasField("end_time") and not silence.weekly:
        silence.end_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    return pb.CreateSilenceRequest(silence=silence)


async def made(around: Surroundings, *args: Any, **fields: Any) -> pb.Silence:
    call = around.stub.CreateSilence(wanted(*args, **fields), metadata=((USER_KEY, "alice"),))
    return (await call).silence


async def ids(around: Surroundings, *, include_expired: bool = False) -> list[str]:
    """Of all pages of one silence each."""
    found, request = [], pb.ListSilencesRequest(page_size=1, include_expired=include_expired)
    while True:
        page = await around.stub.ListSilences(request)
        found += [each.silence_id for each in page.silences]
        request.page_token = page.next_page_token
        if not request.page_token:
            return found


async def test_when_a_silence_begins_or_ends_next_is_said(around: Surroundings) -> None:
    once = await made(around)
    assert once.next_change_time == once.end_time
    weekly = await made(around, weekly="mon-sun 00:00-12:00")
    change = weekly.next_change_time.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(0) <= change + timedelta(minutes=1) <= timedelta(hours=14)
    request = pb.ExpireSilenceRequest(silence_id=weekly.silence_id)
    ended = (await around.stub.ExpireSilence(request)).silence
    assert not ended.HasField("next_change_time")


async def test_a_silence_holds_from_the_next_event_until_it_is_ended(around: Surroundings) -> None:
    silence = await made(around)
    assert silence.active
    assert silence.author == "alice"

    answer = await around.emit("quiet")
    told = {each.target: each for each in answer.dispositions}
    assert told["chat-ops"].state == told["ops-smtp"].state == SILENCED
    assert told["chat-ops"].pointer == silence.silence_id
    assert told["influx"].reason == "RECORDED"

    request = pb.ExpireSilenceRequest(silence_id=silence.silence_id)
    assert not (await around.stub.ExpireSilence(request)).silence.active
    answer = await around.emit("loud", subject="another")
    assert SILENCED not in [each.state for each in answer.dispositions]


async def test_silences_are_listed_newest_first_page_by_page(around: Surroundings) -> None:
    made_ids = [(await made(around)).silence_id for _ in range(3)]
    assert await ids(around) == made_ids[::-1]

    await around.stub.ExpireSilence(pb.ExpireSilenceRequest(silence_id=made_ids[1]))
    assert await ids(around) == [made_ids[2], made_ids[0]]
    assert await ids(around, include_expired=True) == made_ids[::-1]


async def test_a_text_is_no_longer_than_in_the_inbox(around: Surroundings) -> None:
    request = pb.ListSilencesRequest(text="x" * 1001)
    error = await refusal(around.stub.ListSilences(request))
    assert isinstance(error, InvalidArgument)
    assert [each.path for each in error.violations] == ["text"]


async def test_a_weekly_silence_goes_by_the_zone_of_the_settings(around: Surroundings) -> None:
    assert (await made(around, weekly="sat 22:00-24:00")).time_zone == "Europe/Vienna"
    other = await made(around, weekly="sat 22:00-24:00", time_zone="Asia/Tokyo")
    assert other.time_zone == "Asia/Tokyo"


async def test_a_silence_may_have_begun_already_and_one_to_come_is_not_active(
    around: Surroundings,
) -> None:
    request = wanted()
    request.silence.start_time.FromDatetime(datetime.now(UTC) - timedelta(minutes=5))
    assert (await around.stub.CreateSilence(request)).silence.active
    request.silence.start_time.FromDatetime(datetime.now(UTC) + timedelta(minutes=5))
    assert not (await around.stub.CreateSilence(request)).silence.active


async def test_a_rule_that_does_not_parse_is_refused_with_its_place(around: Surroundings) -> None:
    error = await refusal(around.stub.CreateSilence(wanted("severity >= loud")))
    assert isinstance(error, InvalidArgument)
    assert error.reason is Reason.RULE_INVALID
    assert [each.path for each in error.violations] == ["silence.rule"]
    assert "column 13" in error.violations[0].description


async def test_every_fault_of_a_silence_is_named_at_once(around: Surroundings) -> None:
    request = wanted("", comment="", weekly="sat 22", time_zone="Europe/Atlantis")
    error = await refusal(around.stub.CreateSilence(request))
    assert isinstance(error, InvalidArgument)
    assert error.reason is Reason.FIELD_INVALID
    assert {each.path for each in error.violations} == {
        "silence.rule",
        "silence.comment",
        "silence.weekly",
        "silence.time_zone",
    }


@pytest.mark.parametrize("field", ["start_time", "end_time"])
async def test_a_moment_beyond_the_calendar_is_refused(around: Surroundings, field: str) -> None:
    request = wanted()
    getattr(request.silence, field).seconds = 2**60
    error = await refusal(around.stub.CreateSilence(request))
    assert isinstance(error, InvalidArgument)
    assert [each.path for each in error.violations] == [f"silence.{field}"]


async def test_a_text_with_a_nul_character_breaks_no_database(around: Surroundings) -> None:
    assert (await made(around, comment="a\0b")).comment == "a\ufffdb"
    error = await refusal(around.stub.CreateSilence(wanted('subject = "a\0b"')))
    assert "NUL" in error.message


async def test_a_silence_that_is_not_there_cannot_be_ended(around: Surroundings) -> None:
    call = around.stub.ExpireSilence(pb.ExpireSilenceRequest(silence_id="sil-99"))
    error = await refusal(call)
    assert isinstance(error, NotFound)
    assert error.reason is Reason.SILENCE_NOT_FOUND


async def test_a_page_token_of_another_list_is_refused(around: Surroundings) -> None:
    await made(around)
    await made(around)
    page = await around.stub.ListSilences(pb.ListSilencesRequest(page_size=1))
    bad = (page.next_page_token[::-1], "WyJzaWxlbmNlcyIsICJhIiwgMV0", "WyJzaWxlbmNlcyIsIDFd")
    for token in bad:
        error = await refusal(around.stub.ListSilences(pb.ListSilencesRequest(page_token=token)))
        assert error.reason is Reason.PAGE_TOKEN_INVALID
