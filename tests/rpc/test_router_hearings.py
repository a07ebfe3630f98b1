"""ListHearings over the wire: who would hear of what about many datastores at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.router import (
    Surroundings,
    group,
    mail,
    metrics,
    refusal,
    surrounded,
    webhook,
)

from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.router.hearing_calls import LOOKED_AT
from ibs_notify.rpc.paging import page_token
from ironcore.notification.v1 import group_pb2
from ironcore.notification.v1 import router_service_pb2 as pb


async def hearings(around: Surroundings, *resources: str) -> pb.ListHearingsResponse:
    return await around.stub.ListHearings(pb.ListHearingsRequest(resources=resources))


def unheard(of: pb.ResourceHearing) -> list[str]:
    return [each.type for each in of.types if not each.told]


async def test_each_resource_has_every_type_with_who_hears_of_it(tmp_path: Path) -> None:
    team = group("team", {"chat": "severity >= error", "gauge": "*", "mail": "*"})
    compliance = group(
        "compliance",
        {"chat": "type starts-with verify."},
        scope=group_pb2.GROUP_SCOPE_ATTACHED,
        attachments=["/datastore/a"],
    )
    parts = (webhook("chat"), metrics("gauge"), mail("mail"), team, compliance)
    async with surrounded(tmp_path, *parts) as around:
        answer = await hearings(around, "a:", "/datastore/b")
    a, b = answer.resources
    assert (a.resource, b.resource) == ("/datastore/a", "/datastore/b")
    who = [(each.group, each.target, each.effect) for each in answer.subscriptions]
    stale = {each.type: each for each in a.types}["verify.stale"]
    assert {who[each] for each in stale.subscriptions} == {
        ("compliance", "chat", pb.HEARING_EFFECT_TELLS),
        ("team", "gauge", pb.HEARING_EFFECT_COUNTS),
        ("team", "mail", pb.HEARING_EFFECT_NO_RECIPIENTS),
    }
    assert stale.told
    assert "verify.stale" in unheard(b)
    assert "datastore.free-space" in unheard(a)
    assert "sync.integrity-error" not in unheard(b)
    assert answer.revision


async def test_a_silence_in_force_is_told_with_who_hears_else(tmp_path: Path) -> None:
    async with surrounded(tmp_path, webhook("chat"), group("g", {"chat": "*"})) as around:
        silence = pb.Silence(rule="resource under /datastore/a", comment="disks are changed")
        silence.end_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
        made = await around.stub.CreateSilence(pb.CreateSilenceRequest(silence=silence))
        answer = await hearings(around, "a:", "b:")
        request = pb.ExpireSilenceRequest(silence_id=made.silence.silence_id)
        await around.stub.ExpireSilence(request)
        after = await hearings(around, "a:")
    a, b = answer.resources
    assert {each.silence_id for each in a.types} == {made.silence.silence_id}
    assert {each.silence_id for each in b.types} == {""}
    assert not unheard(a)
    (told,) = answer.silences
    assert (told.comment, told.active) == ("disks are changed", True)
    assert told.end_time == silence.end_time
    assert not after.silences


async def test_too_many_resources_are_refused(tmp_path: Path) -> None:
    async with surrounded(tmp_path, webhook("chat")) as around:
        call = around.stub.ListHearings(pb.ListHearingsRequest(resources=["a:"] * 501))
        assert isinstance(await refusal(call), InvalidArgument)


async def test_rules_that_match_out_of_scope_are_told_where_that_is_asked(tmp_path: Path) -> None:
    """To attach the datastore to their groups would help; a group that hears it needs no help."""
    everything = group("all", {"chat": "severity = critical"})
    on_a = group(
        "on-a",
        {"chat": "severity >= error", "gauge": "type = backup.failed"},
        scope=group_pb2.GROUP_SCOPE_ATTACHED,
        attachments=["/datastore/a"],
    )
    chosen = group("chosen", {"chat": "*"}, scope=group_pb2.GROUP_SCOPE_SELECTED)
    async with surrounded(
        tmp_path, webhook("chat"), metrics("gauge"), everything, on_a, chosen
    ) as around:
        request = pb.ListHearingsRequest(resources=["b:", "a:"], with_out_of_scope=True)
        answer = await around.stub.ListHearings(request)
        usual = await hearings(around, "b:")
        request.resources.extend(["c:"] * 9)
        assert isinstance(await refusal(around.stub.ListHearings(request)), InvalidArgument)
    names = [f"{each.group}/{each.target}" for each in answer.subscriptions]

    def beyond(of: pb.ResourceHearing, event_type: str) -> set[str]:
        (found,) = [each for each in of.types if each.type == event_type]
        return {names[each] for each in found.out_of_scope}

    b, a = answer.resources
    assert beyond(b, "backup.failed") == {"on-a/chat", "on-a/gauge", "chosen/chat"}
    assert beyond(b, "verify.corrupt") == {"on-a/chat", "chosen/chat"}
    assert beyond(b, "verify.stale") == {"chosen/chat"}
    assert beyond(a, "backup.failed") == {"chosen/chat"}
    assert not any(each.out_of_scope for each in usual.resources[0].types)


async def test_all_that_coverage_looks_at_is_listed_page_by_page(tmp_path: Path) -> None:
    long = "n" * 300
    on_c = group(
        "on-c",
        {"chat": "severity >= error"},
        scope=group_pb2.GROUP_SCOPE_ATTACHED,
        attachments=["/datastore/c", "/host/x"],
    )
    async with surrounded(tmp_path, webhook("chat"), on_c) as around:
        for name in ("a:x/vm/1", "a-2:x", f"b:{long}1/vm", f"b:{long}2/vm", f"b:{long}3/vm", "c:x"):
            await around.emit(name[:40] + name[-5:], resource=name)
        coverage = await around.stub.GetCoverage(pb.GetCoverageRequest())
        found, heard, token = [], set(), ""
        while True:
            asked = pb.ListHearingsRequest(looked_at=True, page_size=2, page_token=token)
            answer = await around.stub.ListHearings(asked)
            assert answer.total_size == coverage.resource_count == 11
            found += [each.resource for each in answer.resources]
            heard |= {
                each.resource for each in answer.resources if "backup.failed" not in unheard(each)
            }
            token = answer.next_page_token
            assert len(token) < 400
            if not token:
                break
            # What comes in between moves nothing.
            await around.emit(f"again-{len(found)}", resource="a:x/vm/1")
    assert found == sorted(set(found))
    assert heard == {"/datastore/c", "/datastore/c/x", "/host/x"}
    assert len(found) == 11
    assert {"/datastore/a/x", "/datastore/c", "/host/x", f"/datastore/b/{long}2"} < set(found)


async def test_a_page_of_what_is_no_more_is_the_end_of_the_list(tmp_path: Path) -> None:
    async with surrounded(tmp_path, webhook("chat"), group("g", {"chat": "*"})) as around:
        await around.emit(resource="a:x")
        for position in (("/datastore/a", 9), ("/datastore/z", 0), ("", -9)):
            token = page_token(LOOKED_AT, *position)
            asked = pb.ListHearingsRequest(looked_at=True, page_token=token)
            answer = await around.stub.ListHearings(asked)
            assert not answer.next_page_token
            assert len(answer.resources) == (0 if position[0] else 2)


async def test_a_list_in_place_of_resources_takes_none(tmp_path: Path) -> None:
    async with surrounded(tmp_path, webhook("chat"), group("g", {"chat": "*"})) as around:
        for asked in (
            pb.ListHearingsRequest(looked_at=True, resources=["a:"]),
            pb.ListHearingsRequest(looked_at=True, page_size=-1),
            pb.ListHearingsRequest(looked_at=True, page_token="of another list"),
        ):
            found = await refusal(around.stub.ListHearings(asked))
            assert isinstance(found, InvalidArgument)
