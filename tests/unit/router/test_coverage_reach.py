"""Who is not reached by the rules that are there: no target takes anything now."""

from __future__ import annotations

from tests.unit.router.test_coverage import NOW, table

from ibs_notify.domain.group import Scope
from ibs_notify.router import coverage_reach as coverage
from ibs_notify.router.coverage import Gap
from ibs_notify.router.coverage_reach import Trouble


def test_a_group_reaches_nobody_only_if_no_target_of_it_does() -> None:
    groups = table({"chat": "*", "mail": "*"}).groups
    assert coverage.unreachable_groups(groups, {}) == []
    (found,) = coverage.unreachable_groups(groups, {"u-chat": Trouble("chat", "is disabled")})
    assert found.sentence == (
        "none of its targets reaches anybody: chat is disabled; mail has no recipient"
    )
    (bare,) = coverage.unreachable_groups(table({}).groups, {})
    assert bare.sentence == "it has no target"


def test_a_metric_server_does_not_make_a_group_reach_anybody() -> None:
    troubles = {"u-chat": Trouble("chat", "is disabled")}
    groups = table({"chat": "*", "mail": "*", "gauge": "*"}).groups
    (found,) = coverage.unreachable_groups(groups, troubles)
    assert found.sentence.endswith("chat is disabled; mail has no recipient")
    counting = table({"gauge": "*"}).groups
    assert coverage.unreachable_groups(counting, {}) == []
    assert coverage.unreachable_groups(counting, {"u-gauge": Trouble("gauge", "fails")})


CHAT_FAILS = {"u-chat": Trouble("chat", "fails since 00:00")}


def test_an_error_waits_if_all_who_would_be_told_take_nothing_now() -> None:
    both = table({"chat": "*", "boss": "severity = critical", "gauge": "*"})
    assert coverage.waiting_errors(both, ["/datastore/a"], {}, NOW) == []
    (found,) = coverage.waiting_errors(both, ["/datastore/a"], CHAT_FAILS, NOW)
    assert (found.gap, found.subject) == (Gap.WAITING_ERROR, "chat")
    assert found.sentence == (
        "nobody hears now of backup.failed, restore.failed, sync.failed, verify.failed about "
        "/datastore/a, nor of auth.mfa-lockout, until a target works again: chat fails since 00:00"
    )
    assert found.advice == "ironcore-backup notification target test chat"


def test_what_waits_for_the_same_targets_is_one_finding() -> None:
    one = table({"chat": "*"}, Scope.ATTACHED, *(f"/datastore/a{n}" for n in range(7)))
    places = [f"/datastore/a{n}" for n in range(8)]
    (found,) = coverage.waiting_errors(one, places, CHAT_FAILS, NOW)
    assert found.sentence.startswith("nobody hears now of any error about /datastore/a0, ")
    assert "/datastore/a4 and 2 more, until a" in found.sentence


def test_what_a_target_that_works_tells_does_not_wait() -> None:
    both = table({"chat": "*", "boss": "*"})
    assert coverage.waiting_errors(both, ["/datastore/a"], CHAT_FAILS, NOW) == []
    troubles = CHAT_FAILS | {"u-boss": Trouble("boss", "is paused (HTTP_410)")}
    (found,) = coverage.waiting_errors(both, ["/datastore/a"], troubles, NOW)
    assert found.subject == "boss, chat"
    assert found.sentence.endswith("boss is paused (HTTP_410); chat fails since 00:00")


def test_what_a_disabled_target_hears_alone_is_told_to_nobody_and_no_matter_of_waiting() -> None:
    troubles = {"u-off": Trouble("off", "is disabled")}
    assert coverage.waiting_errors(table({"off": "*"}), ["/datastore/a"], troubles, NOW) == []


def test_an_error_of_a_job_whose_only_targets_take_nothing_is_found() -> None:
    job = "/datastore/a/nightly"
    both = table({"chat": f"resource under {job}", "boss": "resource = /datastore/a"})
    places = ["/datastore/a", job, "/datastore/a/weekly"]
    (found,) = coverage.waiting_errors(both, places, CHAT_FAILS, NOW)
    assert found.sentence == (
        f"nobody hears now of any error about {job}, until a target works again: "
        "chat fails since 00:00"
    )


def test_of_a_job_is_said_only_what_waits_otherwise_than_of_its_datastore() -> None:
    job = "/datastore/a/nightly"
    rules = {"chat": "severity >= error", "boss": f"type = backup.failed and resource under {job}"}
    troubles = CHAT_FAILS | {"u-boss": Trouble("boss", "is paused (HTTP_410)")}
    one, other = coverage.waiting_errors(table(rules), ["/datastore/a", job], troubles, NOW)
    assert (one.subject, other.subject) == ("chat", "boss, chat")
    assert "of any error about /datastore/a, nor" in one.sentence
    assert f"of backup.failed about {job}, until" in other.sentence
    # Where the job has one that works, only the datastore waits.
    (still,) = coverage.waiting_errors(table(rules), ["/datastore/a", job], CHAT_FAILS, NOW)
    assert job not in still.sentence


def test_what_is_attached_elsewhere_waits_as_well() -> None:
    one = table({"chat": "*"}, Scope.ATTACHED, "/host/a")
    (found,) = coverage.waiting_errors(one, ["/datastore/a", "/host/a"], CHAT_FAILS, NOW)
    assert "about /host/a, until" in found.sentence
