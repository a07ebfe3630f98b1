"""Gaps are found by asking the table about bare events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ibs_notify.domain.group import Group, Scope, Subscription
from ibs_notify.domain.severity import Severity
from ibs_notify.domain.target import PushgatewaySpec, SmtpSpec, Target, WebhookSpec
from ibs_notify.router import coverage, hearing
from ibs_notify.router.coverage import Gap, Place
from ibs_notify.router.match import RoutingTable, build_table
from ibs_notify.snapshot.model import Snapshot

NOW = datetime(2026, 5, 21, tzinfo=UTC)
SINCE = NOW - timedelta(days=7)
TARGETS = {
    each.uid: each
    for each in (
        Target("chat", "u-chat", WebhookSpec("http://127.0.0.1/")),
        Target("mail", "u-mail", SmtpSpec("127.0.0.1", 25)),
        Target("boss", "u-boss", SmtpSpec("127.0.0.1", 25, recipients=("boss@example.com",))),
        Target("off", "u-off", WebhookSpec("http://127.0.0.1/"), disabled=True),
        Target("gauge", "u-gauge", PushgatewaySpec("http://127.0.0.1/")),
    )
}


def table(rules: dict[str, str], scope: Scope = Scope.EVERYTHING, *attached: str) -> RoutingTable:
    subscriptions = tuple(Subscription(f"s-{name}", name, rule) for name, rule in rules.items())
    group = Group("ops", "g", scope=scope, attachments=attached, subscriptions=subscriptions)
    return build_table(Snapshot(1, targets=TARGETS, groups=(group,)))


def test_a_place_is_covered_by_a_rule_for_any_problem_of_the_catalogue() -> None:
    stale = table({"chat": "type = verify.stale"})
    assert coverage.untold_places(stale, ["/datastore/a"], NOW) == []
    info = table({"chat": "severity = info"})
    assert coverage.untold_places(info, ["/datastore/a"], NOW) == ["/datastore/a"]


def test_places_come_with_those_below_after_them() -> None:
    nothing = table({})
    names = ["/datastore/a/x", "/datastore/b", "/datastore/a"]
    assert coverage.untold_places(nothing, names, NOW) == sorted(names)
    assert coverage.parents_of("/datastore/a/x") == ["/datastore", "/datastore/a"]


def test_what_is_attached_covers_what_is_below_it() -> None:
    attached = table({"chat": "*"}, Scope.ATTACHED, "/datastore/a/x")
    places = ["/datastore/a", "/datastore/a/x", "/datastore/a/x/y"]
    assert coverage.untold_places(attached, places, NOW) == ["/datastore/a"]


def test_a_target_that_fails_is_told_to_another_one_or_to_nobody() -> None:
    everybody = table({"chat": "*", "boss": "*", "gauge": "*"})
    assert coverage.unheard_alarms(everybody, NOW) == []
    (alone,) = coverage.unheard_alarms(table({"chat": "*", "gauge": "*"}), NOW)
    (no_recipient,) = coverage.unheard_alarms(table({"chat": "*", "mail": "*"}), NOW)
    assert no_recipient.sentence.startswith("when chat fails, no other target hears of it")
    assert (alone.gap, alone.subject) == (Gap.UNHEARD_ALARM, "notification.target-failing")
    assert alone.sentence.startswith("when chat fails, no other target hears of it")
    attached = table({"chat": "*", "mail": "*"}, Scope.ATTACHED, "/datastore/a")
    (deaf,) = coverage.unheard_alarms(attached, NOW)
    assert deaf.sentence.startswith("when a target fails, no other target hears of it")
    assert coverage.unheard_alarms(table({}), NOW) == []


def test_to_hear_something_of_a_datastore_is_not_to_hear_of_its_failed_backups() -> None:
    picky = table({"chat": "severity = critical or type = verify.failed"})
    (found,) = coverage.unheard_problems(picky, ["/datastore/tank"], (), SINCE, NOW)
    assert (found.gap, found.subject) == (Gap.UNHEARD_PROBLEM, "/datastore/tank")
    assert found.sentence == (
        "nobody is told of backup.failed, restore.failed, sync.failed about it"
    )
    errors = table({"chat": "severity >= error"})
    assert coverage.unheard_problems(errors, ["/datastore/tank"], (), SINCE, NOW) == []


def test_what_was_told_of_an_unheard_place_is_history() -> None:
    tank = "/datastore/tank"
    (heard,) = coverage.unheard_problems(table({}), [tank], {tank}, SINCE, NOW)
    assert heard.sentence.endswith(
        "; since 2026-05-14 00:00:00 UTC somebody was told of events that said more, or were about "
        "a part of it, by the rules of then"
    )


def test_an_error_that_happens_to_no_datastore_is_asked_for_too() -> None:
    """By the catalogue, and of what came what the datastores are not asked about anyway."""
    attached = table({"chat": "*"}, Scope.ATTACHED, "/datastore/a")
    (known,) = coverage.unheard_error_types(attached, {}, NOW)
    assert (known.gap, known.subject) == (Gap.UNHEARD_ERROR_TYPE, "auth.mfa-lockout")
    assert known.sentence == "without a resource it would reach only the inbox"
    came = {
        "auth.mfa-lockout": {"": 2, "/auth/bob": 1},
        "backup.failed": {"/datastore/b": 4, "": 1},
        "disk.dying": {"/datastore/a": 0, "/datastore/b": 5},
        "sync.failed": {"/datastore/b": 1},
        "notification.delivery-dead": {"/notification/target/chat": 1},
    }
    found = coverage.unheard_error_types(attached, came, NOW)
    assert {each.subject: each.event_count for each in found} == {
        "auth.mfa-lockout": 3,
        "backup.failed": 1,
        "disk.dying": 5,
    }
    assert [each.sentence.removesuffix(" it would reach only the inbox") for each in found] == [
        "about /auth/bob, no resource",
        "without a resource",
        "about /datastore/b",
    ]
    everything = table({"chat": "severity >= error"})
    assert coverage.unheard_error_types(everything, came, NOW) == []


def test_a_metric_server_tells_nobody() -> None:
    assert not hearing.is_told(table({"gauge": "*"}), "a.b", Severity.CRITICAL, "", NOW)


def test_critical_types_are_asked_for_each_datastore_or_without_a_resource() -> None:
    attached = table({"chat": "*"}, Scope.ATTACHED, "/datastore/a")
    known = {"sync.integrity-error", "verify.corrupt"}
    nowhere = coverage.unheard_critical_types(attached, {}, [], NOW)
    assert {each.subject for each in nowhere} == known
    some = coverage.unheard_critical_types(
        attached,
        {"disk.melted": {"": 3}},
        ["/datastore/a", *(f"/datastore/b{n}" for n in range(7))],
        NOW,
    )
    assert {each.subject: each.event_count for each in some} == dict.fromkeys(known, 0) | {
        "disk.melted": 3
    }
    assert some[0].sentence.startswith("about /datastore/b0, /datastore/b1,")
    assert "and 3 more it would reach" in some[0].sentence


def test_what_the_emitter_called_critical_is_looked_for_where_it_came() -> None:
    """And counted is what nobody was told of, not what came about other datastores."""
    attached = table({"chat": "*"}, Scope.ATTACHED, "/datastore/a")
    came = {"backup.failed": {"/datastore/a": 0}, "verify.corrupt": {"/datastore/b": 2}}
    places = ["/datastore/a", "/datastore/b"]
    found = coverage.unheard_critical_types(attached, came, places, NOW)
    assert {each.subject: each.event_count for each in found} == {
        "sync.integrity-error": 0,
        "verify.corrupt": 2,
    }
    assert {each.sentence for each in found} == {"about /datastore/b it would reach only the inbox"}


def test_who_cannot_be_reached_is_not_told() -> None:
    for target in ("gauge", "mail", "off"):
        assert not hearing.is_told(table({target: "*"}), "a.b", Severity.CRITICAL, "", NOW), target
    assert coverage.untold_places(table({"mail": "*"}), ["/datastore/a"], NOW) == ["/datastore/a"]


def test_rules_are_idle_where_events_were_examined_and_none_matched() -> None:
    routes = list(table({"chat": "severity = critical", "mail": "*"}).routes)
    (found,) = coverage.idle_rules(routes, {"s-mail"}, 12_345)
    assert (found.gap, found.subject) == (Gap.IDLE_RULE, "ops/chat")
    assert found.sentence == "severity = critical matched no event of 12,345"
    assert coverage.idle_rules(routes, set(), 0) == []


def test_before_a_datastore_is_known_it_is_said_what_nobody_would_hear_of_one() -> None:
    (said,) = coverage.unknown_places(table({"chat": "type = backup.failed"}), (), NOW)
    assert said.endswith("nobody would be told of restore.failed, sync.failed, verify.failed")
    assert coverage.unknown_places(table({"chat": "*"}), (), NOW) == []
    assert coverage.unknown_places(table({}), ["/datastore/a"], NOW) == []


def test_one_event_is_one_event() -> None:
    (one,) = coverage.unheard_places([Place("/datastore/a", 1)])
    assert one.sentence.startswith("1 event came, and")
