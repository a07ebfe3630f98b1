"""Which events changes become: few, with ids of their own, and always the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ibs_notify.config.announcement import MOST_LINES, MOST_OF_A_TYPE, Noted, events_of
from ibs_notify.domain.bounds import faults_of
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity

NOON = datetime(2026, 5, 21, 12, tzinfo=UTC)


def noted(number: int, action: str, subject: str, actor: str = "alice", role: str = "") -> Noted:
    moment = NOON + timedelta(seconds=number)
    return Noted(number, moment, actor, action, subject, number.to_bytes(32, "big"), role)


def told(*entries: Noted) -> list[tuple[str, str]]:
    return [(each.type, each.subject) for each in events_of(entries)]


@pytest.mark.parametrize(
    ("action", "subject", "said"),
    [
        ("target.create", "target/chat", "target chat was created, by alice"),
        ("target.update", "target/chat", "target chat was changed, by alice"),
        ("target.delete", "target/chat", "target chat was deleted, by alice"),
        ("group.update", "group/ops", "group ops was changed, by alice"),
        ("settings.update", "settings", "settings were changed, by alice"),
        ("key.remove", "key/k1", "key k1 was removed, by alice"),
    ],
)
def test_a_change_is_told_in_a_sentence(action: str, subject: str, said: str) -> None:
    assert told(noted(1, action, subject)) == [("config.changed", said)]


def test_a_token_is_told_and_so_is_a_role_that_may_change_something() -> None:
    assert told(noted(1, "token.create", "token/ci", role="emitter")) == [
        ("auth.token-created", "API token ci was created, by alice")
    ]
    assert told(noted(1, "token.create", "token/root", role="administrator")) == [
        ("auth.token-created", "API token root was created, by alice"),
        ("config.permission-granted", "API token root was given the role administrator, by alice"),
    ]
    assert told(noted(1, "token.revoke", "token/ci")) == [
        ("auth.token-revoked", "API token ci was revoked, by alice")
    ]


def test_a_rotated_key_is_told() -> None:
    assert told(noted(1, "key.rotate", "key/k2")) == [
        ("config.key-rotated", "key k2 was rotated, by alice")
    ]


def test_a_test_of_a_target_is_no_change() -> None:
    assert told(noted(1, "target.test", "target/chat")) == []


def test_an_event_says_who_did_what_and_where_to_look() -> None:
    (event,) = events_of([noted(42, "group.update", "group/ops")])
    assert (event.actor, event.timestamp) == ("alice", NOON + timedelta(seconds=42))
    assert event.severity is Severity.INFO
    assert event.labels == {
        "action": "group.update",
        "what": "group/ops",
        "count": "1",
        "audit_entry": "42",
    }
    assert "group.update group/ops, by alice (entry 42)" in event.summary


def test_what_one_person_changed_is_one_event_and_what_others_did_another() -> None:
    entries = [
        noted(n, "group.update", f"group/g{n}", "bob" if n == 2 else "alice") for n in (1, 2, 3)
    ]
    assert told(*entries) == [
        ("config.changed", "2 changes of the configuration of notifications, by alice"),
        ("config.changed", "group g2 was changed, by bob"),
    ]


def flood(action: str) -> list[Event]:
    """Of ten thousand acts, each of somebody else."""
    name = action.partition(".")[0]
    return events_of(
        [noted(n, action, f"{name}/{n}", f"user-{n}", "operator") for n in range(1, 10_001)]
    )


@pytest.mark.parametrize("action", ["group.update", "token.create", "token.revoke", "key.rotate"])
def test_a_flood_is_a_few_events_that_count_all_of_it(action: str) -> None:
    events = flood(action)
    assert len(events) <= 2 * MOST_OF_A_TYPE
    first = [each for each in events if each.type == events[0].type]
    assert len(first) == MOST_OF_A_TYPE
    assert sum(int(each.labels["count"]) for each in first) == 10_000
    assert first[-1].actor == "several"
    assert len(first[-1].summary.splitlines()) == MOST_LINES + 3
    assert "and 9,971 more" in first[-1].summary


@pytest.mark.parametrize("action", ["group.update", "token.create"])
def test_every_event_is_one_that_the_router_accepts_with_an_id_of_its_own(action: str) -> None:
    events = flood(action)
    assert [faults_of(each) for each in events] == [[]] * len(events)
    assert len({each.event_id for each in events}) == len(events)


def test_the_longest_names_fit_into_an_event() -> None:
    longest = [noted(n, "target.update", "target/" + "t" * 249, "a" * 256) for n in range(1, 50)]
    for events in (events_of(longest), events_of(longest[:1])):
        assert [faults_of(each) for each in events] == [[]]


def test_the_same_entries_are_always_the_same_events() -> None:
    assert flood("token.create") == flood("token.create")


def test_another_chain_has_other_ids() -> None:
    """A restored database counts on from before, with other entries."""
    entry = noted(1, "group.update", "group/ops")
    other = Noted(1, entry.moment, "alice", entry.action, entry.subject, b"\xff" * 32)
    assert events_of([entry])[0].event_id != events_of([other])[0].event_id
