"""Sessions: found by their cookie, ended in time, and never more than fit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ibs_notify.console.login import sessions
from ibs_notify.console.login.login import role_of
from ibs_notify.console.login.paths import local_path
from ibs_notify.console.login.sessions import IDLE, LONGEST, MOST_OF_ONE, Sessions
from ibs_notify.domain.principal import Role


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = datetime(2026, 5, 21, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def kept(clock: Hand) -> Sessions:
    return Sessions(clock)


def test_a_session_is_found_by_its_secret_alone(kept: Sessions) -> None:
    secret, session = kept.begin("alice", Role.VIEWER, ())
    assert kept.find(secret) is session
    assert kept.find(secret[:-1]) is None
    kept.end(secret)
    assert kept.find(secret) is None


def test_it_lasts_as_long_as_it_is_used_but_not_for_ever(kept: Sessions, clock: Hand) -> None:
    secret, _ = kept.begin("alice", Role.VIEWER, ())
    began = clock.time
    while clock.time < began + LONGEST - IDLE:
        clock.time += IDLE - timedelta(seconds=1)
        assert kept.find(secret) is not None
    clock.time = began + LONGEST
    assert kept.find(secret) is None


def test_one_token_cannot_push_out_the_sessions_of_others(kept: Sessions) -> None:
    other, _ = kept.begin("bob", Role.VIEWER, ())
    mine = [kept.begin("alice", Role.VIEWER, ())[0] for _ in range(MOST_OF_ONE + 1)]
    assert kept.find(other) is not None
    assert kept.find(mine[0]) is None
    assert kept.find(mine[1]) is not None


def test_there_are_never_more_than_fit(kept: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST", 5)
    secrets = [kept.begin(f"user-{number}", Role.VIEWER, ())[0] for number in range(9)]
    assert [kept.find(each) is not None for each in secrets] == [False] * 4 + [True] * 5


def test_a_form_token_is_of_its_session_and_another_each_time(kept: Sessions) -> None:
    _, session = kept.begin("alice", Role.VIEWER, ())
    _, other = kept.begin("alice", Role.VIEWER, ())
    tokens = {session.csrf_token() for _ in range(5)}
    assert len(tokens) == 5
    assert all(session.accepts(each) and not other.accepts(each) for each in tokens)
    assert not any(session.accepts(each) for each in ("", "zz", "00" * 48))


def test_a_role_of_a_newer_release_may_look_and_nothing_else() -> None:
    assert role_of(0) is None
    assert role_of(4) is Role.ADMINISTRATOR
    assert role_of(99) is Role.VIEWER


def test_a_path_of_ours_is_kept_as_it_is() -> None:
    for path in ("/", "/settings?x=1", "/events/evt%2F1", "/tasks?state=dead#end"):
        assert local_path(path) == path
