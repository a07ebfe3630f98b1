"""Whether a name of then is still borne by the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ibs_notify.console.bearers import Bearers
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1.target_pb2 import Target

MADE = datetime(2026, 11, 28, 9, tzinfo=UTC)
BEFORE, AFTER = (moment_to_proto(MADE + timedelta(seconds=each)) for each in (-1, 1))
CHAT = Target(name="chat-ops", uid="u-2", create_time=moment_to_proto(MADE))
TODAY = Bearers({CHAT.name: CHAT}, {"ops-team": MADE, "of-an-older-config": None})


def test_a_target_is_known_by_its_uid_whenever_that_was() -> None:
    assert TODAY.is_earlier_target("chat-ops", "u-1", AFTER)
    assert not TODAY.is_earlier_target("chat-ops", "u-2", BEFORE)


def test_a_target_of_which_no_uid_is_told_is_known_by_the_moment() -> None:
    assert TODAY.is_earlier_target("chat-ops", "", BEFORE)
    assert not TODAY.is_earlier_target("chat-ops", "", moment_to_proto(MADE))
    assert not TODAY.is_earlier_target("chat-ops", "", None)


def test_a_group_is_known_by_the_moment_that_it_was_made() -> None:
    assert TODAY.is_earlier_group("ops-team", BEFORE)
    assert not TODAY.is_earlier_group("ops-team", AFTER)
    assert not TODAY.is_earlier_group("of-an-older-config", BEFORE)


def test_a_form_is_offered_of_a_group_that_is_there_still() -> None:
    assert TODAY.has_group("ops-team", AFTER)
    assert not TODAY.has_group("ops-team", BEFORE)
    assert not TODAY.has_group("gone", AFTER)
    assert Bearers().has_group("gone", AFTER)


def test_nothing_is_an_earlier_one_of_a_name_that_nobody_bears() -> None:
    assert not TODAY.is_earlier_target("gone", "u-1", BEFORE)
    assert not TODAY.is_earlier_group("gone", BEFORE)
    assert TODAY.has_no_target("u-1")
    assert not TODAY.has_no_target("u-2")


def test_where_it_is_not_known_who_bears_a_name_nothing_is_said_of_it() -> None:
    unknown = Bearers()
    assert not unknown.is_earlier_target("chat-ops", "u-1", BEFORE)
    assert not unknown.is_earlier_group("ops-team", BEFORE)
    assert not unknown.has_no_target("u-1")
