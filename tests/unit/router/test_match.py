"""A snapshot becomes a routing table."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Group, InstallationSettings, Scope, Subscription
from ibs_notify.domain.severity import Severity
from ibs_notify.domain.target import (
    InfluxDbSpec,
    PushgatewaySpec,
    SmtpSpec,
    Target,
    TargetSpec,
    WebhookSpec,
)
from ibs_notify.router import match
from ibs_notify.router.dispositions import Reason
from ibs_notify.router.match import Numbers, Route, build_table, numbered
from ibs_notify.rules.ast import Rule
from ibs_notify.rules.evaluate import matches
from ibs_notify.rules.parse import parse
from ibs_notify.snapshot.model import Snapshot

MAIL = Target("mail", "u-mail", SmtpSpec("smtp.example.com", 587, recipients=("team@x",)))
CHAT = Target("chat", "u-chat", WebhookSpec("http://127.0.0.1/"))
INFLUX = Target("influx", "u-influx", InfluxDbSpec("http://127.0.0.1/", "o", "b"))
GATEWAY = Target("gateway", "u-gateway", PushgatewaySpec("http://127.0.0.1/"))
ERROR = Event("e", "backup.failed", Severity.ERROR, datetime(2026, 5, 21, tzinfo=UTC))
INFO = replace(ERROR, severity=Severity.INFO)
NEVER = timedelta(0)


def snapshot(
    *groups: Group, settings: InstallationSettings | None = None, revision: int = 7
) -> Snapshot:
    targets = {each.uid: each for each in (MAIL, CHAT, INFLUX, GATEWAY)}
    return Snapshot(revision, settings or InstallationSettings(), targets, groups)


def routes(*subscriptions: Subscription, defaults: tuple[str, ...] = ()) -> list[Route]:
    group = Group("ops", "u-ops", subscriptions=subscriptions)
    table = build_table(snapshot(group, settings=InstallationSettings(default_recipients=defaults)))
    return list(table.routes)


def test_a_route_says_where_it_leads_and_what_matches() -> None:
    (route,) = routes(Subscription("s1", "chat", "severity >= error"))
    assert (route.group, route.target, route.target_uid) == ("ops", "chat", "u-chat")
    assert route.subscription_uid == "s1"
    assert matches(route.rule, ERROR)
    assert not matches(route.rule, INFO)
    assert route.reason is Reason.RULE_MATCHED


def test_a_rule_that_cannot_be_read_matches_every_event_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        (route,) = routes(Subscription("s1", "chat", "severity is very bad"))
    assert matches(route.rule, INFO)
    assert route.reason is Reason.RULE_UNREADABLE
    assert "group ops, target chat" in caplog.text


def test_a_subscription_of_a_target_that_is_not_there_is_left_out_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        found = routes(Subscription("s1", "gone", "*"), Subscription("s2", "chat", "*"))
    assert [route.target for route in found] == ["chat"]
    assert "gone" in caplog.text


def test_what_is_meant_for_a_target_of_a_later_release_is_routed_to_whom_the_group_names() -> None:
    subscription = Subscription("s1", "later", "severity = error", ("me@x",))
    group = Group("ops", "u-ops", subscriptions=(subscription,))
    known = replace(snapshot(group), unreadable={"u-later": "later"})
    (route,) = build_table(known).routes
    assert (route.target, route.target_uid, route.recipients) == ("later", "u-later", ("me@x",))
    assert not route.lacks_recipients
    assert not matches(route.rule, INFO)


def test_mail_goes_to_the_subscriptions_recipients_else_the_targets_else_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (own,) = routes(Subscription("s", "mail", "*", ("me@x",)), defaults=("all@x",))
    (targets,) = routes(Subscription("s", "mail", "*"), defaults=("all@x",))
    monkeypatch.setitem(globals(), "MAIL", Target("mail", "u", SmtpSpec("smtp", 25)))
    (settings,) = routes(Subscription("s", "mail", "*"), defaults=("all@x",))
    (nobody,) = routes(Subscription("s", "mail", "*"))
    found = [each.recipients for each in (own, targets, settings, nobody)]
    assert found == [("me@x",), ("team@x",), ("all@x",), ()]


@pytest.mark.parametrize("target", [CHAT, INFLUX, GATEWAY], ids=lambda each: str(each.name))
def test_only_mail_has_recipients(target: Target) -> None:
    (route,) = routes(Subscription("s", target.name, "*"), defaults=("all@x",))
    assert route.recipients == ()


@pytest.mark.parametrize(
    ("spec", "records"),
    [(CHAT.spec, False), (MAIL.spec, False), (INFLUX.spec, True), (GATEWAY.spec, True)],
)
def test_metric_servers_are_known_as_such(spec: TargetSpec, records: bool) -> None:
    assert Target("t", "u", spec).is_metric_server is records
    found = routes(*(Subscription(each, each, "*") for each in ("chat", "mail", "influx")))
    assert [each.is_metric_server for each in found] == [False, False, True]


def test_groups_that_hear_everything_come_before_those_whose_scope_is_asked() -> None:
    table = build_table(
        snapshot(
            Group("a", "ua", scope=Scope.ATTACHED, attachments=("/datastore/x",)),
            Group("e", "ue"),
            Group("s", "us", scope=Scope.SELECTED),
            settings=InstallationSettings(public_url="https://ibs.example.com//"),
        )
    )
    assert [group.name for group in table.groups] == ["e", "a", "s"]
    assert table.group_names == {"a", "e", "s"}
    assert table.revision == 7
    assert table.public_url == "https://ibs.example.com"


def test_routes_are_numbered_by_what_they_are_about_not_by_their_rule() -> None:
    (old,) = routes(Subscription("s", "mail", "*"))
    (new_rule,) = routes(Subscription("s", "mail", "severity = info"))
    (new_people,) = routes(Subscription("s", "mail", "*", ("me@x",)))
    (joined,) = routes(Subscription("s", "mail", "*", ("me@x", "team@x")))
    assert old.digest == new_rule.digest
    assert len({old.digest, new_people.digest, joined.digest}) == 3


def test_the_numbers_reach_every_route_and_every_group_of_the_table() -> None:
    attached = Group(
        "a",
        "ua",
        scope=Scope.ATTACHED,
        subscriptions=(Subscription("s1", "chat", "*"), Subscription("s3", "influx", "*")),
        rate_limit=7,
    )
    everything = Group("e", "ue", subscriptions=(Subscription("s2", "chat", "*"),), rate_limit=0)
    table = build_table(snapshot(attached, everything))
    ids = {route.digest: number for number, route in enumerate(table.routes, start=1)}
    assert [route.route_id for route in table.routes] == [0, 0, 0]
    table = numbered(table, Numbers(ids, {"ua": 11, "ue": 12}))
    assert [route.route_id for route in table.routes] == [1, 2, 3]
    assert [group.lane_id for group in table.groups] == [12, 11]
    assert table.limits == {12: 0, 11: 7}


def test_the_lane_of_a_route_is_its_groups_and_a_metric_server_has_none() -> None:
    subscriptions = tuple(Subscription(each, each, "*") for each in ("chat", "influx", "mail"))
    table = build_table(snapshot(Group("e", "ue", subscriptions=subscriptions)))
    ids = {route.digest: 1 for route in table.routes}
    table = numbered(table, Numbers(ids, {"ue": 5}))
    assert [route.lane_id for route in table.routes] == [5, 0, 5]


def test_a_route_has_the_window_of_its_group() -> None:
    (default,) = routes(Subscription("s", "chat", "*"))
    assert default.dedup_window == timedelta(minutes=5)
    off = Group("e", "ue", subscriptions=(Subscription("s", "chat", "*"),), dedup_window=NEVER)
    assert [route.dedup_window for route in build_table(snapshot(off)).routes] == [NEVER]


def test_a_mail_target_that_nobody_is_told_of_is_known_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (reached,) = routes(Subscription("s", "mail", "*"))
    monkeypatch.setitem(globals(), "MAIL", Target("mail", "u", SmtpSpec("smtp", 25)))
    (lost,) = routes(Subscription("s", "mail", "*"))
    (chat,) = routes(Subscription("s", "chat", "*"))
    assert [each.lacks_recipients for each in (reached, lost, chat)] == [False, True, False]


def test_the_next_table_parses_only_the_rules_that_are_new(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def parse_and_tell(text: str) -> Rule:
        read.append(text)
        return parse(text)

    monkeypatch.setattr(match, "parse", parse_and_tell)
    old = Subscription("s1", "chat", "severity = error"), Subscription("s2", "chat", "nonsense")
    first = build_table(snapshot(Group("ops", "u-ops", subscriptions=old)))
    assert sorted(read) == ["nonsense", "severity = error"]
    read.clear()
    new = Subscription("s3", "mail", "severity = info")
    second = build_table(snapshot(Group("ops", "u-ops", subscriptions=(*old, new))), first)
    assert read == ["severity = info"]
    assert [route.subscription_uid for route in second.hearing(ERROR)] == ["s1", "s2"]
    assert second.routes[1].reason is Reason.RULE_UNREADABLE
