"""The audit log on the command line: all services in one list, and a verdict on each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.command_line import Cli

from ibs_notify.cli.audit_view import changes
from ibs_notify.domain.errors import Internal, Reason
from ironcore.notification.v1 import audit_service_pb2 as pb

HASH = bytes(range(32))
KNOWN = f"config:7:{HASH.hex()}"


def entry(number: int, minute: int, action: str = "group.update", **fields: Any) -> pb.AuditEntry:
    made = pb.AuditEntry(
        sequence=number, actor="alice", action=action, subject="group/ops", **fields
    )
    made.time.FromDatetime(datetime(2026, 5, 21, 12, minute, tzinfo=UTC))
    return made


def page(*entries: pb.AuditEntry, more: str = "") -> pb.ListAuditEntriesResponse:
    return pb.ListAuditEntriesResponse(entries=entries, next_page_token=more)


def intact(count: int = 7) -> pb.VerifyAuditLogResponse:
    return pb.VerifyAuditLogResponse(intact=True, count=count, last_hash=HASH)


def answer_all(cli: Cli, method: str, answer: object) -> None:
    for service in (cli.config, cli.router, cli.delivery):
        service.answers[method] = answer  # type: ignore[assignment]  # a response


def test_the_logs_of_all_services_are_one_list_newest_first(cli: Cli) -> None:
    cli.config.answers["ListAuditEntries"] = page(entry(9, 30), entry(8, 10))
    cli.router.answers["ListAuditEntries"] = page(entry(3, 20, "silence.create"))
    cli.delivery.answers["ListAuditEntries"] = page(entry(1, 5, "delivery.hold"))

    lines = cli("audit", "list").stdout.splitlines()

    assert lines == [
        "2026-05-21 12:30:00Z  alice  group.update  group/ops  (config 9)",
        "2026-05-21 12:20:00Z  alice  silence.create  group/ops  (router 3)",
        "2026-05-21 12:10:00Z  alice  group.update  group/ops  (config 8)",
        "2026-05-21 12:05:00Z  alice  delivery.hold  group/ops  (delivery 1)",
    ]


def test_pages_are_followed_as_far_as_they_are_wanted(cli: Cli) -> None:
    def answer(request: pb.ListAuditEntriesRequest) -> pb.ListAuditEntriesResponse:
        number = int(request.page_token or 9)
        return page(entry(number, number), more=str(number - 1))

    cli.config.answers["ListAuditEntries"] = answer

    result = cli("audit", "list", "--service", "config", "--limit", "3")

    assert [line[-2] for line in result.stdout.splitlines()] == ["9", "8", "7"]
    assert len(cli.config.received("ListAuditEntries")) == 3
    assert not cli.router.received("ListAuditEntries")


def test_every_filter_is_asked_for(cli: Cli) -> None:
    result = cli(
        *("audit", "list", "--service", "router", "--actor", "bob", "--action", "silence."),
        *("--subject", "silence/sil-1", "--since", "2026-05-21T00:00:00Z"),
        *("--until", "2026-05-22T00:00:00Z"),
    )

    assert result.stdout == "no such entries\n"
    (request,) = cli.router.received("ListAuditEntries")
    assert (request.actor, request.action_prefix, request.subject) == (
        "bob",
        "silence.",
        "silence/sil-1",
    )
    assert request.since.ToJsonString() == "2026-05-21T00:00:00Z"
    assert request.until.ToJsonString() == "2026-05-22T00:00:00Z"


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ('{"smtp":{"port":25}}', '{"smtp":{"port":587}}', ["smtp.port: 25 → 587"]),
        ("", '{"name":"ops","on":true}', ["+ name: ops", "+ on: true"]),
        ('{"name":"ops"}', "", ["- name: ops"]),
        ('{"a":"(set)"}', '{"a":"(set)"}', ["a: replaced by another"]),
        ('{"to":["x"]}', '{"to":["x","ü"]}', ['to: ["x"] → ["x", "ü"]']),
        ("{}", "{}", []),
        ("not JSON", "", ["- : not JSON"]),
    ],
)
def test_what_changed_is_told_field_by_field(before: str, after: str, lines: list[str]) -> None:
    assert list(changes(before, after)) == lines


def test_nothing_in_an_entry_acts_on_a_terminal(cli: Cli) -> None:
    after = json.dumps({"description": "\x1b[2Jgone\u202e"})
    cli.config.answers["ListAuditEntries"] = page(entry(1, 1, "x\x1b[1m", after=after))

    output = cli("audit", "list", "--service", "config").stdout

    assert "\x1b" not in output
    assert "\u202e" not in output
    assert "description: \\x1b[2Jgone" in output


def test_programs_get_every_field_and_the_service(cli: Cli) -> None:
    cli.config.answers["ListAuditEntries"] = page(entry(1, 1, after='{"a":1}', before="{}"))

    (found,) = json.loads(cli("audit", "list", "--service", "config", "-o", "json").stdout)

    assert (found["service"], found["sequence"], found["after"]) == ("config", "1", '{"a":1}')


def test_intact_logs_are_said_to_be_so_with_what_to_note(cli: Cli) -> None:
    answer_all(cli, "VerifyAuditLog", intact())

    result = cli("audit", "verify")

    assert result.exit_code == 0
    assert result.stdout.count("intact") == 3
    for service in ("config", "router", "delivery"):
        assert f"--known {service}:7:{HASH.hex()}" in result.stdout


def test_a_broken_log_is_exit_code_1_and_says_where(cli: Cli) -> None:
    answer_all(cli, "VerifyAuditLog", intact())
    cli.router.answers["VerifyAuditLog"] = pb.VerifyAuditLogResponse(
        count=9, last_hash=HASH, broken_sequence=4, fault="the entry is missing"
    )

    result = cli("audit", "verify")

    assert result.exit_code == 1
    assert "BROKEN at entry 4: the entry is missing" in result.stdout
    assert "--known router" not in result.stdout


def test_what_was_noted_is_asked_of_its_service(cli: Cli) -> None:
    answer_all(cli, "VerifyAuditLog", intact())

    cli("audit", "verify", "--known", KNOWN, "--known", KNOWN.replace(":7:", ":8:"))

    asked = cli.config.received("VerifyAuditLog")
    assert [(each.known_sequence, each.known_hash) for each in asked] == [(7, HASH), (8, HASH)]
    (other,) = cli.router.received("VerifyAuditLog")
    assert other == pb.VerifyAuditLogRequest()


@pytest.mark.parametrize(
    "noted", ["config:7", "other:7:" + "0" * 64, "config:0:" + "0" * 64, "config:7:xyz"]
)
def test_what_was_noted_must_be_what_verify_prints(cli: Cli, noted: str) -> None:
    result = cli("audit", "verify", "--known", noted)

    assert result.exit_code == 2
    assert "SERVICE:NUMBER:HASH" in result.stderr


def test_what_was_noted_of_a_log_that_is_not_asked_for_is_a_mistake(cli: Cli) -> None:
    assert cli("audit", "verify", "--service", "router", "--known", KNOWN).exit_code == 2


def test_a_service_that_fails_is_named(cli: Cli) -> None:
    cli.delivery.answers["VerifyAuditLog"] = Internal(Reason.INTERNAL, "the service failed")
    assert cli("audit", "verify").exit_code == 70


def test_a_service_that_is_away_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBS_NOTIFY_DELIVERY_ADDRESS", "127.0.0.1:1")

    result = cli("audit", "verify")

    assert result.exit_code == 5
    assert "Delivery at 127.0.0.1:1 cannot be reached" in result.stderr
