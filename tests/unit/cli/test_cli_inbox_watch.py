"""``inbox watch``: over every outage, nothing is missed and nothing comes twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from tests.support.command_line import Cli
from tests.support.fake_services import FakeService

from ibs_notify.cli import inbox_watch
from ibs_notify.cli.inbox_watch import Watch
from ibs_notify.cli.session import Session
from ibs_notify.domain.errors import (
    InvalidArgument,
    NotificationError,
    OutOfRange,
    Reason,
    Unavailable,
)
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

Answers = Iterator[pb.WatchEventsResponse]
AWAY = Unavailable(Reason.STORAGE_UNAVAILABLE, "the database is away")
EXPIRED = OutOfRange(Reason.RESUME_TOKEN_EXPIRED, "the token is too old")


def record(number: int) -> pb.EventRecord:
    return pb.EventRecord(
        event=event_pb2.Event(
            event_id=f"e{number}", type="backup.failed", severity=event_pb2.SEVERITY_ERROR
        ),
        receive_time={"seconds": 1_779_329_675 + number},  # type: ignore[arg-type]  # as in JSON
    )


def router_with(
    cli: Cli, *, breaks: dict[int, NotificationError | None], last: int, marker: bool = True
) -> None:
    """A Router with the events 1 … ``last``, whose tokens are their numbers.

    It breaks off once after each event of ``breaks``, with the error or without one.
    """
    left = dict(breaks)

    def answers(request: pb.WatchEventsRequest) -> Answers:
        at = int(request.resume_token or 0)
        if marker:
            yield pb.WatchEventsResponse(resume_token=str(at))
        while at < last:
            if at in left:
                error = left.pop(at)
                if error is not None:
                    raise error
                return
            at += 1
            yield pb.WatchEventsResponse(resume_token=str(at), event=record(at))

    cli.router.answers["WatchEvents"] = answers


def watched(count: int, pause: Callable[[float], None] = lambda _: None) -> list[str]:
    with Session() as session:
        events = Watch(session, pb.EventFilter(sources=["backup"]), pause).events()
        return [next(events).event.event_id for _ in range(count)]


def test_events_are_followed_by_what_was_asked(cli: Cli) -> None:
    router_with(cli, breaks={}, last=3)

    assert watched(3) == ["e1", "e2", "e3"]
    (request,) = cli.router.received("WatchEvents")
    assert request.filter == pb.EventFilter(sources=["backup"])


@pytest.mark.parametrize("error", [AWAY, None])
def test_after_a_break_it_goes_on_where_it_stopped(
    cli: Cli, capsys: pytest.CaptureFixture[str], error: NotificationError | None
) -> None:
    router_with(cli, breaks={0: error, 2: error, 3: error}, last=5)

    assert watched(5) == ["e1", "e2", "e3", "e4", "e5"]

    tokens = [each.resume_token for each in cli.router.received("WatchEvents")]
    assert tokens == ["", "0", "2", "3"]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("waiting for it") == printed.err.count("the watch goes on") == 3
    assert "missing" not in printed.err


def test_a_router_that_is_started_again_is_followed_on(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = threading.Event()

    def answers(request: pb.WatchEventsRequest) -> Answers:
        at = int(request.resume_token or 0) + 1
        yield pb.WatchEventsResponse(resume_token=str(at), event=record(at))
        stopping.wait(30)

    router = FakeService("router", {"WatchEvents": answers})
    router.start()
    monkeypatch.setenv("IBS_NOTIFY_ROUTER_ADDRESS", router.address)
    with Session() as session:
        events = Watch(session, pb.EventFilter()).events()
        assert next(events).event.event_id == "e1"
        router.stop()
        router.start()
        assert next(events).event.event_id == "e2"
    stopping.set()
    router.stop()


def test_an_outage_is_told_once_and_waited_for_ever_longer(
    cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    attempts = iter(range(10))
    pauses: list[float] = []

    def answers(request: pb.WatchEventsRequest) -> Answers:
        if 0 < next(attempts) < 8:
            raise AWAY
        yield pb.WatchEventsResponse(resume_token="1", event=record(1))

    cli.router.answers["WatchEvents"] = answers

    watched(2, pauses.append)

    assert capsys.readouterr().err.count("waiting for it") == 1
    assert pauses == sorted(pauses)
    assert pauses[-1] == inbox_watch.LONGEST_PAUSE_SECONDS


def test_a_token_that_is_too_old_is_a_warning_that_says_where_to_look(
    cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    def answers(request: pb.WatchEventsRequest) -> Answers:
        if request.resume_token:
            raise EXPIRED
        yield pb.WatchEventsResponse(resume_token="2", event=record(2))

    cli.router.answers["WatchEvents"] = answers

    watched(2)

    assert [each.resume_token for each in cli.router.received("WatchEvents")] == ["", "2", ""]
    warning = capsys.readouterr().err
    assert "some events may be missing here" in warning
    assert "event list --after 2026-05-21T02:14:37Z" in warning


def test_a_break_before_there_was_a_token_is_told_as_a_possible_gap(
    cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    router_with(cli, breaks={0: AWAY}, last=1, marker=False)

    watched(1)

    assert "some events may be missing here" in capsys.readouterr().err


def test_a_filter_that_is_refused_ends_it(cli: Cli) -> None:
    refused = InvalidArgument(Reason.RULE_INVALID, "that is no rule")
    router_with(cli, breaks={0: refused}, last=1)

    result = cli("inbox", "watch", "--rule", "nonsense")

    assert result.exit_code == 4
    assert "that is no rule" in result.stderr


def test_without_a_router_it_does_not_begin(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBS_NOTIFY_ROUTER_ADDRESS", "127.0.0.1:1")

    result = cli("inbox", "watch")

    assert result.exit_code == 5
    assert "cannot be reached" in result.stderr


@pytest.mark.parametrize(
    ("form", "line"),
    [("table", "2026-05-21 02:14:36Z  error     backup.failed  e1"), ("json", "{")],
)
def test_ctrl_c_ends_it_with_code_0(cli: Cli, form: str, line: str) -> None:
    def answers(request: pb.WatchEventsRequest) -> Answers:
        yield pb.WatchEventsResponse(resume_token="1", event=record(1))
        stopped.wait(30)

    stopped = threading.Event()
    cli.router.answers["WatchEvents"] = answers
    with subprocess.Popen(
        [sys.executable, "-m", "ibs_notify.cli", "notification", "inbox", "watch", "-o", form],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as program:
        assert program.stdout is not None
        printed = program.stdout.readline()
        program.send_signal(signal.SIGINT)
        rest, errors = program.communicate(timeout=30)
        stopped.set()

    assert printed.startswith(line)
    if form == "json":
        assert json.loads(printed)["event"]["severity"] == "error"
    assert (program.returncode, rest, errors) == (0, "", "")
