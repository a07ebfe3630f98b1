"""What a group reaches: its targets joined with how they fare."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from ibs_notify.console.groups.reach import Reach, reach_of
from ibs_notify.console.targets.health import Standing, standing
from ibs_notify.console.trouble import Trouble
from ironcore.notification.v1.delivery_service_pb2 import (
    TARGET_HEALTH_FAILING,
    TARGET_HEALTH_PAUSED,
    TARGET_HEALTH_RECOVERING,
    GetTargetStatusResponse,
)
from ironcore.notification.v1.group_pb2 import Group, Subscription
from ironcore.notification.v1.target_pb2 import InfluxDbTarget, SmtpTarget, Target, WebhookTarget

SINCE = datetime(2026, 11, 28, 1, 0, tzinfo=UTC)
CHAT = Target(name="chat", webhook=WebhookTarget(url="http://127.0.0.1:9/"))
OFF = Target(name="off", webhook=WebhookTarget(url="http://127.0.0.1:9/"), disabled=True)
MAIL = Target(name="mail", smtp=SmtpTarget(server="127.0.0.1", port=25))
GAUGE = Target(name="gauge", influxdb=InfluxDbTarget(url="http://127.0.0.1:9/"))


def found(*told: tuple[Target, Standing], unknown: str = "") -> Trouble:
    listed = [] if unknown else [(target, it) for target, it in told if it.is_in_trouble]
    return Trouble([target for target, _ in told], listed, len(told), (), None, None, unknown)


def of(
    target: Target, *, lacks_recipients: bool = False, health: int = 0
) -> tuple[Target, Standing]:
    status = GetTargetStatusResponse(health=health)  # type: ignore[arg-type]
    if health:
        status.trouble_since.FromDatetime(SINCE)
    return target, standing(target, status, lacks_recipients=lacks_recipients)


def group(*names: str) -> Group:
    return Group(subscriptions=[Subscription(target=each, rule="*") for each in names])


def words(reach: Reach) -> Mapping[str, str]:
    return {name: mark.word for name, mark in reach.marks.items()}


def test_what_works_is_not_marked() -> None:
    reach = reach_of(group("chat", "mail"), found(of(CHAT), of(MAIL)))
    assert (words(reach), reach.reaches_nobody) == ({}, False)


def test_a_group_reaches_nobody_where_each_of_its_targets_is_disabled_paused_or_fails() -> None:
    for health, word in ((TARGET_HEALTH_FAILING, "failing"), (TARGET_HEALTH_PAUSED, "paused")):
        reach = reach_of(group("off", "chat"), found(of(OFF), of(CHAT, health=health)))
        assert (words(reach), reach.reaches_nobody) == ({"off": "disabled", "chat": word}, True)
        assert reach.marks["chat"].since == SINCE
    assert not reach_of(group("off", "chat"), found(of(OFF), of(CHAT))).reaches_nobody


def test_who_recovers_reaches_somebody_and_says_no_more_since_when_it_failed() -> None:
    reach = reach_of(group("chat"), found(of(CHAT, health=TARGET_HEALTH_RECOVERING)))
    assert (words(reach), reach.reaches_nobody) == ({"chat": "recovering"}, False)
    assert reach.marks["chat"].since is None


def test_a_metric_server_reaches_nobody_but_a_group_of_nothing_else_is_well() -> None:
    assert reach_of(group("off", "gauge"), found(of(OFF), of(GAUGE))).reaches_nobody
    assert not reach_of(group("gauge"), found(of(GAUGE))).reaches_nobody


def test_recipients_of_the_group_are_enough() -> None:
    trouble = found(of(MAIL, lacks_recipients=True))
    lacking, named = group("mail"), group("mail")
    named.subscriptions[0].recipients.append("ops@example.com")
    assert words(reach_of(lacking, trouble)) == {"mail": "no recipient"}
    assert reach_of(lacking, trouble).reaches_nobody
    assert words(reach_of(named, trouble)) == {}


def test_what_is_not_known_is_said_so_but_that_a_target_is_disabled() -> None:
    both = group("chat", "off")
    assert words(reach_of(both, None)) == {"chat": "not known", "off": "not known"}
    reach = reach_of(both, found(of(CHAT), of(OFF), unknown="Delivery does not answer"))
    assert words(reach) == {"chat": "not known", "off": "disabled"}
    assert not reach.reaches_nobody


def test_a_group_without_targets_reaches_nobody_for_another_reason() -> None:
    assert not reach_of(group(), found()).reaches_nobody


def test_of_a_long_list_what_stands_in_the_way_comes_first() -> None:
    many = group("mail", "gauge", "chat", "off")
    reach = reach_of(many, found(of(MAIL), of(GAUGE), of(CHAT), of(OFF)))
    assert [each.target for each in reach.needy_first(many)] == ["off", "mail", "gauge", "chat"]
