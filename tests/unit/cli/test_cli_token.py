"""Tokens on the command line: shown once, on standard output alone, or in a file of one's own."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.command_line import Cli

from ibs_notify.domain.errors import AlreadyExists, Reason, Unauthenticated
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import token_pb2

ID = "0123456789abcdef"
SECRET = f"ibsn_{ID}_{'5a' * 32}"
CREATE = ("token", "create", "ci", "--role", "emitter")


@pytest.fixture(autouse=True)
def _config(cli: Cli) -> None:
    def make(request: pb.CreateTokenRequest) -> pb.CreateTokenResponse:
        made = token_pb2.Token(id=ID, revision=7)
        made.MergeFrom(request.token)
        return pb.CreateTokenResponse(token=made, secret=SECRET, warnings=["beware"])

    cli.config.answers["CreateToken"] = make


def asked(cli: Cli) -> token_pb2.Token:
    (request,) = cli.config.received("CreateToken")
    token: token_pb2.Token = request.token
    return token


def expiry(cli: Cli) -> timedelta:
    return asked(cli).expire_time.ToDatetime(UTC) - datetime.now(UTC)


def test_a_token_is_valid_for_ninety_days_unless_told_otherwise(cli: Cli) -> None:
    assert cli(*CREATE).exit_code == 0
    assert timedelta(days=89, hours=23) < expiry(cli) <= timedelta(days=90)
    assert asked(cli).role == token_pb2.ROLE_EMITTER


def test_never_is_no_end_at_all(cli: Cli) -> None:
    cli(*CREATE, "--expires", "never")
    assert not asked(cli).HasField("expire_time")


def test_an_end_may_be_a_span_or_a_date(cli: Cli) -> None:
    cli(*CREATE, "--expires", "2d")
    assert timedelta(days=1, hours=23) < expiry(cli) <= timedelta(days=2)
    cli.config.calls.clear()
    cli(*CREATE, "--expires", "2199-01-01T00:00Z")
    assert asked(cli).expire_time.ToDatetime(UTC) == datetime(2199, 1, 1, tzinfo=UTC)


def test_bounds_and_a_quota_are_asked_for(cli: Cli) -> None:
    bounds = "--source backup --source verify --resource ibs:a --quota 600 --description nightly"
    cli(*CREATE, *bounds.split())
    made = asked(cli)
    assert list(made.sources) == ["backup", "verify"]
    assert list(made.resources) == ["ibs:a"]
    assert (made.quota_per_minute, made.description) == (600, "nightly")


def test_the_secret_is_on_standard_output_once_and_warnings_are_not(cli: Cli) -> None:
    result = cli(*CREATE)
    assert result.stdout.count(SECRET) == 1
    assert SECRET not in result.stderr
    assert "beware" in result.stderr


def test_who_makes_a_token_where_nobody_is_asked_for_one_is_told_when_it_counts(cli: Cli) -> None:
    assert "it is valid once tls_directory is set" in cli(*CREATE).stderr


def test_quiet_prints_the_token_and_nothing_else(cli: Cli) -> None:
    assert cli(*CREATE, "--quiet").stdout == f"{SECRET}\n"


def test_a_document_has_the_secret_and_the_token(cli: Cli) -> None:
    document = json.loads(cli(*CREATE, "-o", "json").stdout)
    assert document["secret"] == SECRET
    assert document["token"]["name"] == "ci"


@pytest.mark.parametrize("flags", [(), ("--quiet",), ("-o", "json")])
def test_a_file_of_ones_own_has_the_secret_and_the_terminal_has_not(
    cli: Cli, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    path = tmp_path / "ci.token"
    result = cli(*CREATE, "--out", str(path), *flags)
    assert path.read_text() == f"{SECRET}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert SECRET not in result.output


def test_a_file_that_is_there_is_not_overwritten_and_no_token_is_made(
    cli: Cli, tmp_path: Path
) -> None:
    path = tmp_path / "ci.token"
    path.write_text("precious")
    result = cli(*CREATE, "--out", str(path))
    assert result.exit_code == 2
    assert path.read_text() == "precious"
    assert cli.config.received("CreateToken") == []


def test_of_a_token_that_was_refused_no_file_stays(cli: Cli, tmp_path: Path) -> None:
    cli.config.answers["CreateToken"] = AlreadyExists(Reason.TOKEN_EXISTS, "made before")
    path = tmp_path / "ci.token"
    assert cli(*CREATE, "--out", str(path)).exit_code == 4
    assert not path.exists()


def test_the_list_says_what_each_is_good_for(cli: Cli) -> None:
    now = datetime.now(UTC)
    live = token_pb2.Token(name="a", role=token_pb2.ROLE_EMITTER, sources=["backup"])
    live.last_use_time.FromDatetime(datetime(2026, 5, 21, 2, 14, tzinfo=UTC))
    old = token_pb2.Token(name="b", role=token_pb2.ROLE_VIEWER)
    old.expire_time.FromDatetime(now - timedelta(seconds=1))
    dead = token_pb2.Token(name="c", role=token_pb2.ROLE_OPERATOR)
    dead.revoke_time.FromDatetime(now)
    pages = {
        "": pb.ListTokensResponse(tokens=[live, old], next_page_token="more"),
        "more": pb.ListTokensResponse(tokens=[dead]),
    }
    cli.config.answers["ListTokens"] = lambda request: pages[request.page_token]
    rows = cli("token", "list", "--all").stdout.splitlines()[2:]
    assert [row.split()[0] for row in rows] == ["a", "b", "c"]
    assert "backup" in rows[0]
    assert "2026-05-21 02:14:00Z" in rows[0]
    for row, standing in zip(rows, ("valid", "expired", "revoked"), strict=True):
        assert standing in row
    assert all(each.include_revoked for each in cli.config.received("ListTokens"))
    shown = cli("token", "show", "c").stdout
    assert "operator" in shown
    assert cli("token", "show", "d").exit_code == 3


def test_who_revokes_the_token_that_is_presented_is_told(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = pb.RevokeTokenResponse(token=token_pb2.Token(name="ci", id=ID, revision=8))
    cli.config.answers["RevokeToken"] = answer
    other = cli("token", "revoke", "ci")
    assert (other.exit_code, other.stderr) == (0, "")
    assert cli.router.received("AwaitConfig")[0].revision == 8
    monkeypatch.setenv("IBS_NOTIFY_TOKEN", SECRET)
    own = cli("token", "revoke", "ci")
    assert own.exit_code == 0
    assert "this command presented" in own.stderr
    assert SECRET not in own.output


def test_who_is_not_known_is_told_what_to_set(cli: Cli) -> None:
    advice = "set IBS_NOTIFY_TOKEN to a token"
    cli.config.answers["ListTokens"] = Unauthenticated(
        Reason.UNAUTHENTICATED, "this service answers only who presents a token", advice=advice
    )
    result = cli("token", "list")
    assert result.exit_code == 4
    assert advice in result.stderr


def test_an_emitter_sees_the_names_of_groups(cli: Cli) -> None:
    names = [pb.GroupName(name="ops", description="daily"), pb.GroupName(name="pager")]
    cli.config.answers["ListGroupNames"] = pb.ListGroupNamesResponse(groups=names)
    assert "ops" in cli("group", "list", "--names").stdout
    listed = json.loads(cli("group", "list", "--names", "-o", "json").stdout)
    assert [each["name"] for each in listed] == ["ops", "pager"]
    assert cli("group", "list", "--names", "--resource", "a").exit_code == 2
