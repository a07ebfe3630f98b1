"""From an event that told somebody to the digest that gathers such events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ibs_notify.console.events.alike import Breadth, alike, breadths
from ibs_notify.console.groups.draft import Draft, Row
from ibs_notify.console.groups.gathering import (
    Way,
    gathering_of,
    gathering_rule,
    joined,
    next_digest,
)
from ibs_notify.domain.event import Event as DomainEvent
from ibs_notify.domain.resource import canonical
from ibs_notify.domain.severity import Severity
from ibs_notify.rules.evaluate import compile_rule
from ibs_notify.rules.parse import parse
from ironcore.notification.v1 import disposition_pb2
from ironcore.notification.v1.event_pb2 import (
    SEVERITY_CRITICAL,
    SEVERITY_ERROR,
    SEVERITY_INFO,
    SEVERITY_WARNING,
    Event,
)
from ironcore.notification.v1.router_service_pb2 import SubscriptionExplanation

NOW = datetime(2026, 5, 21, 3, 12, tzinfo=UTC)
OLD = "severity in (info, notice)"
GROUP = Draft(name="ops", rows=(Row("mail", "*"), Row("chat", "*"), Row("influx", "*")))


def warning(resource: str = "tank:vm/1", **fields: Any) -> Event:
    return Event(
        **{
            "type": "backup.warning",
            "resource": resource,
            "severity": SEVERITY_WARNING,
            "event_id": "e",
            **fields,
        }
    )


def holds(rule: str, event: Event) -> bool:
    """As the Router decides it."""
    known = DomainEvent(
        "e",
        event.type,
        Severity(event.severity),
        NOW,
        resource=event.resource,
        canonical_resource=canonical(event.resource),
    )
    return compile_rule(parse(rule))(known)


def ahead(group: str, target: str, reason: str = "RULE_MATCHED") -> SubscriptionExplanation:
    """Of what would be told by a group."""
    route = disposition_pb2.Disposition(
        group=group,
        target=target,
        reason=reason,
        state=disposition_pb2.DISPOSITION_STATE_READY,
    )
    return SubscriptionExplanation(group=group, target=target, disposition=route)


@pytest.mark.parametrize(
    ("resource", "found"),
    [
        ("tank:vm/1", list(Breadth)),
        ("/datastore/tank", [Breadth.DATASTORE, Breadth.TYPE]),
        ("/system/host", [Breadth.RESOURCE, Breadth.TYPE]),
        ("no path", [Breadth.TYPE]),
        ("", [Breadth.TYPE]),
    ],
)
def test_what_is_offered_is_what_differs(resource: str, found: list[Breadth]) -> None:
    assert list(breadths(warning(resource))) == found


ODD = ['tank:vm/ "one" \\ or\n(two)', "tank:and", "/system/ÄÖ 💾", "or", "tank:a,b", "x" * 500]


@pytest.mark.parametrize("resource", ODD)
@pytest.mark.parametrize("type_", ["backup.warning", "and", 'odd "type" or *'])
@pytest.mark.parametrize("severity", [SEVERITY_WARNING, SEVERITY_ERROR, SEVERITY_CRITICAL])
def test_the_rule_holds_for_the_event_and_for_none_of_another_type(
    resource: str, type_: str, severity: Any
) -> None:
    event = warning(resource, type=type_, severity=severity)
    for breadth in breadths(event):
        for rule in (gathering_rule(event, breadth), joined(OLD, gathering_rule(event, breadth))):
            assert holds(rule, event)
            assert not holds(rule, warning(resource, type="sync.failed", severity=severity))


def test_what_is_graver_than_the_event_is_left_out() -> None:
    for breadth in Breadth:
        rule = gathering_rule(warning(), breadth)
        assert holds(rule, warning())
        assert not holds(rule, warning(severity=SEVERITY_ERROR))
        rule = gathering_rule(warning(severity=SEVERITY_ERROR), breadth)
        assert holds(rule, warning(severity=SEVERITY_ERROR))
        assert not holds(rule, warning(severity=SEVERITY_CRITICAL))


def test_other_datastores_are_left_out_unless_they_are_asked_for() -> None:
    elsewhere = warning("tanker:vm/1")
    assert not holds(gathering_rule(warning(), Breadth.DATASTORE), elsewhere)
    assert holds(gathering_rule(warning(), Breadth.DATASTORE), warning("tank:vm/2"))
    assert not holds(gathering_rule(warning(), Breadth.RESOURCE), warning("tank:vm/2"))
    assert holds(gathering_rule(warning(), Breadth.TYPE), elsewhere)


@pytest.mark.parametrize("before", [OLD, "not severity = info", "source = backup and not type = x"])
def test_a_rule_that_is_joined_still_gathers_what_it_gathered(before: str) -> None:
    rule = joined(before, gathering_rule(warning(), Breadth.DATASTORE))
    others = [
        Event(type=type_, severity=SEVERITY_INFO) for type_ in ("backup.started", "auth.login", "x")
    ]
    assert [holds(rule, each) for each in others] == [holds(before, each) for each in others]


def test_a_group_without_a_digest_gets_one_of_such_events_alone() -> None:
    found = gathering_of(GROUP, warning(), "", {"influx"}, (), None)
    filled = found.fill(GROUP)
    assert (found.before, filled.has_digest) == ("", True)
    assert filled.digest_rule == (
        "type = backup.warning and resource under /datastore/tank and severity < error"
    )
    assert (found.gatherers, found.recorders) == (("mail", "chat"), ("influx",))


def test_where_there_is_a_digest_its_rule_stays_and_is_joined() -> None:
    draft = Draft(name="ops", has_digest=True, digest_rule=OLD, rows=GROUP.rows)
    found = gathering_of(draft, warning(), "type", (), (), None)
    assert found.fill(draft).digest_rule == (
        f"{OLD} or (type = backup.warning and severity < error)"
    )
    assert f"{found.before} {found.addition}" == found.fill(draft).digest_rule


def test_what_is_gathered_already_changes_nothing() -> None:
    draft = Draft(name="ops", has_digest=True, digest_rule="*", rows=GROUP.rows)
    found = gathering_of(draft, warning(), "", (), (), None, is_gathered=True)
    assert found.fill(draft) == draft


def test_what_other_groups_send_at_once_is_told_and_what_they_gather_is_not() -> None:
    told = [
        ahead("ops", "mail"),
        SubscriptionExplanation(group="ops", target="chat"),
        ahead("duty", "mail"),
        ahead("duty", "pager"),
        ahead("boss", "mail", "GATHERED"),
        ahead("boss", "chat"),
        ahead("boss", "influx", "RECORDED"),
        SubscriptionExplanation(group="deaf", target="mail"),
    ]
    found = gathering_of(GROUP, warning(), "", {"influx"}, told, None)
    # The chat does not hear of it here, so that it is somebody else.
    assert (found.hearing, found.deaf) == (["mail"], ("chat",))
    assert found.still_there == [Way("duty", "mail")]
    assert found.elsewhere == [Way("duty", "pager"), Way("boss", "chat")]
    assert gathering_of(GROUP, warning(), "", (), None, None).others is None


def test_of_what_is_silenced_now_it_is_not_said_that_nobody_is_told() -> None:
    hidden = ahead("duty", "pager", "SILENCE_MATCHED")
    hidden.disposition.state = disposition_pb2.DISPOSITION_STATE_SILENCED
    assert gathering_of(GROUP, warning(), "", (), [hidden], None).others is None


@pytest.mark.parametrize(("severity", "grave"), [(SEVERITY_WARNING, False), (SEVERITY_ERROR, True)])
def test_errors_are_said_to_be_grave(severity: Any, grave: bool) -> None:
    event = warning(severity=severity)
    assert gathering_of(GROUP, event, "", (), (), None).is_grave is grave


def test_a_breadth_that_there_is_not_is_the_narrowest_that_there_is() -> None:
    assert gathering_of(GROUP, warning(), "nonsense", (), (), None).breadth is Breadth.DATASTORE
    assert gathering_of(GROUP, warning("/x"), "datastore", (), (), None).breadth is Breadth.RESOURCE
    assert gathering_of(GROUP, warning(""), "resource", (), (), None).breadth is Breadth.TYPE


def test_the_next_digest_goes_by_the_clocks_of_the_digest() -> None:
    assert next_digest(Draft(), NOW, "Europe/Vienna") == datetime(2026, 5, 21, 7, tzinfo=UTC)
    there = Draft(digest_time="05:00", digest_time_zone="UTC")
    assert next_digest(there, NOW, "Europe/Vienna") == datetime(2026, 5, 21, 5, tzinfo=UTC)
    weekly = Draft(digest_frequency="weekly", digest_time_zone="UTC")
    assert next_digest(weekly, NOW, "UTC") == datetime(2026, 5, 25, 9, tzinfo=UTC)
    hourly = Draft(digest_frequency="hourly", digest_time="09:15")
    assert next_digest(hourly, NOW, "UTC") == NOW + timedelta(minutes=3)
    assert next_digest(Draft(digest_frequency="7"), NOW, "UTC") is None


def test_a_silence_begins_with_what_is_about_the_same() -> None:
    rule = alike(warning("tank:vm/1"), Breadth.RESOURCE)
    assert rule == "type = backup.warning and resource = tank:vm/1"
    assert alike(warning(""), Breadth.RESOURCE) == "type = backup.warning"
