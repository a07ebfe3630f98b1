"""What a group holds back, what its deduplication saves, and what nobody hears of."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from tests.support.command_line import Cli

from ibs_notify.domain.errors import NotFound, Reason
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

UNKNOWN = NotFound(Reason.GROUP_NOT_FOUND, "no such group")


def busy() -> pb.GetGroupStatusResponse:
    status = pb.GetGroupStatusResponse(
        ready_count=1400,
        collapsed_count=30,
        oldest_age=Duration(seconds=90),
        rate_limit_per_minute=60,
        released_count=60,
        waiting=[
            pb.SeverityCount(severity=event_pb2.SEVERITY_CRITICAL, count=2),
            pb.SeverityCount(severity=event_pb2.SEVERITY_ERROR, count=698),
        ],
        backlog_bound=900,
    )
    status.next_release_time.FromJsonString("2026-05-21T02:15:00Z")
    return status


def test_a_busy_group_shows_what_waits_and_until_when(cli: Cli) -> None:
    cli.router.answers["GetGroupStatus"] = busy()

    shown = cli("group", "status", "ops-team").stdout

    assert cli.router.received("GetGroupStatus")[0].group == "ops-team"
    assert [line.split(": ", 1)[1].strip() for line in shown.splitlines()] == [
        "700: 2 critical, 698 error; the oldest for 1m30s",
        "1,400 notifications",
        "2026-05-21 02:15:00Z",
        "60 of 60",
        "30 notifications into summaries",
        "from 900 waiting on the least severe are collapsed",
    ]


def test_a_quiet_group_without_a_limit_holds_nothing(cli: Cli) -> None:
    shown = cli("group", "status", "--group", "ops-team").stdout

    assert "nothing waits" in shown
    assert "no limit" in shown


def test_without_a_name_every_group_has_a_row(cli: Cli) -> None:
    pages = {
        "": pb.ListGroupStatusesResponse(
            group_statuses=[pb.GroupStatus(group="on-call", status=busy())], next_page_token="2"
        ),
        "2": pb.ListGroupStatusesResponse(group_statuses=[pb.GroupStatus(group="ops-team")]),
    }
    cli.router.answers["ListGroupStatuses"] = lambda request: pages[request.page_token]

    assert "700: 2 critical, 698 error" in cli("group", "status").stdout
    documents = json.loads(cli("group", "status", "-o", "json").stdout)
    assert [each["group"] for each in documents] == ["on-call", "ops-team"]


def test_an_unknown_group_has_exit_code_3(cli: Cli) -> None:
    cli.router.answers["GetGroupStatus"] = UNKNOWN

    assert cli("group", "status", "nobody").exit_code == 3


def preview(fingerprints: int) -> pb.PreviewDedupResponse:
    return pb.PreviewDedupResponse(
        window=Duration(seconds=300),
        fingerprints=[
            pb.DedupFingerprint(
                type="backup.failed",
                severity=event_pb2.SEVERITY_ERROR,
                subject=f"vm/{number}",
                target="chat-ops",
                count=1200,
                told=200,
                suppressed=1000,
            )
            for number in range(fingerprints)
        ],
        examined=5000,
        count=2400,
        told=400,
    )


def test_a_preview_shows_the_noisiest_and_the_totals_in_a_sentence(cli: Cli) -> None:
    cli.router.answers["PreviewDedup"] = preview(3)

    shown = cli("group", "dedup", "preview", "ops-team", "--limit", "2").stdout

    assert shown.count("1,200") == 2
    assert "and 1 more: --limit shows them" in shown
    assert shown.splitlines()[-1] == (
        "With a window of 5m, 400 of 2,400 notifications would be told and 2,000 suppressed "
        "(5,000 events looked at)."
    )


@pytest.mark.parametrize(("given", "window"), [("30m", 1800), ("0", 0)])
def test_a_preview_tries_a_window(cli: Cli, given: str, window: int) -> None:
    line = ("--since", "2026-05-21T00:00:00Z", "--window", given)

    assert cli("group", "dedup", "preview", "ops-team", *line).exit_code == 0

    (request,) = cli.router.received("PreviewDedup")
    assert request.group == "ops-team"
    assert request.since.ToJsonString() == "2026-05-21T00:00:00Z"
    assert request.HasField("window")
    assert request.window.ToTimedelta() == timedelta(seconds=window)


def test_a_preview_takes_the_groups_own_window_by_default(cli: Cli) -> None:
    shown = cli("group", "dedup", "preview", "ops-team").stdout

    assert shown.startswith("With no window, 0 of 0 notifications")
    assert cli.router.received("PreviewDedup") == [pb.PreviewDedupRequest(group="ops-team")]


def gaps() -> pb.GetCoverageResponse:
    return pb.GetCoverageResponse(
        findings=[
            pb.CoverageFinding(
                kind=pb.COVERAGE_KIND_UNREACHABLE_GROUP,
                subject="on-call",
                sentence="its only target is disabled",
                advice="target enable pager",
            ),
            pb.CoverageFinding(
                kind=pb.COVERAGE_KIND_UNHEARD_RESOURCE, subject="/datastore/a", sentence="nobody"
            ),
            pb.CoverageFinding(
                kind=pb.COVERAGE_KIND_UNREACHABLE_GROUP, subject="nightly", sentence="no target"
            ),
        ],
        resource_count=12,
        rule_count=1,
    )


def test_gaps_are_grouped_by_kind_the_gravest_first(cli: Cli) -> None:
    cli.router.answers["GetCoverage"] = gaps()

    result = cli("coverage")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "Groups that reach nobody (2):",
        "  on-call: its only target is disabled",
        "    → target enable pager",
        "  nightly: no target",
        "",
        "Datastores and jobs that nobody hears of (1):",
        "  /datastore/a: nobody",
        "",
        "3 gaps (looked at: 12 datastores and jobs, 1 rule)",
    ]


@pytest.mark.parametrize("kind", [each for each in pb.CoverageKind.values() if each])
def test_every_kind_of_gap_has_a_heading_of_its_own(cli: Cli, kind: int) -> None:
    found = pb.CoverageFinding(kind=kind, subject="it", sentence="nobody")  # type: ignore[arg-type]
    cli.router.answers["GetCoverage"] = pb.GetCoverageResponse(findings=[found])

    assert "Other gaps" not in cli("coverage").stdout


@pytest.mark.parametrize("form", ["table", "json"])
def test_strict_has_exit_code_1_where_there_is_a_gap(cli: Cli, form: str) -> None:
    cli.router.answers["GetCoverage"] = gaps()

    result = cli("coverage", "--strict", "-o", form, "--since", "2026-05-21T00:00:00Z")

    assert result.exit_code == 1
    assert "on-call" in result.stdout
    (request,) = cli.router.received("GetCoverage")
    assert request.since.ToJsonString() == "2026-05-21T00:00:00Z"


def test_without_a_gap_strict_is_content(cli: Cli) -> None:
    result = cli("coverage", "--strict")

    assert result.exit_code == 0
    assert result.stdout.startswith("no gaps: ")


def places(*names: str, told: bool = True, token: str = "") -> pb.ListHearingsResponse:
    """Places, of whose failed backups ``ops-team`` hears and of whose warnings nobody."""
    failed = pb.TypeHearing(
        type="backup.failed", severity=event_pb2.SEVERITY_ERROR, told=told, subscriptions=[0, 1]
    )
    warned = pb.TypeHearing(type="backup.warning", severity=event_pb2.SEVERITY_WARNING)
    effect = pb.HEARING_EFFECT_TELLS if told else pb.HEARING_EFFECT_NO_RECIPIENTS
    return pb.ListHearingsResponse(
        resources=[pb.ResourceHearing(resource=each, types=[failed, warned]) for each in names],
        subscriptions=[
            pb.HearingSubscription(group="ops-team", target="mail", effect=effect),
            pb.HearingSubscription(group="books", target="gauge", effect=pb.HEARING_EFFECT_COUNTS),
        ],
        next_page_token=token,
        total_size=2,
    )


def test_all_that_coverage_looks_at_is_listed_with_who_is_told(cli: Cli) -> None:
    first, second = places("/datastore/a", token="next"), places("/datastore/b/x", told=False)
    cli.router.answers["ListHearings"] = lambda asked: second if asked.page_token else first

    lines = cli("coverage", "--places").stdout.splitlines()

    assert [line.split() for line in lines[2:]] == [
        ["/datastore/a", "ops-team"],
        ["/datastore/b/x", "nobody", "backup.failed"],
    ]
    assert all(each.looked_at for each in cli.router.received("ListHearings"))
    assert len(json.loads(cli("coverage", "--places", "-o", "json").stdout)) == 2
    assert cli("coverage", "--places", "--strict").exit_code == 2


def test_no_gaps_is_not_said_without_what_silences_hide(cli: Cli) -> None:
    active = pb.Silence(silence_id="sil-1", rule="severity < critical", active=True)
    active.next_change_time.FromJsonString("2026-05-21T22:00:00Z")
    weekly = pb.Silence(silence_id="sil-2", rule="*", weekly="sun 02:00-06:00")
    weekly.next_change_time.FromJsonString("2026-05-24T02:00:00Z")
    cli.router.answers["GetCoverage"] = pb.GetCoverageResponse(
        silences=[
            pb.CoverageSilence(silence=active, types=["backup.failed"], event_count=4),
            pb.CoverageSilence(silence=weekly, types=["verify.corrupt", "backup.failed"]),
        ]
    )

    result = cli("coverage", "--strict")

    assert result.exit_code == 0
    heading, first, second, _, said = result.stdout.splitlines()
    assert heading == "Silences that hide errors or what is critical (2):"
    assert first.startswith("  sil-1, until 2026-05-21")
    assert first.endswith(": severity < critical (backup.failed); hid 4 errors")
    assert second.startswith("  sil-2, from 2026-05-24")
    assert said.startswith("no gaps, but for what is silenced now (sil-1): else somebody hears")


def test_a_silence_that_is_to_come_takes_nothing_from_no_gaps(cli: Cli) -> None:
    weekly = pb.Silence(silence_id="sil-2", rule="*", weekly="sun 02:00-06:00")
    coming = pb.CoverageSilence(silence=weekly, types=["backup.failed"])
    cli.router.answers["GetCoverage"] = pb.GetCoverageResponse(silences=[coming])

    result = cli("coverage")

    assert "sil-2, from" in result.stdout
    assert "no gaps: somebody hears" in result.stdout
