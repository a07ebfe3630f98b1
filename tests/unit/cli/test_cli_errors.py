"""How the command line ends: exit codes, one line for everything, never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import click
import pytest
from tests.support.command_line import Cli

from ibs_notify.cli import session
from ibs_notify.cli.params import moment_before
from ibs_notify.domain.duration import parse_duration, show_duration
from ibs_notify.domain.errors import Internal, Reason
from ironcore.notification.v1 import config_service_pb2, target_pb2


def test_a_service_that_is_not_there_is_named_with_its_address(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBS_NOTIFY_CONFIG_ADDRESS", "127.0.0.1:1")

    result = cli("target", "list")

    assert result.exit_code == 5
    assert result.stderr.splitlines() == [
        "error: Config at 127.0.0.1:1 cannot be reached",
        "advice: see that it runs, or set IBS_NOTIFY_CONFIG_ADDRESS",
    ]


def test_another_service_at_the_address_is_told_apart_from_the_right_one(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBS_NOTIFY_CONFIG_ADDRESS", cli.router.address)

    result = cli("target", "list")

    assert result.exit_code == 5
    assert result.stderr.splitlines() == [
        f"error: what answers at {cli.router.address} is not Config, or of another release",
        "advice: see what listens there, or set IBS_NOTIFY_CONFIG_ADDRESS",
    ]


def test_a_fault_of_a_service_has_exit_code_70(cli: Cli) -> None:
    cli.config.answers["ListTargets"] = Internal(Reason.INTERNAL, "the service failed")

    assert cli("target", "list").exit_code == 70


def test_a_fault_of_this_program_is_a_line_and_exit_code_70(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: object) -> None:
        raise RuntimeError("\x1b[31mbroken")

    monkeypatch.setattr(session.Session, "__init__", fail)

    result = cli("target", "list")

    assert result.exit_code == 70
    assert r"error: this program failed: RuntimeError: \x1b[31mbroken" in result.stderr
    assert "Traceback" not in result.stderr


def test_debug_shows_where_it_failed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBS_NOTIFY_LOG_LEVEL", "debug")
    cli.config.answers["ListTargets"] = Internal(Reason.INTERNAL, "the service failed")

    assert "Traceback" in cli("target", "list").stderr


def test_an_interruption_has_exit_code_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_self: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(session.Session, "__init__", interrupt)

    result = cli("target", "list")

    assert result.exit_code == 130
    assert "Traceback" not in result.stderr


def test_control_c_while_waiting_for_a_service_has_exit_code_130() -> None:
    # A test run in the background hands down that SIGINT is ignored.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from ibs_notify.cli.__main__ import main; main()"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", program, "notification", "emit", "--stdin", "-o", "json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(b"not json\n")
    running.stdin.flush()
    assert b"not JSON" in running.stdout.readline()

    running.send_signal(signal.SIGINT)
    _, errors = running.communicate()

    assert running.returncode == 130
    assert b"Traceback" not in errors


def test_a_reader_that_has_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    program = "from ibs_notify.cli.__main__ import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", program, "notification", "event-types", "list"],
        check=False,
        stdout=write,
        stderr=subprocess.PIPE,
    )
    os.close(write)

    assert (done.returncode, done.stderr) == (0, b"")


def test_an_unknown_setting_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBS_NOTIFY_HOEM", "x")

    result = cli("target", "list")

    assert result.exit_code == 4
    assert "unknown setting: hoem" in result.stderr


def test_text_that_is_no_utf8_is_a_usage_error(cli: Cli) -> None:
    result = cli("emit", "--type", "a.b", "--subject", "\udcff")

    assert result.exit_code == 2
    assert "not valid UTF-8" in result.stderr


def test_a_user_outside_ascii_is_sent_in_ascii(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBS_NOTIFY_USER", "jürgen")

    assert cli("target", "list").exit_code == 0

    assert cli.config.calls[0].metadata["ibs-user"] == r"j\xfcrgen"


def test_what_no_service_returns_is_in_no_document(cli: Cli) -> None:
    cli.config.answers["ListTargets"] = config_service_pb2.ListTargetsResponse(
        targets=[target_pb2.Target(smtp=target_pb2.SmtpTarget(password_set=True))]
    )

    shown = cli("target", "list", "-o", "json").stdout

    assert '"password_set": true' in shown
    assert '"password":' not in shown


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2D", 172_800)]
)
def test_durations_are_read_and_shown(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert parse_duration(show_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m", "1e3s", "５m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)


def test_a_time_is_absolute_or_a_span_back_from_now() -> None:
    now = datetime(2026, 5, 21, 12, tzinfo=UTC)

    assert moment_before(now, "2h") == datetime(2026, 5, 21, 10, tzinfo=UTC)
    assert moment_before(now, "2026-05-21T02:14:35Z") == datetime(
        2026, 5, 21, 2, 14, 35, tzinfo=UTC
    )
    with pytest.raises(click.BadParameter, match="no time"):
        moment_before(now, "yesterday")
