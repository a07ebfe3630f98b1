"""GetCoverage over the wire: what nobody hears of, before it matters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.router import (
    OPERATIONS,
    Surroundings,
    group,
    mail,
    metrics,
    refusal,
    surrounded,
    webhook,
)

from ibs_notify.domain.errors import InvalidArgument, Reason, Unavailable
from ibs_notify.router import coverage_calls, coverage_reads
from ironcore.notification.v1 import delivery_service_pb2, event_pb2, group_pb2, target_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

ALARM = pb.COVERAGE_KIND_UNHEARD_ALARM
TYPE = pb.COVERAGE_KIND_UNHEARD_CRITICAL_TYPE
GROUP = pb.COVERAGE_KIND_UNREACHABLE_GROUP
RESOURCE = pb.COVERAGE_KIND_UNHEARD_RESOURCE
RULE = pb.COVERAGE_KIND_IDLE_RULE
ERROR = pb.COVERAGE_KIND_UNHEARD_ERROR_TYPE
WAITING = pb.COVERAGE_KIND_WAITING_ERROR
ON_A = group(
    "on-a",
    {"chat": "*"},
    scope=group_pb2.GROUP_SCOPE_ATTACHED,
    attachments=["/datastore/a/production"],
)


async def coverage_of(around: Surroundings) -> pb.GetCoverageResponse:
    return await around.stub.GetCoverage(pb.GetCoverageRequest())


def subjects(answer: pb.GetCoverageResponse, kind: int) -> list[str]:
    return [each.subject for each in answer.findings if each.kind == kind]


async def test_a_group_that_hears_everything_leaves_no_gap(tmp_path: Path) -> None:
    async with surrounded(tmp_path, *OPERATIONS) as around:
        await around.emit(resource="a:vm/1")
        answer = await coverage_of(around)
    assert not answer.findings
    assert (answer.resource_count, answer.rule_count) == (2, 2)
    assert not answer.warnings


async def test_datastores_and_jobs_that_nobody_hears_of_are_found(tmp_path: Path) -> None:
    async with surrounded(tmp_path, webhook("chat"), ON_A) as around:
        for number, resource in enumerate(
            (
                "a:production/vm/1",
                "a:staging/vm/1",
                "a:staging/vm/2",
                "b:x/1",
                "b:x/2",
                "b-2:x",
                "free",
            )
        ):
            await around.emit(f"e{number}", resource=resource)
        answer = await coverage_of(around)
    assert subjects(answer, RESOURCE) == ["/datastore/a/staging", "/datastore/b", "/datastore/b-2"]
    staging, b = [each for each in answer.findings if each.kind == RESOURCE][:2]
    assert (staging.event_count, b.event_count) == (2, 2)
    assert "2 events came, and nobody is told" in staging.sentence
    assert staging.advice == (
        "ironcore-backup notification group attach GROUP --resource /datastore/a/staging"
    )
    # a, a/production, a/staging, b, b/x, b-2, b-2/x
    assert answer.resource_count == 7


async def test_what_is_attached_to_a_group_whose_rules_want_none_of_it_is_found(
    tmp_path: Path,
) -> None:
    quiet = group(
        "quiet",
        {"chat": "severity = info"},
        scope=group_pb2.GROUP_SCOPE_ATTACHED,
        attachments=["/datastore/c"],
    )
    async with surrounded(tmp_path, webhook("chat"), quiet) as around:
        answer = await coverage_of(around)
    (found,) = [each for each in answer.findings if each.kind == RESOURCE]
    assert found.subject == "/datastore/c"
    assert found.sentence.startswith("no event came, and nobody is told")


async def test_a_metric_server_closes_no_gap(tmp_path: Path) -> None:
    async with surrounded(tmp_path, metrics("influx"), group("all", {"influx": "*"})) as around:
        await around.emit(resource="a:vm/1")
        answer = await coverage_of(around)
    assert "/datastore/a" in subjects(answer, RESOURCE)
    assert "verify.corrupt" in subjects(answer, TYPE)


async def test_critical_types_that_reach_only_the_inbox_are_found_also_unknown_ones(
    tmp_path: Path,
) -> None:
    only = group("only", {"chat": "type = verify.corrupt or type = backup.failed"})
    async with surrounded(tmp_path, webhook("chat"), only) as around:
        await around.emit("one", type="disk.melted", severity=event_pb2.SEVERITY_CRITICAL)
        await around.emit("two", resource="a:vm/1")
        answer = await coverage_of(around)
    found = {each.subject: each for each in answer.findings if each.kind == TYPE}
    assert found.keys() == {"disk.melted", "sync.integrity-error"}
    assert found["disk.melted"].event_count == 1
    assert found["disk.melted"].sentence == ("whatever it is about, it would reach only the inbox")
    # The gravest first: a target that fails is told to no other, since there is none.
    assert [each.kind for each in answer.findings][:2] == [ALARM, TYPE]


async def test_errors_that_are_about_no_datastore_are_found_too(tmp_path: Path) -> None:
    """By the catalogue, and those that came; not again what its datastore says."""
    async with surrounded(tmp_path, webhook("chat"), ON_A) as around:
        await around.emit("one", type="auth.mfa-lockout")
        error = event_pb2.SEVERITY_ERROR
        await around.emit("two", type="disk.dying", severity=error, resource="b:x")
        await around.emit("three", type="disk.dying", severity=error, resource="a:production/x")
        await around.emit("four", type="disk.dead", severity=error)
        answer = await coverage_of(around)
    found = {each.subject: each for each in answer.findings if each.kind == ERROR}
    assert "/datastore/b" in subjects(answer, RESOURCE)
    assert found.keys() == {"auth.mfa-lockout", "disk.dying", "disk.dead"}
    assert found["auth.mfa-lockout"].event_count == 1
    assert found["auth.mfa-lockout"].sentence == "without a resource it would reach only the inbox"
    assert found["disk.dying"].sentence == "about /datastore/a it would reach only the inbox"
    assert found["disk.dead"].advice.endswith("--rule 'severity >= error'")


async def test_errors_wait_where_every_target_that_would_tell_them_fails(tmp_path: Path) -> None:
    """The group reaches somebody all the same: of what is no error."""
    rules = {"chat": "*", "pager": "severity <= warning"}
    async with surrounded(
        tmp_path, webhook("chat"), webhook("pager"), group("ops", rules)
    ) as around:
        await around.emit(resource="a:vm/1")
        status = delivery_service_pb2.GetTargetStatusResponse(last_failure="connection refused")
        status.failing_since.FromDatetime(datetime(2026, 5, 21, tzinfo=UTC))
        around.delivery.statuses["uid-chat"] = status
        answer = await coverage_of(around)
    (found,) = [each for each in answer.findings if each.kind == WAITING]
    assert not subjects(answer, GROUP)
    assert found.subject == "chat"
    assert found.sentence == (
        "nobody hears now of any error about /datastore/a, nor of auth.mfa-lockout, until a "
        "target works again: chat fails since 2026-05-21 00:00:00 UTC: connection refused"
    )


async def test_a_critical_type_that_only_some_datastores_lack_names_them(tmp_path: Path) -> None:
    rules = {"chat": "type = verify.corrupt and resource under /datastore/a or severity <= error"}
    integrity = {"pager": "type = sync.integrity-error"}
    async with surrounded(
        tmp_path, webhook("chat"), webhook("pager"), group("g", rules), group("h", integrity)
    ) as around:
        await around.emit("one", resource="a:vm/1")
        await around.emit("two", resource="b:vm/1")
        answer = await coverage_of(around)
    (found,) = [each for each in answer.findings if each.kind == TYPE]
    assert found.subject == "verify.corrupt"
    assert found.sentence == "about /datastore/b it would reach only the inbox"


async def test_rules_that_matched_nothing_are_found_whatever_became_of_what_they_matched(
    tmp_path: Path,
) -> None:
    """A repeat is packed with its event and has no row: its rule matched all the same."""
    rules = {"chat": "*", "pager": 'type = "a.b"', "ticket": "labels.x = y"}
    targets = [webhook(name) for name in rules]
    async with surrounded(tmp_path, *targets, group("g", rules)) as around:
        assert not subjects(await coverage_of(around), RULE)  # of no event nothing can be said
        await around.emit("one", labels={"x": "y"})
        answer = await coverage_of(around)
        assert subjects(answer, RULE) == ["g/pager"]
        found = answer.findings[-1]
        assert found.sentence == "type = a.b matched no event of 1"
        assert "group target update g pager --rule" in found.advice

        silence = pb.Silence(rule="type = a.b", comment="quiet", weekly="daily 00:00-23:59")
        silence.weekly, silence.end_time.seconds = "", int(datetime.now(UTC).timestamp()) + 3600
        await around.stub.CreateSilence(pb.CreateSilenceRequest(silence=silence))
        await around.emit("two", type="a.b")
        assert not subjects(await coverage_of(around), RULE)


async def test_groups_that_reach_nobody_are_found_with_the_reason(tmp_path: Path) -> None:
    disabled = webhook("off")
    disabled.disabled = True
    parts: list[target_pb2.Target | group_pb2.Group] = [
        webhook("chat"),
        webhook("pager"),
        mail("empty"),
        disabled,
        group("healthy", {"chat": "*", "pager": "*"}),
        group("failing", {"pager": "*"}),
        group("nobody", {"empty": "*"}),
        group("switched-off", {"off": "*"}),
        group("bare", {}),
    ]
    async with surrounded(tmp_path, *parts) as around:
        status = delivery_service_pb2.GetTargetStatusResponse(last_failure="connection refused")
        status.failing_since.FromDatetime(datetime(2026, 5, 21, tzinfo=UTC))
        around.delivery.statuses["uid-pager"] = status
        answer = await coverage_of(around)
        around.delivery.statuses["uid-chat"] = delivery_service_pb2.GetTargetStatusResponse(
            paused_reason="HTTP_410"
        )
        worse = await coverage_of(around)
    found = {each.subject: each for each in answer.findings if each.kind == GROUP}
    assert found["failing"].sentence == (
        "none of its targets reaches anybody: pager fails since 2026-05-21 00:00:00 UTC: "
        "connection refused"
    )
    assert found["failing"].advice == "ironcore-backup notification target test pager"
    assert found["nobody"].sentence.endswith("empty has no recipient")
    assert "--recipient" in found["nobody"].advice
    assert found["switched-off"].sentence.endswith("off is disabled")
    assert found["bare"].sentence == "it has no target"
    assert found.keys() == {"failing", "nobody", "switched-off", "bare"}
    assert "healthy" in subjects(worse, GROUP)


async def test_delivery_being_away_is_a_warning(tmp_path: Path) -> None:
    async with surrounded(tmp_path, *OPERATIONS) as around:
        around.delivery.error = Unavailable(Reason.SERVICE_UNREACHABLE, "away on purpose")
        answer = await coverage_of(around)
    assert not answer.findings
    assert "how the targets fare is not known" in answer.warnings[0]


async def test_what_is_bounded_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage_reads, "MOST_PLACES", 2)
    monkeypatch.setattr(coverage_reads, "MOST_EXAMINED", 1)
    monkeypatch.setattr(coverage_calls, "MOST_TARGETS", 1)
    async with surrounded(tmp_path, *OPERATIONS) as around:
        for number in range(3):
            await around.emit(f"e{number}", resource=f"d{number}:vm/1")
        answer = await coverage_of(around)
    assert answer.resource_count == 2
    assert sorted(answer.warnings) == [
        "how 1 targets fare was not asked",
        "only 2 datastores and jobs were looked at",
        "rules were held against the newest events only, 1 at most",
    ]


async def test_rules_are_held_against_what_was_closed_at_once_too_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage_reads, "UNPACKED", 1)
    monkeypatch.setattr(coverage_reads, "MOST_HELD_ANEW", 0)
    team = group("team", {"old": "type = a.b", "new": "type = c.d"})
    async with surrounded(tmp_path, webhook("old"), webhook("new"), team) as around:
        silence = pb.Silence(rule="*", comment="nobody hears of it")
        silence.end_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
        await around.stub.CreateSilence(pb.CreateSilenceRequest(silence=silence))
        for number, event_type in enumerate(("a.b", "c.d", "c.d")):
            await around.emit(f"e{number}", type=event_type, resource="a:x")
        whole = await coverage_of(around)
        monkeypatch.setattr(coverage_reads, "MOST_UNPACKED", 2)
        bounded = await coverage_of(around)
    assert subjects(whole, RULE) == []
    assert whole.warnings == []
    assert subjects(bounded, RULE) == ["team/old"]
    assert bounded.warnings == ["rules were held against the newest events only, 3 at most"]


async def test_a_rule_that_is_younger_than_what_it_matches_is_not_idle(tmp_path: Path) -> None:
    """The events were routed before it was there, so that none has an obligation by it."""
    before = group("g", {"chat": "*"})
    async with surrounded(tmp_path, webhook("chat"), webhook("pager"), before) as around:
        await around.emit("one")
        later = group("g", {"chat": "*", "pager": "severity >= error"})
        await around.change(webhook("chat"), webhook("pager"), later)
        answer = await coverage_of(around)
    assert not subjects(answer, RULE)


async def silence(around: Surroundings, rule: str, **when: str) -> None:
    wanted = pb.Silence(rule=rule, comment="maintenance", **when)  # type: ignore[arg-type]
    if not wanted.weekly:
        wanted.end_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    await around.stub.CreateSilence(pb.CreateSilenceRequest(silence=wanted))


async def test_silences_that_hide_errors_are_named_beside_the_gaps_and_are_none(
    tmp_path: Path,
) -> None:
    async with surrounded(tmp_path, *OPERATIONS) as around:
        await silence(around, "resource under /datastore/a/production and severity < critical")
        await silence(around, "severity < error")
        await silence(around, "type = power.cut")
        for number, event_type in enumerate(("backup.failed", "backup.failed", "backup.warning")):
            await around.emit(f"e{number}", type=event_type, resource="a:production/vm/1")
        answer = await coverage_of(around)
    assert not answer.findings
    (found,) = answer.silences
    assert (found.silence.silence_id, found.silence.active) == ("sil-1", True)
    assert found.silence.HasField("next_change_time")
    assert "backup.failed" in found.types
    assert "verify.corrupt" not in found.types
    assert found.event_count == 2


async def test_a_silence_that_is_to_come_says_when_and_a_type_of_ones_own_counts_once_it_came(
    tmp_path: Path,
) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).strftime("%a").lower()
    async with surrounded(tmp_path, *OPERATIONS) as around:
        await silence(around, "*", weekly=f"{tomorrow} 02:00-03:00")
        await silence(around, "type = power.cut")
        await around.emit("one", type="power.cut", severity=event_pb2.SEVERITY_CRITICAL)
        answer = await coverage_of(around)
    first, second = answer.silences
    assert (first.silence.silence_id, list(first.types)) == ("sil-2", ["power.cut"])
    assert (second.silence.active, second.event_count) == (False, 0)
    assert second.types[0] in ("power.cut", "sync.integrity-error", "verify.corrupt")
    assert second.silence.HasField("next_change_time")


async def test_a_moment_beyond_the_calendar_is_refused(tmp_path: Path) -> None:
    request = pb.GetCoverageRequest()
    request.since.seconds = 2**60
    async with surrounded(tmp_path, *OPERATIONS) as around:
        assert isinstance(await refusal(around.stub.GetCoverage(request)), InvalidArgument)
