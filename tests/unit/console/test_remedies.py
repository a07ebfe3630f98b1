"""A gap leads to the page where it is closed, of every kind that there is."""

from __future__ import annotations

import pytest

from ibs_notify.console.coverage.remedies import remedies
from ibs_notify.console.pages.overview import COVERAGE_KINDS
from ironcore.notification.v1 import router_service_pb2 as pb

SUBJECTS = {
    pb.COVERAGE_KIND_UNHEARD_ALARM: "notification.target-failing",
    pb.COVERAGE_KIND_UNHEARD_CRITICAL_TYPE: "verify.corrupt",
    pb.COVERAGE_KIND_UNREACHABLE_GROUP: "on-call",
    pb.COVERAGE_KIND_UNHEARD_RESOURCE: "/datastore/tank/production",
    pb.COVERAGE_KIND_UNHEARD_PROBLEM: "/datastore/tank",
    pb.COVERAGE_KIND_IDLE_RULE: "ops-team/chat-ops",
    pb.COVERAGE_KIND_UNHEARD_ERROR_TYPE: "auth.mfa-lockout",
    pb.COVERAGE_KIND_WAITING_ERROR: "pager",
}
ADVICE = "ironcore-backup notification target test pager"


def urls(kind: int, subject: str, advice: str = "") -> list[str]:
    finding = pb.CoverageFinding(kind=kind, subject=subject, advice=advice)  # type: ignore[arg-type]
    return [each.url for each in remedies(finding)]


@pytest.mark.parametrize("kind", [each for each in pb.CoverageKind.values() if each])
def test_every_kind_of_gap_has_a_remedy(kind: int) -> None:
    assert urls(kind, SUBJECTS[kind], ADVICE)  # type: ignore[index]


def test_every_kind_of_gap_has_words() -> None:
    assert COVERAGE_KINDS.keys() == {each for each in pb.CoverageKind.values() if each}


def test_a_remedy_leads_to_the_group_the_datastore_or_the_target() -> None:
    assert urls(pb.COVERAGE_KIND_IDLE_RULE, "ops-team/chat-ops") == ["/groups/ops-team/edit"]
    attach, make = urls(pb.COVERAGE_KIND_UNHEARD_RESOURCE, "/datastore/a b/x")
    assert attach == "/datastores/a%20b"
    assert make == "/new-group?resource=%2Fdatastore%2Fa+b%2Fx&rule=severity+%3E%3D+warning"
    look, edit = urls(pb.COVERAGE_KIND_UNREACHABLE_GROUP, "on-call", ADVICE)
    assert (look, edit) == ("/targets/pager", "/groups/on-call/edit")


def test_a_gap_of_a_newer_release_is_only_told() -> None:
    assert urls(99, "something") == []
