"""Silences on the command line: one way to say when, and times that lie ahead."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete
from tests.support.command_line import Cli

from ibs_notify.cli.completion import PROGRAM, VARIABLE
from ibs_notify.cli.params import moment_after
from ibs_notify.cli.silence_view import roughly, standing, when
from ibs_notify.cli.tree import root
from ibs_notify.domain.errors import NotFound, Reason
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1 import router_service_pb2 as pb

NOW = datetime(2026, 5, 21, 12, 0, tzinfo=UTC)
LATER = moment_to_proto(NOW + timedelta(hours=3))
CREATE = ("silence", "create", "--rule", "*", "--comment", "disk swap")


@pytest.fixture
def in_vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Vienna")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def _router(cli: Cli) -> None:
    def make(request: pb.CreateSilenceRequest) -> pb.CreateSilenceResponse:
        made = pb.Silence(silence_id="sil-1", author="alice", active=True)
        made.MergeFrom(request.silence)
        return pb.CreateSilenceResponse(silence=made)

    cli.router.answers["CreateSilence"] = make


def silence(
    *, start: timedelta = timedelta(0), end: timedelta | None = None, **fields: Any
) -> pb.Silence:
    return pb.Silence(
        start_time=moment_to_proto(NOW + start),
        end_time=moment_to_proto(NOW + end) if end is not None else None,
        **fields,
    )


def created(cli: Cli) -> pb.Silence:
    (request,) = cli.router.received("CreateSilence")
    made: pb.Silence = request.silence
    return made


@pytest.mark.parametrize("flag", ["--for", "--until"])
def test_a_span_means_ahead(cli: Cli, flag: str) -> None:
    before = datetime.now(UTC)

    assert cli(*CREATE, flag, "2h").exit_code == 0

    made = created(cli)
    start = made.start_time.ToDatetime(UTC)
    assert before <= start <= datetime.now(UTC)
    assert timedelta(hours=2) <= made.end_time.ToDatetime(UTC) - before < timedelta(hours=2.1)


def test_a_silence_may_be_planned_from_one_time_to_another(cli: Cli) -> None:
    line = ("--from", "2026-05-21T22:00:00Z", "--until", "2026-05-22T06:00:00Z")

    assert cli(*CREATE, *line).exit_code == 0

    made = created(cli)
    assert (made.rule, made.comment) == ("*", "disk swap")
    assert made.start_time.ToJsonString() == "2026-05-21T22:00:00Z"
    assert made.end_time.ToJsonString() == "2026-05-22T06:00:00Z"


def test_a_span_counts_from_the_planned_beginning(cli: Cli) -> None:
    assert cli(*CREATE, "--from", "2026-05-21T22:00:00Z", "--for", "90m").exit_code == 0

    assert created(cli).end_time.ToJsonString() == "2026-05-21T23:30:00Z"


def test_a_weekly_silence_has_a_window_and_a_zone_and_may_end(cli: Cli) -> None:
    line = ("--weekly", "sat 22:00-24:00", "--timezone", "Europe/Vienna")

    assert cli(*CREATE, *line, "--until", "2026-12-31T00:00:00Z").exit_code == 0

    made = created(cli)
    assert (made.weekly, made.time_zone) == ("sat 22:00-24:00", "Europe/Vienna")
    assert made.end_time.ToJsonString() == "2026-12-31T00:00:00Z"
    assert not made.HasField("start_time")


@pytest.mark.parametrize(
    "when_given",
    [
        "",
        "--from 2h",
        "--for 2h --until 3h",
        "--for 2h --weekly sat",
        "--from 2h --weekly sat",
        "--for 2h --timezone UTC",
        "--until yesterday",
    ],
)
def test_anything_but_one_way_to_say_when_is_refused(cli: Cli, when_given: str) -> None:
    assert cli(*CREATE, *when_given.split()).exit_code == 2
    assert cli.router.calls == []


def test_a_silence_needs_a_comment(cli: Cli) -> None:
    result = cli("silence", "create", "--rule", "*", "--for", "2h")

    assert result.exit_code == 2
    assert "--comment" in result.stderr


def test_the_answer_shows_what_is_silenced_and_until_when(cli: Cli, in_vienna: None) -> None:
    line = ("--from", "2026-05-21T22:00", "--until", "2026-05-22T06:00")

    shown = cli(*CREATE, *line).stdout

    assert created(cli).start_time.ToJsonString() == "2026-05-21T20:00:00Z"
    for each in ("sil-1", "active now", "alice", "disk swap"):
        assert each in shown
    assert "2026-05-21 22:00 CEST to 2026-05-22 06:00 CEST" in shown


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2h", NOW + timedelta(hours=2)),
        ("0", NOW),
        ("2026-05-21T22:00:00+02:00", datetime(2026, 5, 21, 20, tzinfo=UTC)),
    ],
)
def test_a_time_ahead_is_a_span_from_now_or_a_moment(text: str, moment: datetime) -> None:
    assert moment_after(NOW, text) == moment


def test_what_is_no_time_ahead_says_how_to_write_one() -> None:
    with pytest.raises(click.BadParameter, match="2h for in two hours"):
        moment_after(NOW, "tomorrow")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (pb.Silence(active=True), "active now"),
        (pb.Silence(active=True, next_change_time=LATER), "active now, ends in 3 h"),
        (pb.Silence(next_change_time=LATER), "begins in 3 h"),
        (silence(end=timedelta(days=9), weekly="sat", next_change_time=LATER), "begins in 3 h"),
        (silence(start=timedelta(hours=-3), end=timedelta(0)), "ended"),
        (pb.Silence(weekly="sat 22:00-24:00"), "not now"),
    ],
)
def test_a_silence_says_where_it_stands(found: pb.Silence, words: str) -> None:
    assert standing(found, NOW) == words


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=45), "45 s"),
        (timedelta(minutes=90), "90 min"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=3), "3 d"),
    ],
)
def test_a_span_is_told_roughly(span: timedelta, words: str) -> None:
    assert roughly(span) == words


def test_a_weekly_silence_is_told_with_its_zone_and_its_end(in_vienna: None) -> None:
    found = pb.Silence(weekly="sat 22:00-24:00", time_zone="Asia/Tokyo")
    assert when(found) == "every sat 22:00-24:00 Asia/Tokyo"

    found.end_time.FromDatetime(NOW)
    assert when(found) == "every sat 22:00-24:00 Asia/Tokyo, until 2026-05-21 14:00 CEST"


def pages(request: pb.ListSilencesRequest) -> pb.ListSilencesResponse:
    if not request.page_token:
        return pb.ListSilencesResponse(
            silences=[pb.Silence(silence_id="sil-2", comment="\x1b[2J")], next_page_token="more"
        )
    return pb.ListSilencesResponse(silences=[pb.Silence(silence_id="sil-1")])


def test_all_pages_of_the_silences_are_listed(cli: Cli) -> None:
    cli.router.answers["ListSilences"] = pages

    shown = cli("silence", "list", "--all").stdout

    assert "sil-2" in shown
    assert "sil-1" in shown
    assert r"\x1b[2J" in shown
    assert all(each.include_expired for each in cli.router.received("ListSilences"))


def test_without_silences_everything_is_told(cli: Cli) -> None:
    assert cli("silence", "list").stdout == "no silences: everything is told\n"
    assert not cli.router.received("ListSilences")[0].include_expired


def test_silences_are_found_by_a_text(cli: Cli) -> None:
    shown = cli("silence", "list", "--text", "nightly").stdout

    assert shown == "no such silence has 'nightly' in it\n"
    assert cli.router.received("ListSilences")[0].text == "nightly"
    assert cli("silence", "list", "--text", "").exit_code == 2


def test_one_silence_is_shown_also_from_a_later_page(cli: Cli) -> None:
    cli.router.answers["ListSilences"] = pages

    shown = json.loads(cli("silence", "show", "sil-1", "-o", "json").stdout)

    assert shown["silence_id"] == "sil-1"


def test_an_unknown_silence_has_exit_code_3(cli: Cli) -> None:
    cli.router.answers["ExpireSilence"] = NotFound(Reason.SILENCE_NOT_FOUND, "no such silence")

    assert cli("silence", "show", "sil-9").exit_code == 3
    assert cli("silence", "expire", "sil-9").exit_code == 3


def test_an_expired_silence_has_ended(cli: Cli) -> None:
    cli.router.answers["ExpireSilence"] = pb.ExpireSilenceResponse(
        silence=silence(end=timedelta(0), silence_id="sil-1")
    )

    assert "ended" in cli("silence", "expire", "sil-1").stdout
    assert cli.router.received("ExpireSilence")[0].silence_id == "sil-1"


def test_the_id_of_a_silence_is_completed_with_its_comment(cli: Cli) -> None:
    cli.router.answers["ListSilences"] = pb.ListSilencesResponse(
        silences=[pb.Silence(silence_id="sil-1", comment="disk swap")]
    )
    line = ["notification", "silence", "expire"]

    (item,) = ShellComplete(root, {}, PROGRAM, VARIABLE).get_completions(line, "s")

    assert (item.value, item.help) == ("sil-1", "disk swap")
