"""What other groups bring to a target anyhow is what they are routed, and what a digest keeps."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Digest, Frequency, Group, Scope, Subscription
from ibs_notify.domain.severity import Severity
from ibs_notify.domain.target import PushgatewaySpec, SmtpSpec, Target, WebhookSpec
from ibs_notify.router.match import build_table
from ibs_notify.router.overlap import Overlap
from ibs_notify.snapshot.model import Snapshot

NOW = datetime(2026, 5, 21, tzinfo=UTC)
TARGETS = {
    each.uid: each
    for each in (
        Target("chat", "u-chat", WebhookSpec("http://127.0.0.1/")),
        Target("mail", "u-mail", SmtpSpec("127.0.0.1", 25)),
        Target("gauge", "u-gauge", PushgatewaySpec("http://127.0.0.1/")),
    )
}
INFO_LATER = Digest("severity = info", Frequency.DAILY)


def group(name: str, rule: str = "*", **fields: object) -> Group:
    """A group that holds every target, the mail without a recipient."""
    subscriptions = tuple(
        Subscription(f"{name}-{each.name}", each.name, rule) for each in TARGETS.values()
    )
    return Group(name, f"u-{name}", subscriptions=subscriptions, **fields)  # type: ignore[arg-type]


def event(severity: Severity = Severity.ERROR, **fields: object) -> Event:
    given = {"resource": "/datastore/a", "canonical_resource": "/datastore/a"} | fields
    return Event("", "backup.failed", severity, NOW, **given)  # type: ignore[arg-type]


def overlap(target: str, *groups: Group, events: tuple[Event, ...], own: str = "own") -> Overlap:
    found = Overlap(build_table(Snapshot(1, targets=TARGETS, groups=groups)), own, target)
    found.take(events)
    return found


def brought(found: Overlap) -> dict[str, tuple[int, int]]:
    return {each.route.group: (each.count, each.gathered) for each in found.groups}


def test_an_event_that_two_other_groups_bring_is_one() -> None:
    groups = (group("ops"), group("errors", "severity >= error"), group("own"))
    found = overlap("chat", *groups, events=(event(), event(Severity.INFO)))
    assert (found.examined, found.count, found.gathered) == (2, 2, 0)
    assert brought(found) == {"ops": (2, 0), "errors": (1, 0)}


def test_what_is_only_in_a_digest_is_told_apart_and_a_metric_server_counts_at_once() -> None:
    events = (event(), event(Severity.INFO))
    found = overlap("chat", group("ops", digest=INFO_LATER), events=events)
    assert (found.count, found.gathered, brought(found)) == (1, 1, {"ops": (1, 1)})
    both = (group("ops", digest=INFO_LATER), group("all"))
    found = overlap("chat", *both, events=events)
    assert (found.count, found.gathered) == (2, 0)
    found = overlap("gauge", group("ops", digest=INFO_LATER), events=events)
    assert (found.count, found.gathered) == (2, 0)


def test_mail_for_nobody_brings_nothing() -> None:
    assert not overlap("mail", group("ops"), events=(event(),)).groups


@pytest.mark.parametrize(("own", "count"), [("", 1), ("coming", 0)])
def test_an_event_that_selects_the_group_to_be_is_not_brought_by_attachments_any_more(
    own: str, count: int
) -> None:
    attached = group("on-a", scope=Scope.ATTACHED, attachments=("/datastore/a",))
    found = overlap("chat", attached, events=(event(groups=("coming",)),), own=own)
    assert found.count == count


def test_that_a_target_fails_is_not_brought_to_itself() -> None:
    failing = Event(
        "", "notification.target-failing", Severity.ERROR, NOW, labels={"target_uid": "u-chat"}
    )
    assert not overlap("chat", group("ops"), events=(failing,)).count
    assert overlap("gauge", group("ops"), events=(failing,)).count == 1
